"""The Node packages of the identity provider: installed once by npm, in a directory named after what is wanted."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

OLDEST_NODE: Final = 20
_HERE: Final = Path(__file__).parent
_FILES: Final = ("package.json", "package-lock.json", "provider.mjs")
_CHECKOUT: Final = Path(__file__).parents[3]
_TIMEOUT: Final = 300.0


class NotInstallable(Exception):  # noqa: N818  says what it is
    """The provider cannot be had on this machine; the text says what to do."""


def node() -> str:
    """Give the path of Node. Raises NotInstallable where it is missing or too old."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        raise NotInstallable(
            f"the identity provider needs Node {OLDEST_NODE} or newer, with npm (Debian: apt-get install nodejs npm)"
        )
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    major = told.removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_NODE:
        raise NotInstallable(f"the identity provider needs Node {OLDEST_NODE} or newer; this is {told or found}")
    return found


def default_root() -> Path:
    """Where installations are kept: `build/` of a checkout, else the user's cache directory."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return _CHECKOUT / "build" / "identity-provider"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "kong-app-auth" / "identity-provider"


def program(root: Path | None = None) -> Path:
    """Give the path of the program, with its packages beside it; installs them where that was not done yet.

    Processes that ask at the same moment wait for one installation. Raises NotInstallable.
    """
    root = root or default_root()
    directory = root / _fingerprint()
    if not directory.is_dir():
        node()
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.is_dir():
                _install(directory)
    return directory / "provider.mjs"


def _fingerprint() -> str:
    return hashlib.sha256(b"\0".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()[:16]


def _install(directory: Path) -> None:
    """Install aside, and put it in place when it is complete."""
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=directory.parent) as name:
        aside = Path(name) / "provider"
        aside.mkdir()
        for file in _FILES:
            shutil.copyfile(_HERE / file, aside / file)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command,
                cwd=aside,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise NotInstallable(f"npm did not install the identity provider within {_TIMEOUT:.0f} s") from None
        if done.returncode:
            raise NotInstallable(f"npm could not install the identity provider:\n{done.stderr.strip()[-2000:]}")
        aside.rename(directory)
