"""Dynamic client registration by the portal: a bridge of the operator's, and a real identity provider (RFC 7591)."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services.dcr_agreement import agree_due
from kong_app_auth.portal.services.dcr_clients import LEASE
from kong_app_auth.portal.store.clients import ClientSecret, OAuthClient
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import SignedInClient, signed_in
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite
from tests.servers.dcr_bridge import API_KEY, Bridge, dcr_bridge
from tests.servers.identity_provider import WEATHER, IdentityProvider, identity_provider

APPLICATIONS = "/api/v3/applications"
HOUR = timedelta(hours=1)


class Stage:
    """A portal with an API whose strategy has a DCR provider."""

    def __init__(self, clients: Clients, provider: dict[str, Any], issuer: str) -> None:
        self.plane = clients.plane
        self.operator = clients.operator()
        self.portal = self.operator.post("/v3/portals", {"name": "Staging", "auto_approve_applications": True})["id"]
        self.provider = self._make("/v2/dcr-providers", {"name": "dcr", "issuer": issuer, **provider})
        settings = {"issuer": issuer, "credential_claim": ["client_id"], "scopes": [], "auth_methods": ["bearer"]}
        self.strategy = self._make(
            "/v2/application-auth-strategies",
            {
                "name": "dcr",
                "display_name": "By client",
                "strategy_type": "openid_connect",
                "configs": {"openid-connect": settings},
                "dcr_provider_id": self.provider,
            },
        )
        self.api = self.publish("Weather API")
        self.dora: SignedInClient = signed_in(clients, self.portal)

    def _make(self, path: str, body: dict[str, Any]) -> str:
        """Not held against the contract, which has no type `rfc7591`."""
        made = self.operator.http.post(path, json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def publish(self, name: str) -> str:
        api = str(self.operator.post("/v3/apis", {"name": name})["id"])
        body = {"auth_strategy_ids": [self.strategy], "visibility": "public"}
        self.operator.put(f"/v3/apis/{api}/publications/{self.portal}", body)
        return api

    def application(self, **options: Any) -> Any:
        body = {"name": "Dashboard", "auth_strategy_id": self.strategy, "description": "Shows the weather"}
        return self.dora.post(APPLICATIONS, body, **options)

    def records(self) -> list[OAuthClient]:
        with self.plane.read(System(REGION)) as tx:
            return list(tx.session.scalars(select(OAuthClient)))

    def applications(self) -> list[Any]:
        return list(self.dora.get(APPLICATIONS)["data"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock, idp_allow_private=True, idp_allow_http_loopback=True) as made:
        yield made


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with dcr_bridge() as running:
        yield running


def bridged(plane: ControlPlane, bridge: Bridge, **config: Any) -> Stage:
    settings = {"dcr_base_url": bridge.url, "api_key": API_KEY, "allow_multiple_credentials": True, **config}
    return Stage(Clients(plane), {"provider_type": "http", "dcr_config": settings}, "https://idp.example.com")


@pytest.fixture
def stage(plane: ControlPlane, bridge: Bridge) -> Stage:
    return bridged(plane, bridge)


class TestBridge:
    def test_an_application_comes_with_its_client_and_the_secret_is_shown_once(
        self, stage: Stage, bridge: Bridge
    ) -> None:
        made = stage.application()
        (client,) = bridge.clients.values()

        assert (made["client_id"], made["client_secret"]) == (client["client_id"], client["client_secret"])
        assert "client_secret" not in stage.dora.get(f"{APPLICATIONS}/{made['id']}")
        told = {"client_name": "Dashboard", "portal_id": stage.portal, "developer_id": stage.dora.developer_id}
        assert client.items() >= {**told, "auth_strategy_id": stage.strategy, "dcr_provider_id": stage.provider}.items()
        (listed,) = stage.dora.get(f"{APPLICATIONS}/{made['id']}/credentials")["data"]
        assert (listed["type"], listed["client_id"]) == ("client_secret", made["client_id"])
        log = stage.operator.get("/v3/audit-log", params={"page[size]": 100})["data"]
        assert made["client_secret"] not in repr(log)

    def test_gateways_hear_of_the_client(self, stage: Stage) -> None:
        made = stage.application()
        seen = stage.operator.get(f"/v3/applications/{made['id']}")
        assert seen["client_id"] == made["client_id"]
        assert seen["dcr_provider"] == {"id": stage.provider}

    @pytest.mark.parametrize(("trouble", "status"), [("refuse", 400), ("break", 503), ("nonsense", 503), ("cut", 503)])
    def test_without_a_client_there_is_no_application(
        self, stage: Stage, bridge: Bridge, trouble: str, status: int
    ) -> None:
        bridge.trouble = [trouble]
        stage.application(expect=status)
        assert stage.applications() == []

    def test_a_bridge_that_is_not_there_leaves_nothing(self, plane: ControlPlane) -> None:
        with dcr_bridge() as gone:
            stage = bridged(plane, gone)
        stage.application(expect=503)
        assert stage.applications() == []
        assert stage.records() == []

    def test_a_portal_that_dies_after_the_client_was_made_leaves_no_client_without_an_application(
        self, stage: Stage, bridge: Bridge, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dies(*_: Any) -> None:
            raise RuntimeError("the end of the process")

        with monkeypatch.context() as patch:
            patch.setattr("kong_app_auth.portal.services.dcr_creation._add", dies)
            with contextlib.suppress(RuntimeError):
                stage.application(expect=500)
        assert len(bridge.clients) == 1
        assert agree_due(stage.plane) == 0, "it may be at work still"
        clock.forward(LEASE)
        assert agree_due(stage.plane) == 1
        assert bridge.clients == {}
        assert stage.records() == []

    def test_the_client_goes_with_the_application(self, stage: Stage, bridge: Bridge, clock: Clock) -> None:
        made = stage.application()
        stage.dora.delete(f"{APPLICATIONS}/{made['id']}")
        bridge.trouble = ["break"]
        agree_due(stage.plane)
        assert len(bridge.clients) == 1, "the bridge was broken"
        agree_due(stage.plane)
        assert len(bridge.clients) == 1, "it is not tried again at once"
        clock.forward(HOUR)
        agree_due(stage.plane)
        assert bridge.clients == {}
        assert stage.records() == []

    def test_the_client_goes_with_the_developer_and_with_the_portal(self, stage: Stage, bridge: Bridge) -> None:
        stage.application()
        stage.operator.delete(f"/v3/portals/{stage.portal}", params={"force": "true"})
        agree_due(stage.plane)
        assert bridge.clients == {}

    def test_a_new_secret_takes_the_place_of_the_old_one(self, stage: Stage, bridge: Bridge) -> None:
        made = stage.application()
        renewed = stage.dora.post(f"{APPLICATIONS}/{made['id']}/regenerate-secret")
        (client,) = bridge.clients.values()
        assert renewed == {"client_id": made["client_id"], "client_secret": client["client_secret"]}
        assert renewed["client_secret"] != made["client_secret"]
        bridge.trouble = ["break"]
        stage.dora.post(f"{APPLICATIONS}/{made['id']}/regenerate-secret", expect=503)
        stage.dora.post(f"{APPLICATIONS}/{made['id']}/regenerate-secret")

    def test_several_secrets(self, stage: Stage, bridge: Bridge, clock: Clock) -> None:
        path = f"{APPLICATIONS}/{stage.application()['id']}/credentials"
        clock.forward(HOUR)
        second = stage.dora.post(path, {"display_name": "second"})
        (client,) = bridge.clients.values()
        assert list(client["more"].values()) == [second["client_secret"]]
        assert [one["display_name"] for one in stage.dora.get(path)["data"]] == [None, "second"]
        stage.dora.post(f"{path.removesuffix('/credentials')}/regenerate-secret", expect=409)
        stage.dora.put(f"{path}/{second['id']}", {"display_name": "other"})
        assert stage.dora.get(path)["data"][1]["display_name"] == "other"
        stage.dora.delete(f"{path}/{second['id']}")
        assert len(stage.dora.get(path)["data"]) == 1
        agree_due(stage.plane)
        assert client["more"] == {}
        with stage.plane.read(System(REGION)) as tx:
            assert len(tx.session.scalars(select(ClientSecret)).all()) == 1
        (first,) = stage.dora.get(path)["data"]
        stage.dora.request("DELETE", f"{path}/{first['id']}", expect=409)

    def test_the_bridge_hears_of_registrations_and_changes(self, stage: Stage, bridge: Bridge) -> None:
        made = stage.application()
        path = f"{APPLICATIONS}/{made['id']}"
        registration = stage.dora.post(f"{path}/registrations", {"api_id": stage.api})["id"]
        agree_due(stage.plane)
        stage.dora.patch(path, {"name": "Renamed"})
        agree_due(stage.plane)
        stage.dora.delete(f"{path}/registrations/{registration}")
        agree_due(stage.plane)

        assert bridge.heard("event_type", "client_id", "api_product_version_id", "application_name") == [
            ("add_registration", made["client_id"], stage.api, "Dashboard"),
            ("update_application", made["client_id"], None, "Renamed"),
            ("remove_registration", made["client_id"], stage.api, "Renamed"),
        ]

    def test_what_the_bridge_was_too_broken_to_hear_is_told_later(
        self, stage: Stage, bridge: Bridge, clock: Clock
    ) -> None:
        path = f"{APPLICATIONS}/{stage.application()['id']}"
        stage.dora.post(f"{path}/registrations", {"api_id": stage.api})
        bridge.trouble = ["break", "cut"]
        for _ in range(3):
            agree_due(stage.plane)
            clock.forward(HOUR)
        # One was heard, and the answer got lost: told twice is better than not at all.
        assert set(bridge.heard("event_type")) == {("add_registration",)}

    def test_verify_says_what_is_wrong(self, stage: Stage, bridge: Bridge) -> None:
        path = f"/v2/dcr-providers/{stage.provider}"
        assert stage.operator.post(f"{path}/verify", expect=200) == {"status": "success", "errors": []}
        stage.operator.patch(path, {"dcr_config": {"api_key": "another_key_of_a_bridge"}})
        wrong = stage.operator.post(f"{path}/verify", expect=200)
        assert wrong["status"] == "failed"
        assert "api_key" in wrong["errors"][0]
        assert bridge.clients == {}

    def test_a_client_that_there_is_can_be_taken_over_by_an_operator(self, stage: Stage, bridge: Bridge) -> None:
        body = {
            "name": "Imported",
            "auth_strategy_id": stage.strategy,
            "dcr_client_id": "made-by-hand",
            "owner": {"type": "developer", "id": stage.dora.developer_id},
        }
        path = f"/v3/portals/{stage.portal}/applications"
        assert stage.operator.post(path, body)["client_id"] == "made-by-hand"
        stage.operator.post(path, body, expect=400)
        assert bridge.clients == {}


def test_two_at_once_get_two_clients(plane: ControlPlane, bridge: Bridge) -> None:
    stage = bridged(plane, bridge)
    first, second = stage.application(), stage.application()
    assert first["client_id"] != second["client_id"]
    assert len(bridge.clients) == 2


class TestIdentityProvider:
    @pytest.fixture
    def provider(self, tmp_path: Path) -> Iterator[IdentityProvider]:
        with identity_provider(tmp_path) as running:
            yield running

    @pytest.fixture
    def stage(self, plane: ControlPlane, provider: IdentityProvider) -> Stage:
        config = {"initial_access_token": provider.settings.initial_access_token}
        return Stage(Clients(plane), {"provider_type": "rfc7591", "dcr_config": config}, provider.issuer)

    def test_a_client_of_rfc_7591_from_its_beginning_to_its_end(
        self, stage: Stage, provider: IdentityProvider, clock: Clock
    ) -> None:
        verified: Client = stage.operator
        assert verified.http.post(f"/v2/dcr-providers/{stage.provider}/verify").json()["status"] == "success"
        made = stage.application()
        client = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
        assert provider.token(client, resource=WEATHER)

        stage.dora.patch(f"{APPLICATIONS}/{made['id']}", {"name": "Renamed"})
        before = stage.records()[0].registration
        agree_due(stage.plane)
        assert stage.records()[0].owed == []
        assert stage.records()[0].registration != before, "the provider rotates the registration token"

        stage.dora.post(f"{APPLICATIONS}/{made['id']}/registrations", {"api_id": stage.api})
        provider.take_down()
        stage.dora.delete(f"{APPLICATIONS}/{made['id']}")
        agree_due(stage.plane)
        assert len(stage.records()) == 1
        provider.start()
        clock.forward(HOUR)
        agree_due(stage.plane)
        assert stage.records() == []
        with pytest.raises(AssertionError, match="invalid_client"):
            provider.token(client, resource=WEATHER)
        assert made["client_secret"] not in repr(stage.records())
