"""Reports from the stream to a portal behind a real web server: every entry once, whatever goes wrong."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.nodes import GatewayNode
from kong_app_auth.portal.store.usage import Usage as StoredUsage
from kong_app_auth.registry.acl import writer_acl
from kong_app_auth.registry.connection import Client, connect
from kong_app_auth.registry.keys import Keys
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.reading import read_meta
from kong_app_auth.registry.writer import Writer
from kong_app_auth.reports.codec import entry
from kong_app_auth.reports.records import MAX_AGE, Batch, Refusal, Report, Standing, Usage
from kong_app_auth.sync.daemon import Daemon
from kong_app_auth.sync.metrics import SyncMetrics
from kong_app_auth.sync.portal_feed.address import PortalAddress
from kong_app_auth.sync.reports import forwarding
from kong_app_auth.sync.reports.forwarding import ReportForwarder
from kong_app_auth.sync.reports.portal import PortalFailed, ReportsPortal
from tests.control_plane.live import served
from tests.control_plane.settings import FEED_TOKEN, REGION, Clock, control_plane, sqlite
from tests.servers.process import free_port, wait_until
from tests.servers.samples import API, uid

KEYS = Keys(REGION)
MINUTE = int(Clock().now.timestamp()) - 60


class Portal(ReportsPortal):
    """The portal's client, with accidents."""

    def __init__(self, url: str, token: str = FEED_TOKEN) -> None:
        super().__init__(PortalAddress(url=url, token=token), REGION)
        self.lose_answers = 0
        self.refuse = 0
        self.sent: list[Batch] = []

    def send(self, batch: Batch) -> str:
        self.sent.append(batch)
        if self.refuse:
            self.refuse -= 1
            raise PortalFailed("the portal answered 400", 400)
        answer = super().send(batch)
        if self.lose_answers:
            self.lose_answers -= 1
            raise PortalFailed("TimeoutError")
        return answer


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def url(plane: ControlPlane) -> Iterator[str]:
    with served(plane) as address:
        yield address


@pytest.fixture
def client(valkey) -> Iterator[Client]:
    made = connect(valkey.url)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(forwarding, "FIRST_WAIT", 0.02)


def append(client: Client, *usage: Usage, **more) -> str:
    added = client.xadd(KEYS.reports, entry("gateway-1", Report(list(usage), **more)))
    assert added is not None
    return added.decode()


def counted(plane: ControlPlane) -> int:
    with plane.read(System(region=REGION)) as tx:
        return tx.session.scalar(select(func.sum(StoredUsage.requests))) or 0


def tick_until(forwarder: ReportForwarder, client: Client, condition: Callable[[], object]) -> None:
    def ticked() -> object:
        forwarder.tick(client)
        return condition()

    wait_until(ticked)


def one(number: int = 1) -> Usage:
    return Usage(MINUTE, uid("application"), API, "allowed", number)


def test_what_gateways_appended_is_counted_once_and_trimmed(valkey, client, plane, url) -> None:
    portal = Portal(url)
    forwarder = ReportForwarder(portal, REGION)
    for _ in range(120):
        last = append(client, one())
    tick_until(forwarder, client, lambda: counted(plane) == 120)
    tick_until(forwarder, client, lambda: forwarder._position == last)
    append(client, one(3))
    tick_until(forwarder, client, lambda: counted(plane) == 123)
    tick_until(forwarder, client, lambda: forwarder._errand is None)
    assert len(portal.sent) == 4, "fifty entries at once"
    with valkey.client() as raw:
        assert raw.xlen(KEYS.reports) < 121, "whole nodes of the stream are gone"


def test_an_answer_that_was_lost_makes_nothing_count_twice(client, plane, url) -> None:
    portal = Portal(url)
    portal.lose_answers = 2
    forwarder = ReportForwarder(portal, REGION)
    append(client, one())
    with capture_logs() as logs:
        tick_until(forwarder, client, lambda: portal.lose_answers == 1)
        append(client, one(2))
        tick_until(forwarder, client, lambda: counted(plane) == 3)
        append(client, one(4))
        tick_until(forwarder, client, lambda: counted(plane) == 7)
        tick_until(forwarder, client, lambda: forwarder._trouble is None and forwarder._errand is None)
    assert "portal takes no reports" in [log["event"] for log in logs]
    assert counted(plane) == 7


