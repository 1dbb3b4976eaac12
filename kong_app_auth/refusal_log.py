"""The log of refusals: a line each, with the reason code, written off the request path.

A request only leaves a few values behind; a thread of its own makes lines of them five times a second and writes them
in one go. Should too many wait, further ones are dropped and counted. A line never holds a credential.
"""

import sys
import threading
import time
from collections import deque
from contextlib import suppress
from functools import lru_cache

import msgspec

from plugin_server.metrics import Counter

MOST_WAITING = 10_000
WRITE_EVERY = 0.2
DROPPED = Counter("app_auth_refusals_not_logged_total", "Refusals whose log line was dropped.")


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is logged of a refusal, by the names that it is logged under."""

    reason: str
    status: int
    request_id: str | None = None
    service_id: str | None = None
    application_id: str | None = None
    credential_id: str | None = None
    detail: str | None = None


class RefusalLog:
    """The queue and its thread, which starts with the first refusal (a process may fork before that)."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Refusal]] = deque()
        self._lock = threading.Lock()
        self._started = False

    def add(self, at: float, refusal: Refusal) -> None:
        """Leave a refusal to be written. `at`: Unix time in seconds."""
        if not self._started:
            self._start()
        if len(self._waiting) >= MOST_WAITING:
            DROPPED.inc()
            return
        self._waiting.append((at, refusal))

    def write(self) -> None:
        """Write what waits. What cannot be written is lost."""
        with self._lock, suppress(OSError, ValueError):
            lines = [_line(*self._waiting.popleft()) for _ in range(len(self._waiting))]
            if lines:
                sys.stderr.buffer.write(b"".join(lines))
                sys.stderr.buffer.flush()

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._run, name="refusal-log", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(WRITE_EVERY)
            self.write()


def _line(at: float, refusal: Refusal) -> bytes:
    """One JSON object, in the form of the server's other log lines. `at` is Unix time in seconds."""
    second = int(at)
    return b'{"event":"request refused","level":"info","timestamp":"%s.%06dZ",%s\n' % (
        _timestamp(second),
        (at - second) * 1e6,
        msgspec.json.encode(refusal)[1:],
    )


@lru_cache(maxsize=4)
def _timestamp(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
