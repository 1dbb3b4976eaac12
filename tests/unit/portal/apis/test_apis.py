import pytest

from kong_app_auth.domain import records
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.teams import TeamRole
from kong_app_auth.registry.keys import Table
from tests.control_plane.clients import Client, Clients
from tests.control_plane.feed import heard, lines
from tests.control_plane.settings import REGION
from tests.control_plane.stage import Stage

SPEC = '{"openapi": "3.0.3", "info": {"title": "Weather", "version": "7"}, "paths": {}}'


def test_a_name_is_all_that_an_api_needs(operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API"})

    assert api["version"] is None
    assert api["slug"] == "weather-api"
    assert api["labels"] == api["attributes"] == {}
    assert api["portals"] == api["api_spec_ids"] == []
    assert api["current_version_summary"] is None
    assert api["implementation_mode"] is None
    assert operator.get(f"/v3/apis/{api['id']}") == api


def test_everything_that_an_api_can_be_told_at_its_making_is_kept(operator: Client) -> None:
    wanted = {
        "name": "Weather API",
        "version": "v1",
        "description": "What it will be",
        "slug": "Weather_1",
        "labels": {"env": "test"},
        "attributes": {"domain": ["web", "mobile"]},
    }
    api = operator.post("/v3/apis", wanted)

    assert {name: api[name] for name in wanted} == wanted


def test_an_api_may_come_with_its_specification(operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "v1", "spec_content": SPEC})

    (specification_id,) = api["api_spec_ids"]
    assert api["current_version_summary"]["version"] == "v1"
    assert api["current_version_summary"]["spec"] == {"type": "oas3"}
    assert operator.get(f"/v3/apis/{api['id']}/specifications/{specification_id}")["content"] == SPEC


def test_a_specification_that_is_none_is_refused_with_the_api(operator: Client) -> None:
    problem = operator.post("/v3/apis", {"name": "Weather API", "spec_content": "hello"}, expect=400)

    assert problem["invalid_parameters"][0]["field"] == "spec_content"
    assert operator.get("/v3/apis")["data"] == []


@pytest.mark.parametrize("version", [None, "v1"])
def test_name_and_version_are_given_once_in_a_region(clients: Clients, operator: Client, version: str | None) -> None:
    wanted = {"name": "Weather API", "version": version}
    operator.post("/v3/apis", wanted)

    problem = operator.post("/v3/apis", {**wanted, "slug": "other"}, expect=400)
    assert problem["invalid_parameters"][0]["field"] == "name"
    operator.post("/v3/apis", {"name": "Weather API", "version": "v2"})
    clients.operator(region="us").post("/v3/apis", wanted)


def test_slugs_are_made_of_name_and_version_and_are_never_the_same(operator: Client) -> None:
    slugs = [
        operator.post("/v3/apis", {"name": name, "version": version})["slug"]
        for name, version in (
            ("Weather API", "v1"),
            ("Weather", "API v1"),
            ("weather api", "V1"),
            ("天気", None),
            ("!", None),
        )
    ]

    assert slugs == ["weather-api-v1", "weather-api-v1-2", "weather-api-v1-3", "天気", "api"]


def test_a_slug_that_is_taken_or_none_is_refused(operator: Client) -> None:
    operator.post("/v3/apis", {"name": "Weather API", "slug": "weather"})

    for slug in ("weather", "", "a b", "a/b", "x" * 256, new_id()):
        problem = operator.post("/v3/apis", {"name": "Maps API", "slug": slug}, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "slug"


@pytest.mark.parametrize(
    "wrong",
    [
        {"attributes": {"domain": []}},
        {"attributes": {"domain": ["a,b"]}},
        {"attributes": {"Domain": ["a"]}},
        {"attributes": {"domain": "a"}},
        {"labels": {"env": ""}},
        {"version": ""},
        {"id": "9f5061ce-78f6-4452-9108-ad7c02821fd5"},
    ],
)
def test_wrong_fields_are_refused(operator: Client, wrong: dict[str, object]) -> None:
    operator.post("/v3/apis", {"name": "Weather API", **wrong}, expect=400)


def test_an_update_changes_what_it_names_and_nothing_else(operator: Client) -> None:
    api = operator.post(
        "/v3/apis",
        {
            "name": "Weather API",
            "labels": {"env": "test", "team": "a"},
            "attributes": {"domain": ["web"], "env": ["x"]},
        },
    )
    changed = operator.patch(
        f"/v3/apis/{api['id']}",
        {
            "name": "Maps API",
            "version": "v1",
            "description": "Maps",
            "labels": {"team": None},
            "attributes": {"env": None, "tier": ["1"]},
        },
        params={"force": "false"},
    )

    assert changed == {
        **api,
        "name": "Maps API",
        "version": "v1",
        "description": "Maps",
        "labels": {"env": "test"},
        "attributes": {"domain": ["web"], "tier": ["1"]},
        "updated_at": changed["updated_at"],
    }


def test_null_takes_version_and_labels_away_and_makes_the_slug_anew(operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "v1", "slug": "w", "labels": {"env": "test"}})

    changed = operator.patch(f"/v3/apis/{api['id']}", {"version": None, "slug": None, "labels": None})
    assert (changed["version"], changed["slug"], changed["labels"]) == (None, "weather-api", {})


