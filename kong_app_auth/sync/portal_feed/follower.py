"""Follows the portal's feed in a thread of its own, so that neither lease nor heartbeat ever waits for HTTP."""

import random
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

import structlog

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.feed import BadFeed, NewerFeed
from kong_app_auth.sync.portal_feed.client import CursorGone, FeedClient, PortalAway
from kong_app_auth.sync.portal_feed.metrics import PortalMetrics

SHORTEST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
"""Seconds between two attempts: the first, and the limit that doubling reaches. Each is cut by chance to half at most,
so that daemons do not come back to a portal all at once.
"""
_GOODBYE: Final = 0.5

Found: TypeAlias = Contents | list[Change]

_log = structlog.get_logger()


class PortalFeed:
    """The feed of one region as a daemon's source: first the whole, then changes, then the whole again where need be.

    `wake` is set when there is something to look at. While the portal is away nothing is: what is in force stays.
    What was found is handed over before more is asked for, so nothing piles up while the daemon is busy.
    """

    def __init__(self, client: FeedClient, metrics: PortalMetrics, wake: threading.Event) -> None:
        self._client = client
        self._metrics = metrics
        self._wake = wake
        self._stop = threading.Event()
        self._taken = threading.Event()
        self._taken.set()
        self._found: Found | None = None
        self._newer: NewerFeed | None = None
        self._cursor: str | None = None
        self._away: str | None = None
        self._wait = 0.0

    @contextmanager
    def running(self) -> Generator[None]:
        """Follow while the block runs."""
        thread = threading.Thread(target=self._follow, name="portal-feed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._taken.set()
            # It may be waiting for an answer, and then ends with the process.
            thread.join(_GOODBYE)

    def look(self) -> Contents | list[Change] | None:
        """Give the contents, or changes to be made in what was given before. Raises NewerFeed."""
        if self._newer is not None:
            raise self._newer
        if self._taken.is_set():
            return None
        found, self._found = self._found, None
        self._taken.set()
        return found

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
        except NewerFeed as newer:
            self._newer = newer
            self._wake.set()
        finally:
            self._client.close()

    def _step(self) -> None:
        try:
            found = self._ask()
        except CursorGone:
            _log.info("portal cannot go on from where we are, taking a snapshot")
            self._cursor = None
            self._pause()
            return
        except BadFeed as bad:
            self._cursor = None
            self._failed(f"its answer is no feed: {bad}")
            return
        except PortalAway as away:
            self._failed(str(away))
            return
        self._answered()
        if found is None:
            self._metrics.in_step()
            return
        self._hand_over(found)

    def _ask(self) -> Found | None:
        if self._cursor is None:
            self._cursor, contents = self._client.snapshot()
            self._metrics.snapshots.inc()
            return contents
        answer = self._client.changes(self._cursor)
        # Only now: a portal that gives snapshots but cannot go on from them is not asked for one after the other.
        self._wait = 0.0
        self._cursor = answer.cursor
        return answer.changes or None

    def _hand_over(self, found: Found) -> None:
        self._found = found
        self._taken.clear()
        self._wake.set()
        while not self._taken.wait(_GOODBYE):
            if self._stop.is_set():
                return
        self._metrics.in_step()

    def _answered(self) -> None:
        if self._away is not None:
            _log.info("portal is back")
        self._away = None
        self._metrics.up.set(1)

    def _failed(self, problem: str) -> None:
        if self._away != problem:
            _log.warning("portal is away, what is in the registry stays in force", problem=problem)
        self._away = problem
        self._metrics.up.set(0)
        self._pause()

    def _pause(self) -> None:
        self._wait = min(LONGEST_WAIT, max(SHORTEST_WAIT, 2 * self._wait))
        self._stop.wait(self._wait * random.Random().uniform(0.5, 1))  # noqa: S311  no secret
