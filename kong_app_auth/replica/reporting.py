"""What the workers of this node report, and how far its copy is, appended to the region's stream of reports.

It has a thread and a connection of its own, so that following the registry never waits for it. What Redis does not take
is kept within bounds. An entry whose fate is unknown is not sent again: a report may be lost, never counted twice.

That a token names an unknown key is told at once, once a second for each issuer: somebody waits for that key.
"""

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from redis.exceptions import ResponseError

from kong_app_auth.registry.connection import CLIENT_ERRORS, Client
from kong_app_auth.registry.keys import Keys
from kong_app_auth.reports.codec import MAX_STREAM, CorruptReport, decode, entry
from kong_app_auth.reports.datagrams import Receiver
from kong_app_auth.reports.records import MOST_ISSUERS, Report, Standing
from kong_app_auth.reports.tally import Tally

APPEND_EVERY: Final = (0.8, 1.2)
"""Seconds between two appends, at random between these: the nodes shall not all append at once."""
MOST_REFUSALS: Final = 2_000
"""Refusals with their request ids that wait to be appended."""
_LONGEST_WAIT: Final = 15.0
"""Seconds between two attempts where Redis is away."""
_LISTEN_AGAIN: Final = 1.0
STANDING_EVERY: Final = 10.0
"""Seconds between two entries that say how far this node is."""
UNKNOWN_KEY_EVERY: Final = 1.0
"""Seconds between two entries for the same issuer, whatever the workers say."""
_AT_ONCE: Final = 0.2

_log = structlog.get_logger()


