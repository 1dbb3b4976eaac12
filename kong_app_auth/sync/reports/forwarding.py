"""Takes the reports of a region's gateways from its stream to the portal.

The portal says how far it has counted, and counts a batch only if it follows that: so a batch that is sent twice, or by
two daemons, counts once. What was counted is trimmed off the stream; without a portal its cap holds it.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter
from redis.exceptions import ResponseError

from kong_app_auth.registry.connection import Client
from kong_app_auth.registry.keys import Keys
from kong_app_auth.registry.position import NewerSchema
from kong_app_auth.registry.reading import read_meta
from kong_app_auth.registry.records import CorruptRecord
from kong_app_auth.reports.codec import CorruptReport, decode_entry, node_of
from kong_app_auth.reports.records import MOST_NODES, Batch, Node, Report, Standing, order_of
from kong_app_auth.reports.tally import Tally, weight
from kong_app_auth.sync.reports.portal import REFUSED, PortalFailed

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the stream while nothing more is in it."""
ENTRIES_AT_ONCE: Final = 50
MOST_BYTES: Final = 512 * 1024
"""About the most that one request holds; the portal takes twice as much."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
"""Seconds after a failure: the first, and the limit that doubling reaches."""

_log = structlog.get_logger()


class Portal(Protocol):
    """Where reports go, see `ReportsPortal`."""

    # ruff: noqa: D102 – see there
    def position(self) -> str: ...
    def send(self, batch: Batch) -> str: ...


class _Errand(threading.Thread):
    """A request to the portal, made aside: the daemon has a lease to keep."""

    def __init__(self, ask: Callable[[], str]) -> None:
        super().__init__(name="reports to portal", daemon=True)
        self._ask = ask
        self.answer: str | PortalFailed = PortalFailed("the request failed")
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._ask()
        except PortalFailed as failure:
            self.answer = failure


class ReportForwarder:
    """A companion of the daemon of `region`, see `sync.daemon.Companion`. `registry`: where its metrics are kept."""

    def __init__(self, portal: Portal, region: str, registry: CollectorRegistry | None = None) -> None:
        self._portal = portal
        self._keys = Keys(region)
        self._position: str | None = None
        self._errand: _Errand | None = None
        self._batch: Batch | None = None
        self._due = 0.0
        self._wait = 0.0
        self._trouble: str | None = None
        registry = registry or CollectorRegistry()
        self._sent = Counter(
            "app_auth_sync_report_batches", "Batches of reports that the portal took.", registry=registry
        )
        self._lost = Counter(
            "app_auth_sync_reports_lost", "Pieces of news that were lost before they came here.", registry=registry
        )

    def tick(self, client: Client) -> None:
        """Do what is due: hear the portal's answer, read on, send. Raises CLIENT_ERRORS."""
        now = time.monotonic()
        errand = self._errand
        if errand is not None:
            if errand.is_alive():
                return
            self._errand = None
            self._settle(errand.answer, client, now)
        if now < self._due:
            return
        position = self._position
        if position is None:
            self._errand = _Errand(self._portal.position)
            return
        batch = self._batch or self._read(client, position)
        if batch is None:
            self._due = now + LOOK_EVERY
            return
        self._batch = batch
        self._errand = _Errand(lambda: self._portal.send(batch))

    def _settle(self, answer: str | PortalFailed, client: Client, now: float) -> None:
        batch, self._batch = self._batch, None
        if isinstance(answer, PortalFailed):
            if batch is not None and batch.report != Report(lost=batch.report.lost) and answer.status in REFUSED:
                # It would be refused for ever, and all that comes after it would wait: only its loss is told.
                _log.error("portal refused reports, they are lost", region=self._keys.region, status=answer.status)
                self._batch = Batch(after=batch.after, until=batch.until, report=Report(lost=batch.report.lost + 1))
                return
            # Whether it was counted, only the portal knows.
            self._position = None
            self._wait = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
            self._due = now + self._wait
            self._say(str(answer))
            return
        self._say(None)
        self._wait = 0.0
        self._position = answer
        if batch is not None:
            self._sent.inc()
            self._lost.inc(batch.report.lost)
            with suppress(ResponseError):  # a user without this right, a server before 6.2: the cap holds the stream
                client.xtrim(self._keys.reports, minid=answer, approximate=True)

    def _read(self, client: Client, position: str) -> Batch | None:
        """Read what comes after `position`; None: nothing."""
        answer = client.xread({self._keys.reports: position}, count=ENTRIES_AT_ONCE)
        tally = Tally(usages=MOST_BYTES, uses=MOST_BYTES, refusals=MOST_BYTES)  # the bytes are counted here
        size, until = 0, None
        standings: dict[str, tuple[int, Standing]] = {}
        for raw_id, fields in answer[0][1] if answer else ():
            try:
                report = decode_entry(fields) or Report(lost=1)
            except CorruptReport:
                report = Report(lost=1)
            size += weight(report)
            if until is not None and size > MOST_BYTES:
                break
            tally.add(report)
            until = raw_id.decode("ascii")
            node = node_of(fields)
            if report.standing is not None and node is not None:
                standings[node] = order_of(until)[0] // 1000, report.standing
        if until is None:
            return None
        report = next(tally.take(2 * MOST_BYTES), Report())
        return Batch(after=position, until=until, report=report, nodes=self._nodes(client, standings))

    def _nodes(self, client: Client, standings: dict[str, tuple[int, Standing]]) -> dict[str, Node]:
        """Say of each node how far it was behind the registry as it stands now."""
        if not standings:
            return {}
        try:
            meta = read_meta(client, self._keys)
        except (CorruptRecord, NewerSchema):
            meta = None
        nodes: dict[str, Node] = {}
        for name, (at, one) in list(standings.items())[:MOST_NODES]:
            behind = None
            if meta is not None and one.seq is not None and one.epoch == meta.position.epoch:
                behind = max(0, meta.position.seq - one.seq)
            nodes[name] = Node(at=at, seq=one.seq, behind=behind, age=one.age)
        return nodes

    def _say(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _log.warning("portal takes no reports", region=self._keys.region, problem=trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("portal takes reports again", region=self._keys.region)
        self._trouble = trouble
