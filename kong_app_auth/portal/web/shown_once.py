"""Keys that were just made, for the one case in which they are shown twice: the form was sent twice.

Of a double click a browser shows the second answer. The second request makes nothing; it is shown what the first one
made, for a minute, from this process's memory. It never reaches a disk.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

KEPT: Final = 60.0
"""Seconds."""
MOST: Final = 1000


class Secret(msgspec.Struct, frozen=True):
    """What a form made: the id of the record and the secret that is shown once."""

    record_id: str
    text: str
    more: Any = None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Secret({self.record_id})"


class ShownOnce:
    """A small memory of what forms have made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Secret]] = OrderedDict()

    def put(self, form: str, secret: Secret) -> None:
        """Keep what a form has made."""
        with self._lock:
            self._let_go()
            self._kept[form] = (self._clock() + KEPT, secret)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def get(self, form: str) -> Secret | None:
        """Give what a form has made; None where that is too long ago, or was elsewhere."""
        with self._lock:
            self._let_go()
            found = self._kept.get(form)
            return None if found is None else found[1]

    def _let_go(self) -> None:
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)
