"""The region's page: what is heard, what is refused, and why."""

from datetime import timedelta
from typing import Any

import pytest

from kong_app_auth.portal.contract.kong_gateways import GatewayState, KongStates, ServiceProblem, ServiceState
from kong_app_auth.portal.services import kong_gateways, reports
from kong_app_auth.reports.records import MAX_AGE, Batch, Node, Refusal, Report, Usage
from tests.control_plane.settings import REGION, Clock
from tests.unit.portal.web.people import People

PAGE = "/operator/region"
SERVICE = "11111111-2222-4333-8444-555555555555"


def _now(people: People) -> int:
    return int(people.clients.plane.clock().timestamp())


def _report(people: People, **parts: Any) -> None:
    until = f"{_now(people) * 1000}-1"
    reached = reports.take_in(people.clients.plane, REGION, Batch(after="0-0", until=until, report=Report(**parts)))
    assert reached == until


def _states(people: People, *, error: Any = None) -> None:
    problem = ServiceProblem(code="control_plane_error_plugin_conflict", message="Somebody's plugin", gateway="edge")
    states = KongStates(
        gateways=[GatewayState(name="edge", mode="db_less", on_unlink="block", error=error, drift=7)],
        services=[ServiceState(id=SERVICE, state="failed", error=problem)],
    )
    kong_gateways.take_in(people.clients.plane, REGION, states)


def test_a_region_that_nobody_speaks_of_says_what_to_do(people: People) -> None:
    page = people.operator().get(PAGE)
    assert "Nothing has been heard of a sync daemon" in page.words
    assert "No Kong is managed" in page.words
    assert "No request was refused" in page.words


def test_refusals_are_counted_by_hour_and_day_with_what_they_mean(people: People) -> None:
    now, api = _now(people), people.world.ids["apiId"][0]
    ago = [0, 7200, 90_000]
    usage = [
        Usage((now - one) // 60 * 60, None, api, "unknown_credential", 5 + number) for number, one in enumerate(ago)
    ]
    _report(
        people,
        usage=[*usage, Usage(now // 60 * 60, None, api, "allowed", 40), Usage(now // 60 * 60, None, api, "newer", 1)],
    )
    page = people.operator().get(PAGE)
    assert "No application of this region has this key" in page.words
    assert "knows more reasons" in page.words
    row = next(one for one in page.words.split("unknown_credential")[1:])
    assert "5 11" in row[:200] or "511" in row.replace(" ", "")[:200]
    assert "Allowed 40" in page.words
    assert "Refused 19" in page.words
    assert "Nothing has been heard" not in page.words


def test_kongs_are_shown_with_drift_trouble_and_silence(people: People, clock: Any) -> None:
    _states(people, error="control_plane_error_no_response")
    operator = people.operator()
    page = operator.get(PAGE)
    assert "Its Admin API does not answer." in page.words
    assert "Somebody's plugin" in page.words
    assert "has not spoken" not in page.words
    assert f"/operator/apis/{people.world.ids['apiId'][0]}" in page.links
    _states(people)
    assert "in step" in operator.get(PAGE).words
    clock.forward(timedelta(minutes=4))
    assert "has not spoken" in operator.get(PAGE).words


def test_a_refused_request_is_explained_by_its_id(people: People) -> None:
    application, api = people.world.ids["applicationId"][0], people.world.ids["apiId"][0]
    refusal = Refusal("abc123", _now(people), "registration_pending", 403, application, None, api, SERVICE)
    _report(people, refusals=[refusal])
    operator = people.operator()
    page = operator.send(operator.get(PAGE).form(PAGE), request_id=" abc123 ")
    assert "not approved yet" in page.words
    assert f"/operator/applications/{application}" in page.links
    missing = operator.get(f"{PAGE}?request_id=zzz")
    assert "No such refusal is known" in missing.element("request_id-error")
    assert missing.form(PAGE).fields["request_id"] == "zzz"


def test_every_gateway_node_says_how_far_it_is(people: People, clock: Clock) -> None:
    plane, now = people.clients.plane, _now(people)
    nodes = {
        "edge-1": Node(at=now, seq=1041, behind=0, age=1),
        "edge-2": Node(at=now - 3, seq=1000, behind=41, age=95),
        "edge-3": Node(at=now - 61, seq=7, behind=1034, age=0),
        "edge-4": Node(at=now + 999, seq=None, behind=None, age=MAX_AGE),
    }
    assert reports.take_in(plane, REGION, Batch(after="0-0", until="1-0", report=Report(), nodes=nodes)) == "1-0"
    listed = people.clients.operator().get("/v3/gateway-nodes")["data"]
    assert [(one["name"], one["state"], one["behind"]) for one in listed] == [
        ("edge-1", "in step", 0),
        ("edge-2", "behind", 41),
        ("edge-3", "silent", 1034),
        ("edge-4", "without a copy", None),
    ]
    page = people.operator().get(PAGE)
    for words in ("edge-1", "in step", "41 changes", "95 seconds before it spoke", "never was", "nothing"):
        assert words in page.words, words
    assert "<script" not in page.element("nodes")

    moved = {"edge-2": Node(at=now, seq=1041, behind=0, age=0)}
    reports.take_in(plane, REGION, Batch(after="1-0", until="2-0", report=Report(), nodes=moved))
    listed = people.clients.operator().get("/v3/gateway-nodes")["data"]
    assert [one["state"] for one in listed if one["name"] == "edge-2"] == ["in step"]

    clock.forward(timedelta(days=7, seconds=1))
    later = {"edge-1": Node(at=_now(people), seq=1042, behind=0, age=0)}
    reports.take_in(plane, REGION, Batch(after="2-0", until="3-0", report=Report(), nodes=later))
    assert [one["name"] for one in people.clients.operator().get("/v3/gateway-nodes")["data"]] == ["edge-1"]


def test_names_that_are_made_up_do_not_fill_the_table(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_NODES_KEPT", 3)
    now = _now(people)
    for number in range(5):
        nodes = {f"n{number}-{each}": Node(at=now - 9 + number, seq=1, behind=0, age=0) for each in range(2)}
        batch = Batch(after=f"{number}-0", until=f"{number + 1}-0", report=Report(), nodes=nodes)
        reports.take_in(people.clients.plane, REGION, batch)
    names = [one["name"] for one in people.clients.operator().get("/v3/gateway-nodes")["data"]]
    assert names == ["n3-0", "n4-0", "n4-1"]


def test_a_quiet_region_has_no_nodes_and_says_how_they_come(people: People) -> None:
    assert "says every ten seconds how far it is" in people.operator().get(PAGE).words
