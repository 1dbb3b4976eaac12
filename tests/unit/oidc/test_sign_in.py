"""The client's side of the authorization code flow: what is asked for, and whose answers are believed."""

import hashlib
import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kong_app_auth.domain.records import Issuer
from kong_app_auth.oidc.claims import Claims
from kong_app_auth.oidc.endpoints import Unavailable
from kong_app_auth.oidc.issuers import Discovery, parse_discovery
from kong_app_auth.oidc.jose import base64url
from kong_app_auth.oidc.jose.outcomes import Failure, UnknownKey
from kong_app_auth.oidc.outgoing import Answer
from kong_app_auth.oidc.sign_in import (
    Client,
    Granted,
    Rejected,
    authentication,
    authorization_url,
    check_id_token,
    is_from,
    new_request,
    read_granted,
    read_userinfo,
    together,
)

NOW = 1_800_000_000
CLIENT, NONCE, ACCESS_TOKEN = "portal", "n" * 43, "opaque-access-token"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
DISCOVERY = Discovery(
    issuer="https://idp.example",
    jwks_uri="https://idp.example/jwks",
    token_endpoint="https://idp.example/token",
    authorization_endpoint="https://idp.example/auth",
)
CLAIMS: dict[str, Any] = {
    "iss": DISCOVERY.issuer,
    "sub": "alice",
    "aud": CLIENT,
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": NONCE,
    "at_hash": base64url.encode(hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16]).decode(),
}
GONE = object()
"""The value of a claim that is left out."""


def text(data: bytes) -> str:
    return base64url.encode(data).decode()


def jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> str:
    point = key.public_key().public_numbers()
    coordinates = {name: text(getattr(point, name).to_bytes(32, "big")) for name in ("x", "y")}
    return json.dumps({"kty": "EC", "crv": "P-256", "kid": kid, **coordinates})


ISSUER = Issuer("https://idp.example", DISCOVERY.issuer, (jwk(KEY, "first"),))


def id_token(key: ec.EllipticCurvePrivateKey = KEY, header: dict[str, Any] | None = None, **changed: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not GONE}
    start = {"alg": "ES256", "kid": "first", **(header or {})}
    signed = f"{text(json.dumps(start).encode())}.{text(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def checked(token: str, **more: Any) -> Claims | Failure | UnknownKey:
    granted = Granted(token, more.get("access_token", ACCESS_TOKEN))
    return check_id_token(granted, ISSUER, CLIENT, more.get("nonce", NONCE), more.get("now", NOW))


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_good_id_token_is_believed() -> None:
    assert checked(id_token()) == CLAIMS


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"azp": CLIENT},
        {"at_hash": GONE},
        {"exp": NOW - 30},
        {"iat": NOW + 30},
    ],
    ids=["two audiences", "authorized party", "no at_hash", "just expired", "clock ahead"],
)
def test_what_the_specification_allows_is_taken(changed: dict[str, Any]) -> None:
    assert isinstance(checked(id_token(**changed)), Claims)


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        pytest.param({"iss": "https://attacker.example"}, "other_issuer", id="other issuer"),
        pytest.param({"iss": "https://idp.example/"}, "other_issuer", id="issuer with a slash more"),
        pytest.param({"aud": "another-client"}, "other_audience", id="other audience"),
        pytest.param({"aud": [CLIENT, "other"]}, "other_authorized_party", id="two audiences without azp"),
        pytest.param({"aud": [CLIENT, "o"], "azp": "o"}, "other_authorized_party", id="for another party"),
        pytest.param({"azp": "other"}, "other_authorized_party", id="azp of another"),
        pytest.param({"aud": GONE}, "malformed_claim", id="no audience"),
        pytest.param({"aud": [CLIENT, 7]}, "malformed_claim", id="strange audience"),
        pytest.param({"exp": NOW - 61}, "expired", id="expired"),
        pytest.param({"exp": GONE}, "malformed_claim", id="no end"),
        pytest.param({"iat": NOW + 61}, "issued_in_future", id="from the future"),
        pytest.param({"iat": GONE}, "malformed_claim", id="no beginning"),
        pytest.param({"nbf": NOW + 61}, "not_yet_valid", id="not yet valid"),
        pytest.param({"nonce": "m" * 43}, "other_nonce", id="other nonce"),
        pytest.param({"nonce": GONE}, "other_nonce", id="no nonce"),
        pytest.param({"nonce": [NONCE]}, "other_nonce", id="nonce in a list"),
        pytest.param({"nonce": "ä"}, "other_nonce", id="nonce beyond ASCII"),
        pytest.param({"sub": GONE}, "malformed_claim", id="nobody"),
        pytest.param({"sub": 7}, "malformed_claim", id="a number"),
        pytest.param({"sub": "a" * 256}, "malformed_subject", id="long subject"),
        pytest.param({"sub": "älice"}, "malformed_subject", id="subject beyond ASCII"),
        pytest.param({"at_hash": "x"}, "other_access_token", id="another access token"),
        pytest.param({"at_hash": None}, "other_access_token", id="at_hash null"),
    ],
)
def test_an_id_token_with_a_wrong_claim_is_refused(changed: dict[str, Any], detail: str) -> None:
    assert checked(id_token(**changed)) == Failure(detail)


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        pytest.param({"alg": "none"}, "alg_not_allowed", id="none"),
        pytest.param({"alg": "HS256"}, "alg_not_allowed", id="HS256"),
        pytest.param({"alg": "RS256"}, "key_not_suitable", id="another algorithm"),
        pytest.param({"typ": "at+jwt"}, "typ_not_accepted", id="an access token"),
        pytest.param({"typ": "logout+jwt"}, "typ_not_accepted", id="a logout token"),
        pytest.param({"jwk": {}}, "embedded_key", id="brings its key"),
        pytest.param({"crit": ["exp"]}, "critical_header", id="critical"),
    ],
)
def test_an_id_token_with_a_wrong_header_is_refused(header: dict[str, Any], detail: str) -> None:
    assert checked(id_token(header=header)) == Failure(detail)


