"""Daemons that wait for a change: one thread looks at the database for all of them, and only while there are any.

A commit of this process wakes the thread at once; those of other processes are found at the next look.
"""

import asyncio
import contextlib
import threading
from collections.abc import Generator
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from kong_app_auth.portal.errors import Unavailable
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.feed import FeedPosition
from kong_app_auth.registry.feed import Cursor

LOOK_EVERY: Final = 0.1
MOST_WAITERS: Final = 64
_IDLE_LOOKS: Final = 20
"""Looks without anybody who waits, after which the thread ends."""

_log = structlog.get_logger()


class Waiter:
    """Somebody in an event loop who wants to know when a region is not at a cursor any more."""

    def __init__(self, region: str, cursor: Cursor) -> None:
        self.region = region
        self.cursor = cursor
        self._loop = asyncio.get_running_loop()
        self.moved = asyncio.Event()

    def wake(self) -> None:
        """Let them look. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # their loop is closed
            self._loop.call_soon_threadsafe(self.moved.set)


class FeedWatch:
    """Who waits for changes in this process."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._lock = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody is to wait any more, because the process ends."""
        return self._closed

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiters)

    @contextlib.contextmanager
    def waiting(self, region: str, cursor: Cursor) -> Generator[Waiter]:
        """Count as waiting while the block runs. Look after this has begun: what is committed then is told.

        Raises Unavailable where too many wait already.
        """
        waiter = Waiter(region, cursor)
        with self._lock:
            if len(self._waiters) >= MOST_WAITERS:
                raise Unavailable("Too many are waiting for changes")
            self._waiters.add(waiter)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._watch, name="feed-watch", daemon=True)
                self._thread.start()
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def close(self) -> None:
        """Wake everybody and let nobody wait any more."""
        with self._lock:
            self._closed = True
            waiting, thread = list(self._waiters), self._thread
        for waiter in waiting:
            waiter.wake()
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        seen, idle = -1, 0
        while True:
            seen = self._plane.wait_for_feed(seen, LOOK_EVERY)
            with self._lock:
                waiting = list(self._waiters)
                idle = 0 if waiting else idle + 1
                if self._closed or idle > _IDLE_LOOKS:
                    self._thread = None
                    return
            if not waiting:
                continue
            positions = self._positions()
            for waiter in waiting:
                if positions.get(waiter.region) != waiter.cursor:
                    waiter.wake()

    def _positions(self) -> dict[str, Cursor]:
        """Say where all regions stand; nothing where the database is away, so that those who wait find it out."""
        try:
            with self._plane.database.session("read", "") as session:
                rows = session.execute(select(FeedPosition.region, FeedPosition.epoch, FeedPosition.seq)).all()
        except SQLAlchemyError as error:
            _log.warning("feed cannot be looked at", error=type(error).__name__)
            return {}
        return {region: Cursor(epoch, seq) for region, epoch, seq in rows}