def test_an_update_to_what_another_api_has_is_a_conflict(operator: Client) -> None:
    operator.post("/v3/apis", {"name": "Weather API", "version": "v1"})
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "v2"})

    operator.patch(f"/v3/apis/{api['id']}", {"version": "v1"}, expect=409)
    operator.patch(f"/v3/apis/{api['id']}", {"slug": "weather-api-v1"}, expect=409)
    assert operator.patch(f"/v3/apis/{api['id']}", {"version": "v2", "slug": api["slug"]}) == api


def test_labels_and_attributes_have_an_end(operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "A", "labels": {f"l{number}": "x" for number in range(50)}})

    operator.patch(f"/v3/apis/{api['id']}", {"labels": {"one-more": "x"}}, expect=400)
    operator.patch(f"/v3/apis/{api['id']}", {"attributes": {f"a{number}": ["x"] for number in range(50)}})
    operator.patch(f"/v3/apis/{api['id']}", {"attributes": {"one-more": ["x"]}}, expect=400)


def test_force_is_true_or_false(operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API"})

    operator.patch(f"/v3/apis/{api['id']}", {}, params={"force": "perhaps"}, expect=400)


def test_an_api_of_another_region_is_not_there(clients: Clients, operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API"})
    stranger = clients.operator(region="us")

    for path in (
        f"/v3/apis/{api['id']}",
        f"/v3/apis/{api['id']}/specifications",
        f"/v3/apis/{api['id']}/registrations",
    ):
        stranger.get(path, expect=404)
    stranger.patch(f"/v3/apis/{api['id']}", {"name": "Mine"}, expect=404)
    stranger.delete(f"/v3/apis/{api['id']}", expect=404)
    assert stranger.get("/v3/apis")["data"] == []
    operator.get("/v3/apis/not-a-uuid", expect=404)


def _names(operator: Client, **params: object) -> list[str]:
    return [one["name"] for one in operator.get("/v3/apis", params=params)["data"]]


def test_apis_are_filtered_sorted_and_paged(operator: Client) -> None:
    for name, version in (("b", "v1"), ("a", None), ("c", "v2")):
        operator.post("/v3/apis", {"name": name, "version": version})

    assert _names(operator, sort="name") == ["a", "b", "c"]
    assert _names(operator, sort="name desc", **{"page[size]": 2}) == ["c", "b"]
    assert _names(operator, **{"filter[name]": "B"}) == ["b"]
    assert _names(operator, sort="name", **{"filter[version][neq]": "v1"}) == ["a", "c"]
    assert _names(operator, sort="name", **{"filter[name][oeq]": "a,c"}) == ["a", "c"]
    assert _names(operator, **{"filter[id]": new_id()}) == []
    assert len(_names(operator, **{"filter[created_at][lte]": "2026-11-23T12:00:00Z"})) == 3
    assert _names(operator, **{"filter[created_at][gt]": "2026-11-23T12:00:00Z"}) == []
    operator.get("/v3/apis", params={"filter[colour]": "red"}, expect=400)
    operator.get("/v3/apis", params={"sort": "colour"}, expect=400)


def test_apis_are_filtered_by_labels(operator: Client) -> None:
    for name, labels in (("a", {"env": "Dev"}), ("b", {"env": "test", "eu.zone": "1"}), ("c", {})):
        operator.post("/v3/apis", {"name": name, "labels": labels})

    def found(operation: str, value: str) -> list[str]:
        return _names(operator, sort="name", **{f"filter[labels.{operation}": value})

    assert found("env]", "dev") == ["a"]
    assert found("env][neq]", "dev") == ["b", "c"]
    assert found("env][oeq]", "dev,test") == ["a", "b"]
    assert found("env][contains]", "e") == ["a", "b"]
    assert found("env][ocontains]", "ev,nothing") == ["a"]
    assert found("env]", "") == ["a", "b"]
    assert found("env][neq]", "") == ["c"]
    assert found("eu.zone]", "1") == ["b"]
    assert found("missing]", "x") == []
    operator.get("/v3/apis", params={"filter[labels.env][lt]": "x"}, expect=400)
    operator.get("/v3/apis", params={"filter[labels]": "x"}, expect=400)


def test_apis_are_filtered_by_attributes(operator: Client) -> None:
    for name, attributes in (("a", {"domain": ["Web", "mobile"]}), ("b", {"domain": ["desktop"]}), ("c", {})):
        operator.post("/v3/apis", {"name": name, "attributes": attributes})

    def found(operation: str, value: str) -> list[str]:
        return _names(operator, sort="name", **{f"filter[attributes.{operation}": value})

    assert found("domain]", "mobile") == ["a"]
    assert found("domain]", "MOBILE") == ["a"]
    assert found("domain]", "mob") == []
    assert found("domain][neq]", "web") == ["b", "c"]
    assert found("domain][oeq]", "web,desktop") == ["a", "b"]
    assert found("domain][contains]", "mob") == ["a"]
    assert found("domain][contains]", "%") == []
    assert found("domain]", "") == ["a", "b"]


def test_apis_are_filtered_by_how_they_are_implemented(operator: Client) -> None:
    links = {
        "a": {"service": {"control_plane_id": new_id(), "id": new_id()}},
        "b": {"control_plane": {"control_plane_id": new_id()}},
        "c": None,
    }
    for name, link in links.items():
        api = operator.post("/v3/apis", {"name": name})
        if link is not None:
            operator.post(f"/v3/apis/{api['id']}/implementations", link)

    assert _names(operator, **{"filter[implementation_mode]": "gateway_entity_binding"}) == ["a"]
    assert _names(operator, **{"filter[implementation_mode]": "access_control_enforcement"}) == ["b"]
    shown = {one["name"]: one["implementation_mode"] for one in operator.get("/v3/apis")["data"]}
    assert shown == {"a": "gateway_entity_binding", "b": "access_control_enforcement", "c": None}


def test_gateways_hear_of_name_and_version(plane: ControlPlane, operator: Client) -> None:
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "v1"})["id"]
    assert heard(plane, Table.APIS, api) == records.Api(api, "Weather API", "v1", ())

    operator.patch(f"/v3/apis/{api}", {"version": None})
    assert heard(plane, Table.APIS, api) == records.Api(api, "Weather API", "", ())

    operator.patch(f"/v3/apis/{api}", {"description": "of no concern to them"})
    assert len(lines(plane, Table.APIS, api)) == 2


