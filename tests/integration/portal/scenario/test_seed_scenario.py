"""shared/seed-scenario.yaml, from the portal's API to the gateway's answer, with two real identity providers.

Where there is no Node there are no providers, and what needs their tokens is skipped. That what somebody changes at the
managed plugin is put back is tested in tests/integration/sync/kong.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kong_app_auth.demo.identity_provider.installation import NotInstallable, node
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys
from kong_app_auth.registry.writer import read_contents
from tests.control_plane.clients import Client
from tests.servers.identity_provider import IdentityProvider, identity_provider
from tests.servers.process import wait_until
from tests.servers.samples import uid
from tests.system.client import Answer
from tests.system.portal_path import PortalPath
from tests.system.scene import REGION, service_id

SCENARIO = yaml.safe_load((Path(__file__).parents[5] / "shared" / "seed-scenario.yaml").read_text())
EMAIL = "ada@example.com"


class Scenario:
    """The scenario's records, by name."""

    def __init__(self, path: PortalPath, providers: dict[str, IdentityProvider]) -> None:
        self.path = path
        self._providers = providers
        self.operator = path.operator
        self.portals = {
            portal["name"]: self.operator.post("/v3/portals", {"name": portal["name"]})
            for portal in SCENARIO["portals"]
        }
        self.strategies = {"key-auth": self.portals["Staging"]["default_application_auth_strategy_id"]}
        for strategy in SCENARIO["auth_strategies"]:
            if not strategy.get("built_in"):
                self.strategies[strategy["name"]] = self._strategy(strategy["name"], dcr=strategy.get("dcr", False))
        self.apis = {
            f"{api['name']} {api['version']}": self.operator.post("/v3/apis", api)["id"] for api in SCENARIO["apis"]
        }
        for portal in SCENARIO["portals"]:
            for publication in portal["publications"]:
                self.publish(publication["api"], portal["name"], publication["strategy"])

    def _strategy(self, name: str, *, dcr: bool) -> str:
        named = name.partition("-")[0]
        issuer = self._providers[named].issuer if self._providers else f"https://{named}.example.com"
        body: dict[str, Any] = {
            "name": name,
            "display_name": name,
            "strategy_type": "openid_connect",
            "configs": {
                "openid-connect": {
                    "issuer": issuer,
                    "credential_claim": ["azp", "client_id"],
                    "scopes": ["openid"],
                    "auth_methods": ["bearer"],
                }
            },
        }
        if dcr:
            provider = {"name": name, "provider_type": "okta", "issuer": issuer, "dcr_config": {"dcr_token": "x" * 32}}
            if self._providers:
                config = {"initial_access_token": self._providers[named].settings.initial_access_token}
                provider = {**provider, "provider_type": "rfc7591", "dcr_config": config}
            body["dcr_provider_id"] = self._make("/v2/dcr-providers", provider)
        return self._make("/v2/application-auth-strategies", body)

    def _make(self, path: str, body: dict[str, Any]) -> str:
        """Not held against the contract, which has no DCR type `rfc7591`."""
        made = self.operator.http.post(path, json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def publish(self, api: str, portal: str, strategy: str) -> None:
        body = {"auth_strategy_ids": [self.strategies[strategy]], "visibility": "public"}
        self.operator.put(f"/v3/apis/{self.apis[api]}/publications/{self.portals[portal]['id']}", body)

    def link(self, api: str, service: str) -> str:
        body = {"service": {"control_plane_id": uid("control plane"), "id": service_id(service)}}
        return str(self.operator.post(f"/v3/apis/{self.apis[api]}/implementations", body)["id"])

    def unlink(self, api: str, implementation: str) -> None:
        self.operator.delete(f"/v3/apis/{self.apis[api]}/implementations/{implementation}")

    def application(self, developer: Client, name: str, strategy: str, **more: Any) -> str:
        body = {"name": name, "auth_strategy_id": self.strategies[strategy], **more}
        return str(developer.post("/api/v3/applications", body)["id"])

    def register(self, developer: Client, application: str, api: str, **options: Any) -> Any:
        path = f"/api/v3/applications/{application}/registrations"
        return developer.post(path, {"api_id": self.apis[api]}, **options)

    def decide(self, portal: str, application: str, registration: str, status: str) -> None:
        path = f"/v3/portals/{self.portals[portal]['id']}/applications/{application}/registrations/{registration}"
        self.operator.patch(path, {"status": status})

    def registry(self) -> Contents:
        """What the gateways of the region know."""
        client = connect(self.path.valkey.url)
        try:
            found = read_contents(client, Keys(REGION))
            assert found is not None
            return found[1]
        finally:
            client.close()


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, IdentityProvider]]:
    """The providers of the scenario; none where there is no Node."""
    try:
        node()
    except NotInstallable:
        yield {}
        return
    directory = tmp_path_factory.mktemp("providers")
    with identity_provider(directory, "okta") as okta, identity_provider(directory, "auth0") as auth0:
        yield {"okta": okta, "auth0": auth0}


