from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import session
from tests.control_plane.settings import REGION

DORA = {"email": "Dora@Example.com", "full_name": "Dora Developer"}


@pytest.fixture
def portal(operator: Client) -> str:
    return f"/v3/portals/{operator.post('/v3/portals', {'name': 'Staging'})['id']}"


def mails(plane: ControlPlane) -> list[tuple[str, str]]:
    with plane.read(System(region=REGION)) as tx:
        return [
            (one.template, one.recipient) for one in tx.session.scalars(select(Message).order_by(Message.created_at))
        ]


def test_a_developer_waits_unless_the_portal_approves(plane: ControlPlane, operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/developers", DORA)
    operator.patch(portal, {"auto_approve_developers": True})
    approved = operator.post(f"{portal}/developers", {**DORA, "email": "emil@example.com"})

    assert (made["status"], made["email"]) == ("pending", "Dora@example.com")
    assert approved["status"] == "approved"
    assert operator.get(f"{portal}/developers/{made['id']}") == made
    assert mails(plane) == []


@pytest.mark.parametrize("status", ["approved", "pending", "revoked", "rejected"])
def test_the_operator_may_say_the_first_status(operator: Client, portal: str, status: str) -> None:
    assert operator.post(f"{portal}/developers", {**DORA, "status": status})["status"] == status


def test_an_invitation_is_sent_when_asked_for(plane: ControlPlane, operator: Client, portal: str) -> None:
    operator.post(f"{portal}/developers", {**DORA, "send_invitation_email": True})

    assert mails(plane) == [("developer-invitation", "Dora@example.com")]


def test_nobody_is_invited_who_could_not_sign_in(plane: ControlPlane, operator: Client, portal: str) -> None:
    body = {**DORA, "status": "revoked", "send_invitation_email": True}
    problem = operator.post(f"{portal}/developers", body, expect=400)

    assert problem["invalid_parameters"][0]["field"] == "send_invitation_email"
    assert mails(plane) == []


def test_an_address_has_one_account_in_a_portal(operator: Client, portal: str) -> None:
    operator.post(f"{portal}/developers", DORA)
    problem = operator.post(f"{portal}/developers", {**DORA, "email": "dora@EXAMPLE.com"}, expect=409)
    assert problem["detail"] == "Developer with the given email already exists"

    other = operator.post("/v3/portals", {"name": "Production"})["id"]
    operator.post(f"/v3/portals/{other}/developers", DORA)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"full_name": "Dora"}, "email", "required"),
        ({"email": "dora@example.com"}, "full_name", "required"),
        ({**DORA, "email": "dora"}, "email", "invalid"),
        ({**DORA, "email": "Dora <dora@example.com>"}, "email", "invalid"),
        ({**DORA, "email": "dora@example.com\r\nBcc: all@example.com"}, "email", "invalid"),
        ({**DORA, "email": f"{'x' * 250}@example.com"}, "email", "invalid"),
        ({**DORA, "full_name": "x" * 256}, "full_name", "max_length"),
        ({**DORA, "status": "active"}, "status", "enum"),
        ({**DORA, "password": "x"}, "password", "unknown_property"),
    ],
)
def test_wrong_fields_of_a_developer(operator: Client, portal: str, body: Any, field: str, rule: str) -> None:
    problem = operator.post(f"{portal}/developers", body, expect=400)

    assert [(one["field"], one["rule"]) for one in problem["invalid_parameters"]] == [(field, rule)]


ALLOWED = {
    ("pending", "approved"),
    ("pending", "rejected"),
    ("approved", "revoked"),
    ("rejected", "approved"),
    ("rejected", "pending"),
    ("revoked", "approved"),
    ("revoked", "pending"),
}


def test_statuses_change_as_they_may(plane: ControlPlane, operator: Client, portal: str) -> None:
    statuses = ("approved", "pending", "revoked", "rejected")
    done: set[tuple[str, str]] = set()
    for first in statuses:
        for second in statuses:
            body = {**DORA, "email": f"{first}-{second}@example.com", "status": first}
            developer = f"{portal}/developers/{operator.post(f'{portal}/developers', body)['id']}"
            answer = operator.request("PATCH", developer, json={"status": second})
            if answer.status_code == 200:
                assert operator.get(developer)["status"] == second
                done.add((first, second))
            else:
                assert answer.status_code == 400
                assert answer.json()["invalid_parameters"][0]["field"] == "status"
                assert operator.get(developer)["status"] == first

    assert done == ALLOWED | {(one, one) for one in statuses}
    told = sorted(mails(plane))
    assert told == sorted(
        (f"account-access-{second}", f"{first}-{second}@example.com")
        for first, second in ALLOWED
        if second != "pending"
    )


