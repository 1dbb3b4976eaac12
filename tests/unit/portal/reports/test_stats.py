"""Statistics for developers, as Konnect's API has them: what is measured is given, what is not is refused."""

from typing import Any

import pytest

from kong_app_auth.reports.records import Usage
from tests.control_plane.clients import Client, Clients
from tests.control_plane.statements import counted
from tests.servers.samples import uid
from tests.unit.portal.reports.conftest import Daemon, Stage, Unix

DAY = {"type": "absolute", "start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z"}


@pytest.fixture(scope="module")
def used(daemon: Daemon, stage: Stage, at: Unix) -> Stage:
    daemon.bring(
        Usage(at("2026-11-23T09:30:00"), stage.app, stage.api, "allowed", 60),
        Usage(at("2026-11-23T10:10:00"), stage.app, stage.api, "allowed", 5),
        Usage(at("2026-11-23T10:59:00"), stage.app, stage.api2, "not_registered", 3),
        Usage(at("2026-11-23T11:00:00"), stage.app, uid("gone"), "registry_unavailable", 1),
        Usage(at("2026-11-23T11:30:00"), stage.team_app, stage.api, "expired_credential", 2),
        Usage(at("2026-11-23T11:30:00"), stage.other_app, stage.api, "allowed", 1000),
    )
    return stage


def ask(client: Client, **query: Any) -> Any:
    return client.post("/api/v3/stats", {"time_range": DAY, **query}, expect=200)


def events(answer: Any) -> list[dict[str, Any]]:
    return [one["event"] for one in answer["data"]]


def test_everything_of_the_last_hour_is_counted_where_nothing_is_asked(used: Stage) -> None:
    answer = used.dora.post("/api/v3/stats", {}, expect=200)
    assert events(answer) == [{"request_count": 3}]
    assert (answer["meta"]["start"], answer["meta"]["end"]) == ("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z")
    assert answer["meta"]["granularity_ms"] == 3600_000
    assert answer["meta"]["metric_units"] == {"request_count": "count"}
    assert answer["data"][0]["timestamp"] == "2026-11-23T11:00:00Z"


