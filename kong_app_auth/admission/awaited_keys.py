"""Waiting for an issuer's new key: the daemon is told of it, and this node's copy is watched for half a second.

A `kid` is a stranger's word, so waiting is rationed: few wait at a time, and for a key that did not come nobody waits
again for some seconds.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from kong_app_auth.domain.records import Issuer

LONGEST_WAIT: Final = 0.5
"""Seconds."""
LOOK_EVERY: Final = 0.01
MOST_WAITING: Final = 16
MOST_WAITING_FOR_ISSUER: Final = 8
"""In this process."""
NOT_AGAIN_FOR: Final = 5.0
"""Seconds for which a key that did not come is not waited for."""
_MOST_REMEMBERED: Final = 1024

CAME, DID_NOT_COME, TURNED_AWAY = "came", "did_not_come", "turned_away"
"""What can come of it, for metrics."""


class AwaitedKeys:
    """Those of one process. `issuer_of` and `changes` are the replica's; `report` tells the daemon, not too often."""

    def __init__(
        self,
        issuer_of: Callable[[str], Issuer | None],
        changes: Callable[[], int],
        report: Callable[[str], None],
        on_waited: Callable[[str], None],
    ) -> None:
        self._issuer_of = issuer_of
        self._changes = changes
        self._report = report
        self._on_waited = on_waited
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._missing: OrderedDict[tuple[str, str | None], float] = OrderedDict()

    def wait(self, issuer_id: str, known: Issuer | None, kid: str | None) -> Issuer | None:
        """Give the issuer's record as soon as it is another than `known`; None where it stays as it is."""
        missing = issuer_id, kid
        with self._lock:
            until = self._missing.get(missing)
            if until is not None and time.monotonic() < until:
                return None
            everybody, here = sum(self._waiting.values()), self._waiting.get(issuer_id, 0)
            turned_away = everybody >= MOST_WAITING or here >= MOST_WAITING_FOR_ISSUER
            if not turned_away:
                self._waiting[issuer_id] = here + 1
        self._report(issuer_id)
        if turned_away:
            self._on_waited(TURNED_AWAY)
            return None
        try:
            newer = self._watch(issuer_id, known)
        finally:
            with self._lock:
                self._waiting[issuer_id] -= 1
                if not self._waiting[issuer_id]:
                    del self._waiting[issuer_id]
        self._on_waited(DID_NOT_COME if newer is None else CAME)
        if newer is None:
            self.is_missing(issuer_id, kid)
        return newer

    def is_missing(self, issuer_id: str, kid: str | None) -> None:
        """Remember that the issuer has no such key: it was looked for."""
        with self._lock:
            self._missing[issuer_id, kid] = time.monotonic() + NOT_AGAIN_FOR
            self._missing.move_to_end((issuer_id, kid))
            if len(self._missing) > _MOST_REMEMBERED:
                self._missing.popitem(last=False)

    def _watch(self, issuer_id: str, known: Issuer | None) -> Issuer | None:
        until = time.monotonic() + LONGEST_WAIT
        seen = -1
        while True:
            changes = self._changes()
            if changes != seen:
                seen = changes
                issuer = self._issuer_of(issuer_id)
                if issuer is not None and issuer is not known:
                    return issuer
            if time.monotonic() >= until:
                return None
            time.sleep(LOOK_EVERY)
