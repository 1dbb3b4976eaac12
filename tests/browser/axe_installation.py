"""axe-core from npm, installed once into `build/`, in a directory named after the lock file."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent / "axe"
_ROOT = Path(__file__).parents[2] / "build" / "axe"
_FILES = ("package.json", "package-lock.json")


def axe_script() -> Path:
    """Give the script. Raises CalledProcessError where npm cannot install it."""
    name = hashlib.sha256(b"\0".join((_HERE / one).read_bytes() for one in _FILES)).hexdigest()[:16]
    directory = _ROOT / name
    if not directory.is_dir():
        _ROOT.mkdir(parents=True, exist_ok=True)
        with (_ROOT / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.is_dir():
                _install(directory)
    return directory / "node_modules" / "axe-core" / "axe.min.js"


def _install(directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=directory.parent) as name:
        aside = Path(name) / "axe"
        aside.mkdir()
        for one in _FILES:
            shutil.copyfile(_HERE / one, aside / one)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=aside, capture_output=True, text=True, check=True, timeout=300)
        aside.rename(directory)
