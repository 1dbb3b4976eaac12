"""What the kernel says of a process and all that came from it: CPU and memory."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Cpu(msgspec.Struct, frozen=True):
    """CPU seconds of a process tree."""

    user: float
    system: float

    def since(self, before: "Cpu") -> "Cpu":
        """What came after `before`."""
        return Cpu(self.user - before.user, self.system - before.system)

    @property
    def total(self) -> float:
        """User and system together: the split is sampled by the kernel, the sum is exact to 10 ms."""
        return self.user + self.system


class Memory(msgspec.Struct, frozen=True):
    """Bytes of one process: resident now, at most so far, and the part that is no page of a file."""

    process: str
    resident: int
    peak: int
    anonymous: int


def tree(pid: int) -> list[int]:
    """The process and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += sorted(children.get(one, []))
    return found


def cpu(pids: Iterable[int]) -> Cpu:
    """CPU of these processes, with that of children that have ended."""
    user = system = 0.0
    for pid in pids:
        fields = _stat(pid)
        if fields is None:
            continue
        user += (int(fields[11]) + int(fields[13])) * _TICK
        system += (int(fields[12]) + int(fields[14])) * _TICK
    return Cpu(user, system)


def memory(process: str, pid: int) -> Memory:
    """Resident sizes of one process. Pages of mapped files that other processes share count in each of them."""
    sizes = _status(_PROC / str(pid) / "status")
    return Memory(process, sizes["VmRSS"] * 1024, sizes["VmHWM"] * 1024, sizes["RssAnon"] * 1024)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on (the third), for the name before it may hold anything."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _status(path: Path) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        first = value.split()[:1]
        if first and first[0].isdigit():
            numbers[name] = int(first[0])
    return numbers