@pytest.fixture(scope="module")
def scenario(path: PortalPath, providers: dict[str, IdentityProvider]) -> Scenario:
    return Scenario(path, providers)


@pytest.fixture(scope="module")
def developer(scenario: Scenario) -> Client:
    """Ada, who signed up at Staging and was approved."""
    path = scenario.path
    visitor = path.signed_up(scenario.portals["Staging"], EMAIL)
    path.sign_in(visitor, EMAIL, expect=401)  # without auto approve, developers wait for an administrator
    developers = f"/v3/portals/{scenario.portals['Staging']['id']}/developers"
    (waiting,) = path.operator.get(developers)["data"]
    assert waiting["status"] == "pending"
    path.operator.patch(f"{developers}/{waiting['id']}", {"status": "approved"})
    path.sign_in(visitor, EMAIL)
    return visitor


def test_a_private_portal_has_authentication_on_and_key_auth_as_its_default(scenario: Scenario) -> None:
    portal = scenario.operator.get(f"/v3/portals/{scenario.portals['Staging']['id']}")

    assert portal["default_api_visibility"] == "private"
    assert portal["authentication_enabled"] is True
    strategy = scenario.operator.get(
        f"/v2/application-auth-strategies/{portal['default_application_auth_strategy_id']}"
    )
    assert (strategy["name"], strategy["strategy_type"]) == ("key-auth", "key_auth")


def test_one_application_registers_for_all_apis_of_its_strategy(scenario: Scenario, developer: Client) -> None:
    application = scenario.application(developer, "weather and maps", "okta-oidc", client_id="ada-1")

    for api in ("Weather API v2", "Maps API v2"):
        assert scenario.register(developer, application, api)["status"] == "pending"


def test_apis_of_different_strategies_need_two_applications(scenario: Scenario, developer: Client) -> None:
    by_token = scenario.application(developer, "by token", "okta-oidc", client_id="ada-2")
    by_key = scenario.application(developer, "by key", "key-auth")

    scenario.register(developer, by_token, "Weather API v2")
    scenario.register(developer, by_token, "Weather API v1", expect=400)
    scenario.register(developer, by_key, "Weather API v1")
    scenario.register(developer, by_key, "Weather API v2", expect=400)


def test_a_service_accepts_the_applications_of_both_portals_each_by_its_own_strategy(scenario: Scenario) -> None:
    def accepted() -> set[tuple[str, str]]:
        api = scenario.registry().apis.get(scenario.apis["Weather API v2"])
        return set() if api is None else {(one.portal_id, one.strategy_id) for one in api.accepts}

    expected = {
        (scenario.portals["Staging"]["id"], scenario.strategies["okta-oidc"]),
        (scenario.portals["Production"]["id"], scenario.strategies["okta-dcr"]),
    }
    wait_until(lambda: accepted() == expected, "the registry has both")


def test_a_new_default_strategy_changes_no_publication(scenario: Scenario) -> None:
    portal = scenario.portals["Staging"]["id"]
    before = scenario.operator.get(f"/v3/portals/{portal}/api-publications")["data"]
    scenario.operator.patch(
        f"/v3/portals/{portal}", {"default_application_auth_strategy_id": scenario.strategies["auth0-oidc"]}
    )

    assert scenario.operator.get(f"/v3/portals/{portal}/api-publications")["data"] == before


