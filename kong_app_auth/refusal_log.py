"""The log of refusals: a line each, with the reason code, written off the request path.

A request only leaves a few values behind; a thread of its own makes lines of them five times a second and writes them
in one go. Should too many wait, further ones are dropped and counted. A line never holds a credential.
"""

import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime

import msgspec

from plugin_server.metrics import Counter

MOST_WAITING = 10_000
WRITE_EVERY = 0.2
DROPPED = Counter("app_auth_refusals_not_logged_total", "Refusals whose log line was dropped.")


class Refusal(msgspec.Struct, frozen=True):
    """What is kept of a refusal. `at` is Unix time in seconds."""

    at: float
    reason: str
    status: int
    request_id: str | None
    service_id: str | None
    application_id: str | None
    detail: str | None = None


class RefusalLog:
    """The queue and its thread, which starts with the first refusal (a process may fork before that)."""

    def __init__(self) -> None:
        self._waiting: deque[Refusal] = deque()
        self._lock = threading.Lock()
        self._started = False

    def add(self, refusal: Refusal) -> None:
        """Leave a refusal to be written."""
        if not self._started:
            self._start()
        if len(self._waiting) >= MOST_WAITING:
            DROPPED.inc()
            return
        self._waiting.append(refusal)

    def write(self) -> None:
        """Write what waits."""
        with self._lock:
            lines = [_line(self._waiting.popleft()) for _ in range(len(self._waiting))]
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


def _line(refusal: Refusal) -> bytes:
    """One JSON object, in the form of the server's other log lines."""
    fields = {
        "event": "request refused",
        "level": "info",
        "timestamp": datetime.fromtimestamp(refusal.at, UTC),
        "reason": refusal.reason,
        "status": refusal.status,
        "request_id": refusal.request_id,
        "service_id": refusal.service_id,
        "application_id": refusal.application_id,
        "detail": refusal.detail,
    }
    return msgspec.json.encode({key: value for key, value in fields.items() if value is not None}) + b"\n"
