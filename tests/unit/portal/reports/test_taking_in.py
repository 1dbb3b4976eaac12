"""Reports are counted exactly once, within the region, and in the time that they were made."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.credentials import CredentialUse
from kong_app_auth.portal.store.feed import FeedChange
from kong_app_auth.portal.store.usage import Refusal as StoredRefusal
from kong_app_auth.portal.store.usage import Usage as StoredUsage
from kong_app_auth.reports.records import Refusal, Usage
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import FEED_TOKEN, REGION, Clock, control_plane, sqlite
from tests.control_plane.statements import counted
from tests.servers.samples import uid
from tests.unit.portal.reports.conftest import Daemon, Stage, Unix, daemon_of

APP, API = uid("application"), uid("api")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    """A fresh one for each test: they look at all that is in it."""
    with control_plane(sqlite(tmp_path), clock) as made:
        yield made


@pytest.fixture
def clients(plane: ControlPlane) -> Clients:
    return Clients(plane)


@pytest.fixture
def operator(clients: Clients) -> Client:
    return clients.operator()


@pytest.fixture
def stage(clients: Clients, operator: Client) -> Stage:
    return Stage(clients, operator)


@pytest.fixture
def daemon(clients: Clients) -> Daemon:
    return daemon_of(clients)


def stored(plane: ControlPlane, record):
    with plane.read(System(region=REGION)) as tx:
        return tx.session.scalars(select(record)).all()


def test_what_comes_in_one_minute_adds_up(plane: ControlPlane, daemon: Daemon, at: Unix) -> None:
    minute = at("2026-11-23T11:59:00")
    daemon.bring(Usage(minute, APP, API, "allowed", 3), Usage(minute, None, None, "no_credential", 1))
    daemon.bring(Usage(minute, APP, API, "allowed", 4), Usage(minute + 60, APP, API, "allowed", 1))
    rows = stored(plane, StoredUsage)
    assert sorted((one.outcome, one.requests, one.status_code) for one in rows) == [
        ("allowed", 1, None),
        ("allowed", 7, None),
        ("no_credential", 1, 401),
    ]
    assert {one.minute.second for one in rows} == {0}


def test_a_batch_that_is_sent_twice_counts_once(plane: ControlPlane, daemon: Daemon, at: Unix) -> None:
    usage = Usage(at("2026-11-23T11:59:00"), APP, API, "allowed", 3)
    first = daemon.bring(usage, after="0-0", until="5-0")
    again = daemon.bring(usage, after="0-0", until="5-0")
    longer = daemon.bring(usage, after="0-0", until="9-0")
    assert first == again == longer == {"position": "5-0"}
    assert [one.requests for one in stored(plane, StoredUsage)] == [3]


def test_a_batch_that_leaves_something_out_or_goes_back_is_not_counted(
    plane: ControlPlane, daemon: Daemon, at: Unix
) -> None:
    usage = Usage(at("2026-11-23T11:59:00"), APP, API, "allowed", 3)
    daemon.bring(after="0-0", until="10-0")
    for after, until in (("11-0", "12-0"), ("10-0", "9-5"), ("10-0", "10-0"), ("9-0", "10-1")):
        assert daemon.bring(usage, after=after, until=until) == {"position": "10-0"}
    assert stored(plane, StoredUsage) == []
    assert daemon.bring(usage, after="10-0", until="10-1") == {"position": "10-1"}


def test_the_position_is_told(daemon: Daemon) -> None:
    path = "/internal/v1/regions/eu/reports"
    assert daemon.http.get(path) == {"position": "0-0"}
    daemon.bring(until="7-3")
    assert daemon.http.get(path) == {"position": "7-3"}


def test_the_last_use_of_a_credential_only_moves_on(
    plane: ControlPlane, daemon: Daemon, stage: Stage, at: Unix
) -> None:
    for time in ("2026-11-23T11:00:00", "2026-11-23T11:30:00", "2026-11-23T10:00:00"):
        daemon.bring(uses={stage.credential: at(time)})
    (use,) = stored(plane, CredentialUse)
    assert use.last_used_at.isoformat() == "2026-11-23T11:30:00+00:00"


def test_uses_of_what_is_not_there_or_in_another_region_are_left_out(
    plane: ControlPlane, clients: Clients, daemon: Daemon, stage: Stage, at: Unix
) -> None:
    daemon.bring(uses={uid("nothing"): at("2026-11-23T11:00:00")})
    daemon_of(clients, f"{FEED_TOKEN}-us").bring(uses={stage.credential: at("2026-11-23T11:00:00")}, region="us")
    assert stored(plane, CredentialUse) == []


def test_a_clock_that_is_ahead_does_not_write_into_the_future(
    plane: ControlPlane, daemon: Daemon, stage: Stage, clock: Clock
) -> None:
    ahead = int(clock.now.timestamp()) + 86400
    daemon.bring(
        Usage(ahead, APP, API, "allowed", 1),
        uses={stage.credential: ahead},
        refusals=[Refusal("r", ahead, "not_registered", 403)],
    )
    assert stored(plane, StoredUsage)[0].minute == clock.now
    assert stored(plane, CredentialUse)[0].last_used_at == clock.now
    assert stored(plane, StoredRefusal)[0].at == clock.now


def test_what_is_older_than_is_kept_is_not_taken(plane: ControlPlane, daemon: Daemon, clock: Clock) -> None:
    old = int((clock.now - timedelta(days=91)).timestamp())
    daemon.bring(Usage(old, APP, API, "allowed", 1), refusals=[Refusal("r", old, "not_registered", 403)])
    assert stored(plane, StoredUsage) == stored(plane, StoredRefusal) == []


def test_a_refusal_that_comes_twice_is_one(plane: ControlPlane, daemon: Daemon, at: Unix) -> None:
    refusal = Refusal("r", at("2026-11-23T11:59:00"), "not_registered", 403, APP)
    daemon.bring(refusals=[refusal, refusal])
    daemon.bring(refusals=[refusal])
    assert len(stored(plane, StoredRefusal)) == 1


def test_reports_are_no_deeds_and_no_changes(plane: ControlPlane, daemon: Daemon, stage: Stage, at: Unix) -> None:
    before = len(stored(plane, AuditEntry)), len(stored(plane, FeedChange))
    now = at("2026-11-23T11:59:00")
    daemon.bring(Usage(now, stage.app, stage.api, "allowed", 1), uses={stage.credential: now})
    assert (len(stored(plane, AuditEntry)), len(stored(plane, FeedChange))) == before


def test_a_token_of_another_region_and_of_nobody_is_refused(clients: Clients, daemon: Daemon, operator: Client) -> None:
    daemon.bring(region="us", expect=401)
    daemon.bring(region="moon", expect=401)
    Daemon(clients.nobody()).bring(expect=401)
    Daemon(operator).bring(expect=401)
    clients.nobody().get("/internal/v1/regions/eu/reports", expect=401)


def test_what_is_no_batch_is_refused(daemon: Daemon, plane: ControlPlane) -> None:
    path = "/internal/v1/regions/eu/reports"
    for body in (b"", b"[]", b'{"after":"0-0"}', b'{"after":"0-0","until":"x","report":{}}', b"\xff"):
        daemon.http.request("POST", path, content=body, expect=400)
    daemon.http.request("POST", path, content=b" " * (1024 * 1024 + 1), expect=413)
    assert daemon.http.get(path) == {"position": "0-0"}


def test_a_large_batch_takes_few_statements(plane: ControlPlane, daemon: Daemon, at: Unix) -> None:
    now = at("2026-11-23T11:59:00")
    usage = [Usage(now, uid(number), API, "allowed", number + 1) for number in range(1000)]
    refusals = [Refusal(f"{number:032x}", now, "not_registered", 403) for number in range(1000)]
    with counted(plane) as statements:
        daemon.bring(*usage, uses={uid(number): now for number in range(1000)}, refusals=refusals)
    assert len(statements) <= 12
    assert len(stored(plane, StoredUsage)) == len(stored(plane, StoredRefusal)) == 1000