def test_anonymous_visitors_register_no_applications(scenario: Scenario) -> None:
    visitor = scenario.path.visitor(scenario.portals["Staging"])

    visitor.post("/api/v3/applications", {"name": "nobody's"}, expect=401)


def test_a_registration_waits_for_approval_and_the_gateway_obeys_at_once(scenario: Scenario, developer: Client) -> None:
    path = scenario.path
    implementation = scenario.link("Weather API v1", "weather")
    application = scenario.application(developer, "dashboard", "key-auth")
    made = developer.post(f"/api/v3/applications/{application}/credentials", {"display_name": "first"})
    path.scene.keys["ada"] = made["credential"]
    registration = scenario.register(developer, application, "Weather API v1")

    assert registration["status"] == "pending"
    wait_until(lambda: path.ask("ada").reason == "registration_pending", "the gateway knows the application")
    scenario.decide("Staging", application, registration["id"], "approved")
    path.wait_for_status(200, "ada")
    scenario.decide("Staging", application, registration["id"], "revoked")
    wait_until(lambda: path.ask("ada").reason == "registration_revoked", "the gateway refuses it")
    scenario.decide("Staging", application, registration["id"], "approved")
    path.wait_for_status(200, "ada")
    developer.delete(f"/api/v3/applications/{application}/credentials/{made['id']}")
    wait_until(lambda: path.ask("ada").reason == "unknown_credential", "the key is dead")
    scenario.unlink("Weather API v1", implementation)


def test_a_strategy_takes_effect_when_a_service_is_linked_and_follows_the_link(
    scenario: Scenario, developer: Client
) -> None:
    path = scenario.path
    application = scenario.application(developer, "mover", "key-auth")
    key = developer.post(f"/api/v3/applications/{application}/credentials", {"display_name": "first"})["credential"]
    path.scene.keys["mover"] = key
    registration = scenario.register(developer, application, "Weather API v1")["id"]
    scenario.decide("Staging", application, registration, "approved")

    wait_until(lambda: path.ask("mover").reason == "service_not_linked", "no service is linked yet")
    implementation = scenario.link("Weather API v1", "weather")
    path.wait_for_status(200, "mover")
    scenario.unlink("Weather API v1", implementation)
    wait_until(lambda: path.ask("mover").reason == "service_not_linked", "unlinked")
    implementation = scenario.link("Weather API v1", "maps")
    path.wait_for_status(200, "mover", "/maps")
    assert path.ask("mover").reason == "service_not_linked"
    scenario.unlink("Weather API v1", implementation)


def test_revoking_a_developer_cuts_the_keys_at_once(scenario: Scenario, developer: Client) -> None:
    path = scenario.path
    implementation = scenario.link("Weather API v1", "weather")
    application = scenario.application(developer, "cut", "key-auth")
    key = developer.post(f"/api/v3/applications/{application}/credentials", {"display_name": "first"})["credential"]
    path.scene.keys["cut"] = key
    registration = scenario.register(developer, application, "Weather API v1")["id"]
    scenario.decide("Staging", application, registration, "approved")
    path.wait_for_status(200, "cut")
    ada = developer.get("/api/v3/developer/me")["id"]
    me = f"/v3/portals/{scenario.portals['Staging']['id']}/developers/{ada}"
    scenario.operator.patch(me, {"status": "revoked"})

    wait_until(lambda: path.ask("cut").reason == "developer_revoked", "the keys are cut")
    developer.get("/api/v3/developer/me", expect=401)
    scenario.operator.patch(me, {"status": "approved"})
    path.wait_for_status(200, "cut")
    path.sign_in(developer, EMAIL)
    scenario.unlink("Weather API v1", implementation)


class Caller:
    """An application that calls the service of an API with tokens of its provider."""

    def __init__(self, scenario: Scenario, provider: IdentityProvider, owner: Client, api: str, **more: Any) -> None:
        self._path = scenario.path
        self._provider = provider
        self._made = owner.post("/api/v3/applications", {"name": "Caller", **more})
        self.application = self._made["id"]
        self.client_id = self._made["client_id"]
        self.registration = scenario.register(owner, self.application, api)["id"]

    def token(self) -> str:
        """A token for this client; `machine` has made the secret of one that its developer brought."""
        secret = self._made.get("client_secret", "a-secret-of-a-client")
        return self._provider.token({"client_id": self.client_id, "client_secret": secret})

    def ask(self) -> Answer:
        return self._path.ask(None, "/partner", [("Authorization", f"Bearer {self.token()}")])

    def is_let_in(self) -> None:
        """Wait for it, and look what the upstream learns."""
        wait_until(lambda: self.ask().status == 200, f"{self.client_id} is let in")
        seen = dict(self.ask().seen())
        assert (seen["x-application-id"], seen["x-credential-identifier"]) == (self.application, self.client_id)
        assert "authorization" not in seen


