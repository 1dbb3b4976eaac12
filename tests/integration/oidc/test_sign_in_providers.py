"""Codes are exchanged at a server of ours that behaves as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kong_app_auth.oidc import sign_in_providers
from kong_app_auth.oidc.claims import Claims
from kong_app_auth.oidc.endpoints import Unavailable
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.oidc.sign_in import Client, Rejected, new_request
from kong_app_auth.oidc.sign_in_providers import Provider, SignInProviders
from tests.servers.issuer import DISCOVERY, JWKS, IssuerServer, base64url, issuer_server, public_jwk

BACK = "https://portal.example/callback"
REQUEST = new_request()


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with issuer_server() as running:
        running.answer(DISCOVERY, running.document(userinfo_endpoint=running.url("/userinfo")))
        yield running


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    made = Outgoing(allow_http_loopback=True)
    yield made
    made.close()


@pytest.fixture
def providers(outgoing: Outgoing) -> SignInProviders:
    return SignInProviders(lambda: outgoing)


def sign(server: IssuerServer, kid: str = "sign-in", **changed: Any) -> dict[str, Any]:
    """Have the server grant an ID token of a new key, and give the public one."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    claims = {"iss": server.issuer, "sub": "alice", "aud": "portal", "exp": now + 60, "iat": now, **changed}
    head = json.dumps({"alg": "ES256", "kid": kid}).encode()
    signed = f"{base64url(head)}.{base64url(json.dumps({'nonce': REQUEST.nonce, **claims}).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    token = f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    server.answer("/token", {"token_type": "bearer", "access_token": "an-access-token", "id_token": token})
    return public_jwk(key, kid=kid, use="sig")


def redeem(server: IssuerServer, providers: SignInProviders, *wanted: str) -> Claims | Rejected | Unavailable:
    return providers.redeem(Client(server.issuer, "portal", "s3cret"), "the-code", BACK, REQUEST, wanted)


def test_a_code_is_exchanged_with_its_verifier(server: IssuerServer, providers: SignInProviders) -> None:
    server.answer(JWKS, {"keys": [sign(server)]})

    found = redeem(server, providers)
    assert isinstance(found, Claims)
    assert found["sub"] == "alice"
    asked = next(one for one in server.asked if one.path == "/token")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": [BACK],
        "code_verifier": [REQUEST.verifier],
    }
    assert asked.headers["authorization"].startswith("Basic ")


def test_userinfo_is_asked_for_what_the_id_token_lacks(server: IssuerServer, providers: SignInProviders) -> None:
    server.answer(JWKS, {"keys": [sign(server, name="Alice", email="a@x.example")]})
    server.answer("/userinfo", {"sub": "alice", "email": "a@x.example", "email_verified": True, "name": "No"})

    assert isinstance(redeem(server, providers, "name", "email"), Claims)
    assert server.times("/userinfo") == 0
    found = redeem(server, providers, "name", "email_verified")
    assert isinstance(found, Claims)
    assert (found["name"], found["email_verified"]) == ("Alice", True)
    asked = next(one for one in server.asked if one.path == "/userinfo")
    assert asked.headers["authorization"] == "Bearer an-access-token"

    server.answer("/userinfo", {"sub": "mallory", "groups": ["admins"]})
    assert redeem(server, providers, "groups") == Rejected("other_subject")
    server.answer("/userinfo", {}, status=500)
    assert isinstance(redeem(server, providers, "groups"), Unavailable)


def test_an_unknown_key_is_looked_for_once_in_a_while(server: IssuerServer, providers: SignInProviders) -> None:
    server.answer(JWKS, {"keys": [sign(server)]})
    assert isinstance(redeem(server, providers), Claims)

    server.answer(JWKS, {"keys": [sign(server, "rotated")]})
    assert isinstance(redeem(server, providers), Claims)
    assert server.times(JWKS) == 2

    for _ in range(3):
        sign(server, "nobody's")
        assert redeem(server, providers) == Rejected("unknown_key")
    assert server.times(JWKS) == 2


def test_a_provider_is_asked_once_for_all_who_wait(server: IssuerServer, providers: SignInProviders) -> None:
    found: list[Provider | Unavailable] = []
    threads = [threading.Thread(target=lambda: found.append(providers.get(server.issuer))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(found) == 8
    assert all(isinstance(one, Provider) for one in found)
    assert (server.times(DISCOVERY), server.times(JWKS)) == (1, 1)


def test_a_provider_that_fails_is_left_alone_for_a_moment(
    server: IssuerServer, outgoing: Outgoing, providers: SignInProviders
) -> None:
    server.answer(DISCOVERY, {}, status=500)
    for _ in range(3):
        assert isinstance(providers.get(server.issuer), Unavailable)
    assert server.times(DISCOVERY) == 1

    server.answer(DISCOVERY, server.document(issuer="https://another.example"))
    assert isinstance(SignInProviders(lambda: outgoing).get(server.issuer), Unavailable)


@pytest.mark.parametrize("conduct", [{"hang": True}, {"drip": True}, {"endless": 10**7}], ids=["hangs", "drips", "big"])
def test_a_token_endpoint_that_does_not_answer_holds_nobody_long(
    server: IssuerServer, providers: SignInProviders, monkeypatch: pytest.MonkeyPatch, conduct: dict[str, Any]
) -> None:
    monkeypatch.setattr(sign_in_providers, "TIMEOUT", 0.3)
    server.answer("/token", b"{}", **conduct)
    server.answer(JWKS, {"keys": [sign(IssuerServer(server.port, secure=False))]})

    for _ in range(6):
        assert isinstance(redeem(server, providers), Unavailable)
    # After five failures in a row it is left alone.
    assert server.times("/token") == 5


def test_a_token_endpoint_may_not_be_in_a_private_network(server: IssuerServer, providers: SignInProviders) -> None:
    server.answer(DISCOVERY, server.document(token_endpoint="https://10.0.0.1/token"))
    server.answer(JWKS, {"keys": [sign(server)]})

    assert isinstance(redeem(server, providers), Unavailable)
