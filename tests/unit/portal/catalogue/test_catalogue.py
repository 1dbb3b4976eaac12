from typing import Any

import pytest

from kong_app_auth.portal.store.base import new_id
from tests.control_plane.clients import Client, Clients
from tests.control_plane.stage import Stage
from tests.control_plane.statements import counted

SPEC = '{"openapi": "3.0.3", "info": {"title": "Weather", "version": "1"}, "paths": {}}'


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def _names(client: Client, **params: str) -> list[str]:
    return [one["name"] for one in client.get("/api/v3/apis", params=params)["data"]]


def test_a_developer_sees_an_api_with_what_is_needed_to_register(stage: Stage) -> None:
    wanted = {"name": "Weather API", "version": "v1", "attributes": {"domain": ["web"]}, "spec_content": SPEC}
    api = stage.operator.post("/v3/apis", {**wanted, "labels": {"internal": "yes"}})
    stage.operator.put(f"/v3/apis/{api['id']}/publications/{stage.portal}", {})
    specification = {"id": api["api_spec_ids"][0], "type": "oas3"}
    developer = stage.developer()

    seen = developer.get(f"/api/v3/apis/{api['id']}")
    assert {name: seen[name] for name in ("name", "version", "description", "slug", "visibility")} == {
        "name": "Weather API",
        "version": "v1",
        "description": None,
        "slug": "weather-api-v1",
        "visibility": "private",
    }
    assert [one["id"] for one in seen["auth_strategies"]] == [stage.key_auth]
    assert seen["specifications"] == [specification]
    assert seen["current_version_summary"] == {"id": specification["id"], "spec": {"type": "oas3"}}
    assert seen["attributes"] == {"domain": ["web"]}
    assert developer.get("/api/v3/apis/weather-api-v1") == seen
    assert developer.get("/api/v3/apis")["data"] == [seen]


def test_an_openid_strategy_is_shown_without_what_is_the_operators(stage: Stage) -> None:
    api = stage.api(auth_strategy_id=stage.strategy())

    (strategy,) = stage.developer().get(f"/api/v3/apis/{api}")["auth_strategies"]
    assert strategy["credential_type"] == "self_managed_client_credentials"


def test_an_api_without_authentication_has_no_strategy_and_nothing_to_register_with(stage: Stage) -> None:
    api = stage.api(auth_strategy_id=None)
    developer = stage.developer()

    assert developer.get(f"/api/v3/apis/{api}")["auth_strategies"] == []
    assert developer.get(f"/api/v3/apis/{api}/actions")["actions"] == {
        "view": True,
        "register": False,
        "view_documentation": True,
    }


def test_a_visitor_sees_what_is_public_and_no_hint_of_the_rest(clients: Clients, stage: Stage) -> None:
    public, private = stage.api("Public", visibility="public"), stage.api("Private")
    visitor = clients.visitor(stage.portal)

    assert _names(visitor) == ["Public"]
    assert visitor.get("/api/v3/apis")["meta"]["page"]["total"] == 1
    assert visitor.get(f"/api/v3/apis/{public}")["visibility"] == "public"
    for path in (private, f"api-{private}", f"{private}/specifications", new_id(), "no-such-slug"):
        assert visitor.get(f"/api/v3/apis/{path}", expect=404)["detail"] == "API not found"
    visitor.get(f"/api/v3/apis/{public}/actions", expect=401)
    visitor.get(f"/api/v3/apis/{public}/applications", expect=401)


def test_what_is_not_published_here_is_not_here(clients: Clients, stage: Stage) -> None:
    elsewhere = Stage(clients)
    there = elsewhere.api("Elsewhere", visibility="public")
    nowhere = stage.operator.post("/v3/apis", {"name": "Nowhere"})["id"]
    developer = stage.developer()

    assert _names(developer) == []
    for api in (there, nowhere):
        for path in ("", "/actions", "/applications", "/specifications"):
            developer.get(f"/api/v3/apis/{api}{path}", expect=404)


def test_each_portal_shows_its_own_publication(clients: Clients, stage: Stage) -> None:
    elsewhere = Stage(clients)
    api = stage.api(visibility="public")
    strategy = stage.strategy()
    path = f"/v3/apis/{api}/publications/{elsewhere.portal}"
    stage.operator.put(path, {"visibility": "private", "auth_strategy_ids": [strategy]})

    here = stage.developer().get(f"/api/v3/apis/{api}")
    there = elsewhere.developer().get(f"/api/v3/apis/{api}")
    assert (here["visibility"], here["auth_strategies"][0]["id"]) == ("public", stage.key_auth)
    assert (there["visibility"], there["auth_strategies"][0]["id"]) == ("private", strategy)


def test_with_rbac_a_team_must_view_or_consume(clients: Clients) -> None:
    stage = Stage(clients, rbac_enabled=True)
    viewed, consumed, hidden = (stage.api(name) for name in ("Viewed", "Consumed", "Hidden"))
    developer = stage.developer()
    team = stage.team(developer)
    stage.role(team, "API Viewer", viewed)
    stage.role(team, "API Consumer", consumed)

    assert _names(developer) == ["Consumed", "Viewed"]
    assert developer.get(f"/api/v3/apis/{viewed}/actions")["actions"]["register"] is False
    assert developer.get(f"/api/v3/apis/{consumed}/actions")["actions"]["register"] is True
    for path in ("", "/actions", "/applications", "/specifications"):
        developer.get(f"/api/v3/apis/{hidden}{path}", expect=404)
    assert _names(stage.developer()) == []