def test_an_id_token_of_another_key_is_refused() -> None:
    assert checked(id_token(OTHER_KEY)) == Failure("bad_signature")
    assert checked(id_token(OTHER_KEY, {"kid": "second"})) == UnknownKey("second")
    assert checked(id_token()[:-8] + "AAAAAAAA") == Failure("bad_signature")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d.e", "x" * 40_000], ids=["empty", "two", "encrypted", "large"])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert isinstance(checked(token), Failure)


def test_an_id_token_may_be_larger_than_a_request_may_bring() -> None:
    assert isinstance(checked(id_token(groups=[f"{number:036}" for number in range(200)])), Claims)


def test_the_address_asks_for_a_code_with_everything_that_binds_it() -> None:
    request = new_request()
    address = authorization_url(DISCOVERY, "a client", "https://portal.example/cb", ("email", "openid"), request)
    assert address is not None
    assert address.startswith("https://idp.example/auth?")
    assert {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()} == {
        "response_type": "code",
        "client_id": "a client",
        "redirect_uri": "https://portal.example/cb",
        "scope": "openid email",
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": text(hashlib.sha256(request.verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    assert request.verifier not in address
    assert len({request.state, request.nonce, request.verifier, new_request().state}) == 4
    assert len(request.verifier) >= 43
    assert request.verifier not in repr(request)


@pytest.mark.parametrize(
    ("endpoint", "start"),
    [
        ("https://idp.example/auth?p=sign-in", "https://idp.example/auth?p=sign-in&response_type=code"),
        ("http://idp.example/auth", None),
        ("https://idp.example/auth#x", None),
        (None, None),
    ],
    ids=["has a query", "not https", "has a fragment", "none"],
)
def test_an_endpoint_that_cannot_be_used_is_not(endpoint: str | None, start: str | None) -> None:
    discovery = msgspec.structs.replace(DISCOVERY, authorization_endpoint=endpoint)
    address = authorization_url(discovery, CLIENT, "https://portal.example/cb", (), new_request())

    assert address is None if start is None else (address or "").startswith(start)


@pytest.mark.parametrize(
    ("names_itself", "told", "good"),
    [
        (True, "https://idp.example", True),
        (True, None, False),
        (True, "https://attacker.example", False),
        (False, None, True),
        (False, "https://attacker.example", False),
        (False, "", False),
    ],
)
def test_a_response_is_the_providers(names_itself: bool, told: str | None, good: bool) -> None:
    assert is_from(msgspec.structs.replace(DISCOVERY, names_itself=names_itself), told) is good


def test_a_client_authenticates_as_the_provider_says() -> None:
    client = Client("https://idp.example", "a:client", "s%cret+ and more")
    headers, form = authentication(client, ("client_secret_post", "client_secret_basic")) or ({}, {})
    assert b64decode(headers["Authorization"].removeprefix("Basic ")) == b"a%3Aclient:s%25cret%2B%20and%20more"
    assert form == {}
    assert authentication(client, ("client_secret_post", "private_key_jwt")) == (
        {},
        {"client_id": "a:client", "client_secret": "s%cret+ and more"},
    )
    assert authentication(client, ("private_key_jwt",)) is None
    assert authentication(Client("https://idp.example", "public"), ()) == ({}, {"client_id": "public"})
    assert "s%cret" not in repr(client)


GRANTED = {"token_type": "Bearer", "access_token": ACCESS_TOKEN, "id_token": "a.b.c"}


def test_a_grant_is_read() -> None:
    assert read_granted(answer(GRANTED)) == Granted("a.b.c", ACCESS_TOKEN)
    assert ACCESS_TOKEN not in repr(read_granted(answer(GRANTED)))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        pytest.param(answer({"error": "invalid_grant"}, 400), Rejected("invalid_grant"), id="used code"),
        pytest.param(answer({"error": "invalid_client"}, 401), Rejected("invalid_client"), id="wrong secret"),
        pytest.param(answer({"error": "<script>"}, 400), Rejected("refused"), id="unknown error"),
        pytest.param(answer(b"<html>", 400), Rejected("refused"), id="a page"),
        pytest.param(answer({}, 500), Unavailable("the provider answered 500"), id="broken"),
        pytest.param(answer(GRANTED, 302), Unavailable("the provider answered 302"), id="redirect"),
        pytest.param(answer(b"[]"), Rejected("no_bearer_token"), id="a list"),
        pytest.param(answer({**GRANTED, "token_type": "DPoP"}), Rejected("no_bearer_token"), id="another type"),
        pytest.param(answer({**GRANTED, "id_token": 7}), Rejected("no_id_token"), id="a number"),
        pytest.param(
            answer({**GRANTED, "access_token": "a\r\nX: y"}), Rejected("malformed_access_token"), id="header in it"
        ),
    ],
)
def test_an_answer_that_grants_nothing_is_refused(told: Answer, outcome: Rejected | Unavailable) -> None:
    assert read_granted(told) == outcome


