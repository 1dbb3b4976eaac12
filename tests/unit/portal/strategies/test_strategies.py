from datetime import timedelta
from typing import Any

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import strategies
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.views.strategies import embedded_strategy_view, portal_strategy_view
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION

PATH = "/v2/application-auth-strategies"
KEY_AUTH: dict[str, Any] = {
    "name": "keys",
    "display_name": "API keys",
    "strategy_type": "key_auth",
    "configs": {"key-auth": {"key_names": ["apikey", "X-Api-Key"]}},
}
OIDC: dict[str, Any] = {
    "name": "okta-oidc",
    "display_name": "Sign in with Okta",
    "strategy_type": "openid_connect",
    "configs": {
        "openid-connect": {
            "issuer": "https://example.okta.com/oauth2/default",
            "credential_claim": ["client_id"],
            "scopes": ["openid", "email"],
            "auth_methods": ["client_credentials", "bearer"],
        }
    },
}
HTTP_PROVIDER: dict[str, Any] = {
    "name": "bridge",
    "provider_type": "http",
    "issuer": "https://issuer.example.com",
    "dcr_config": {
        "dcr_base_url": "https://bridge.example.com/dcr",
        "api_key": "abcdefghijkl",
        "allow_multiple_credentials": True,
    },
}


def key_auth(**config: Any) -> dict[str, Any]:
    return {**KEY_AUTH, "configs": {"key-auth": config}}


def oidc(**config: Any) -> dict[str, Any]:
    return {**OIDC, "configs": {"openid-connect": {**OIDC["configs"]["openid-connect"], **config}}}


def fields(problem: dict[str, Any]) -> dict[str, str]:
    return {one["field"]: one["rule"] for one in problem["invalid_parameters"]}


def publish(plane: ControlPlane, portal_id: str, strategy_id: str) -> None:
    with plane.write(System(region=REGION)) as tx:
        api = Api(region=REGION, name="Weather API", version="v1", slug="weather-v1")
        tx.session.add(api)
        tx.session.flush()
        tx.session.add(Publication(api_id=api.id, portal_id=portal_id, auth_strategy_id=strategy_id))


def apply(plane: ControlPlane, portal_id: str, strategy_id: str) -> None:
    with plane.write(System(region=REGION)) as tx:
        developer = Developer(
            portal_id=portal_id, email="a@example.com", email_key="a@example.com", full_name="A", status="approved"
        )
        tx.session.add(developer)
        tx.session.flush()
        tx.session.add(
            Application(portal_id=portal_id, name="App", auth_strategy_id=strategy_id, developer_id=developer.id)
        )


def test_a_key_strategy_is_made_and_shown(operator: Client) -> None:
    strategy = operator.post(PATH, {**KEY_AUTH, "labels": {"env": "test"}, "principals": {"enabled": True}})

    assert strategy["configs"] == KEY_AUTH["configs"]
    assert strategy["active"] is False
    assert strategy["dcr_provider"] is None
    assert strategy["supports_multiple_credentials"] is True
    assert strategy["labels"] == {"env": "test"}
    assert strategy["principals"] == {"enabled": True}
    assert operator.get(f"{PATH}/{strategy['id']}") == strategy


def test_a_key_is_looked_for_in_apikey_unless_something_else_is_said(operator: Client) -> None:
    assert operator.post(PATH, key_auth())["configs"] == {"key-auth": {"key_names": ["apikey"]}}


def test_an_oidc_strategy_is_made_with_further_settings_kept(operator: Client) -> None:
    strategy = operator.post(PATH, oidc(leeway=30))

    assert strategy["configs"]["openid-connect"] == {**OIDC["configs"]["openid-connect"], "leeway": 30}
    assert strategy["supports_multiple_credentials"] is False


