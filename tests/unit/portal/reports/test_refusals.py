"""Why was I refused: told to the application's owner and to the operator, and to nobody else."""

import secrets

import pytest

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.portal.views.refusals import WORDS
from kong_app_auth.reports.records import Refusal
from tests.control_plane.clients import Client, Clients
from tests.servers.samples import uid
from tests.unit.portal.reports.conftest import Daemon, Stage, Unix


@pytest.fixture
def request_id() -> str:
    return secrets.token_hex(16)


def test_the_owner_and_the_operator_are_told(
    request_id: str, daemon: Daemon, stage: Stage, operator: Client, at: Unix
) -> None:
    refusal = Refusal(
        request_id,
        at("2026-11-23T11:00:07"),
        "registration_pending",
        403,
        stage.app,
        stage.credential,
        stage.api,
        uid("service"),
    )
    daemon.bring(refusals=[refusal])
    found = stage.dora.get(f"/api/v3/refusals/{request_id}")
    assert found == {
        "request_id": request_id,
        "refused_at": "2026-11-23T11:00:07Z",
        "reason": "registration_pending",
        "status_code": 403,
        "message": "You cannot consume this service",
        "explanation": "The application's registration with this API is not approved yet.",
        "remedy": "Wait for the approval, or ask the portal's operator for it.",
        "application": {"id": stage.app, "name": "App"},
        "api": {"id": stage.api, "name": "Weather API v1"},
        "credential_id": stage.credential,
        "service_id": uid("service"),
    }
    assert operator.get(f"/v3/refusals/{request_id}") == found
    stage.nick.get(f"/api/v3/refusals/{request_id}", expect=404)


def test_a_member_of_the_team_that_owns_the_application_is_told(
    request_id: str, daemon: Daemon, stage: Stage, at: Unix
) -> None:
    daemon.bring(refusals=[Refusal(request_id, at("2026-11-23T11:00:00"), "not_registered", 403, stage.team_app)])
    assert stage.dora.get(f"/api/v3/refusals/{request_id}")["application"]["name"] == "Team App"
    stage.nick.get(f"/api/v3/refusals/{request_id}", expect=404)


def test_a_refusal_of_nobody_is_the_operators_only(
    request_id: str, daemon: Daemon, stage: Stage, operator: Client, clients: Clients, at: Unix
) -> None:
    daemon.bring(refusals=[Refusal(request_id, at("2026-11-23T11:00:00"), "unknown_credential", 401)])
    assert operator.get(f"/v3/refusals/{request_id}")["application"] is None
    stage.dora.get(f"/api/v3/refusals/{request_id}", expect=404)
    clients.operator(region="us").get(f"/v3/refusals/{request_id}", expect=404)
    clients.visitor(stage.portal).get(f"/api/v3/refusals/{request_id}", expect=401)


def test_what_is_gone_since_goes_by_its_id(
    request_id: str, daemon: Daemon, stage: Stage, operator: Client, at: Unix
) -> None:
    refusal = Refusal(
        request_id, at("2026-11-23T11:00:00"), "a_reason_of_tomorrow", 403, uid("gone"), None, uid("gone api")
    )
    daemon.bring(refusals=[refusal])
    found = operator.get(f"/v3/refusals/{request_id}")
    assert found["application"] == {"id": uid("gone"), "name": None}
    assert found["api"] == {"id": uid("gone api"), "name": None}
    assert "newer version" in found["explanation"]


def test_an_unknown_request_id_is_not_found(operator: Client, stage: Stage) -> None:
    for unknown in ("f" * 32, "x" * 200, "%00", "a%20b", "é"):
        operator.get(f"/v3/refusals/{unknown}", expect=404)
        stage.dora.get(f"/api/v3/refusals/{unknown}", expect=404)


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(Reason)
    assert all(explanation.endswith(".") and remedy.endswith(".") for explanation, remedy in WORDS.values())
