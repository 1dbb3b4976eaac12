"""Signing in by OpenID Connect, as far as no provider is needed: attempts, and whom claims speak of."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kong_app_auth.oidc.claims import Claims
from kong_app_auth.oidc.sign_in import Client as OidcClient
from kong_app_auth.oidc.sign_in import new_request
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import oidc_attempts
from kong_app_auth.portal.services.oidc_person import MOST_GROUPS, person, wanted_claims
from kong_app_auth.portal.services.oidc_sign_in import Obstacle, WayIn, way_in
from kong_app_auth.portal.store.portals import IdentityProvider
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock

US = System(region=REGION)
CLIENT = OidcClient("https://idp.example", "portal", "s3cret")
MAPPINGS = {"name": "name", "email": "email", "groups": "groups"}
CLAIMS: dict[str, Any] = {
    "iss": "https://idp.example",
    "sub": "alice",
    "name": "Alice",
    "email": "alice@example.com",
    "email_verified": True,
    "groups": ["a", "b"],
}


def who(mappings: Mapping[str, str] = MAPPINGS, **changed: Any) -> Any:
    return person(Claims({**CLAIMS, **changed}), {**MAPPINGS, **mappings})


def test_claims_name_a_person() -> None:
    found = who()
    assert (found.subject, found.email, found.verified, found.name) == ("alice", "alice@example.com", True, "Alice")
    assert found.groups == {"a", "b"}
    assert "alice" not in repr(found)


@pytest.mark.parametrize(
    ("changed", "verified"),
    [
        ({"email_verified": True}, True),
        ({"email_verified": "true"}, True),
        ({"email_verified": "false"}, False),
        ({"email_verified": 1.5}, False),
        ({"email_verified": ["true"]}, False),
        ({"email_verified": None}, False),
    ],
)
def test_an_address_is_verified_only_where_that_is_said(changed: dict[str, Any], verified: bool) -> None:
    assert who(**changed).verified is verified


def test_an_address_from_another_claim_is_vouched_for_by_nobody() -> None:
    assert not who({"email": "upn"}, upn="victim@example.com").verified
    assert who({"email": "upn"}, upn="alice@example.com").verified


@pytest.mark.parametrize("value", [None, 7, "", "alice", "a@b@c", "a" * 300 + "@example.com", ["alice@example.com"]])
def test_what_is_no_address_is_none(value: Any) -> None:
    found = who(email=value)
    assert (found.email, found.verified) == (None, False)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "alice@example.com"),
        (7, "alice@example.com"),
        ("  Zoë\0\r\nD\x1b[31m ", "ZoëD[31m"),
        ("x" * 1000, "x" * 250),
    ],
    ids=["none", "number", "control characters", "long"],
)
def test_a_name_can_be_shown(value: Any, name: str) -> None:
    assert who(name=value).name == name


@pytest.mark.parametrize(
    ("value", "groups"),
    [("one", ["one"]), (None, []), ({"a": 1}, []), (["a", 7, "", None], ["a"]), (True, [])],
    ids=["text", "none", "object", "mixed", "boolean"],
)
def test_groups_are_texts(value: Any, groups: list[str]) -> None:
    assert who(groups=value).groups == set(groups)


def test_groups_may_lie_deeper_and_have_an_end() -> None:
    assert who({"groups": "realm_access.roles"}, realm_access={"roles": ["dev"]}).groups == {"dev"}
    assert len(who(groups=[str(number) for number in range(5 * MOST_GROUPS)]).groups) == MOST_GROUPS


def test_userinfo_is_asked_for_what_the_portal_uses() -> None:
    assert wanted_claims(MAPPINGS, with_groups=False) == ("name", "email", "email_verified")
    assert wanted_claims({**MAPPINGS, "email": "upn"}, with_groups=True) == ("name", "upn", "groups")


def test_an_attempt_comes_back_whole_and_once(plane: ControlPlane, clock: Clock) -> None:
    request = new_request()
    with plane.read(US) as tx:
        sealed = oidc_attempts.begin(tx, "p", CLIENT, request, "/" + "a" * 999)
        assert request.verifier not in sealed
        assert len(sealed) <= oidc_attempts.MAX_SEALED
        attempt = oidc_attempts.come_back(tx, "p", sealed, request.state)
    assert attempt is not None
    assert attempt.request == request
    assert request.state not in repr(attempt)
    with plane.write(US) as tx:
        assert oidc_attempts.use(tx, attempt)
    with plane.write(US) as tx:
        assert not oidc_attempts.use(tx, attempt)
    clock.forward(timedelta(minutes=9, seconds=59))
    with plane.read(US) as tx:
        assert oidc_attempts.come_back(tx, "p", sealed, request.state) is not None
    clock.forward(timedelta(seconds=1))
    with plane.read(US) as tx:
        assert oidc_attempts.come_back(tx, "p", sealed, request.state) is None


def test_what_is_no_attempt_of_ours_is_none(plane: ControlPlane) -> None:
    request = new_request()
    with plane.read(US) as tx:
        sealed = oidc_attempts.begin(tx, "p", CLIENT, request, "/")
        good = oidc_attempts.come_back(tx, "p", sealed, request.state)
        # Something else that the vault has sealed, and attempts that others made.
        foreign = tx.vault.seal(msgspec.json.encode({"type": "other", "portal_id": "p"}).decode())
        for portal, cookie, state in (
            ("p", sealed, None),
            ("p", None, request.state),
            ("p", sealed, ""),
            ("p", sealed, new_request().state),
            ("q", sealed, request.state),
            ("p", sealed[:-2], request.state),
            ("p", sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:], request.state),
            ("p", foreign, request.state),
            ("p", "ä", request.state),
            ("p", "x" * 100_000, request.state),
            ("p", sealed, "\ud800"),
        ):
            assert oidc_attempts.come_back(tx, portal, cookie, state) is None
    assert good is not None


@pytest.fixture
def portal(operator: Client) -> str:
    made: str = operator.post("/v3/portals", {"name": "With a provider"})["id"]
    settings = {
        "oidc_auth_enabled": True,
        "oidc_issuer": "https://idp.example",
        "oidc_client_id": "portal",
        "oidc_client_secret": "s3cret-of-the-portal",
        "oidc_scopes": ["openid", "email"],
        "oidc_claim_mappings": {"groups": "roles"},
    }
    operator.patch(f"/v3/portals/{made}/authentication-settings", settings)
    return made


def test_the_settings_are_the_way_in(plane: ControlPlane, operator: Client, portal: str) -> None:
    operator.patch(f"/v3/portals/{portal}/authentication-settings", {"idp_mapping_enabled": True})
    with plane.read(US) as tx:
        way = way_in(tx, portal)
    assert isinstance(way, WayIn)
    assert way.client == OidcClient("https://idp.example", "portal", "s3cret-of-the-portal")
    assert way.scopes == ("openid", "email")
    assert way.wanted == ("name", "email", "email_verified", "roles")
    assert "s3cret" not in repr(way)


def test_a_portal_without_authentication_or_provider_has_none(
    plane: ControlPlane, operator: Client, portal: str
) -> None:
    operator.patch(f"/v3/portals/{portal}", {"authentication_enabled": False})
    with plane.read(US) as tx:
        assert way_in(tx, portal) == Obstacle.NOT_AVAILABLE
    operator.patch(f"/v3/portals/{portal}", {"authentication_enabled": True})
    operator.patch(f"/v3/portals/{portal}/authentication-settings", {"oidc_auth_enabled": False})
    with plane.read(US) as tx:
        assert way_in(tx, portal) == Obstacle.NOT_AVAILABLE


def test_a_secret_that_cannot_be_opened_is_no_way_in(plane: ControlPlane, portal: str) -> None:
    with plane.write(US) as tx:
        for one in tx.session.query(IdentityProvider):
            one.secret = "sealed by a key that is gone"
    with plane.read(US) as tx:
        assert way_in(tx, portal) == Obstacle.NOT_AVAILABLE


def test_a_portal_without_a_provider_says_so(clients: Clients, operator: Client) -> None:
    visitor = clients.visitor(operator.post("/v3/portals", {"name": "Without"})["id"])

    for path in ("/api/v3/authenticate/oidc", "/api/v3/developer/authenticate/sso"):
        assert visitor.request("GET", path).status_code == 400
        answer = visitor.request("GET", f"{path}?return_to=/apis", headers={"accept": "text/html"}, expect=302)
        assert answer.headers["location"].endswith("/sign-in?error=not_available&return_to=%2Fapis")
    assert visitor.request("GET", "/api/v3/authenticate/oidc/callback?state=x&code=y").status_code == 401
    assert visitor.request("GET", "/api/v3/authenticate/oidc/callback").status_code == 401
    assert visitor.request("GET", f"/api/v3/authenticate/oidc/callback?state={'x' * 5000}").status_code == 400


def test_provider_addresses_that_may_not_be_asked_are_not(clients: Clients, operator: Client, portal: str) -> None:
    """As the settings are, a provider is at a public address."""
    operator.patch(
        f"/v3/portals/{portal}/authentication-settings", {"oidc_issuer": "https://127.0.0.1", "oidc_client_secret": "s"}
    )

    assert clients.visitor(portal).request("GET", "/api/v3/authenticate/oidc").status_code == 503