def test_a_strategy_with_a_dcr_provider_says_so(operator: Client) -> None:
    provider = operator.post("/v2/dcr-providers", HTTP_PROVIDER)
    strategy = operator.post(PATH, {**OIDC, "dcr_provider_id": provider["id"]})

    assert strategy["dcr_provider"] == {"id": provider["id"], "name": "bridge", "provider_type": "http"}
    assert strategy["supports_multiple_credentials"] is True


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({**KEY_AUTH, "configs": OIDC["configs"]}, "configs.openid-connect", "unknown_property"),
        ({**KEY_AUTH, "configs": {}}, "configs.key-auth", "required"),
        ({**OIDC, "configs": {}}, "configs.openid-connect", "required"),
        ({**KEY_AUTH, "dcr_provider_id": None}, "dcr_provider_id", "unknown_property"),
        ({**OIDC, "dcr_provider_id": "5f9fd312-a987-4628-b4c5-bb4f4fddd5f7"}, "dcr_provider_id", "missing_reference"),
        ({**KEY_AUTH, "strategy_type": "basic"}, "strategy_type", "enum"),
        (key_auth(key_names=[]), "configs.key-auth.key_names", "min_items"),
        (key_auth(key_names=["a b"]), "configs.key-auth.key_names", "matches_regex"),
        (key_auth(key_names=["apikey", "ApiKey"]), "configs.key-auth.key_names", "invalid"),
        (key_auth(key_names=["X_Consumer_ID"]), "configs.key-auth.key_names", "invalid"),
        (key_auth(key_names=["Authorization"]), "configs.key-auth.key_names", "invalid"),
        (key_auth(key_names=["cookie"]), "configs.key-auth.key_names", "invalid"),
        (key_auth(ttl={"value": 0, "unit": "days"}), "configs.key-auth.ttl.value", "min"),
        (key_auth(ttl={"value": 101, "unit": "years"}), "configs.key-auth.ttl.value", "max"),
        (key_auth(ttl={"value": 1, "unit": "hours"}), "configs.key-auth.ttl.unit", "enum"),
        (key_auth(ttl={"value": 1}), "configs.key-auth.ttl.unit", "required"),
        (oidc(issuer="http://example.com"), "configs.openid-connect.issuer", "invalid"),
        (oidc(issuer="https://user:pass@example.com"), "configs.openid-connect.issuer", "invalid"),
        (oidc(issuer="file:///etc/passwd"), "configs.openid-connect.issuer", "invalid"),
        (oidc(client_secret="hidden"), "configs.openid-connect.client_secret", "unknown_property"),
        (oidc(more={"a": "x" * 20_000}), "configs.openid-connect", "invalid"),
        (oidc(more=2**70), "configs.openid-connect", "invalid"),
    ],
)
def test_what_is_no_strategy_is_refused_field_by_field(
    operator: Client, body: dict[str, Any], field: str, rule: str
) -> None:
    assert fields(operator.post(PATH, body, expect=400)) == {field: rule}
    assert operator.get(PATH)["data"] == []


def test_settings_too_deep_to_keep_are_refused(operator: Client) -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    operator.post(PATH, oidc(more=deep), expect=400)


def test_a_name_is_given_once_in_a_region(operator: Client, clients: Clients) -> None:
    operator.post(PATH, KEY_AUTH)

    assert fields(operator.post(PATH, KEY_AUTH, expect=400)) == {"name": "invalid"}
    clients.operator(region="us").post(PATH, KEY_AUTH)


def test_a_strategy_of_another_region_is_not_there(clients: Clients, operator: Client) -> None:
    strategy = operator.post(PATH, KEY_AUTH)
    stranger = clients.operator(region="us")

    stranger.get(f"{PATH}/{strategy['id']}", expect=404)
    stranger.put(f"{PATH}/{strategy['id']}", KEY_AUTH, expect=404)
    stranger.patch(f"{PATH}/{strategy['id']}", {"name": "mine"}, expect=404)
    stranger.delete(f"{PATH}/{strategy['id']}", expect=404)
    assert stranger.get(PATH)["data"] == []


def test_a_reading_token_changes_nothing(clients: Clients, operator: Client) -> None:
    strategy = operator.post(PATH, KEY_AUTH)
    reader = clients.operator(scope="read")

    reader.get(f"{PATH}/{strategy['id']}")
    reader.post(PATH, KEY_AUTH, expect=403)
    reader.put(f"{PATH}/{strategy['id']}", KEY_AUTH, expect=403)
    reader.patch(f"{PATH}/{strategy['id']}", {}, expect=403)
    reader.delete(f"{PATH}/{strategy['id']}", expect=403)