@pytest.fixture(scope="module")
def producer(scenario: Scenario) -> Client:
    """Pat, a developer of Production."""
    path, portal = scenario.path, scenario.portals["Production"]
    visitor = path.signed_up(portal, "pat@example.com")
    developers = f"/v3/portals/{portal['id']}/developers"
    (waiting,) = path.operator.get(developers)["data"]
    path.operator.patch(f"{developers}/{waiting['id']}", {"status": "approved"})
    path.sign_in(visitor, "pat@example.com")
    return visitor


def test_a_service_lets_in_each_portal_s_applications_by_tokens_of_their_own_provider(
    scenario: Scenario, developer: Client, producer: Client, providers: dict[str, IdentityProvider]
) -> None:
    if not providers:
        pytest.skip("there is no Node for the identity providers")
    implementation = scenario.link("Maps API v2", "partner")
    okta, auth0 = providers["okta"], providers["auth0"]
    okta.machine("in-staging")
    auth0.machine("in-production")
    brought = {"auth_strategy_id": scenario.strategies["okta-oidc"], "client_id": "in-staging"}
    staging = Caller(scenario, okta, developer, "Maps API v2", **brought)
    brought = {"auth_strategy_id": scenario.strategies["auth0-oidc"], "client_id": "in-production"}
    production = Caller(scenario, auth0, producer, "Maps API v2", **brought)
    scenario.decide("Staging", staging.application, staging.registration, "approved")
    scenario.decide("Production", production.application, production.registration, "approved")

    staging.is_let_in()
    production.is_let_in()
    # A client of the same name at the other provider is somebody else.
    token = auth0.token(auth0.machine(staging.client_id))
    answer = scenario.path.ask(None, "/partner", [("Authorization", f"Bearer {token}")])
    assert (answer.status, answer.reason) == (403, "unknown_application")

    scenario.decide("Staging", staging.application, staging.registration, "revoked")
    wait_until(lambda: staging.ask().reason == "registration_revoked", "the gateway refuses the token's application")
    assert production.ask().status == 200
    scenario.unlink("Maps API v2", implementation)


def test_weather_api_v2_takes_the_clients_that_developers_bring_and_those_that_the_portal_makes(
    scenario: Scenario, developer: Client, producer: Client, providers: dict[str, IdentityProvider]
) -> None:
    if not providers:
        pytest.skip("there is no Node for the identity providers")
    implementation = scenario.link("Weather API v2", "partner")
    okta = providers["okta"]
    okta.machine("brought")
    brought = {"auth_strategy_id": scenario.strategies["okta-oidc"], "client_id": "brought"}
    staging = Caller(scenario, okta, developer, "Weather API v2", **brought)
    production = Caller(scenario, okta, producer, "Weather API v2", auth_strategy_id=scenario.strategies["okta-dcr"])
    scenario.decide("Staging", staging.application, staging.registration, "approved")
    scenario.decide("Production", production.application, production.registration, "approved")

    staging.is_let_in()
    production.is_let_in()
    known = [("Authorization", f"Bearer {production.token()}")]
    for provider in providers.values():
        provider.take_down()
    assert scenario.path.ask(None, "/partner", known).status == 200, "a provider that is down changes nothing"
    producer.delete(f"/api/v3/applications/{production.application}")
    refused = "unknown_application"
    wait_until(lambda: scenario.path.ask(None, "/partner", known).reason == refused, "its token is good for nothing")
    okta.start()
    with pytest.raises(AssertionError, match="invalid_client"):
        wait_until(lambda: not production.token(), "the client is deleted at the provider")
    scenario.unlink("Weather API v2", implementation)
