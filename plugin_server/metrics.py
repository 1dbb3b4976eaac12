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
_counts_of_threads: list[dict[Key, float]] = []


class _Local(threading.local):
    def __init__(self) -> None:
        self.counts: dict[Key, float] = {}
        _counts_of_threads.append(self.counts)


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


def definitions() -> list[Definition]:
    """Every counter that the loaded code defines."""
    return list(_definitions.values())


def snapshot() -> dict[Key, float]:
    """Add up what all threads of this process have counted so far."""
    total: dict[Key, float] = {}
    for counts in _counts_of_threads.copy():
        for key, value in counts.copy().items():
            total[key] = total.get(key, 0) + value
    return total
