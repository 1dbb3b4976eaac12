"""Whether Redis answers: said once when it changes, from whichever thread finds out."""

import threading

import structlog

from kong_app_auth.sync.declarative.complaints import shown
from kong_app_auth.sync.metrics import SyncMetrics

SHORTEST_WAIT = 0.1
LONGEST_WAIT = 2.0
"""Seconds between two attempts: the first, and the limit that doubling reaches."""

_log = structlog.get_logger()


class Contact:
    """The state of the connection, for the log, the metrics and the time to the next attempt."""

    def __init__(self, metrics: SyncMetrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._away: bool | None = None
        self._wait = 0.0

    def failed(self, error: Exception) -> float:
        """Note a failure; answers how many seconds to wait before the next attempt."""
        with self._lock:
            if self._away is not True:
                # An error of Redis can quote what was sent to it.
                _log.warning("redis is away", error=type(error).__name__, problem=shown(str(error)))
            self._away = True
            self._metrics.redis_up.set(0)
            self._wait = min(LONGEST_WAIT, max(SHORTEST_WAIT, 2 * self._wait))
            return self._wait

    def worked(self) -> None:
        """Note an answer."""
        with self._lock:
            if self._away is True:
                _log.info("redis is back")
            self._away = False
            self._metrics.redis_up.set(1)
            self._wait = 0.0
