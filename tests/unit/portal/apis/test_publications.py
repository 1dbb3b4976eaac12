from typing import Any

import pytest

from kong_app_auth.domain import records
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.registry.keys import Table
from tests.control_plane.clients import Clients
from tests.control_plane.feed import heard, lines
from tests.control_plane.stage import Stage


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


@pytest.fixture
def api(stage: Stage) -> str:
    found: str = stage.operator.post("/v3/apis", {"name": "Weather API", "version": "v1"})["id"]
    return found


@pytest.fixture
def path(stage: Stage, api: str) -> str:
    return f"/v3/apis/{api}/publications/{stage.portal}"


def _accepts(stage: Stage, api: str) -> set[tuple[str, str]]:
    found = heard(stage.plane, Table.APIS, api)
    assert isinstance(found, records.Api)
    return {(one.portal_id, one.strategy_id) for one in found.accepts}


def test_what_is_left_out_is_as_the_portals_defaults_are(clients: Clients) -> None:
    for visibility in ("public", "private"):
        stage = Stage(clients, default_api_visibility=visibility)
        api = stage.operator.post("/v3/apis", {"name": "Weather API", "version": visibility})["id"]
        path = f"/v3/apis/{api}/publications/{stage.portal}"
        publication = stage.operator.put(path, {})

        assert publication["visibility"] == visibility
        assert publication["auth_strategy_ids"] == [stage.key_auth]
        assert publication["auto_approve_registrations"] is False
        assert publication["warnings"] == []
        assert stage.operator.get(path) == publication
        assert _accepts(stage, api) == {(stage.portal, stage.key_auth)}


def test_a_publication_says_everything_itself(stage: Stage, api: str, path: str) -> None:
    strategy = stage.strategy()
    wanted = {"visibility": "public", "auth_strategy_ids": [strategy], "auto_approve_registrations": True}
    publication = stage.operator.put(path, wanted)

    assert {name: publication[name] for name in wanted} == wanted
    assert _accepts(stage, api) == {(stage.portal, strategy)}
    portals = stage.operator.get(f"/v3/apis/{api}")["portals"]
    assert [one["id"] for one in portals] == [stage.portal]


def test_null_means_no_authentication(stage: Stage, api: str, path: str) -> None:
    publication = stage.operator.put(path, {"auth_strategy_ids": None})

    assert publication["auth_strategy_ids"] is None
    assert _accepts(stage, api) == set()


def test_a_later_put_says_the_whole_publication_anew(stage: Stage, api: str, path: str) -> None:
    strategy = stage.strategy()
    wanted = {"visibility": "public", "auth_strategy_ids": [strategy], "auto_approve_registrations": True}
    first = stage.operator.put(path, wanted)
    again = stage.operator.put(path, {})

    assert again == {
        **first,
        "visibility": "private",
        "auth_strategy_ids": [stage.key_auth],
        "auto_approve_registrations": False,
        "updated_at": again["updated_at"],
    }
    assert _accepts(stage, api) == {(stage.portal, stage.key_auth)}


def test_a_new_default_of_the_portal_changes_no_publication(stage: Stage, api: str, path: str) -> None:
    publication = stage.operator.put(path, {})
    strategy = stage.strategy()
    defaults = {"default_application_auth_strategy_id": strategy, "default_api_visibility": "public"}
    stage.operator.patch(stage.path, defaults)

    assert stage.operator.get(path) == publication
    assert len(lines(stage.plane, Table.APIS, api)) == 2
    assert stage.operator.put(path, {})["auth_strategy_ids"] == [strategy]


@pytest.mark.parametrize("wrong", [[], [new_id()], ["x"], "x"])
def test_the_strategy_must_be_one_that_is_there(stage: Stage, path: str, wrong: Any) -> None:
    problem = stage.operator.put(path, {"auth_strategy_ids": wrong}, expect=400)

    assert problem["invalid_parameters"][0]["field"].startswith("auth_strategy_ids")
    stage.operator.get(path, expect=404)


def test_there_is_at_most_one_strategy_of_this_region(clients: Clients, stage: Stage, path: str) -> None:
    stage.operator.put(path, {"auth_strategy_ids": [stage.key_auth, stage.strategy()]}, expect=400)
    american = clients.operator(region="us").post("/v3/portals", {"name": "Staging"})

    ours = [american["default_application_auth_strategy_id"]]
    stage.operator.put(path, {"auth_strategy_ids": ours}, expect=400)


def test_api_and_portal_must_be_of_this_region(clients: Clients, stage: Stage, api: str, path: str) -> None:
    american = clients.operator(region="us")
    portal = american.post("/v3/portals", {"name": "Staging"})["id"]
    there = american.post("/v3/apis", {"name": "Weather API"})["id"]

    for client, one in (
        (american, path),
        (stage.operator, f"/v3/apis/{api}/publications/{portal}"),
        (american, f"/v3/apis/{there}/publications/{stage.portal}"),
        (stage.operator, f"/v3/apis/{api}/publications/not-a-uuid"),
    ):
        client.put(one, {}, expect=404)
        client.get(one, expect=404)
        client.delete(one, expect=404)