def test_an_update_changes_what_it_names(operator: Client) -> None:
    made = operator.post(PATH, {**key_auth(key_names=["a"], ttl={"value": 2, "unit": "weeks"}), "labels": {"x": "1"}})
    path = f"{PATH}/{made['id']}"

    changed = operator.patch(path, {"display_name": "Keys", "labels": {"y": "2"}, "configs": {"key-auth": {}}})
    assert changed == {
        **made,
        "display_name": "Keys",
        "labels": {"x": "1", "y": "2"},
        "updated_at": changed["updated_at"],
    }
    changed = operator.patch(path, {"configs": {"key-auth": {"ttl": None}}})
    assert changed["configs"] == {"key-auth": {"key_names": ["a"]}}
    changed = operator.patch(path, {"configs": {"key-auth": {"key_names": ["b"]}}, "name": "other"})
    assert changed["configs"] == {"key-auth": {"key_names": ["b"]}}
    assert changed["name"] == "other"


def test_an_update_of_an_oidc_strategy_keeps_its_other_settings(operator: Client) -> None:
    made = operator.post(PATH, oidc(leeway=30))
    changed = operator.patch(f"{PATH}/{made['id']}", {"configs": {"openid-connect": {"scopes": ["a"]}}})

    assert changed["configs"]["openid-connect"] == {**made["configs"]["openid-connect"], "scopes": ["a"]}


def test_an_update_with_the_other_types_configuration_is_refused(operator: Client) -> None:
    made = operator.post(PATH, KEY_AUTH)
    problem = operator.patch(f"{PATH}/{made['id']}", {"configs": OIDC["configs"]}, expect=400)

    assert fields(problem) == {"configs.openid-connect": "unknown_property"}
    operator.patch(f"{PATH}/{made['id']}", {"configs": {}}, expect=400)


def test_replacing_takes_away_what_is_not_said(operator: Client) -> None:
    made = operator.post(PATH, {**key_auth(ttl={"value": 1, "unit": "years"}), "labels": {"x": "1"}})
    replaced = operator.put(f"{PATH}/{made['id']}", {**KEY_AUTH, "display_name": "Other"}, expect=201)

    assert replaced["configs"] == KEY_AUTH["configs"]
    assert replaced["labels"] == {}
    assert replaced["display_name"] == "Other"
    assert operator.get(f"{PATH}/{made['id']}") == replaced


def test_replacing_cannot_change_the_type(operator: Client) -> None:
    made = operator.post(PATH, KEY_AUTH)

    assert "strategy_type" in fields(operator.put(f"{PATH}/{made['id']}", OIDC, expect=400))


def test_the_built_in_strategy_is_set_up_but_not_renamed_or_deleted(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})
    operator.patch(f"/v3/portals/{portal['id']}", {"default_application_auth_strategy_id": None})
    path = f"{PATH}/{portal['default_application_auth_strategy_id']}"

    operator.patch(path, {"display_name": "Keys", "configs": {"key-auth": {"ttl": {"value": 90, "unit": "days"}}}})
    assert fields(operator.patch(path, {"name": "mine"}, expect=400)) == {"name": "invalid"}
    operator.put(path, KEY_AUTH, expect=400)
    operator.delete(path, expect=409)


def test_a_strategy_is_active_while_something_is_published_with_it(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, KEY_AUTH)
    portal = operator.post("/v3/portals", {"name": "Staging"})
    publish(plane, portal["id"], made["id"])

    assert operator.get(f"{PATH}/{made['id']}")["active"] is True
    assert [one["active"] for one in operator.get(PATH, params={"filter[name]": "keys"})["data"]] == [True]
    operator.delete(f"{PATH}/{made['id']}", expect=409)


def test_a_strategy_that_is_a_portals_default_is_not_deleted(operator: Client) -> None:
    made = operator.post(PATH, KEY_AUTH)
    portal = operator.post("/v3/portals", {"name": "S", "default_application_auth_strategy_id": made["id"]})

    operator.delete(f"{PATH}/{made['id']}", expect=409)
    operator.patch(f"/v3/portals/{portal['id']}", {"default_application_auth_strategy_id": None})
    operator.delete(f"{PATH}/{made['id']}")
    operator.get(f"{PATH}/{made['id']}", expect=404)


