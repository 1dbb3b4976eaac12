"""Operators and the applications of their portals."""

import pytest

from tests.control_plane.clients import Client, Clients
from tests.control_plane.stage import Stage

UNKNOWN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def _owner(developer_id: str, kind: str = "developer") -> dict[str, str]:
    return {"type": kind, "id": developer_id}


def test_an_operator_makes_an_application_for_a_developer(stage: Stage, operator: Client) -> None:
    me = stage.developer()
    body = {"name": "App", "owner": _owner(me.developer_id), "labels": {"env": "test", "none": None}}
    made = operator.post(f"{stage.path}/applications", body)

    assert made["owner"] == _owner(me.developer_id)
    assert made["labels"] == {"env": "test"}
    assert made["registration_count"] == 0
    assert made["auth_strategy"]["name"] == "key-auth"
    assert "client_id" not in made
    assert operator.get(f"{stage.path}/applications/{made['id']}") == made
    assert operator.get(f"/v3/applications/{made['id']}") == made
    assert me.get(f"/api/v3/applications/{made['id']}")["name"] == "App"


def test_an_application_of_an_oauth_client_shows_its_client(stage: Stage, operator: Client) -> None:
    oidc = stage.strategy()
    stage.api(auth_strategy_id=oidc)
    body = {"name": "App", "owner": _owner(stage.developer().developer_id), "auth_strategy_id": oidc}

    operator.post(f"{stage.path}/applications", body, expect=400)
    operator.post(f"{stage.path}/applications", {**body, "client_id": "c", "dcr_client_id": "d"}, expect=400)
    made = operator.post(f"{stage.path}/applications", {**body, "client_id": "client-1"})
    assert (made["client_id"], made["dcr_provider"], made["granted_scopes"]) == ("client-1", None, None)


@pytest.mark.parametrize("kind", ["developer", "team"])
def test_the_owner_is_of_the_portal(clients: Clients, stage: Stage, operator: Client, kind: str) -> None:
    elsewhere = Stage(clients)
    stranger = elsewhere.developer()
    foreign = stranger.developer_id if kind == "developer" else elsewhere.team(stranger)

    for owner_id in (foreign, UNKNOWN):
        body = {"name": "App", "owner": _owner(owner_id, kind)}
        problem = operator.post(f"{stage.path}/applications", body, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "owner.id"


def test_an_application_changes_hands(stage: Stage, operator: Client) -> None:
    me, you = stage.developer(), stage.developer()
    team, unable = stage.team(you), stage.team(you, owns=False)
    app = stage.application(me)
    path = f"{stage.path}/applications/{app}"

    assert operator.patch(path, {})["owner"] == _owner(me.developer_id)
    assert operator.patch(path, {"owner": _owner(you.developer_id)})["owner"] == _owner(you.developer_id)
    assert stage.gateway_application(app).developer_id == you.developer_id
    assert operator.patch(path, {"owner": _owner(team, "team")})["owner"] == _owner(team, "team")
    assert stage.gateway_application(app).developer_id is None
    operator.patch(path, {"owner": _owner(unable, "team")}, expect=400)
    operator.patch(path, {"name": "New"}, expect=400)


def test_the_developers_of_an_application_are_its_owner_or_the_team(stage: Stage, operator: Client) -> None:
    me, mate = stage.developer(email="me@example.com", full_name="x" * 256), stage.developer()
    own, shared = stage.application(me), stage.application(me, team_id=stage.team(me, mate))

    found = operator.get(f"{stage.path}/applications/{own}/developers")["data"]
    assert [(one["id"], one["email"]) for one in found] == [(me.developer_id, "me@example.com")]
    both = f"{stage.path}/applications/{shared}/developers"
    found = operator.get(both, params={"sort": "id"})["data"]
    assert [one["id"] for one in found] == sorted([me.developer_id, mate.developer_id])
    found = operator.get(both, params={"filter[id][neq]": me.developer_id})["data"]
    assert [one["id"] for one in found] == [mate.developer_id]


def test_applications_are_filtered_and_sorted(stage: Stage, operator: Client) -> None:
    me, you = stage.developer(), stage.developer()
    team = stage.team(you)
    for who, body in ((me, {"name": "b"}), (you, {"name": "a"}), (you, {"name": "c", "team_id": team})):
        stage.application(who, **body)

    def names(**params: str) -> str:
        return "".join(one["name"] for one in operator.get(f"{stage.path}/applications", params=params)["data"])

    assert names(sort="name desc") == "cba"
    assert names(**{"filter[developer_id]": me.developer_id}) == "b"
    assert names(**{"filter[developer_id][neq]": me.developer_id, "sort": "name"}) == "ac"
    assert names(**{"filter[team_id][eq]": team}) == "c"
    assert names(**{"filter[team_id]": "nonsense"}) == ""
    assert names(**{"filter[name][contains]": "A"}) == "a"
    operator.get(f"{stage.path}/applications", params={"filter[client_id]": "x"}, expect=400)


def test_registrations_are_counted_whatever_their_status(stage: Stage, operator: Client) -> None:
    me = stage.developer()
    app = stage.application(me)
    for _ in range(2):
        me.post(f"/api/v3/applications/{app}/registrations", {"api_id": stage.api()})

    assert operator.get(f"{stage.path}/applications/{app}")["registration_count"] == 2
    assert operator.get(f"{stage.path}/applications")["data"][0]["registration_count"] == 2


def test_a_deleted_application_is_gone_from_portal_and_gateway(stage: Stage, operator: Client) -> None:
    me = stage.developer()
    app = stage.application(me)
    operator.delete(f"{stage.path}/applications/{app}")

    operator.get(f"{stage.path}/applications/{app}", expect=404)
    me.get(f"/api/v3/applications/{app}", expect=404)
    assert stage.gateway_forgot_application(app)


def test_an_application_is_found_through_its_own_portal_and_region_only(clients: Clients, stage: Stage) -> None:
    app = stage.application(stage.developer())
    elsewhere = Stage(clients)
    stranger = clients.operator(region="us")

    elsewhere.operator.get(f"{elsewhere.path}/applications/{app}", expect=404)
    stranger.get(f"/v3/applications/{app}", expect=404)
    stranger.get(f"{stage.path}/applications", expect=404)
    stage.operator.get("/v3/applications/nonsense", expect=404)
    stranger.delete(f"{stage.path}/applications/{app}", expect=404)