def test_a_revoked_developer_is_signed_out_for_good(clients: Clients, operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/developers", {**DORA, "status": "approved"})
    developer = f"{portal}/developers/{made['id']}"
    session(clients, portal.rpartition("/")[2], made["id"])
    assert sessions(clients.plane) == 1

    operator.patch(developer, {})
    operator.patch(developer, {"status": "approved"})
    assert sessions(clients.plane) == 1
    operator.patch(developer, {"status": "revoked"})
    operator.patch(developer, {"status": "approved"})
    assert sessions(clients.plane) == 0


def sessions(plane: ControlPlane) -> int:
    from kong_app_auth.portal.store.developers import DeveloperSession

    with plane.read(System(region=REGION)) as tx:
        return len(tx.session.scalars(select(DeveloperSession)).all())


def test_a_deleted_developer_can_sign_up_again(clients: Clients, operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/developers", {**DORA, "status": "approved", "send_invitation_email": True})
    developer = f"{portal}/developers/{made['id']}"
    team = f"{portal}/teams/{operator.post(f'{portal}/teams', {'name': 'Readers'})['id']}"
    operator.post(f"{team}/developers", {"id": made["id"]})
    session(clients, portal.rpartition("/")[2], made["id"])
    operator.delete(developer)

    operator.get(developer, expect=404)
    operator.delete(developer, expect=404)
    assert sessions(clients.plane) == 0
    assert operator.get(f"{team}/developers")["data"] == []
    assert operator.post(f"{portal}/developers", DORA)["id"] != made["id"]


def test_developers_are_filtered_sorted_and_paged(operator: Client, portal: str) -> None:
    for name, status in (("Anna", "approved"), ("Bert", "pending"), ("Carl", "approved")):
        body = {"email": f"{name.lower()}@example.com", "full_name": name, "status": status}
        operator.post(f"{portal}/developers", body)

    def found(**query: Any) -> list[str]:
        return [one["full_name"] for one in operator.get(f"{portal}/developers", params=query)["data"]]

    assert found(sort="name desc") == ["Carl", "Bert", "Anna"]
    assert found(sort="status,email desc") == ["Carl", "Anna", "Bert"]
    assert found(**{"filter[status]": "pending"}) == ["Bert"]
    assert found(**{"filter[name][contains]": "AR"}) == ["Carl"]
    assert found(**{"filter[email][oeq]": "anna@example.com,carl@example.com", "sort": "name"}) == ["Anna", "Carl"]
    assert found(**{"sort": "name", "page[size]": 1, "page[number]": 2}) == ["Bert"]
    operator.get(f"{portal}/developers", params={"sort": "colour"}, expect=400)
    operator.get(f"{portal}/developers", params={"filter[full_name]": "Anna"}, expect=400)


def test_a_developer_is_in_their_portal_and_region_only(clients: Clients, operator: Client, portal: str) -> None:
    developer_id = operator.post(f"{portal}/developers", DORA)["id"]
    other = f"/v3/portals/{operator.post('/v3/portals', {'name': 'Production'})['id']}"

    operator.get(f"{other}/developers/{developer_id}", expect=404)
    operator.get(f"{portal}/developers/not-a-uuid", expect=404)
    stranger = clients.operator(region="us")
    stranger.get(f"{portal}/developers", expect=404)
    stranger.patch(f"{portal}/developers/{developer_id}", {"status": "approved"}, expect=404)
    stranger.delete(f"{portal}/developers/{developer_id}", expect=404)
    reader = clients.operator(scope="read")
    reader.get(f"{portal}/developers/{developer_id}")
    reader.patch(f"{portal}/developers/{developer_id}", {"status": "approved"}, expect=403)
    reader.post(f"{portal}/developers", DORA, expect=403)
