"""The lease kept alive, and heartbeats on time, whatever else the daemon is busy with.

Two threads use this: the daemon's own, which reads and writes the registry and may be parsing a large file for seconds,
and one that does nothing but call `beat_if_due`. A long write calls it too between batches, because a thread that
takes a lock again at once leaves others no chance.
"""

import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeVar

import structlog

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.connection import CLIENT_ERRORS
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.writer import Position, RefusalReason, Refused, Writer
from kong_app_auth.sync.contact import Contact
from kong_app_auth.sync.metrics import SyncMetrics

BEAT_EVERY = 1.0
"""Seconds between heartbeats."""

Answer = TypeVar("Answer", bound=Position | Refused | None)

_log = structlog.get_logger()


class _State(Enum):
    STANDBY = "standby"
    HOLDING = "holding the lease, not yet at a position"
    BEATING = "holding the lease at a position"


class Leadership:
    """A writer that may be the one that writes. What reaches Redis raises CLIENT_ERRORS, but for `beat_if_due`."""

    def __init__(self, writer: Writer, contact: Contact, metrics: SyncMetrics) -> None:
        self._writer = writer
        self._contact = contact
        self._metrics = metrics
        self._lock = threading.Lock()
        self._state = _State.STANDBY
        self._due = 0.0

    @property
    def leading(self) -> bool:
        """Say whether the lease was ours when last heard of."""
        return self._state is not _State.STANDBY

    def acquire(self) -> bool:
        """Try to become the one that writes."""
        with self._lock:
            if not self._writer.acquire():
                return False
            self._contact.worked()
            self._state = _State.HOLDING
            self._due = time.monotonic() + BEAT_EVERY
            self._metrics.leader.set(1)
            return True

    def read(self) -> tuple[Position, Contents] | None:
        """Read the registry, while the other thread keeps the lease. Raises NewerSchema."""
        with self._lock:
            if self.leading:
                self._state = _State.HOLDING
        found = self._writer.read()
        with self._lock:
            if found is not None and self.leading:
                self._state = _State.BEATING
        return found

    def begin_epoch(self) -> Position | Refused:
        """Begin anew, see `Writer.begin_epoch`."""
        with self._lock:
            answer = self._checked(self._writer.begin_epoch())
            if isinstance(answer, Position):
                self._state = _State.BEATING
            return answer

    def write(self, batch: Sequence[Change]) -> Position | Refused:
        """Write one batch, after a heartbeat where one is due."""
        self.beat_if_due()
        return self._led(lambda: self._writer.write(batch))

    def complete(self) -> Position | Refused:
        """Complete the epoch, see `Writer.complete`."""
        return self._led(self._writer.complete)

    def beat_if_due(self) -> None:
        """Send a heartbeat, or renew the lease where the registry's position is not known yet, once a second."""
        with self._lock:
            now = time.monotonic()
            if not self.leading or now < self._due:
                return
            self._due = now + BEAT_EVERY
            try:
                if self._state is _State.BEATING:
                    if self._checked(self._writer.heartbeat()) is None:
                        self._metrics.succeeded()
                elif not self._writer.acquire():
                    self._checked(Refused(RefusalReason.NO_LEASE))
                self._contact.worked()
            except CLIENT_ERRORS as error:
                self._due = now + self._contact.failed(error)

    def release(self) -> None:
        """Give the lease up, so that another takes over at once."""
        with self._lock:
            if self.leading:
                self._stand_by()
                self._writer.release()

    def _led(self, action: Callable[[], Position | Refused]) -> Position | Refused:
        with self._lock:
            if not self.leading:
                return Refused(RefusalReason.NO_LEASE)
            return self._checked(action())

    def _checked(self, answer: Answer) -> Answer:
        if isinstance(answer, Refused):
            _log.warning("writing was refused, taking a new look", reason=answer.reason.value)
            self._stand_by()
        return answer

    def _stand_by(self) -> None:
        self._state = _State.STANDBY
        self._metrics.leader.set(0)
