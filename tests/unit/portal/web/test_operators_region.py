"""The region's page: what is heard, what is refused, and why."""

from datetime import timedelta
from typing import Any

from kong_app_auth.portal.contract.kong_gateways import GatewayState, KongStates, ServiceProblem, ServiceState
from kong_app_auth.portal.services import kong_gateways, reports
from kong_app_auth.reports.records import Batch, Refusal, Report, Usage
from tests.control_plane.settings import REGION
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
