"""What providers have answered, kept for a while: and one question at a time, however many want its answer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

MOST_KEPT: Final = 4096
MOST_WAITING: Final = 16
"""Threads that wait in one lane; more are turned away."""

T = TypeVar("T")


class _Question(Generic[T]):
    """One that is being asked; `answer` is set before `answered`."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.answered = threading.Event()
        self.answer: T | None = None
        self.waiting = 0


class Proofs(Generic[T]):
    """Answers by key, which is a digest of what was presented. For any number of threads.

    Bounded: the one that was not asked for longest goes first.
    """

    def __init__(self, most: int = MOST_KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        self._asking: dict[bytes, _Question[T]] = {}

    def get(self, key: bytes) -> T | None:
        """Give what is known; None where that is nothing, or too old."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if found[0] <= self._clock():
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return found[1]

    def obtain(self, key: bytes, lane: bytes, until: float, ask: Callable[[], tuple[T, float]]) -> T | None:
        """Give what is known, or ask; None where that takes longer than `until` (monotonic time), or too many wait.

        One question at a time is asked in a lane. `ask` gives the answer and for how many seconds it is to be kept.
        Those who wait for the same key share the answer, even one that is not kept.
        """
        while True:
            answer = self.get(key)
            if answer is not None:
                return answer
            with self._lock:
                other = self._asking.get(lane)
                if other is None:
                    mine = self._asking[lane] = _Question[T](key)
                    break
                if other.waiting >= MOST_WAITING:
                    return None
                other.waiting += 1
            if not other.answered.wait(max(0.0, until - time.monotonic())):
                return None
            if other.key == key and other.answer is not None:
                return other.answer
        try:
            answer, seconds = ask()
            mine.answer = answer
            if seconds > 0:
                self._keep(key, answer, seconds)
            return answer
        finally:
            with self._lock:
                del self._asking[lane]
            mine.answered.set()

    def forget(self, key: bytes) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._kept.pop(key, None)

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._kept)

    def _keep(self, key: bytes, answer: T, seconds: float) -> None:
        with self._lock:
            self._kept[key] = self._clock() + seconds, answer
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
