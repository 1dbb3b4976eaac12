"""shared/seed-scenario.yaml, from the portal's API to the gateway's answer, with two real identity providers.

Where there is no Node there are no providers, and what needs their tokens is skipped. The strategy with dynamic client
registration is followed as far as the registry. That what somebody changes at the managed plugin is put back is tested
in tests/integration/sync/kong.
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

    def __init__(self, path: PortalPath, issuers: dict[str, str]) -> None:
        self.path = path
        self._issuers = issuers
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
        issuer = self._issuers[name.partition("-")[0]]
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
            address = "https://okta.example.com"
            provider = {"name": name, "provider_type": "okta", "issuer": address, "dcr_config": {"dcr_token": "x" * 32}}
            body["dcr_provider_id"] = self.operator.post("/v2/dcr-providers", provider)["id"]
        return str(self.operator.post("/v2/application-auth-strategies", body)["id"])

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
    named = {name: f"https://{name}.example.com" for name in ("okta", "auth0")}
    return Scenario(path, named | {name: provider.issuer for name, provider in providers.items()})


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
    """An application that calls with tokens of its provider, which knows it as a client of the same name."""

    def __init__(
        self, scenario: Scenario, provider: IdentityProvider, owner: Client, portal: str, strategy: str
    ) -> None:
        self._path = scenario.path
        self._provider = provider
        self.name = f"{portal}-{strategy}"
        self._client = provider.machine(self.name)
        self.application = scenario.application(owner, self.name, strategy, client_id=self.name)
        self.registration = scenario.register(owner, self.application, "Maps API v2")["id"]
        scenario.decide(portal, self.application, self.registration, "approved")

    def token(self) -> str:
        return self._provider.token(self._client)

    def ask(self) -> Answer:
        """Call the service of Maps API v2."""
        return self._path.ask(None, "/partner", [("Authorization", f"Bearer {self.token()}")])


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
    staging = Caller(scenario, providers["okta"], developer, "Staging", "okta-oidc")
    production = Caller(scenario, providers["auth0"], producer, "Production", "auth0-oidc")

    for caller in (staging, production):
        wait_until(lambda caller=caller: caller.ask().status == 200, f"{caller.name} is let in")
        seen = dict(caller.ask().seen())
        assert (seen["x-application-id"], seen["x-credential-identifier"]) == (caller.application, caller.name)
        assert "authorization" not in seen
    # A client of the same name at the other provider is somebody else.
    stranger = providers["auth0"].machine(staging.name)
    token = providers["auth0"].token(stranger)
    answer = scenario.path.ask(None, "/partner", [("Authorization", f"Bearer {token}")])
    assert (answer.status, answer.reason) == (403, "unknown_application")

    scenario.decide("Staging", staging.application, staging.registration, "revoked")
    wait_until(lambda: staging.ask().reason == "registration_revoked", "the gateway refuses the token's application")
    assert production.ask().status == 200

    known = [("Authorization", f"Bearer {production.token()}")]
    for provider in providers.values():
        provider.take_down()
    assert scenario.path.ask(None, "/partner", known).status == 200, "a provider that is down changes nothing"
    scenario.unlink("Maps API v2", implementation)
