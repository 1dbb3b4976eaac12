from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.contract.dcr_providers import CreateProvider
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import dcr_providers
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.strategies import DcrProvider
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION

PATH = "/v2/dcr-providers"
SECRET = "very-secret-value"
CLIENT = {"initial_client_id": "abc123", "initial_client_secret": SECRET}
TYPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "auth0": (
        {**CLIENT, "initial_client_audience": "https://example.com/api/v2/"},
        {
            "initial_client_id": "abc123",
            "initial_client_audience": "https://example.com/api/v2/",
            "use_developer_managed_scopes": False,
        },
    ),
    "azureAd": (CLIENT, {"initial_client_id": "abc123"}),
    "curity": (CLIENT, {"initial_client_id": "abc123"}),
    "okta": ({"dcr_token": SECRET}, {}),
    "http": (
        {"dcr_base_url": "https://bridge.example.com/dcr", "api_key": "very_secret_value", "disable_event_hooks": True},
        {
            "dcr_base_url": "https://bridge.example.com/dcr",
            "disable_event_hooks": True,
            "disable_refresh_secret": False,
            "allow_multiple_credentials": False,
        },
    ),
    "kongIdentity": ({}, {}),
}


def body(provider_type: str = "okta", **more: Any) -> dict[str, Any]:
    return {
        "name": provider_type,
        "provider_type": provider_type,
        "issuer": "https://issuer.example.com/default",
        "dcr_config": TYPES[provider_type][0],
        **more,
    }


def fields(problem: dict[str, Any]) -> dict[str, str]:
    return {one["field"]: one["rule"] for one in problem["invalid_parameters"]}


@pytest.mark.parametrize("provider_type", TYPES)
def test_a_provider_is_made_and_its_secrets_are_never_shown(
    operator: Client, plane: ControlPlane, provider_type: str
) -> None:
    response = operator.request("POST", PATH, json=body(provider_type, labels={"env": "test"}), expect=201)
    provider = response.json()

    assert provider["dcr_config"] == TYPES[provider_type][1]
    assert provider["active"] is False
    assert provider["labels"] == {"env": "test"}
    assert "display_name" not in provider
    shown = operator.request("GET", f"{PATH}/{provider['id']}", expect=200)
    assert shown.json() == provider
    assert "very" not in response.text + shown.text + operator.request("GET", PATH).text
    with plane.read(System(region=REGION)) as tx:
        record = tx.session.scalars(select(DcrProvider)).one()
        assert "very" not in record.secrets
        hidden = {name: value for name, value in TYPES[provider_type][0].items() if name not in provider["dcr_config"]}
        assert dcr_providers.secrets_of(tx, record) == hidden
        entry = tx.session.scalars(select(AuditEntry).where(AuditEntry.entity_type == "dcr_provider")).one()
        assert entry.after is not None
        assert entry.after["secrets"] == "[hidden]"
        assert "secret_value" not in str(entry.after)
        assert SECRET not in str(entry.after)


def test_a_request_with_secrets_does_not_tell_them_when_printed() -> None:
    wanted = CreateProvider.model_validate(body("auth0"))

    assert "abc123" in repr(wanted)
    assert SECRET not in repr(wanted)


def test_kong_identity_needs_no_configuration(operator: Client) -> None:
    wanted = body("kongIdentity")
    del wanted["dcr_config"]

    assert operator.post(PATH, wanted)["dcr_config"] == {}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({**body(), "dcr_config": {}}, {"dcr_config.dcr_token": "required"}),
        (
            body("auth0", dcr_config={}),
            {"dcr_config.initial_client_id": "required", "dcr_config.initial_client_secret": "required"},
        ),
        (body(dcr_config={"dcr_token": "x", "api_key": "a" * 12}), {"dcr_config.api_key": "unknown_property"}),
        (body(dcr_config={"dcr_token": "x", "colour": "red"}), {"dcr_config.colour": "unknown_property"}),
        ({**body(), "provider_type": "keycloak"}, {"provider_type": "enum"}),
        (body(issuer="ftp://example.com"), {"issuer": "invalid"}),
        (body(issuer="https://example.com/" + "a" * 250), {"issuer": "max_length"}),
        (body("http", dcr_config={"dcr_base_url": "http://10.0.0.1/", "api_key": "a" * 12}),
         {"dcr_config.dcr_base_url": "invalid"}),
        (body("http", dcr_config={"dcr_base_url": "https://x.example", "api_key": "short"}),
         {"dcr_config.api_key": "min_length"}),
        (body("http", dcr_config={"dcr_base_url": "https://x.example", "api_key": "not a key at all"}),
         {"dcr_config.api_key": "matches_regex"}),
    ],
)  # fmt: skip
def test_what_is_no_provider_is_refused_field_by_field(
    operator: Client, wanted: dict[str, Any], expected: dict[str, str]
) -> None:
    assert fields(operator.post(PATH, wanted, expect=400)) == expected


def test_a_configuration_is_required_where_the_type_has_one(operator: Client) -> None:
    wanted = body()
    del wanted["dcr_config"]

    assert fields(operator.post(PATH, wanted, expect=400)) == {"dcr_config": "required"}


def test_a_name_is_given_once_in_a_region(operator: Client, clients: Clients) -> None:
    first, second = operator.post(PATH, body()), operator.post(PATH, body(name="other"))

    assert fields(operator.post(PATH, body(), expect=400)) == {"name": "invalid"}
    assert fields(operator.patch(f"{PATH}/{second['id']}", {"name": "okta"}, expect=400)) == {"name": "invalid"}
    operator.patch(f"{PATH}/{first['id']}", {"name": "okta"})
    clients.operator(region="us").post(PATH, body())


