from typing import Any

import pytest

from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import SignedInClient, signed_in

PATH = "/api/v3/application-auth-strategies"
OIDC = {
    "openid-connect": {
        "issuer": "https://issuer.example.com",
        "credential_claim": ["sub"],
        "scopes": ["read", "write"],
        "auth_methods": ["bearer"],
    }
}


class Scene:
    """A portal with RBAC; an API by keys that all see, one by OAuth with a team's role, one by DCR for nobody."""

    def __init__(self, clients: Clients, operator: Client) -> None:
        self.operator = operator
        self.portal = operator.post("/v3/portals", {"name": "Staging", "rbac_enabled": True})["id"]
        keys = {"key-auth": {"key_names": ["apikey"], "ttl": {"value": 2, "unit": "weeks"}}}
        self.keys = self.strategy("key_auth", keys, name="keys", display_name="API keys")
        self.oauth = self.strategy("openid_connect", OIDC, name="oauth", display_name="")
        provider = operator.post(
            "/v2/dcr-providers",
            {
                "name": "auth0",
                "provider_type": "auth0",
                "issuer": "https://issuer.example.com",
                "dcr_config": {
                    "initial_client_id": "a",
                    "initial_client_secret": "b",
                    "use_developer_managed_scopes": True,
                },
            },
        )
        self.dcr = self.strategy(
            "openid_connect", OIDC, name="dcr", display_name="By Auth0", dcr_provider_id=provider["id"]
        )
        self.strategy("key_auth", keys, name="unused", display_name="Unused")
        self.apis = {
            name: self.publish(name, strategy, visibility)
            for name, strategy, visibility in (
                ("open", self.keys, "public"),
                ("team", self.oauth, "private"),
                ("hidden", self.dcr, "private"),
            )
        }
        self.developer: SignedInClient = signed_in(clients, self.portal)
        self.team = operator.post(f"/v3/portals/{self.portal}/teams", {"name": "Team"})["id"]
        operator.post(f"/v3/portals/{self.portal}/teams/{self.team}/developers", {"id": self.developer.developer_id})
        self.allow("team")

    def strategy(self, kind: str, configs: dict[str, Any], **more: Any) -> str:
        body = {"strategy_type": kind, "configs": configs, **more}
        return str(self.operator.post("/v2/application-auth-strategies", body)["id"])

    def publish(self, name: str, strategy: str, visibility: str) -> str:
        api = self.operator.post("/v3/apis", {"name": name})["id"]
        self.operator.put(
            f"/v3/apis/{api}/publications/{self.portal}", {"auth_strategy_ids": [strategy], "visibility": visibility}
        )
        return str(api)

    def allow(self, name: str) -> None:
        self.operator.post(
            f"/v3/portals/{self.portal}/teams/{self.team}/assigned-roles",
            {
                "role_name": "API Viewer",
                "entity_id": self.apis[name],
                "entity_type_name": "Services",
                "entity_region": "eu",
            },
        )

    def listed(self, **params: str) -> list[str]:
        return [one["name"] for one in self.developer.get(PATH, params=params)["data"]]


@pytest.fixture
def scene(clients: Clients, operator: Client) -> Scene:
    return Scene(clients, operator)


def test_a_developer_sees_the_strategies_of_the_apis_that_are_there_for_them(scene: Scene) -> None:
    page = scene.developer.get(PATH)

    assert page["data"] == [
        {
            "id": scene.keys,
            "name": "API keys",
            "credential_type": "key_auth",
            "key_names": ["apikey"],
            "ttl": {"value": 2, "unit": "weeks"},
            "supports_multiple_credentials": True,
        },
        {
            "id": scene.oauth,
            "name": "oauth",
            "credential_type": "self_managed_client_credentials",
            "auth_methods": ["bearer"],
            "supports_multiple_credentials": False,
        },
    ]
    assert page["meta"]["page"]["total"] == 2


def test_scopes_are_shown_where_developers_choose_them(scene: Scene) -> None:
    scene.allow("hidden")

    (dcr,) = scene.developer.get(PATH, params={"filter[credential_type][eq]": "client_credentials"})["data"]
    assert dcr["available_scopes"] == ["read", "write"]
    assert dcr["name"] == "By Auth0"


def test_strategies_are_filtered_by_the_name_that_is_shown(scene: Scene) -> None:
    assert scene.listed(**{"filter[name]": "API keys"}) == ["API keys"]
    assert scene.listed(**{"filter[name][contains]": "OA"}) == ["oauth"]
    assert scene.listed(**{"filter[name][eq]": "keys"}) == []
    assert scene.listed(**{"filter[credential_type][eq]": "key_auth"}) == ["API keys"]
    scene.developer.get(PATH, params={"filter[credential_type][eq]": "password"}, expect=400)
    scene.developer.get(PATH, params={"filter[colour]": "red"}, expect=400)


def test_a_visitor_sees_no_strategies(scene: Scene, clients: Clients) -> None:
    clients.visitor(scene.portal).get(PATH, expect=401)
