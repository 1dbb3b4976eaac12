from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import destinations
from kong_app_auth.portal.store.audit import AuditLogDestination, AuditLogSubscription
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION

PATH = "/v3/audit-log-destinations"
SIEM: dict[str, Any] = {"name": "SIEM", "endpoint": "https://siem.example/audit?source=portal"}


@pytest.fixture
def portal(operator: Client) -> str:
    return str(operator.post("/v3/portals", {"name": "Staging"})["id"])


def webhook(portal: str) -> str:
    return f"/v3/portals/{portal}/audit-log-webhook"


def subscriptions(plane: ControlPlane) -> set[tuple[str, str | None]]:
    with plane.read(System(region=REGION)) as tx:
        return {(one.destination_id, one.portal_id) for one in tx.session.scalars(select(AuditLogSubscription))}


def test_the_secret_of_a_destination_is_shown_once_and_kept_sealed(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, SIEM)
    secret = made.pop("secret")

    assert secret.startswith("whsec_")
    assert operator.get(f"{PATH}/{made['id']}") == made
    assert operator.get(PATH)["data"] == [made]
    assert made["status"] == "inactive"
    with plane.read(System(region=REGION)) as tx:
        record = tx.session.get_one(AuditLogDestination, made["id"])
        assert secret not in record.secret
        assert tx.vault.open(record.secret) == secret
    log = operator.request("GET", "/v3/audit-log").text
    assert secret not in log
    assert "[hidden]" in log


def test_a_new_secret_takes_the_place_of_the_old(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, SIEM)
    renewed = operator.post(f"{PATH}/{made['id']}/regenerate-secret", expect=200)

    assert renewed["secret"] != made["secret"]
    with plane.read(System(region=REGION)) as tx:
        record = tx.session.get_one(AuditLogDestination, made["id"])
        assert tx.vault.open(record.secret) == renewed["secret"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://siem.example/",
        "http://10.0.0.1/",
        "ftp://siem.example/",
        "file:///etc/passwd",
        "https://user:password@siem.example/",
        "https://user@siem.example/",
        "https:///path",
        "https://siem.example:99999/",
        "https://siem.example/#fragment",
        "https://siem.example\\@other.example/",
        "https://siem.example/\r\nX-Injected: yes",
        "//siem.example/",
        "",
        "https://siem.example/" + "a" * 2048,
    ],
)
def test_an_endpoint_is_https_or_this_machine_itself(operator: Client, endpoint: str) -> None:
    problem = operator.post(PATH, {**SIEM, "endpoint": endpoint}, expect=400)
    assert [one["field"] for one in problem["invalid_parameters"]] == ["endpoint"]


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8080/x", "http://[::1]/", "http://localhost/", "https://10.0.0.1/"]
)
def test_this_machine_itself_may_be_called_without_tls(operator: Client, endpoint: str) -> None:
    assert operator.post(PATH, {**SIEM, "endpoint": endpoint})["endpoint"] == endpoint


def test_a_name_is_given_once_in_a_region(operator: Client, clients: Clients) -> None:
    operator.post(PATH, SIEM)
    operator.post(PATH, SIEM, expect=400)
    other = operator.post(PATH, {**SIEM, "name": "other"})
    operator.patch(f"{PATH}/{other['id']}", {"name": "SIEM"}, expect=400)
    clients.operator(region="us").post(PATH, SIEM)


def test_a_region_has_a_bounded_number_of_destinations(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destinations, "MAX_DESTINATIONS", 1)
    operator.post(PATH, SIEM)
    operator.post(PATH, {**SIEM, "name": "other"}, expect=409)


def test_a_destination_is_changed_and_deleted(operator: Client) -> None:
    made = operator.post(PATH, SIEM)
    path = f"{PATH}/{made['id']}"

    changed = operator.patch(path, {"endpoint": "https://other.example/", "all_portals": True})
    assert (changed["endpoint"], changed["all_portals"], changed["status"]) == (
        "https://other.example/",
        True,
        "active",
    )
    assert operator.patch(path, {"enabled": False})["status"] == "inactive"
    operator.delete(path)
    operator.get(path, expect=404)


