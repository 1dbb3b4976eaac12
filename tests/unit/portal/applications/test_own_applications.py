"""Developers and their applications."""

import pytest

from kong_app_auth.portal.plane import ControlPlane
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import Clock, control_plane, sqlite
from tests.control_plane.stage import Stage

APPLICATIONS = "/api/v3/applications"


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def test_an_application_takes_the_portals_default_strategy(stage: Stage) -> None:
    me = stage.developer()
    made = me.post(APPLICATIONS, {"name": "App", "description": "Mine", "redirect_uri": "com.example.app:/back"})

    assert made["auth_strategy"]["id"] == stage.key_auth
    assert made["auth_strategy"]["credential_type"] == "key_auth"
    assert (made["description"], made["redirect_uri"], made["team_id"]) == ("Mine", "com.example.app:/back", None)
    assert me.get(f"{APPLICATIONS}/{made['id']}") == made
    heard = stage.gateway_application(made["id"])
    assert (heard.portal_id, heard.strategy_id, heard.developer_id) == (stage.portal, stage.key_auth, me.developer_id)


def test_a_strategy_must_be_one_of_the_portal(stage: Stage) -> None:
    me = stage.developer()
    used, unused = stage.strategy("key_auth"), stage.strategy("key_auth")
    stage.api(auth_strategy_id=used)

    assert me.post(APPLICATIONS, {"name": "A", "auth_strategy_id": used})["auth_strategy"]["id"] == used
    problem = me.post(APPLICATIONS, {"name": "B", "auth_strategy_id": unused}, expect=400)
    assert problem["invalid_parameters"][0]["field"] == "auth_strategy_id"
    assert problem["invalid_parameters"][0]["rule"] == "missing_reference"


def test_a_portal_without_default_strategy_needs_one_named(clients: Clients) -> None:
    stage = Stage(clients, default_application_auth_strategy_id=None)
    used = stage.strategy("key_auth")
    stage.api(auth_strategy_id=used)
    me = stage.developer()

    me.post(APPLICATIONS, {"name": "App"}, expect=400)
    me.post(APPLICATIONS, {"name": "App", "auth_strategy_id": None}, expect=400)
    me.post(APPLICATIONS, {"name": "App", "auth_strategy_id": used})


def test_a_self_managed_client_is_named_and_is_the_only_one_of_its_strategy(stage: Stage) -> None:
    oidc, other = stage.strategy(), stage.strategy()
    for one in (oidc, other):
        stage.api(auth_strategy_id=one)
    me, you = stage.developer(), stage.developer()

    me.post(APPLICATIONS, {"name": "App", "auth_strategy_id": oidc}, expect=400)
    made = me.post(APPLICATIONS, {"name": "App", "auth_strategy_id": oidc, "client_id": "client-1"})
    assert made["client_id"] == "client-1"
    assert made["auth_strategy"]["credential_type"] == "self_managed_client_credentials"
    you.post(APPLICATIONS, {"name": "App", "auth_strategy_id": oidc, "client_id": "client-1"}, expect=409)
    you.post(APPLICATIONS, {"name": "App", "auth_strategy_id": other, "client_id": "client-1"})
    two = you.post(APPLICATIONS, {"name": "App", "auth_strategy_id": oidc, "client_id": "client-2"})["id"]
    you.patch(f"{APPLICATIONS}/{two}", {"client_id": "client-1"}, expect=409)
    you.patch(f"{APPLICATIONS}/{two}", {"client_id": ""}, expect=400)
    assert you.patch(f"{APPLICATIONS}/{two}", {"client_id": "client-2"})["client_id"] == "client-2"


def test_a_provider_at_an_address_that_is_not_permitted_is_not_asked_and_there_is_no_application(stage: Stage) -> None:
    provider = stage.operator.post(
        "/v2/dcr-providers",
        {
            "name": "bridge",
            "provider_type": "http",
            "issuer": "https://idp.example",
            "dcr_config": {"dcr_base_url": "https://127.0.0.1", "api_key": "0123456789abcdef"},
        },
    )["id"]
    dcr = stage.strategy()
    stage.operator.patch(f"/v2/application-auth-strategies/{dcr}", {"dcr_provider_id": provider})
    stage.api(auth_strategy_id=dcr)
    me = stage.developer()

    me.post(APPLICATIONS, {"name": "App", "auth_strategy_id": dcr}, expect=400)
    assert me.get(APPLICATIONS)["data"] == []


@pytest.mark.parametrize(
    "uri", ["/back", "javascript:alert(1)", "https://app.example/#token", "data:text/html,x", "https://app.example/ x"]
)
def test_a_redirect_uri_is_absolute_and_calls_an_application(stage: Stage, uri: str) -> None:
    stage.developer().post(APPLICATIONS, {"name": "App", "redirect_uri": uri}, expect=400)


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 256}, {"name": "App", "scopes": ["a"]}])
def test_a_wrong_body_makes_no_application(stage: Stage, body: dict[str, object]) -> None:
    me = stage.developer()
    me.post(APPLICATIONS, body, expect=400)

    assert me.get(APPLICATIONS)["meta"]["page"]["total"] == 0