def test_everything_that_hangs_on_an_api_goes_with_it(clients: Clients) -> None:
    stage = Stage(clients)
    plane, operator, developer = clients.plane, stage.operator, stage.developer()
    api = operator.post("/v3/apis", {"name": "Weather API", "spec_content": SPEC})["id"]
    other = stage.api("Maps API")
    operator.put(f"/v3/apis/{api}/publications/{stage.portal}", {})
    service = new_id()
    operator.post(f"/v3/apis/{api}/implementations", {"service": {"control_plane_id": new_id(), "id": service}})
    stage.role(stage.team(developer), "API Viewer", api)
    application = stage.application(developer)
    for one in (api, other):
        developer.post(f"/api/v3/applications/{application}/registrations", {"api_id": one})

    operator.delete(f"/v3/apis/{api}")

    operator.get(f"/v3/apis/{api}", expect=404)
    assert [one["api_id"] for one in operator.get("/v3/api-publications")["data"]] == [other]
    assert operator.get("/v3/api-implementations")["data"] == []
    assert heard(plane, Table.APIS, api) is None
    assert heard(plane, Table.SERVICES, service) is None
    assert set(stage.gateway_application(application).registrations) == {other}
    with plane.read(System(region=REGION)) as tx:
        assert tx.session.query(TeamRole).count() == 0
        deleted = {one.entity_type for one in tx.session.query(AuditEntry) if one.action == "delete"}
    assert deleted == {
        "api",
        "api_specification",
        "api_publication",
        "api_implementation",
        "application_registration",
        "team_role",
    }