class Reporting:
    """Takes reports in `directory` and appends them for `region`. `connect` makes a client of its own.

    `node` names this gateway in the stream; default: the host's name. `standing` says how far its copy is.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        region: str,
        directory: Path | str,
        node: str = "",
        *,
        standing: Callable[[], Standing] | None = None,
    ) -> None:
        self._connect = connect
        self._keys = Keys(region)
        self._directory = Path(directory)
        self._node = node or socket.gethostname()
        self._tally = Tally(refusals=MOST_REFUSALS)
        self._client: Client | None = None
        self._receiver: Receiver | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._append_at = self._listen_at = 0.0
        self._wait = 0.0
        self._trouble: str | None = None
        self._unknown_keys: set[str] = set()
        self._told: dict[str, float] = {}
        self._standing = standing
        self._standing_at = 0.0

    def start(self) -> None:
        """Begin, in a thread of its own. Only for the process that holds the directory. Again: nothing."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End, with what is at hand appended where Redis takes it at once. `timeout`: seconds."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join(timeout)

    def step(self) -> None:
        """Take in what comes for a moment; append what waits where it is time."""
        now = time.monotonic()
        receiver = self._listening(now)
        if receiver is None:
            self._stop.wait(_AT_ONCE)
        else:
            self._take_in(receiver, min(max(self._append_at - now, 0.0), _AT_ONCE))
        due = self._due_unknown_keys()
        if due:
            self._tell_unknown_keys(due)
        if time.monotonic() >= self._append_at:
            self.append()

    def append(self) -> None:
        """Append all that waits, or note when to try again."""
        wait = random.Random().uniform(*APPEND_EVERY)  # noqa: S311  no secret hangs on it
        if (self._tally or self._standing_is_due()) and not self._appended():
            self._wait = wait = min(max(2 * self._wait, wait), _LONGEST_WAIT)
        else:
            self._wait = 0.0
        self._append_at = time.monotonic() + wait

    def close(self) -> None:
        """Let go of the socket and of Redis."""
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
        self._disconnect()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.step()
            if self._receiver is not None:
                self._take_in(self._receiver, 0.0)
            if self._wait == 0.0:
                self.append()
        finally:
            self.close()

    def _listening(self, now: float) -> Receiver | None:
        """The socket, made where there is none or nobody finds it any more."""
        if self._receiver is not None and self._receiver.in_place():
            return self._receiver
        if now < self._listen_at:
            return None
        self._listen_at = now + _LISTEN_AGAIN
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
        try:
            self._receiver = Receiver(self._directory)
        except OSError as error:
            self._say("reports of this node cannot be taken in", error.strerror or type(error).__name__)
        return self._receiver

    def _take_in(self, receiver: Receiver, timeout: float) -> None:
        give_up = time.monotonic() + _AT_ONCE
        data = receiver.receive(timeout)
        while data is not None:
            try:
                report = decode(data)
            except CorruptReport:
                self._tally.lost += 1
            else:
                self._tally.add(report)
                # Where Redis is away nobody can fetch a key now, and who still wants it then will say so again.
                if report.unknown_keys and not self._wait and len(self._unknown_keys) < MOST_ISSUERS:
                    self._unknown_keys.update(report.unknown_keys)
                    return
            data = receiver.receive(0.0) if time.monotonic() < give_up else None

    def _due_unknown_keys(self) -> list[str]:
        """The issuers that the daemon may be told of now; the others wait until a second has passed."""
        now = time.monotonic()
        self._told = {issuer: at for issuer, at in self._told.items() if now - at < UNKNOWN_KEY_EVERY}
        return sorted(self._unknown_keys - self._told.keys())[:MOST_ISSUERS]

    def _tell_unknown_keys(self, issuers: list[str]) -> None:
        self._unknown_keys.difference_update(issuers)
        self._told.update(dict.fromkeys(issuers, time.monotonic()))
        client = self._reached()
        if client is None:
            self._wait = APPEND_EVERY[0]
            return
        report = Report(unknown_keys=issuers)
        try:
            client.xadd(self._keys.reports, entry(self._node, report), maxlen=MAX_STREAM, approximate=True)
        except CLIENT_ERRORS as error:
            self._say("reports cannot be appended", type(error).__name__)
            self._disconnect()

    def _reached(self) -> Client | None:
        """A client whose server answers; None where there is none."""
        try:
            if self._client is None:
                self._client = self._connect()
            self._client.ping()  # a connection that died unnoticed costs no report
        except CLIENT_ERRORS as error:
            self._disconnect()
            self._say("reports cannot be appended", type(error).__name__)
            return None
        return self._client

    def _appended(self) -> bool:
        """Append what waits; False where Redis did not take all."""
        client = self._reached()
        if client is None:
            return False
        trouble: str | None = None
        standing = self._due_standing()
        for report in (*([] if standing is None else [standing]), *self._tally.take()):
            if trouble is not None:
                self._tally.add(report)
                continue
            try:
                client.xadd(self._keys.reports, entry(self._node, report), maxlen=MAX_STREAM, approximate=True)
            except ResponseError as error:
                trouble = type(error).__name__  # it was not taken
                self._tally.add(report)
            except CLIENT_ERRORS as error:
                trouble = type(error).__name__
                self._tally.lost += _pieces(report)
                self._disconnect()
        self._say("reports cannot be appended", trouble)
        return trouble is None

    def _standing_is_due(self) -> bool:
        return self._standing is not None and time.monotonic() >= self._standing_at

    def _due_standing(self) -> Report | None:
        if self._standing is None or not self._standing_is_due():
            return None
        self._standing_at = time.monotonic() + STANDING_EVERY
        return Report(standing=self._standing())

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _say(self, event: str, trouble: str | None) -> None:
        """Log what stands in the way once, and when it is gone."""
        if trouble == self._trouble:
            return
        if trouble is None:
            _log.info("reports are appended again", region=self._keys.region)
        elif self._trouble is None:
            _log.warning(event, region=self._keys.region, error=trouble)
        self._trouble = trouble


def _pieces(report: Report) -> int:
    """How many pieces of news a report holds."""
    return sum(one.requests for one in report.usage) + len(report.uses) + len(report.refusals) + report.lost
