"""Counting on the request path, for the price of one dictionary update.

Every thread counts into a dictionary of its own, so nothing is locked and nothing is lost; a snapshot adds them up.
The supervisor gathers the workers' snapshots and shows them in Prometheus' format.
"""

import threading
from collections.abc import Iterable

import msgspec

Key = tuple[str, ...]
"""A metric's name, then its label values."""


class Definition(msgspec.Struct, frozen=True):
    """What Prometheus is told of a counter."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


_definitions: dict[str, Definition] = {}


class _Local(threading.local):
    """What one thread has counted; `times` holds a number and a sum of seconds for each key."""

    def __init__(self) -> None:
        self.counts: dict[Key, float] = {}
        self.times: dict[Key, list[float]] = {}
        _threads.append((self.counts, self.times))


_threads: list[tuple[dict[Key, float], dict[Key, list[float]]]] = []
_local = _Local()


class Counter:
    """A number that only rises. Names end in `_total`, as Prometheus wants them."""

    def __init__(self, name: str, help: str, labels: Iterable[str] = ()) -> None:
        self._name = name
        _definitions[name] = Definition(name, help, tuple(labels))

    def inc(self, *label_values: str, by: float = 1) -> None:
        """Count. The label values must come from a small set that we choose, never from a client."""
        counts = _local.counts
        key = (self._name, *label_values)
        counts[key] = counts.get(key, 0) + by


class Timer:
    """Counts events and adds up how long they took, as `<name>_total` and `<name>_seconds_total`."""

    def __init__(self, name: str, help: str, labels: Iterable[str] = ()) -> None:
        self._count = f"{name}_total"
        self._seconds = f"{name}_seconds_total"
        labels = tuple(labels)
        _definitions[self._count] = Definition(self._count, help, labels)
        _definitions[self._seconds] = Definition(self._seconds, f"{help} Their time in seconds.", labels)

    def key(self, *label_values: str) -> Key:
        """The key to count under; to be made once, not for each event."""
        return (self._count, self._seconds, *label_values)

    @staticmethod
    def observe(key: Key, seconds: float) -> None:
        """Count one event with what it took."""
        times = _local.times
        entry = times.get(key)
        if entry is None:
            entry = times[key] = [0, 0.0]
        entry[0] += 1
        entry[1] += seconds


def definitions() -> list[Definition]:
    """Every counter that the loaded code defines."""
    return list(_definitions.values())


def snapshot() -> dict[Key, float]:
    """Add up what all threads of this process have counted so far."""
    total: dict[Key, float] = {}
    for counts, times in _threads.copy():
        for key, value in counts.copy().items():
            total[key] = total.get(key, 0) + value
        for (count, seconds, *labels), (number, taken) in times.copy().items():
            total[(count, *labels)] = total.get((count, *labels), 0) + number
            total[(seconds, *labels)] = total.get((seconds, *labels), 0) + taken
    return total