def test_an_update_changes_what_it_names(stage: Stage) -> None:
    me = stage.developer()
    made = me.post(APPLICATIONS, {"name": "App", "redirect_uri": "https://app.example/back"})
    changed = me.patch(f"{APPLICATIONS}/{made['id']}", {"name": "New", "redirect_uri": None})

    assert changed == {**made, "name": "New", "redirect_uri": None, "updated_at": changed["updated_at"]}


def test_deleting_takes_keys_and_registrations_along_at_the_gateway_too(stage: Stage) -> None:
    me = stage.developer()
    app = stage.application(me)
    key = stage.key(me, app)["credential"]
    me.post(f"{APPLICATIONS}/{app}/registrations", {"api_id": stage.api()})
    me.delete(f"{APPLICATIONS}/{app}")

    me.get(f"{APPLICATIONS}/{app}", expect=404)
    assert stage.gateway_forgot_application(app)
    assert stage.gateway_forgot_key(key)
    assert stage.operator.get(f"{stage.path}/application-registrations")["data"] == []


def test_developers_see_their_own_applications_and_those_of_their_teams(stage: Stage) -> None:
    me, mate, stranger = (stage.developer() for _ in range(3))
    team = stage.team(me, mate)
    own, shared = stage.application(me), stage.application(me, team_id=team)

    def names(who: Client, **params: str) -> set[str]:
        return {one["id"] for one in who.get(APPLICATIONS, params=params)["data"]}

    assert (names(me), names(mate), names(stranger)) == ({own, shared}, {shared}, set())
    assert names(me, **{"filter[team_id]": "null"}) == {own}
    assert names(me, **{"filter[team_id][neq]": "null"}) == {shared}
    assert names(me, **{"filter[team_id][neq]": team}) == {own}
    assert names(me, **{"filter[team_id][oeq]": f"{team},{own}"}) == {shared}
    me.get(APPLICATIONS, params={"filter[team_id]": "mine"}, expect=400)
    assert names(me, **{"filter[auth_strategy_id]": stage.key_auth}) == {own, shared}
    assert names(me, **{"filter[name][contains]": "no such"}) == set()
    mate.patch(f"{APPLICATIONS}/{shared}", {"name": "Ours"})
    for path in ("", "/credentials", "/registrations", "/granted-scopes"):
        stranger.get(f"{APPLICATIONS}/{shared}{path}", expect=404)
    stranger.delete(f"{APPLICATIONS}/{shared}", expect=404)


def test_a_team_that_may_not_own_applications_owns_none(stage: Stage) -> None:
    me = stage.developer()
    unable, others = stage.team(me, owns=False), stage.team(stage.developer())

    for team in (unable, others):
        problem = me.post(APPLICATIONS, {"name": "App", "team_id": team}, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "team_id"


def test_an_application_moves_between_a_developer_and_a_team(stage: Stage) -> None:
    me, mate = stage.developer(), stage.developer()
    team = stage.team(me, mate)
    app = stage.application(me)

    assert me.patch(f"{APPLICATIONS}/{app}", {"team_id": team})["team_id"] == team
    assert stage.gateway_application(app).developer_id is None
    assert mate.patch(f"{APPLICATIONS}/{app}", {"team_id": None})["team_id"] is None
    assert stage.gateway_application(app).developer_id == mate.developer_id
    me.get(f"{APPLICATIONS}/{app}", expect=404)


def test_another_portals_developer_finds_nothing(clients: Clients, stage: Stage) -> None:
    app = stage.application(stage.developer())
    stranger = Stage(clients).developer()

    stranger.get(f"{APPLICATIONS}/{app}", expect=404)


def test_visitors_can_do_nothing(clients: Clients, stage: Stage) -> None:
    visitor = clients.visitor(stage.portal)

    visitor.get(APPLICATIONS, expect=401)
    visitor.post(APPLICATIONS, {"name": "App"}, expect=401)


def test_scopes_are_granted_by_no_provider_yet(stage: Stage) -> None:
    me = stage.developer()
    me.get(f"{APPLICATIONS}/{stage.application(me)}/granted-scopes", expect=422)


def test_an_owner_has_so_many_applications_and_no_more(tmp_path_factory: pytest.TempPathFactory) -> None:
    with control_plane(sqlite(tmp_path_factory.mktemp("few")), Clock(), max_applications=2) as plane:
        _two_and_no_more(plane)


def _two_and_no_more(plane: ControlPlane) -> None:
    stage = Stage(Clients(plane))
    me = stage.developer()
    team = stage.team(me)
    first = stage.application(me)
    stage.application(me)

    problem = me.post(APPLICATIONS, {"name": "Third"}, expect=403)
    assert problem["detail"] == "Maximum number of Applications exceeded. Max Allowed: 2"
    third = stage.application(me, team_id=team)
    me.patch(f"{APPLICATIONS}/{third}", {"team_id": None}, expect=403)
    me.delete(f"{APPLICATIONS}/{first}")
    me.patch(f"{APPLICATIONS}/{third}", {"team_id": None})