def test_two_daemons_count_once(client, plane, url) -> None:
    first, second = (ReportForwarder(Portal(url), REGION) for _ in range(2))
    for number in range(60):
        append(client, one(number + 1))

    def both() -> bool:
        first.tick(client)
        second.tick(client)
        return counted(plane) == 60 * 61 // 2 and first._errand is second._errand is None

    wait_until(both)
    append(client, one())
    tick_until(second, client, lambda: counted(plane) == 60 * 61 // 2 + 1)


def test_a_restarted_daemon_goes_on_where_the_portal_is(client, plane, url) -> None:
    append(client, one())
    tick_until(ReportForwarder(Portal(url), REGION), client, lambda: counted(plane) == 1)
    append(client, one())
    tick_until(ReportForwarder(Portal(url), REGION), client, lambda: counted(plane) == 2)


def test_a_portal_that_is_away_is_waited_for(client, plane) -> None:
    port = free_port()
    forwarder = ReportForwarder(Portal(f"http://127.0.0.1:{port}"), REGION)
    append(client, one())
    tick_until(forwarder, client, lambda: forwarder._trouble)
    with served(plane) as address:
        forwarder._portal = Portal(address)
        tick_until(forwarder, client, lambda: counted(plane) == 1)


def test_what_the_portal_refuses_does_not_stop_what_comes_after(client, plane, url) -> None:
    portal = Portal(url)
    portal.refuse = 1
    forwarder = ReportForwarder(portal, REGION)
    append(client, one())
    tick_until(forwarder, client, lambda: portal.sent)
    append(client, one(5))
    tick_until(forwarder, client, lambda: counted(plane) == 5)
    assert portal.sent[1].report == Report(lost=1)


def test_what_is_no_report_is_left_out(valkey, client, plane, url) -> None:
    with valkey.client() as raw:
        raw.xadd(KEYS.reports, {"v": "1", "report": b"rubbish"})
        raw.xadd(KEYS.reports, {"v": "2", "report": b"of tomorrow"})
        raw.xadd(KEYS.reports, {"x": "y"})
    append(client, one(), lost=4)
    portal = Portal(url)
    tick_until(ReportForwarder(portal, REGION), client, lambda: counted(plane) == 1)
    assert portal.sent[0].report.lost == 7


def test_a_large_backlog_goes_in_pieces_that_the_portal_takes(client, plane, url) -> None:
    refusals = [
        Refusal(f"{number:064x}", MINUTE, "registration_rejected", 403, *[uid("a")] * 4) for number in range(150)
    ]
    for _ in range(40):
        append(client, one(), refusals=refusals)
    tick_until(ReportForwarder(Portal(url), REGION), client, lambda: counted(plane) == 40)


def test_a_wrong_token_is_told_once_and_never_shown(client, plane, url) -> None:
    forwarder = ReportForwarder(Portal(url, "a-wrong-token"), REGION)
    append(client, one())
    with capture_logs() as logs:
        for _ in range(3):
            tick_until(forwarder, client, lambda: forwarder._errand is not None)
            tick_until(forwarder, client, lambda: forwarder._errand is None)
    assert [(log["event"], log["problem"]) for log in logs] == [("portal takes no reports", "the portal answered 401")]
    assert "a-wrong-token" not in str(logs) + repr(forwarder) + repr(forwarder._portal)


def test_the_daemon_that_leads_forwards_with_its_own_rights(valkey, plane, url) -> None:
    with valkey.client() as raw:
        raw.execute_command("ACL", "SETUSER", "writer", "reset", "on", ">secret", *writer_acl(REGION))
    client = connect(valkey.url)
    append(client, one())
    client.close()

    class Nothing:
        def look(self) -> None:
            return None

    metrics = SyncMetrics()
    daemon = Daemon(
        lambda: connect(valkey.url, username="writer", password="secret"),
        Nothing(),
        REGION,
        metrics,
        companions=[ReportForwarder(Portal(url), REGION, metrics.registry)],
    )
    stop = threading.Event()
    running = threading.Thread(target=daemon.run, args=(stop,))
    running.start()
    try:
        wait_until(lambda: counted(plane) == 1)
        wait_until(lambda: metrics.registry.get_sample_value("app_auth_sync_report_batches_total") == 1)
    finally:
        stop.set()
        running.join()


def test_the_portal_hears_how_far_every_node_is_behind(valkey, client, plane, url) -> None:
    writer = Writer(client, REGION, holder="test", lease_seconds=60.0)
    assert writer.acquire()
    assert isinstance(writer.begin_epoch(), Position)
    writer.complete()
    here = read_meta(client, KEYS).position
    standings = {
        "edge-1": Standing(here.epoch, here.seq, 0),
        "edge-2": Standing(here.epoch, here.seq - 1, 70),
        "edge-3": Standing("another", 5, 3),
        "edge-4": Standing(None, None, MAX_AGE),
        "no name": Standing(here.epoch, here.seq, 0),
    }
    for name, standing in standings.items():
        client.xadd(KEYS.reports, entry(name, Report(standing=standing)))
    client.xadd(KEYS.reports, entry("edge-1", Report([one()])))
    forwarder = ReportForwarder(Portal(url), REGION)
    tick_until(forwarder, client, lambda: counted(plane) == 1)
    with plane.read(System(region=REGION)) as tx:
        nodes = {node.name: (node.seq, node.behind, node.age) for node in tx.session.scalars(select(GatewayNode))}
    assert nodes == {
        "edge-1": (here.seq, 0, 0),
        "edge-2": (here.seq - 1, 1, 70),
        "edge-3": (5, None, 3),
        "edge-4": (None, None, MAX_AGE),
    }