def test_nothing_is_zero(stage: Stage) -> None:
    year = {"type": "absolute", "start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
    assert events(ask(stage.dora, time_range=year)) == [{"request_count": 0}]
    assert events(ask(stage.dora, time_range=year, dimensions=["api"])) == []


def test_by_application_and_status(used: Stage) -> None:
    answer = ask(used.dora, dimensions=["application", "status_code_grouped"])
    assert sorted(map(str, events(answer))) == sorted(
        map(
            str,
            [
                {"application": used.app, "status_code_grouped": "allowed", "request_count": 65},
                {"application": used.app, "status_code_grouped": "4XX", "request_count": 3},
                {"application": used.app, "status_code_grouped": "5XX", "request_count": 1},
                {"application": used.team_app, "status_code_grouped": "4XX", "request_count": 2},
            ],
        )
    )
    display = answer["meta"]["display"]
    assert display["application"][used.app] == {"name": "App", "deleted": False, "is_other_group": False}
    assert display["status_code_grouped"]["allowed"]["name"].startswith("Allowed")
    assert display["status_code_grouped"]["4XX"]["name"] == "4XX"


def test_by_api_with_those_that_are_gone(used: Stage) -> None:
    answer = ask(used.dora, dimensions=["api"])
    assert {one["api"]: one["request_count"] for one in events(answer)} == {
        used.api: 67,
        used.api2: 3,
        uid("gone"): 1,
    }
    assert answer["meta"]["display"]["api"] == {
        used.api: {"name": "Weather API v1", "deleted": False, "is_other_group": False},
        used.api2: {"name": "Maps API v2", "deleted": False, "is_other_group": False},
        uid("gone"): {"name": uid("gone"), "deleted": True, "is_other_group": False},
    }


def test_by_time(used: Stage) -> None:
    answer = ask(used.dora, dimensions=["time"], granularity="hourly")
    assert [(one["timestamp"], one["event"]) for one in answer["data"]] == [
        ("2026-11-23T09:00:00Z", {"request_count": 60}),
        ("2026-11-23T10:00:00Z", {"request_count": 8}),
        ("2026-11-23T11:00:00Z", {"request_count": 3}),
    ]
    assert answer["meta"]["granularity_ms"] == 3600_000


def test_requests_per_minute_are_those_of_the_bucket_or_of_the_whole(used: Stage) -> None:
    per_hour = ask(used.dora, metrics=["request_per_minute"], dimensions=["time"], granularity="hourly")
    assert events(per_hour)[0] == {"request_per_minute": 1.0}
    whole = ask(used.dora, metrics=["request_per_minute"])
    assert events(whole) == [{"request_per_minute": pytest.approx(71 / 1440)}]
    assert whole["meta"]["metric_units"] == {"request_per_minute": "count/minute"}


@pytest.mark.parametrize(
    ("granularity", "starts"),
    [
        ("minutely", ["09:30", "10:10", "10:59", "11:00", "11:30"]),
        ("fiveMinutely", ["09:30", "10:10", "10:55", "11:00", "11:30"]),
        ("tenMinutely", ["09:30", "10:10", "10:50", "11:00", "11:30"]),
        ("thirtyMinutely", ["09:30", "10:00", "10:30", "11:00", "11:30"]),
        ("twoHourly", ["08:00", "10:00"]),
        ("twelveHourly", ["00:00"]),
        ("daily", ["00:00"]),
        ("weekly", ["00:00"]),
        ("trend", ["00:00"]),
        (None, ["09:30", "10:00", "10:30", "11:00", "11:30"]),
    ],
)
def test_granularities(used: Stage, granularity: str | None, starts: list[str]) -> None:
    query = {} if granularity is None else {"granularity": granularity}
    answer = ask(used.dora, dimensions=["time"], **query)
    assert [one["timestamp"][11:16] for one in answer["data"]] == starts
    assert sum(one["request_count"] for one in events(answer)) == 71


def test_days_are_those_of_the_zone_of_the_one_who_asks(used: Stage, daemon: Daemon, at: Unix) -> None:
    daemon.bring(Usage(at("2026-11-22T18:29:00"), used.app, used.api, "allowed", 100))
    daemon.bring(Usage(at("2026-11-22T18:30:00"), used.app, used.api, "allowed", 200))
    kolkata = {"type": "relative", "time_range": "7d", "tz": "Asia/Kolkata"}
    answer = ask(used.dora, dimensions=["time"], granularity="daily", time_range=kolkata)
    assert [(one["timestamp"], one["event"]["request_count"]) for one in answer["data"]] == [
        ("2026-11-21T18:30:00Z", 100),
        ("2026-11-22T18:30:00Z", 271),
    ]
    assert answer["meta"]["start"] == "2026-11-15T18:30:00Z", "the beginning of a day in that zone"


@pytest.mark.parametrize(
    ("time_range", "start", "end"),
    [
        ("15m", "2026-11-23T11:45:00Z", "2026-11-23T12:00:00Z"),
        ("24h", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"),
        ("30d", "2026-10-24T12:00:00Z", "2026-11-23T12:00:00Z"),
        ("current_week", "2026-11-23T05:00:00Z", "2026-11-23T12:00:00Z"),
        ("previous_week", "2026-11-16T05:00:00Z", "2026-11-23T05:00:00Z"),
        ("current_month", "2026-11-01T04:00:00Z", "2026-11-23T12:00:00Z"),
        ("previous_month", "2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z"),
    ],
)
def test_relative_time_ranges(stage: Stage, time_range: str, start: str, end: str) -> None:
    """In New York, where the clocks went back on the first of November."""
    asked = {"type": "relative", "time_range": time_range, "tz": "America/New_York"}
    meta = ask(stage.dora, time_range=asked)["meta"]
    assert (meta["start"], meta["end"]) == (start, end)


def test_filters(used: Stage) -> None:
    def count(*filters: dict[str, Any]) -> int:
        return events(ask(used.dora, filters=list(filters)))[0]["request_count"]

    def one(field: str, operator: str, *value: Any) -> dict[str, Any]:
        return {"field": field, "operator": operator, "value": list(value)}

    assert count(one("application", "in", used.app)) == 69
    assert count(one("application", "not_in", used.app)) == 2
    assert count(one("application", "in", used.other_app)) == 0, "of another developer"
    assert count(one("api", "in", used.api2, uid("gone"))) == 4
    assert count(one("status_code", "in", 403)) == 3
    assert count(one("status_code", "not_in", 403, 401)) == 66
    assert count(one("status_code_grouped", "in", "4xx", "5XX")) == 6
    assert count(one("status_code_grouped", "in", "2XX")) == 0, "what the upstream answered is not known"
    assert count(one("api", "in", used.api), one("status_code_grouped", "in", "4XX")) == 2
    assert count(one("api", "in")) == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"metrics": ["response_latency_average"]}, "metrics"),
        ({"metrics": ["request_size_sum"]}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["request_count", "request_per_minute"]}, "metrics"),
        ({"dimensions": ["time", "time"]}, "dimensions"),
        ({"dimensions": ["api", "time", "application"]}, "dimensions"),
        ({"dimensions": ["api_product"]}, "dimensions.0"),
        ({"granularity": "hourly"}, "granularity"),
        ({"dimensions": ["time"], "granularity": "tenSecondly"}, "granularity"),
        (
            {
                "dimensions": ["time"],
                "granularity": "minutely",
                "time_range": {"type": "relative", "time_range": "30d"},
            },
            "granularity",
        ),
        ({"time_range": {"type": "relative", "time_range": "1h", "tz": "Moon/Crater"}}, "time_range.tz"),
        ({"time_range": {"type": "relative", "time_range": "1h", "tz": "../etc/passwd"}}, "time_range.tz"),
        ({"time_range": {"type": "relative", "time_range": "1h", "tz": "America"}}, "time_range.tz"),
        ({"time_range": {**DAY, "end": "2026-11-23T00:00:00Z"}}, "time_range.end"),
        ({"time_range": {**DAY, "start": "0001-01-01T00:00:00Z"}}, "time_range.start"),
        ({"time_range": {**DAY, "end": "9999-12-31T23:59:59Z"}}, "time_range.end"),
        ({"time_range": {**DAY, "start": "2026-11-23T00:00:00"}}, "time_range.start"),
        ({"filters": [{"field": "colour", "operator": "in", "value": []}]}, "filters.0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_answered_is_told_field_by_field(stage: Stage, query: dict[str, Any], field: str) -> None:
    problem = stage.dora.post("/api/v3/stats", {"time_range": DAY, **query}, expect=400)
    assert [one["field"] for one in problem["invalid_parameters"]] == [field]


def test_a_dimension_has_fifty_values_and_the_rest_is_taken_together(
    clients: Clients, stage: Stage, daemon: Daemon, at: Unix
) -> None:
    now = at("2026-11-14T11:00:00")
    daemon.bring(
        *(Usage(now, stage.app, uid(("api", number)), "allowed", number + 1) for number in range(53)),
    )
    day = {"type": "absolute", "start": "2026-11-14T00:00:00Z", "end": "2026-11-15T00:00:00Z"}
    first = ask(stage.dora, dimensions=["api"], time_range=day)
    assert first["meta"]["truncated"] is True
    assert len(events(first)) == first["meta"]["limit"] == 50
    assert min(one["request_count"] for one in events(first)) == 4
    second = ask(stage.dora, dimensions=["application", "api"], time_range=day)
    other = [one for one in events(second) if one["api"] == "____OTHER____"]
    assert [one["request_count"] for one in other] == [1 + 2 + 3]
    assert second["meta"]["display"]["api"]["____OTHER____"] == {
        "name": "Other",
        "deleted": False,
        "is_other_group": True,
    }


def test_it_takes_as_many_statements_whatever_there_is(used: Stage, clients: Clients) -> None:
    with counted(clients.plane) as statements:
        ask(used.dora, dimensions=["application", "api"])
    assert len(statements) <= 10


def test_the_configuration_says_what_there_is(stage: Stage, clients: Clients) -> None:
    assert stage.dora.get("/api/v3/stats/config") == {
        "analytics": {"percentiles": False, "retention_ms": 90 * 86400 * 1000}
    }
    clients.visitor(stage.portal).get("/api/v3/stats/config", expect=401)
    clients.visitor(stage.portal).post("/api/v3/stats", {}, expect=401)