def test_unpublishing_takes_the_registrations_of_that_portal_with_it(clients: Clients, stage: Stage, api: str) -> None:
    elsewhere = Stage(clients)
    applications: list[str] = []
    for one in (stage, elsewhere):
        one.operator.put(f"/v3/apis/{api}/publications/{one.portal}", {"auto_approve_registrations": True})
        developer = one.developer()
        applications.append(one.application(developer))
        developer.post(f"/api/v3/applications/{applications[-1]}/registrations", {"api_id": api})
    assert _accepts(stage, api) == {(stage.portal, stage.key_auth), (elsewhere.portal, stage.key_auth)}

    path = f"/v3/apis/{api}/publications/{stage.portal}"
    stage.operator.delete(path)

    stage.operator.get(path, expect=404)
    stage.operator.delete(path, expect=404)
    assert _accepts(stage, api) == {(elsewhere.portal, stage.key_auth)}
    assert stage.gateway_application(applications[0]).registrations == {}
    assert set(stage.gateway_application(applications[1]).registrations) == {api}
    left = stage.operator.get(f"/v3/apis/{api}/registrations")["data"]
    assert [one["application"]["id"] for one in left] == [applications[1]]


def test_a_new_strategy_keeps_the_registrations_and_warns_of_them(stage: Stage, api: str, path: str) -> None:
    stage.operator.put(path, {})
    developer = stage.developer()
    application = stage.application(developer)
    developer.post(f"/api/v3/applications/{application}/registrations", {"api_id": api})

    strategy = stage.strategy("key_auth")
    publication = stage.operator.put(path, {"auth_strategy_ids": [strategy]})

    warnings = ["1 registration is of applications with another auth strategy; the gateway refuses them"]
    assert publication["warnings"] == warnings
    assert stage.operator.get(path)["warnings"] == warnings
    assert [one["warnings"] for one in stage.operator.get("/v3/api-publications")["data"]] == [warnings]
    listed = stage.operator.get(f"/v3/portals/{stage.portal}/api-publications")["data"]
    assert [one["warnings"] for one in listed] == [warnings]
    assert _accepts(stage, api) == {(stage.portal, strategy)}
    assert set(stage.gateway_application(application).registrations) == {api}
    assert stage.operator.put(path, {})["warnings"] == []


def test_a_portal_without_authentication_is_warned_of(clients: Clients) -> None:
    stage = Stage(clients, authentication_enabled=False, default_api_visibility="private")
    api = stage.operator.post("/v3/apis", {"name": "Weather API"})["id"]
    path = f"/v3/apis/{api}/publications/{stage.portal}"

    assert len(stage.operator.put(path, {})["warnings"]) == 2
    assert stage.operator.put(path, {"auth_strategy_ids": None, "visibility": "public"})["warnings"] == []


def test_publications_are_filtered_and_sorted(clients: Clients, stage: Stage, api: str) -> None:
    other = stage.operator.post("/v3/apis", {"name": "Maps API"})["id"]
    elsewhere = Stage(clients)
    strategy = stage.strategy()
    for one, portal, body in (
        (api, stage.portal, {}),
        (other, stage.portal, {"auth_strategy_ids": [strategy]}),
        (api, elsewhere.portal, {"auth_strategy_ids": None}),
    ):
        stage.operator.put(f"/v3/apis/{one}/publications/{portal}", body)

    def found(**params: str) -> list[tuple[str, str]]:
        listed = stage.operator.get("/v3/api-publications", params=params)["data"]
        return [(one["api_id"], one["portal_id"]) for one in listed]

    name = elsewhere.operator.get(elsewhere.path)["name"]
    assert len(found()) == 3
    assert [one for one, _ in found(sort="api_name")] == [other, api, api]
    assert found(sort="portal_id desc,api_name")[0][1] == max(stage.portal, elsewhere.portal)
    assert found(**{"filter[portal_name]": name}) == [(api, elsewhere.portal)]
    assert found(**{"filter[portal_id]": elsewhere.portal}) == [(api, elsewhere.portal)]
    assert found(**{"filter[api_name][contains]": "maps"}) == [(other, stage.portal)]
    assert found(**{"filter[auth_strategy_id]": strategy}) == [(other, stage.portal)]
    assert len(found(**{"filter[entity_type]": "api"})) == 3
    assert found(**{"filter[entity_type]": "api_package"}) == []
    stage.operator.get("/v3/api-publications", params={"filter[colour]": "red"}, expect=400)
    stage.operator.get("/v3/api-publications", params={"sort": "colour"}, expect=400)
    assert clients.operator(region="us").get("/v3/api-publications")["data"] == []


def test_a_portals_publications_are_its_own(clients: Clients, stage: Stage, api: str, path: str) -> None:
    elsewhere = Stage(clients)
    stage.operator.put(path, {})
    stage.operator.put(f"/v3/apis/{api}/publications/{elsewhere.portal}", {})

    (listed,) = stage.operator.get(f"/v3/portals/{stage.portal}/api-publications", params={"sort": "api_name"})["data"]
    assert listed["portal_ids"] == [stage.portal]
    assert (listed["api_id"], listed["entity_type"]) == (api, "api")
    place = f"/v3/portals/{stage.portal}/api-publications"
    stage.operator.get(place, params={"filter[portal_id]": stage.portal}, expect=400)
    clients.operator(region="us").get(place, expect=404)