def test_a_destination_of_another_region_is_not_there(operator: Client, clients: Clients, portal: str) -> None:
    stranger = clients.operator(region="us")
    theirs = stranger.post(PATH, SIEM)["id"]

    operator.get(f"{PATH}/{theirs}", expect=404)
    operator.patch(f"{PATH}/{theirs}", {"name": "mine"}, expect=404)
    operator.delete(f"{PATH}/{theirs}", expect=404)
    operator.post(f"{PATH}/{theirs}/regenerate-secret", expect=404)
    problem = operator.patch(webhook(portal), {"audit_log_destination_id": theirs}, expect=400)
    assert problem["invalid_parameters"][0]["rule"] == "missing_reference"
    stranger.get(webhook(portal), expect=404)
    assert operator.get(PATH)["data"] == []


def test_a_reading_token_changes_nothing(operator: Client, clients: Clients, portal: str) -> None:
    made = operator.post(PATH, SIEM)["id"]
    reader = clients.operator(scope="read")

    reader.get(f"{PATH}/{made}")
    reader.post(PATH, SIEM, expect=403)
    reader.patch(f"{PATH}/{made}", {}, expect=403)
    reader.post(f"{PATH}/{made}/regenerate-secret", expect=403)
    reader.delete(f"{PATH}/{made}", expect=403)
    reader.patch(webhook(portal), {}, expect=403)
    reader.delete(webhook(portal), expect=403)


def test_a_portal_without_a_webhook_says_so(operator: Client, portal: str) -> None:
    assert operator.get(webhook(portal)) == {"enabled": False}
    assert operator.get(f"{webhook(portal)}/status") == {"webhook_status": "inactive", "webhook_enabled": False}
    operator.delete(webhook(portal))
    for path in (webhook("not-a-uuid"), webhook("5f9fd312-a987-4628-b4c5-bb4f4fddd5f7")):
        operator.get(path, expect=404)
        operator.get(f"{path}/status", expect=404)
        operator.patch(path, {}, expect=404)
        operator.delete(path, expect=404)


def test_a_webhook_is_set_up_enabled_disabled_and_removed(operator: Client, plane: ControlPlane, portal: str) -> None:
    made = operator.post(PATH, SIEM)["id"]

    problem = operator.patch(webhook(portal), {"enabled": True}, expect=400)
    assert problem["invalid_parameters"][0]["rule"] == "dependent_fields"
    named = operator.patch(webhook(portal), {"audit_log_destination_id": made})
    assert named == {"enabled": False, "audit_log_destination_id": made}
    assert subscriptions(plane) == set()
    enabled = operator.patch(webhook(portal), {"enabled": True})
    assert enabled == {"enabled": True, "audit_log_destination_id": made} == operator.get(webhook(portal))
    assert operator.get(f"{webhook(portal)}/status") == {"webhook_status": "active", "webhook_enabled": True}
    assert subscriptions(plane) == {(made, portal)}
    operator.delete(f"{PATH}/{made}", expect=409)

    operator.patch(webhook(portal), {"enabled": False})
    assert subscriptions(plane) == set()
    operator.patch(webhook(portal), {"enabled": True})
    operator.delete(webhook(portal))
    assert operator.get(webhook(portal)) == {"enabled": False}
    assert subscriptions(plane) == set()
    operator.delete(f"{PATH}/{made}")


def test_a_destination_of_the_whole_region_hears_of_a_portal_once(
    operator: Client, plane: ControlPlane, portal: str
) -> None:
    made = operator.post(PATH, {**SIEM, "all_portals": True})["id"]
    operator.patch(webhook(portal), {"enabled": True, "audit_log_destination_id": made})

    assert subscriptions(plane) == {(made, None)}
    assert operator.get(f"{webhook(portal)}/status")["webhook_status"] == "active"
    operator.patch(f"{PATH}/{made}", {"all_portals": False})
    assert subscriptions(plane) == {(made, portal)}
    operator.patch(f"{PATH}/{made}", {"enabled": False})
    assert subscriptions(plane) == set()
    assert operator.get(f"{webhook(portal)}/status") == {"webhook_status": "inactive", "webhook_enabled": True}


def test_a_portal_is_deleted_with_its_webhook(operator: Client, plane: ControlPlane, portal: str) -> None:
    made = operator.post(PATH, SIEM)["id"]
    operator.patch(webhook(portal), {"enabled": True, "audit_log_destination_id": made})

    operator.delete(f"/v3/portals/{portal}")
    assert subscriptions(plane) == set()
    operator.delete(f"{PATH}/{made}")


def test_a_destination_is_deleted_with_what_it_was_to_hear(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, {**SIEM, "all_portals": True})["id"]
    assert subscriptions(plane) == {(made, None)}

    operator.delete(f"{PATH}/{made}")
    assert subscriptions(plane) == set()