def test_a_strategy_of_an_application_is_not_deleted_and_keeps_its_provider(
    operator: Client, plane: ControlPlane
) -> None:
    provider = operator.post("/v2/dcr-providers", HTTP_PROVIDER)
    made = operator.post(PATH, {**OIDC, "dcr_provider_id": provider["id"]})
    portal = operator.post("/v3/portals", {"name": "Staging"})
    apply(plane, portal["id"], made["id"])

    operator.delete(f"{PATH}/{made['id']}", expect=409)
    operator.patch(f"{PATH}/{made['id']}", {"dcr_provider_id": None}, expect=400)
    operator.patch(f"{PATH}/{made['id']}", {"dcr_provider_id": provider["id"]})


def test_the_provider_of_a_strategy_without_applications_can_be_taken_away(operator: Client) -> None:
    provider = operator.post("/v2/dcr-providers", HTTP_PROVIDER)
    made = operator.post(PATH, {**OIDC, "dcr_provider_id": provider["id"]})

    assert operator.patch(f"{PATH}/{made['id']}", {"dcr_provider_id": None})["dcr_provider"] is None
    changed = operator.patch(f"{PATH}/{made['id']}", {"dcr_provider_id": provider["id"]})
    assert changed["dcr_provider"]["id"] == provider["id"]


def test_strategies_are_filtered_and_sorted(operator: Client) -> None:
    provider = operator.post("/v2/dcr-providers", HTTP_PROVIDER)
    operator.post(PATH, KEY_AUTH)
    operator.post(PATH, {**OIDC, "dcr_provider_id": provider["id"]})
    operator.post(PATH, {**OIDC, "name": "plain"})

    def names(**params: str) -> list[str]:
        page = operator.get(
            PATH, params={key.replace("__", "][").join(("filter[", "]")): params[key] for key in params}
        )
        assert page["meta"]["page"]["total"] == len(page["data"])
        return sorted(one["name"] for one in page["data"])

    assert names(strategy_type="key_auth") == ["keys"]
    assert names(name__contains="okta") == ["okta-oidc"]
    assert names(display_name__neq="API keys") == ["okta-oidc", "plain"]
    assert names(dcr_provider_id=provider["id"]) == ["okta-oidc"]
    assert names(dcr_provider_name="bridge") == ["okta-oidc"]
    assert names(dcr_provider_type__oeq="http,okta") == ["okta-oidc"]
    sorted_names = [one["name"] for one in operator.get(PATH, params={"sort": "name desc"})["data"]]
    assert sorted_names == ["plain", "okta-oidc", "keys"]
    for column in ("strategy_type", "dcr_provider_name", "dcr_provider_type", "dcr_provider_id", "updated_at"):
        assert len(operator.get(PATH, params={"sort": column})["data"]) == 3
    operator.get(PATH, params={"filter[issuer]": "x"}, expect=400)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"ttl": {"value": 3, "unit": "days"}}, timedelta(days=3)),
        ({"ttl": {"value": 2, "unit": "weeks"}}, timedelta(days=14)),
        ({"ttl": {"value": 100, "unit": "years"}}, timedelta(days=36_500)),
    ],
)
def test_a_ttl_is_a_span_of_time(config: dict[str, Any], expected: timedelta | None) -> None:
    assert strategies.ttl(AuthStrategy(strategy_type="key_auth", config=config)) == expected


def test_developers_know_a_strategy_by_its_display_name_and_operators_by_its_name() -> None:
    strategy = AuthStrategy(
        id="b9e81174-b5bb-4638-a3c3-8afe61a0abf8",
        name="keys",
        display_name="API keys",
        strategy_type="key_auth",
        config={"key_names": ["apikey"], "ttl": {"value": 1, "unit": "weeks"}},
    )

    assert portal_strategy_view(strategy).model_dump() == {
        "id": strategy.id,
        "name": "API keys",
        "credential_type": "key_auth",
        "key_names": ["apikey"],
        "ttl": {"value": 1, "unit": "weeks"},
        "supports_multiple_credentials": True,
    }
    assert embedded_strategy_view(strategy, for_operators=True).name == "keys"
    strategy.display_name = ""
    assert embedded_strategy_view(strategy).name == "keys"