def test_an_update_changes_what_it_names_and_keeps_the_other_secrets(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, body("auth0", labels={"x": "1"}))
    path = f"{PATH}/{made['id']}"

    changed = operator.patch(
        path,
        {"display_name": "Auth0", "labels": {"x": None}, "dcr_config": {"use_developer_managed_scopes": True}},
    )
    assert changed == {
        **made,
        "display_name": "Auth0",
        "labels": {},
        "dcr_config": {**made["dcr_config"], "use_developer_managed_scopes": True},
        "updated_at": changed["updated_at"],
    }
    operator.patch(path, {"issuer": "https://other.example.com"})
    with plane.read(System(region=REGION)) as tx:
        record = tx.session.get_one(DcrProvider, made["id"])
        assert dcr_providers.secrets_of(tx, record) == {"initial_client_secret": SECRET}
    operator.patch(path, {"dcr_config": {"initial_client_secret": "new"}})
    with plane.read(System(region=REGION)) as tx:
        record = tx.session.get_one(DcrProvider, made["id"])
        assert dcr_providers.secrets_of(tx, record) == {"initial_client_secret": "new"}


def test_an_update_cannot_change_the_type_nor_use_another_types_settings(operator: Client) -> None:
    made = operator.post(PATH, body())

    operator.patch(f"{PATH}/{made['id']}", {"provider_type": "http"}, expect=400)
    operator.patch(f"{PATH}/{made['id']}", {"dcr_config": {"disable_event_hooks": True}}, expect=400)


def test_a_provider_in_use_is_not_deleted(operator: Client, plane: ControlPlane) -> None:
    made = operator.post(PATH, body())
    strategy = operator.post(
        "/v2/application-auth-strategies",
        {
            "name": "dcr",
            "display_name": "",
            "strategy_type": "openid_connect",
            "configs": {
                "openid-connect": {
                    "issuer": made["issuer"],
                    "credential_claim": [],
                    "scopes": [],
                    "auth_methods": ["bearer"],
                }
            },
            "dcr_provider_id": made["id"],
        },
    )
    portal = operator.post("/v3/portals", {"name": "Staging"})

    operator.delete(f"{PATH}/{made['id']}", expect=403)
    assert operator.get(f"{PATH}/{made['id']}")["active"] is False
    with plane.write(System(region=REGION)) as tx:
        api = Api(region=REGION, name="Weather API", slug="weather")
        tx.session.add(api)
        tx.session.flush()
        tx.session.add(Publication(api_id=api.id, portal_id=portal["id"], auth_strategy_id=strategy["id"]))
    assert operator.get(f"{PATH}/{made['id']}")["active"] is True
    assert [one["active"] for one in operator.get(PATH)["data"]] == [True]


def test_a_deleted_provider_is_gone(operator: Client) -> None:
    made = operator.post(PATH, body())
    operator.delete(f"{PATH}/{made['id']}")

    operator.get(f"{PATH}/{made['id']}", expect=404)
    operator.delete(f"{PATH}/{made['id']}", expect=404)


def test_verifying_says_what_stands_in_the_way(operator: Client, clients: Clients) -> None:
    made = operator.post(PATH, {**body("okta"), "issuer": "https://127.0.0.1/oauth2/default"})
    result = operator.post(f"{PATH}/{made['id']}/verify", expect=200)

    assert result["status"] == "failed"
    assert len(result["errors"]) == 1
    clients.operator(scope="read").post(f"{PATH}/{made['id']}/verify", expect=403)
    clients.operator(region="us").post(f"{PATH}/{made['id']}/verify", expect=404)


def test_a_provider_of_another_region_is_not_there(clients: Clients, operator: Client) -> None:
    made = operator.post(PATH, body())
    stranger = clients.operator(region="us")

    stranger.get(f"{PATH}/{made['id']}", expect=404)
    stranger.patch(f"{PATH}/{made['id']}", {"name": "mine"}, expect=404)
    stranger.delete(f"{PATH}/{made['id']}", expect=404)
    assert stranger.get(PATH)["data"] == []


def test_providers_are_filtered_and_sorted(operator: Client) -> None:
    okta, auth0, azure = (operator.post(PATH, body(one)) for one in ("okta", "auth0", "azureAd"))

    def found(name: str, value: str) -> list[str]:
        page = operator.get(PATH, params={name: value})
        assert page["meta"]["page"]["total"] == len(page["data"])
        return sorted(one["name"] for one in page["data"])

    assert found("filter[id]", okta["id"]) == ["okta"]
    assert found("filter[name][eq]", "auth0") == ["auth0"]
    assert found("filter[name][contains]", "a") == ["auth0", "azureAd", "okta"]
    assert found("filter[issuer][contains]", "nowhere") == []
    assert found("filter[provider_type]", "azureAd") == ["azureAd"]
    assert found("filter[initial_client_id]", "abc123") == ["auth0", "azureAd"]
    assert found("filter[initial_client_audience][contains]", "example.com") == ["auth0"]
    page = operator.get(PATH, params={"sort": "provider_type desc", "page[size]": 2})
    assert [one["id"] for one in page["data"]] == [okta["id"], azure["id"]]
    operator.get(PATH, params={"filter[dcr_token]": "x"}, expect=400)
    assert auth0["id"] in {one["id"] for one in operator.get(PATH, params={"sort": "issuer,name"})["data"]}
