"""Taking reports in, and asking what they say, on both databases."""

import threading
from collections.abc import Iterator

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.contract.analytics import QueryApplicationAnalytics, RelativeTimeRange
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import analytics, refusals, reports, usage
from kong_app_auth.portal.store.credentials import CredentialUse
from kong_app_auth.reports.records import Batch, Refusal, Report, Usage
from tests.control_plane.clients import Clients
from tests.control_plane.settings import REGION, Clock, control_plane
from tests.servers.process import wait_until
from tests.servers.samples import uid
from tests.unit.portal.reports.conftest import Stage

NOW = int(Clock().now.timestamp())


@pytest.fixture
def plane(database_url: str) -> Iterator[ControlPlane]:
    with control_plane(database_url) as made:
        yield made


def test_reports_are_counted_once_and_can_be_asked(plane: ControlPlane) -> None:
    clients = Clients(plane)
    stage = Stage(clients, clients.operator())
    report = Report(
        [
            Usage(NOW - 60, stage.app, stage.api, "allowed", 2**33),
            Usage(NOW - 60, None, None, "no_credential", 2),
            Usage(NOW - 86400, stage.app, stage.api2, "not_registered", 3),
        ],
        {stage.credential: NOW - 5, uid("gone"): NOW},
        [Refusal("r1", NOW - 5, "not_registered", 403, stage.app, stage.credential, stage.api2, None)],
    )
    for until in ("5-0", "5-0"):
        assert reports.take_in(plane, REGION, Batch(after="0-0", until=until, report=report)) == "5-0"
    assert reports.take_in(plane, REGION, Batch(after="5-0", until="5-1", report=report)) == "5-1"
    assert reports.position(plane, REGION) == "5-1"
    with plane.read(System(region=REGION)) as tx:
        found, total = usage.page(tx, usage.of_region(tx), (usage.DAY.desc(), usage.REQUESTS.desc()), 10, 1)
        assert [(one.outcome, one.requests, one.status_code) for one in found] == [
            ("allowed", 2**34, None),
            ("no_credential", 4, 401),
            ("not_registered", 6, 403),
        ]
        assert (total, found[0].application_id, found[1].application_id) == (3, stage.app, None)
        use = tx.session.get(CredentialUse, stage.credential)
        assert use is not None
        assert use.last_used_at.timestamp() == NOW - 5
        assert refusals.of_developer(tx, stage.portal, stage.dora.developer_id, "r1").refusal.reason == "not_registered"
        asked = QueryApplicationAnalytics(
            dimensions=["time", "status_code_grouped"],
            granularity="daily",
            time_range=RelativeTimeRange(type="relative", time_range="7d", tz="Asia/Kolkata"),
        )
        rows = analytics.query(tx, stage.portal, stage.dora.developer_id, asked).rows
        assert [(one.values["status_code_grouped"], one.requests) for one in rows] == [("4XX", 6), ("allowed", 2**34)]
        by_api = QueryApplicationAnalytics(dimensions=["application", "api"])
        (row,) = analytics.query(tx, stage.portal, stage.dora.developer_id, by_api).rows
        assert row.values == {"application": stage.app, "api": stage.api}


def test_a_dimension_with_too_many_values(plane: ControlPlane) -> None:
    clients = Clients(plane)
    stage = Stage(clients, clients.operator())
    many = [Usage(NOW - 60, stage.app, uid(("api", number)), "allowed", number + 1) for number in range(53)]
    reports.take_in(plane, REGION, Batch(after="0-0", until="1-0", report=Report(many)))
    with plane.read(System(region=REGION)) as tx:
        for dimensions, expected in ((["api"], 50), (["application", "api"], 51)):
            asked = QueryApplicationAnalytics(dimensions=dimensions)
            found = analytics.query(tx, stage.portal, stage.dora.developer_id, asked)
            assert (len(found.rows), found.truncated) == (expected, True)


def test_several_that_bring_the_same_batch_count_it_once(plane: ControlPlane) -> None:
    report = Report([Usage(NOW - 60, uid("a"), uid("b"), "allowed", 1)])

    def bring() -> None:
        for number in range(10):
            reports.take_in(plane, REGION, Batch(after=f"{number}-0", until=f"{number + 1}-0", report=report))

    reports.take_in(plane, REGION, Batch(after="0-0", until="1-0", report=Report()))
    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with plane.read(System(region=REGION)) as tx:
        assert [one.requests for one in usage.page(tx, usage.of_region(tx), (), 10, 1)[0]] == [9]


def test_reports_do_not_wait_for_the_writers_of_the_region(postgres_url: str) -> None:
    with control_plane(postgres_url) as plane:
        batch = Batch(after="0-0", until="1-0", report=Report([Usage(NOW, uid("a"), uid("b"), "allowed", 1)]))
        taken: list[str] = []
        with plane.write(System(region=REGION)):
            thread = threading.Thread(target=lambda: taken.append(reports.take_in(plane, REGION, batch)))
            thread.start()
            wait_until(lambda: taken == ["1-0"])
        thread.join()
