"""The real identity provider of tests and demo: that it does what the tests of everything else take for granted."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import jwt
import pytest
import requests

from kong_app_auth.demo.identity_provider import installation
from kong_app_auth.demo.identity_provider.configuration import Settings
from tests.servers.identity_provider import (
    ALICE,
    MACHINE,
    MAPS,
    VAULT,
    WEATHER,
    Browser,
    IdentityProvider,
    Resource,
    changed,
    identity_provider,
)

BACK = "http://portal.test/back"


@pytest.fixture(scope="module")
def okta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path_factory.mktemp("okta"), "okta", path="/oauth2/default") as provider:
        yield provider


def claims(provider: IdentityProvider, token: str, audience: str = WEATHER) -> dict[str, Any]:
    """What a token says, when one of the published keys signed it."""
    header = jwt.get_unverified_header(token)
    key = next(jwt.PyJWK(key) for key in provider.jwks() if key["kid"] == header["kid"])
    told: dict[str, Any] = jwt.decode(token, key, algorithms=[header["alg"]], audience=audience, issuer=provider.issuer)
    return told


@pytest.mark.parametrize(
    ("parameters", "audience", "algorithm"),
    [({}, WEATHER, "RS256"), ({"resource": MAPS}, MAPS, "ES256"), ({"audience": MAPS}, MAPS, "ES256")],
    ids=["by default", "by resource", "by audience"],
)
def test_access_tokens_are_jwts_of_rfc_9068(
    okta: IdentityProvider, parameters: dict[str, str], audience: str, algorithm: str
) -> None:
    token = okta.token(scope="weather.read", **parameters)
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", algorithm)
    told = claims(okta, token, audience)
    assert (told["client_id"], told["scope"]) == ("machine", "weather.read")


def test_the_issuer_has_a_path_and_says_where_everything_is(okta: IdentityProvider) -> None:
    document = okta.discovery()
    assert document["issuer"] == okta.issuer
    assert document["authorization_response_iss_parameter_supported"] is True
    assert all(
        document[name].startswith(okta.issuer + "/")
        for name in (
            "jwks_uri",
            "token_endpoint",
            "authorization_endpoint",
            "introspection_endpoint",
            "registration_endpoint",
        )
    )
    assert requests.get(f"{okta.settings.url}/.well-known/openid-configuration", timeout=20).status_code == 404


def test_keys_are_of_its_own_and_nothing_private_is_published(okta: IdentityProvider, tmp_path: Path) -> None:
    keys = okta.jwks()
    assert {key["alg"] for key in keys} == {"RS256", "ES256"}
    assert not {"d", "p", "q", "k"} & {member for key in keys for member in key}
    with identity_provider(tmp_path, "auth0") as auth0:
        assert not {key["kid"] for key in keys} & {key["kid"] for key in auth0.jwks()}


def test_the_opaque_api_is_introspected_and_a_jwt_is_not(okta: IdentityProvider) -> None:
    basic = (MACHINE["client_id"], quote(MACHINE["client_secret"], safe=""))

    def introspect(token: str) -> requests.Response:
        return requests.post(okta.discovery()["introspection_endpoint"], {"token": token}, auth=basic, timeout=20)

    opaque = okta.token(resource=VAULT, scope="weather.read")
    assert opaque.count(".") == 0
    told = introspect(opaque).json()
    assert (told["active"], told["client_id"], told["scope"]) == (True, "machine", "weather.read")
    assert introspect("no-such-token").json() == {"active": False}
    assert introspect(okta.token()).status_code == 400


def test_a_client_registers_itself_is_changed_with_rotating_tokens_and_deleted(okta: IdentityProvider) -> None:
    made = okta.register(client_name="dashboard")
    assert claims(okta, okta.token(made))["client_id"] == made["client_id"]
    address, first = made["registration_client_uri"], {"Authorization": f"Bearer {made['registration_access_token']}"}
    wanted = {"client_id": made["client_id"], "client_name": "renamed", **_nowhere()}
    renamed = requests.put(address, json=wanted, headers=first, timeout=20)
    assert renamed.json()["client_name"] == "renamed"
    second = {"Authorization": f"Bearer {renamed.json()['registration_access_token']}"}
    assert requests.get(address, headers=first, timeout=20).status_code == 401
    assert requests.get(address, headers=second, timeout=20).status_code == 200
    assert requests.delete(address, headers=second, timeout=20).status_code == 204
    with pytest.raises(AssertionError, match="invalid_client"):
        okta.token(made)


def _nowhere() -> dict[str, Any]:
    return {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}


def test_nobody_registers_without_the_initial_access_token(okta: IdentityProvider) -> None:
    answer = requests.post(okta.discovery()["registration_endpoint"], json=_nowhere(), timeout=20)
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_somebody_signs_in_with_a_code_and_pkce(okta: IdentityProvider, algorithm: str) -> None:
    client = okta.web(f"portal-{algorithm}", BACK, id_token_signed_response_alg=algorithm)
    verifier = "v" * 50
    asked = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": BACK,
        "scope": "openid email profile groups",
        "state": "the state",
        "nonce": "the nonce",
        "code_challenge_method": "S256",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
    }
    endpoint = okta.discovery()["authorization_endpoint"]
    ended = Browser().sign_in(f"{endpoint}?{urlencode(asked)}", ALICE, back_to=BACK)
    told = {name: values[0] for name, values in parse_qs(urlsplit(ended).query).items()}
    assert (told["state"], told["iss"]) == ("the state", okta.issuer)
    exchange = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": BACK}
    basic = (client["client_id"], client["client_secret"])

    def redeem(how: str) -> requests.Response:
        return requests.post(
            okta.discovery()["token_endpoint"], {**exchange, "code_verifier": how}, auth=basic, timeout=20
        )

    answer = redeem(verifier)
    person = claims(okta, answer.json()["id_token"], client["client_id"])
    assert jwt.get_unverified_header(answer.json()["id_token"])["alg"] == algorithm
    assert (person["nonce"], person["email"], person["email_verified"]) == ("the nonce", ALICE.email, True)
    assert (person["name"], person["groups"], person["sub"]) == (ALICE.name, list(ALICE.groups), ALICE.subject)
    assert redeem(verifier).json()["error"] == "invalid_grant"


def test_somebody_who_says_no_comes_back_with_an_error(okta: IdentityProvider) -> None:
    okta.web("refused", BACK)
    asked = {
        "response_type": "code",
        "client_id": "refused",
        "redirect_uri": BACK,
        "scope": "openid",
        "code_challenge_method": "S256",
        "code_challenge": "c" * 43,
    }
    address = f"{okta.discovery()['authorization_endpoint']}?{urlencode(asked)}"
    ended = Browser().refuse(address, back_to=BACK)
    assert parse_qs(urlsplit(ended).query)["error"] == ["access_denied"]
    with pytest.raises(AssertionError, match=r"401: .*Wrong e-mail address or password"):
        Browser().sign_in(address, changed(ALICE, password="guessed"), back_to=BACK)


def test_keys_rotate_with_the_old_ones_published_or_gone(okta: IdentityProvider) -> None:
    old = okta.token()
    published = okta.rotate()
    assert {key["kid"] for key in okta.jwks()} == set(published)
    new = okta.token()
    assert jwt.get_unverified_header(new)["kid"] == published[0] != jwt.get_unverified_header(old)["kid"]
    assert claims(okta, old)
    assert claims(okta, new)
    okta.rotate(abrupt=True)
    assert len(okta.jwks()) == 2
    with pytest.raises(StopIteration):
        claims(okta, new)
    assert claims(okta, okta.token())


def test_it_goes_down_and_comes_back_with_its_keys_and_clients(tmp_path: Path) -> None:
    with identity_provider(tmp_path) as provider:
        made, keys, token = provider.register(), provider.jwks(), provider.token()
        provider.take_down()
        with pytest.raises(requests.ConnectionError):
            provider.jwks()
        provider.start()
        assert provider.jwks() == keys
        assert claims(provider, token)
        assert claims(provider, provider.token(made))


def test_it_hangs_and_goes_on(okta: IdentityProvider) -> None:
    with okta.hung(), pytest.raises(requests.Timeout):
        requests.get(f"{okta.url}/jwks", timeout=0.2)
    assert okta.jwks()


def test_lifetimes_and_scopes_are_changed_while_it_runs(okta: IdentityProvider) -> None:
    okta.control.put_resource(Resource(indicator="https://brief.example.com", scopes=("brief",), lifetime=7))
    okta.rotate()
    told = claims(okta, okta.token(resource="https://brief.example.com", scope="brief"), "https://brief.example.com")
    assert (told["exp"] - told["iat"], told["scope"]) == (7, "brief")


def test_strangers_change_nothing(okta: IdentityProvider) -> None:
    answer = requests.post(f"{okta.settings.url}/admin/rotate", json={"abrupt": True}, timeout=20)
    assert answer.status_code == 401


def test_neither_its_tokens_nor_passwords_show(okta: IdentityProvider) -> None:
    told = repr(okta.settings) + repr(ALICE) + okta.log.read_text()
    for secret in (okta.settings.admin_token, okta.settings.initial_access_token, ALICE.password):
        assert secret not in told


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(installation.NotInstallable, match="needs Node 20 or newer, with npm"):
        installation.program(tmp_path / "elsewhere")


def test_an_old_node_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.20.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(installation.NotInstallable, match="this is v18"):
        installation.node()


def test_an_installation_that_failed_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = installation.node()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "node").symlink_to(node)
    (programs / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    with pytest.raises(installation.NotInstallable, match="no network"):
        installation.program(tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == [".lock"]


def test_the_lock_file_names_no_host() -> None:
    lock = json.loads((Path(installation.__file__).parent / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_settings_name_the_issuer_after_the_port(tmp_path: Path) -> None:
    assert Settings(name="x", port=1234, state_file=tmp_path / "x").issuer == "http://127.0.0.1:1234"
