"""Processes seen from outside: those that carry a mark in their environment, their parents, their size."""

import contextlib
import os
import signal
from pathlib import Path

import msgspec

MARK = "KONG_APP_AUTH_TEST"
"""The environment variable that says to which test a process belongs. Children inherit it, orphans keep it."""


class Seen(msgspec.Struct, frozen=True):
    """A process as /proc shows it. `command` is its arguments with spaces between."""

    pid: int
    parent: int
    state: str
    command: str


def marked(mark: str) -> list[Seen]:
    """All processes that carry this mark, zombies left out."""
    found: list[Seen] = []
    wanted = f"{MARK}={mark}".encode()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            if wanted not in (directory / "environ").read_bytes().split(b"\0"):
                continue
            state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if state not in "ZX":
                found.append(Seen(int(directory.name), int(parent), state, command))
    return found


def resident(pid: int) -> int:
    """The resident bytes of a process that are its own or shared (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(link.readlink()).startswith("socket:")
    return count


def send(pid: int, number: int) -> None:
    """Send a signal, to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def end_marked(mark: str) -> list[Seen]:
    """Kill whatever still carries the mark, and say what that was."""
    left = marked(mark)
    for each in left:
        send(each.pid, signal.SIGKILL)
    return left
