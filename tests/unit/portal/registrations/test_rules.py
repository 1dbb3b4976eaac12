"""The rules of registrations, as tables."""

from itertools import product
from typing import Any, NamedTuple

import pytest

from kong_app_auth.domain.records import RegistrationState
from tests.control_plane.clients import Clients
from tests.control_plane.developers import SignedInClient
from tests.control_plane.stage import Stage

STATES = ("approved", "pending", "rejected", "revoked")
GATEWAY = {name: RegistrationState[name.upper()] for name in STATES}


class May(NamedTuple):
    """A portal with or without RBAC, an API in it, a role of the developer's team on it: what comes of registering."""

    rbac: bool
    visibility: str
    role: str | None
    strategy: str
    status: int


# fmt: off
WHO_MAY_REGISTER = [
    #   RBAC   visibility  role of a team   strategy of API   answer
    May(False, "private",  None,            "same",           201),
    May(False, "public",   None,            "same",           201),
    May(False, "private",  None,            "other",          400),
    May(False, "private",  None,            "none",           400),
    May(False, "nowhere",  None,            "same",           404),
    May(True,  "private",  None,            "same",           404),
    May(True,  "private",  "API Viewer",    "same",           403),
    May(True,  "private",  "API Consumer",  "same",           201),
    May(True,  "private",  "API Consumer",  "other",          400),
    May(True,  "public",   None,            "same",           403),
    May(True,  "public",   "API Viewer",    "same",           403),
    May(True,  "public",   "API Consumer",  "same",           201),
    May(True,  "nowhere",  "API Consumer",  "same",           404),
]
FIRST_STATUS = [
    # the portal's auto-approve, the publication's, what a new registration is
    (False, False, "pending"),
    (False, True,  "approved"),
    (True,  False, "approved"),
    (True,  True,  "approved"),
]
# fmt: on


class Scene:
    """A developer with an application in a portal."""

    def __init__(self, clients: Clients, **settings: Any) -> None:
        self.stage = Stage(clients, **settings)
        self.me: SignedInClient = self.stage.developer()
        self.app = self.stage.application(self.me)
        self.path = f"/api/v3/applications/{self.app}/registrations"
        self.all = f"{self.stage.path}/applications/{self.app}/registrations"

    def at_gateway(self, api_id: str) -> RegistrationState | None:
        return self.stage.gateway_application(self.app).registrations.get(api_id)


@pytest.mark.parametrize("may", WHO_MAY_REGISTER, ids=lambda may: "-".join(map(str, may)))
def test_who_may_register_with_what(clients: Clients, may: May) -> None:
    scene = Scene(clients, rbac_enabled=may.rbac)
    stage = scene.stage
    strategy = {"same": stage.key_auth, "other": stage.strategy("key_auth"), "none": None}[may.strategy]
    where = Stage(clients) if may.visibility == "nowhere" else stage
    visibility = "public" if may.visibility == "nowhere" else may.visibility
    api = where.api(auth_strategy_id=strategy, visibility=visibility)
    if may.role is not None:
        stage.role(stage.team(scene.me), may.role, api)

    scene.me.post(scene.path, {"api_id": api}, expect=may.status)
    listed = [one["api_id"] for one in scene.me.get(scene.path)["data"]]
    assert listed == ([api] if may.status == 201 else [])
    assert scene.at_gateway(api) is (RegistrationState.PENDING if may.status == 201 else None)


@pytest.mark.parametrize(("portal", "publication", "status"), FIRST_STATUS)
def test_the_publications_yes_overrides_the_portals_no_and_never_its_yes(
    clients: Clients, *, portal: bool, publication: bool, status: str
) -> None:
    scene = Scene(clients, auto_approve_applications=portal)
    mine, operators = (scene.stage.api(auto_approve_registrations=publication) for _ in range(2))

    assert scene.me.post(scene.path, {"api_id": mine})["status"] == status
    assert scene.stage.operator.post(scene.all, {"api_id": operators})["status"] == status
    assert scene.at_gateway(mine) is GATEWAY[status]
    assert scene.at_gateway(operators) is GATEWAY[status]


def test_an_operator_may_change_any_status_into_any_other(clients: Clients) -> None:
    scene = Scene(clients)
    api = scene.stage.api()
    made = scene.me.post(scene.path, {"api_id": api})
    one = f"{scene.all}/{made['id']}"

    for before, after in product(STATES, STATES):
        scene.stage.operator.patch(one, {"status": before})
        assert scene.at_gateway(api) is GATEWAY[before]
        changes = scene.stage.changes()
        assert scene.stage.operator.patch(one, {"status": after})["status"] == after
        assert scene.me.get(f"{scene.path}/{made['id']}")["status"] == after
        assert scene.at_gateway(api) is GATEWAY[after]
        assert scene.stage.changes() == changes + (before != after)


@pytest.mark.parametrize("status", STATES)
def test_a_developer_deletes_what_no_operator_has_refused(clients: Clients, status: str) -> None:
    scene = Scene(clients)
    api = scene.stage.api()
    made = scene.me.post(scene.path, {"api_id": api})
    scene.stage.operator.patch(f"{scene.all}/{made['id']}", {"status": status})

    refused = status in ("rejected", "revoked")
    scene.me.delete(f"{scene.path}/{made['id']}", expect=403 if refused else 204)
    assert scene.at_gateway(api) is (GATEWAY[status] if refused else None)
    again = scene.me.post(scene.path, {"api_id": api}, expect=409 if refused else 201)
    assert again["status"] == (409 if refused else "pending")