def test_userinfo_must_be_about_the_same_person() -> None:
    assert read_userinfo(answer({"sub": "alice", "email": "a@b.example"}), "alice") == {
        "sub": "alice",
        "email": "a@b.example",
    }
    assert read_userinfo(answer({"sub": "mallory"}), "alice") == Rejected("other_subject")
    assert read_userinfo(answer({"email": "a@b.example"}), "alice") == Rejected("other_subject")
    assert read_userinfo(answer(b"a.b.c"), "alice") == Rejected("other_subject")
    assert read_userinfo(answer({}, 403), "alice") == {"sub": "alice"}
    assert read_userinfo(answer({}, 503), "alice") == Unavailable("the provider answered 503 for userinfo")


@pytest.mark.parametrize(
    ("token", "userinfo", "verified"),
    [
        pytest.param({"email": "a@x"}, {"email": "b@x", "email_verified": True}, None, id="another address"),
        pytest.param({"email": "a@x"}, {"email": "a@x", "email_verified": True}, True, id="the same address"),
        pytest.param({"email_verified": True}, {"email": "b@x"}, None, id="of no address"),
        pytest.param({}, {"email": "b@x", "email_verified": True}, True, id="userinfo alone"),
        pytest.param(
            {"email": "a@x", "email_verified": False},
            {"email": "a@x", "email_verified": True},
            False,
            id="the token goes before",
        ),
    ],
)
def test_an_address_is_verified_by_the_one_who_names_it(
    token: dict[str, Any], userinfo: dict[str, Any], verified: bool | None
) -> None:
    assert together(Claims(token), Claims(userinfo)).get("email_verified") is verified


def test_the_discovery_document_tells_what_signing_in_needs() -> None:
    document = {
        "issuer": "https://idp.example",
        "jwks_uri": "https://idp.example/jwks",
        "authorization_endpoint": "https://idp.example/auth",
        "userinfo_endpoint": "javascript:alert(1)",
        "token_endpoint_auth_methods_supported": ["client_secret_post", 7],
        "authorization_response_iss_parameter_supported": True,
    }
    found = parse_discovery(json.dumps(document).encode(), "https://idp.example")
    assert found.authorization_endpoint == "https://idp.example/auth"
    assert found.userinfo_endpoint is None
    assert found.auth_methods == ("client_secret_post",)
    assert found.names_itself

    del document["token_endpoint_auth_methods_supported"]
    assert parse_discovery(json.dumps(document).encode(), "https://idp.example").auth_methods == (
        "client_secret_basic",
    )