def test_without_rbac_whoever_is_signed_in_may_register(stage: Stage) -> None:
    api = stage.api()

    assert stage.developer().get(f"/api/v3/apis/{api}/actions")["actions"]["register"] is True


def test_the_catalogue_is_filtered_sorted_and_paged(stage: Stage) -> None:
    for name, version, attributes in (("b", "v1", {"domain": ["web"]}), ("a", None, {}), ("c", "v2", {})):
        wanted = {"name": name, "version": version, "attributes": attributes, "description": f"about {name}"}
        api = stage.operator.post("/v3/apis", wanted)["id"]
        stage.operator.put(f"/v3/apis/{api}/publications/{stage.portal}", {})
    developer = stage.developer()

    assert _names(developer) == ["a", "b", "c"]
    assert _names(developer, sort="name desc", **{"page[size]": "2", "page[number]": "2"}) == ["a"]
    for params, expected in (
        ({"filter[name][contains]": "B"}, ["b"]),
        ({"filter[version]": "v2"}, ["c"]),
        ({"filter[description][contains]": "about a"}, ["a"]),
        ({"filter[attributes.domain]": "web"}, ["b"]),
        ({"filter[id][oeq]": new_id()}, []),
        ({"filter[updated_at][gte]": "2026-11-23T12:00:00Z"}, ["a", "b", "c"]),
    ):
        assert _names(developer, **params) == expected, params
    developer.get("/api/v3/apis", params={"filter[labels.env]": "x"}, expect=400)
    developer.get("/api/v3/apis", params={"sort": "visibility"}, expect=400)


def test_specifications_are_listed_shown_and_given_raw(clients: Clients, stage: Stage) -> None:
    api = stage.operator.post("/v3/apis", {"name": "Weather API", "spec_content": SPEC})
    path = f"/v3/apis/{api['id']}/publications/{stage.portal}"
    stage.operator.put(path, {"visibility": "public"})
    (specification,) = api["api_spec_ids"]
    visitor = clients.visitor(stage.portal)
    base = f"/api/v3/apis/{api['slug']}/specifications"

    assert visitor.get(base)["data"] == [{"id": specification, "api_type": "oas3"}]
    assert visitor.get(f"{base}/{specification}") == {"api_type": "oas3", "content": SPEC}
    assert visitor.get(f"{base}/{specification}/raw") == SPEC

    stage.operator.put(path, {"visibility": "private"})
    for one in (base, f"{base}/{specification}", f"{base}/{specification}/raw"):
        visitor.get(one, expect=404)
    developer = stage.developer()
    developer.get(f"{base}/{new_id()}", expect=404)
    other = stage.api(visibility="public")
    developer.get(f"/api/v3/apis/{other}/specifications/{specification}", expect=404)
    developer.get(f"/api/v3/apis/{other}/specifications/{specification}/raw", expect=404)


def test_a_developers_applications_are_listed_beside_an_api(stage: Stage) -> None:
    api, other = stage.api(), stage.api("Maps API")
    developer, colleague = stage.developer(), stage.developer()
    team = stage.team(developer, colleague)
    registered = stage.application(developer, name="Registered")
    stage.application(developer, name="Unregistered")
    ours = stage.application(colleague, name="Ours", team_id=team)
    stage.application(colleague, name="Not yours")
    made = developer.post(f"/api/v3/applications/{registered}/registrations", {"api_id": api})
    developer.post(f"/api/v3/applications/{ours}/registrations", {"api_id": api})
    developer.post(f"/api/v3/applications/{registered}/registrations", {"api_id": other})

    def listed(**params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = developer.get(f"/api/v3/apis/{api}/applications", params=params)["data"]
        return found

    assert [one["name"] for one in listed()] == ["Ours", "Registered"]
    assert (listed()[1]["registration_id"], listed()[1]["registration_status"]) == (made["id"], "pending")
    assert listed()[1]["auth_strategy"]["id"] == stage.key_auth
    assert [one["name"] for one in listed(**{"applicationfilter[name][contains]": "our"})] == ["Ours"]
    for said in ("true", ""):
        (unregistered,) = listed(unregistered=said)
        assert (unregistered["name"], unregistered["registration_id"]) == ("Unregistered", None)
    assert len(listed(unregistered="false")) == 2
    path = f"/api/v3/apis/{api}/applications"
    developer.get(path, params={"unregistered": "perhaps"}, expect=400)
    developer.get(path, params={"filter[name]": "x"}, expect=400)


def test_lists_take_as_many_statements_for_many_records_as_for_few(clients: Clients, stage: Stage) -> None:
    developer = stage.developer()

    def more() -> str:
        spec = {"name": new_id(), "spec_content": SPEC}
        api: str = stage.operator.post("/v3/apis", spec)["id"]
        stage.operator.put(f"/v3/apis/{api}/publications/{stage.portal}", {"auth_strategy_ids": [stage.strategy()]})
        return api

    first = stage.api()

    def statements() -> dict[str, int]:
        found: dict[str, int] = {}
        for client, path in (
            (stage.operator, "/v3/apis"),
            (stage.operator, "/v3/api-publications"),
            (stage.operator, f"/v3/apis/{first}/registrations"),
            (developer, "/api/v3/apis"),
            (developer, f"/api/v3/apis/{first}/applications"),
        ):
            with counted(clients.plane) as seen:
                client.get(path)
            found[path] = len(seen)
        return found

    def populate() -> None:
        more()
        application = stage.application(developer)
        developer.post(f"/api/v3/applications/{application}/registrations", {"api_id": first})

    populate()
    few = statements()
    for _ in range(3):
        populate()
    assert statements() == few
    assert max(few.values()) <= 9
