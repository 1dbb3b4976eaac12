"""Usage by application, API, outcome and day."""

import pytest

from kong_app_auth.reports.records import Usage
from tests.control_plane.clients import Client, Clients
from tests.unit.portal.reports.conftest import Daemon, Stage, Unix


@pytest.fixture(scope="module")
def used(daemon: Daemon, stage: Stage, at: Unix) -> Stage:
    daemon.bring(
        Usage(at("2026-11-22T23:59:00"), stage.app, stage.api, "allowed", 5),
        Usage(at("2026-11-23T00:00:00"), stage.app, stage.api, "allowed", 2),
        Usage(at("2026-11-23T10:00:00"), stage.app, stage.api, "allowed", 1),
        Usage(at("2026-11-23T10:00:00"), stage.app, stage.api2, "not_registered", 4),
        Usage(at("2026-11-23T10:00:00"), stage.team_app, stage.api, "expired_credential", 1),
        Usage(at("2026-11-23T10:00:00"), stage.other_app, stage.api, "allowed", 9),
        Usage(at("2026-11-23T10:00:00"), None, stage.api, "no_credential", 7),
    )
    return stage


def rows(answer):
    return [(one["day"], one["outcome"], one["requests"]) for one in answer["data"]]


def test_the_operator_sees_the_region(used: Stage, operator: Client, clients: Clients) -> None:
    answer = operator.get("/v3/usage", params={"sort": "requests desc"})
    assert rows(answer) == [
        ("2026-11-23", "allowed", 9),
        ("2026-11-23", "no_credential", 7),
        ("2026-11-22", "allowed", 5),
        ("2026-11-23", "not_registered", 4),
        ("2026-11-23", "allowed", 3),
        ("2026-11-23", "expired_credential", 1),
    ]
    assert answer["data"][1] == {
        "day": "2026-11-23",
        "application_id": None,
        "api_id": used.api,
        "outcome": "no_credential",
        "status_code": 401,
        "requests": 7,
    }
    assert answer["meta"]["page"]["total"] == 6
    assert clients.operator(region="us").get("/v3/usage")["data"] == []
    clients.nobody().get("/v3/usage", expect=401)


def test_a_developer_sees_the_own_applications_and_the_teams(used: Stage) -> None:
    assert rows(used.dora.get("/api/v3/usage", params={"sort": "day,requests desc"})) == [
        ("2026-11-22", "allowed", 5),
        ("2026-11-23", "not_registered", 4),
        ("2026-11-23", "allowed", 3),
        ("2026-11-23", "expired_credential", 1),
    ]
    assert rows(used.nick.get("/api/v3/usage")) == [("2026-11-23", "allowed", 9)]
    other = {"filter[application_id]": used.app}
    assert used.nick.get("/api/v3/usage", params=other)["data"] == []


@pytest.mark.parametrize(
    ("filters", "requests"),
    [
        ({"filter[outcome]": "allowed"}, [3, 5, 9]),
        ({"filter[outcome][neq]": "allowed"}, [1, 4, 7]),
        ({"filter[at][gte]": "2026-11-23T00:00:00Z", "filter[outcome]": "allowed"}, [3, 9]),
        ({"filter[at][lt]": "2026-11-23T00:00:00Z"}, [5]),
        ({"filter[at][gte]": "2026-11-23T00:59:00+01:00", "filter[outcome]": "allowed"}, [3, 5, 9]),
    ],
)
def test_filters(used: Stage, operator: Client, filters: dict[str, str], requests: list[int]) -> None:
    found = operator.get("/v3/usage", params=filters)
    assert sorted(one["requests"] for one in found["data"]) == requests


def test_by_application_and_api(used: Stage, operator: Client) -> None:
    found = operator.get("/v3/usage", params={"filter[application_id]": used.app, "filter[api_id]": used.api2})
    assert [one["requests"] for one in found["data"]] == [4]


def test_pages_do_not_overlap_and_leave_nothing_out(used: Stage, operator: Client) -> None:
    seen = []
    for number in (1, 2, 3):
        page = operator.get("/v3/usage", params={"page[size]": 2, "page[number]": number})
        assert page["meta"]["page"]["total"] == 6
        seen += [(one["day"], one["application_id"], one["api_id"], one["outcome"]) for one in page["data"]]
    assert len(set(seen)) == 6
    assert [day for day, *_ in seen] == ["2026-11-23"] * 5 + ["2026-11-22"], "the newest first"


def test_what_is_unknown_is_refused(operator: Client) -> None:
    for parameter in ("filter[colour]", "sort", "filter[at]"):
        operator.get("/v3/usage", params={parameter: "red"}, expect=400)
