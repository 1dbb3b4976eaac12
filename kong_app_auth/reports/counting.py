"""Counting in a worker: a request leaves a few values behind, and a thread of its own adds them up once a second.

On the path of a request that is one append to a deque, which the interpreter makes whole: no lock, no system call, no
clock. The thread hands its sums to the node's follower; what nobody takes it keeps, within bounds, for the next time.
"""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from kong_app_auth.reports.codec import encode
from kong_app_auth.reports.datagrams import Sender
from kong_app_auth.reports.records import ALLOWED, MAX_ISSUER, Refusal, Report, id_or_none, is_request_id
from kong_app_auth.reports.tally import Tally

MOST_WAITING: Final = 50_000
"""Requests of each kind between two flushes: more than a worker can answer in a second."""
MOST_REFUSALS: Final = 500
"""Refusals between two flushes that can be found by their request id; all are counted."""
FLUSH_EVERY: Final = (0.8, 1.2)
"""Seconds, at random between these: the workers of a node shall not all flush at once."""
_AT_ONCE: Final = 256
"""Requests added up before others may run: that takes some tens of microseconds."""

UNKNOWN_KEY_EVERY: Final = 1.0
"""Seconds between two reports of an unknown key of the same issuer."""
_MOST_ISSUERS: Final = 1024

T = TypeVar("T")
Allowed = tuple[str, str, str]
"""Credential id, application id, API id."""
Refused = tuple[float, str, int, str | None, str | None, str | None, str | None, str | None]
"""Unix time, reason code, status, then the ids of request, application, credential, API and service where known."""


def _nobody_counts(_lost: int) -> None:
    return None


class Reporter:
    """Counts for one process. The thread starts with the first request: a process may fork before that.

    `on_lost` is told how many pieces of news were lost here.
    """

    def __init__(self, directory: Path | str, on_lost: Callable[[int], None] = _nobody_counts) -> None:
        self._allowed: deque[Allowed] = deque()
        self._refused: deque[Refused] = deque()
        self._refused_too: deque[tuple[str | None, str | None, str]] = deque()
        self._overflowed = 0
        self._tally = Tally(refusals=MOST_REFUSALS)
        self._sender = Sender(directory)
        self._urgent = Sender(directory)
        self._urgent_lock = threading.Lock()
        self._unknown_keys: dict[str, float] = {}
        self._untold: set[str] = set()
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._started = False

    def allowed(self, one: Allowed) -> None:
        """Count a request that passes."""
        waiting = self._allowed
        if len(waiting) >= MOST_WAITING:
            self._overflowed += 1
            return
        waiting.append(one)
        if not self._started:
            self._start()

    def refused(self, one: Refused) -> None:
        """Count a request that is refused, and let it be found by its request id."""
        if len(self._refused) < MOST_REFUSALS:
            self._refused.append(one)
        elif len(self._refused_too) < MOST_WAITING:
            self._refused_too.append((one[4], one[6], one[1]))
        else:
            self._overflowed += 1
            return
        if not self._started:
            self._start()

    def unknown_key(self, issuer_id: str) -> None:
        """Tell at once that a token names a key that the issuer's record lacks; within a second of that, a bit later.

        It is handed over here, by one system call that does not wait: a request is waiting for the key.
        """
        if len(issuer_id) > MAX_ISSUER:
            return
        with self._urgent_lock:
            if len(self._unknown_keys) >= _MOST_ISSUERS:
                self._unknown_keys.clear()
            if time.monotonic() - self._unknown_keys.get(issuer_id, -UNKNOWN_KEY_EVERY) >= UNKNOWN_KEY_EVERY:
                self._tell_unknown_key(issuer_id)
            elif len(self._untold) < _MOST_ISSUERS:
                self._untold.add(issuer_id)
        if not self._started:
            self._start()

    def _tell_unknown_key(self, issuer_id: str) -> None:
        if self._urgent.send(encode(Report(unknown_keys=[issuer_id]))):
            self._unknown_keys[issuer_id] = time.monotonic()

    def flush(self) -> None:
        """Hand over all that waits. What nobody takes stays."""
        with self._urgent_lock:
            untold, self._untold = self._untold, set()
            for issuer_id in untold:
                self._tell_unknown_key(issuer_id)
        with self._lock:
            before = self._tally.lost
            self._add_up()
            if self._tally.lost > before:
                self._on_lost(self._tally.lost - before)
            taken = True
            for report in self._tally.take():
                taken = taken and self._sender.send(encode(report))
                if not taken:
                    self._tally.add(report)

    def _add_up(self) -> None:
        tally, now = self._tally, int(time.time())
        overflowed, self._overflowed = self._overflowed, 0
        tally.lost += overflowed
        for (credential_id, application_id, api_id), requests in _counted(self._allowed).items():
            tally.count(now, id_or_none(application_id), id_or_none(api_id), ALLOWED, requests)
            if id_or_none(credential_id):
                tally.use(credential_id, now)
        for (application, api, reason), requests in _counted(self._refused_too).items():
            tally.count(now, id_or_none(application), id_or_none(api), reason, requests)
            tally.lost += requests  # they are counted, and cannot be found by their request id
        for _ in range(len(self._refused)):
            at, reason, status, request_id, *ids = self._refused.popleft()
            application, credential, api, service = map(id_or_none, ids)
            tally.count(int(at), application, api, reason)
            if request_id is not None and is_request_id(request_id):
                tally.refuse(Refusal(request_id, int(at), reason, status, application, credential, api, service))

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def _run(self) -> None:
        # One of its own, made after the fork: the module's would give all workers the same waits.
        jitter = random.Random()  # noqa: S311  no secret hangs on it
        while True:
            time.sleep(jitter.uniform(*FLUSH_EVERY))
            self.flush()


def _counted(waiting: "deque[T]") -> "Counter[T]":
    counted: Counter[T] = Counter()
    for _ in range(0, len(waiting), _AT_ONCE):
        counted.update([waiting.popleft() for _ in range(min(_AT_ONCE, len(waiting)))])
        time.sleep(0)  # lets go of the interpreter
    return counted
