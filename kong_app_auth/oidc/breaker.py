"""A circuit breaker: a provider that fails is left alone for a while, and never gets too many requests at once.

Without it each request to a provider that hangs would hold a thread of a worker until its time is up.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

MOST_AT_ONCE: Final = 16
FAILURES: Final = 5
"""Failures in a row after which it opens."""
REST: Final = (1.0, 30.0)
"""Seconds for which it stays open: the first time, and the limit that doubling reaches."""


class Breaker:
    """One endpoint's. Whoever is let through by `enter` must call `leave`. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inside = 0
        self._failures = 0
        self._rest = 0.0
        self._closed_again_at = 0.0
        self._probing = False

    def enter(self) -> bool:
        """Say whether a request may be made now. After a rest it is one request alone that finds out."""
        with self._lock:
            if self._inside >= MOST_AT_ONCE:
                return False
            if self._rest:
                if self._probing or self._clock() < self._closed_again_at:
                    return False
                self._probing = True
            self._inside += 1
            return True

    def leave(self, *, well: bool) -> None:
        """Tell how the request went."""
        with self._lock:
            self._inside -= 1
            if well:
                self._failures = 0
                self._rest = 0.0
                self._probing = False
                return
            self._failures += 1
            if self._failures >= FAILURES and (self._probing or not self._rest):
                first, longest = REST
                self._rest = min(max(2 * self._rest, first), longest)
                self._closed_again_at = self._clock() + self._rest
                self._probing = False
