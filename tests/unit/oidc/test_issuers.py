"""Discovery documents and key sets, good and bad."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kong_app_auth.domain.records import Issuer
from kong_app_auth.oidc import issuers
from kong_app_auth.oidc.issuers import Cause, IssuerFailed, discovery_urls, parse_discovery, parse_keys
from kong_app_auth.oidc.jose.key_set import import_keys
from kong_app_auth.registry.records import MAX_RECORD_BYTES, encode
from tests.servers.issuer import base64url, new_key, public_jwk

ISSUER = "https://idp.example/tenant"
GOOD = {"issuer": ISSUER, "jwks_uri": "https://keys.example/jwks"}


def rsa_jwk(bits: int = 2048, **more: object) -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "n": base64url(numbers.n.to_bytes(bits // 8, "big")), "e": "AQAB", "kid": "rsa", **more}


def keys(*jwks: object) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def cause_of(body: bytes) -> Cause:
    with pytest.raises(IssuerFailed) as failed:
        parse_keys(body)
    return failed.value.cause


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        (
            "https://idp.example",
            "https://idp.example/.well-known/openid-configuration",
            "https://idp.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://idp.example/",
            "https://idp.example/.well-known/openid-configuration",
            "https://idp.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://idp.example:8443/a/b/",
            "https://idp.example:8443/a/b/.well-known/openid-configuration",
            "https://idp.example:8443/.well-known/oauth-authorization-server/a/b",
        ),
    ],
    ids=["host", "slash", "path"],
)
def test_where_the_documents_are(issuer: str, openid: str, oauth: str) -> None:
    assert discovery_urls(issuer) == (openid, oauth)


@pytest.mark.parametrize(
    "issuer",
    ["", "idp.example", "ftp://idp.example", "https://", "https://idp.example?a", "https://idp.example#a", "https://["],
)
def test_what_names_no_issuer(issuer: str) -> None:
    with pytest.raises(IssuerFailed) as failed:
        discovery_urls(issuer)
    assert failed.value.cause is Cause.FORBIDDEN_ADDRESS


def test_a_name_that_the_registry_could_not_hold() -> None:
    with pytest.raises(IssuerFailed):
        discovery_urls("https://idp.example/" + "a" * 400)


class TestDiscovery:
    def test_what_is_needed_is_read(self) -> None:
        more = {"token_endpoint": "https://idp.example/token", "introspection_endpoint": "https://idp.example/i"}
        found = parse_discovery(json.dumps({**GOOD, **more, "other": [1]}).encode(), ISSUER)
        assert (found.issuer, found.jwks_uri) == (ISSUER, GOOD["jwks_uri"])
        assert (found.token_endpoint, found.introspection_endpoint) == tuple(more.values())

    def test_endpoints_that_are_none_are_passed_over(self) -> None:
        more = {"token_endpoint": "javascript:alert(1)", "introspection_endpoint": 5}
        found = parse_discovery(json.dumps({**GOOD, **more}).encode(), ISSUER)
        assert found.token_endpoint is found.introspection_endpoint is None

    @pytest.mark.parametrize(("named", "asked"), [(ISSUER + "/", ISSUER), (ISSUER, ISSUER + "/")], ids=["more", "less"])
    def test_a_slash_at_the_end_may_differ_and_the_document_is_right(self, named: str, asked: str) -> None:
        assert parse_discovery(json.dumps({**GOOD, "issuer": named}).encode(), asked).issuer == named

    @pytest.mark.parametrize(
        "named",
        ["https://evil.example", "https://idp.example/other", "HTTPS://IDP.EXAMPLE/tenant", ISSUER + "//", "", None, 1],
        ids=str,
    )
    def test_a_document_of_another_issuer_is_refused(self, named: object) -> None:
        with pytest.raises(IssuerFailed) as failed:
            parse_discovery(json.dumps({**GOOD, "issuer": named}).encode(), ISSUER)
        assert failed.value.cause is Cause.OTHER_ISSUER
        assert "evil" not in failed.value.detail

    @pytest.mark.parametrize(
        "uri", [None, 1, "", "file:///etc/passwd", "https://" + "a" * 2048], ids=lambda u: str(u)[:9]
    )
    def test_a_document_without_keys_is_refused(self, uri: object) -> None:
        with pytest.raises(IssuerFailed) as failed:
            parse_discovery(json.dumps({**GOOD, "jwks_uri": uri}).encode(), ISSUER)
        assert failed.value.cause is Cause.NO_DOCUMENT

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>secret</html>", b"[]", b"null", b"\xff", b'{"issuer":"a","issuer":"b"}', b"[" * 100_000],
        ids=["empty", "html", "list", "null", "no utf-8", "twice", "deep"],
    )
    def test_nonsense(self, body: bytes) -> None:
        with pytest.raises(IssuerFailed) as failed:
            parse_discovery(body, ISSUER)
        assert failed.value.cause is Cause.NO_DOCUMENT
        assert "secret" not in failed.value.detail


class TestKeys:
    def test_keys_of_all_kinds_can_be_imported_from_what_is_kept(self) -> None:
        edwards = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        okp = {"kty": "OKP", "crv": "Ed25519", "x": base64url(edwards), "kid": "ed"}
        found = parse_keys(keys(new_key("ec"), rsa_jwk(), okp)).keys
        assert {key.kid for key in import_keys(found).keys} == {"ec", "rsa", "ed"}

    def test_they_are_written_in_one_way_only(self) -> None:
        one, two = new_key("one"), new_key("two", x5c=["MIIB"], iat=5)
        shuffled = dict(reversed(list(one.items())))
        assert parse_keys(keys(one, two)) == parse_keys(keys(two, shuffled, one))
        assert all(set(json.loads(key)) == {"kty", "crv", "x", "y", "kid", "alg"} for key in parse_keys(keys(two)).keys)

    def test_a_key_whose_private_half_is_published_is_not_trusted(self) -> None:
        leaked = new_key("leaked", d="c2VjcmV0")
        found = parse_keys(keys(leaked, new_key("good")))
        assert [json.loads(key)["kid"] for key in found.keys] == ["good"]
        assert found.leaked == 1
        assert "c2VjcmV0" not in str(found)
        assert cause_of(keys(leaked)) is Cause.NO_USABLE_KEY

    @pytest.mark.parametrize(
        "jwk",
        [
            {"kty": "oct", "k": "c2VjcmV0c2VjcmV0", "kid": "a"},
            new_key("a") | {"use": "enc"},
            new_key("a") | {"key_ops": ["encrypt"]},
            new_key("a") | {"alg": "none"},
            new_key("a") | {"alg": "HS256"},
            new_key("a") | {"crv": "secp256k1"},
            new_key("a") | {"x": "AAAA"},
            new_key("a") | {"kid": 5},
            new_key("a") | {"kid": "k" * 300},
            public_jwk(ec.generate_private_key(ec.SECP256R1())) | {"y": "A" * 43},
            rsa_jwk(1024),
            {"kty": "RSA"},
            {"kty": ["RSA"]},
            {},
            "text",
            None,
        ],
        ids=[
            *("symmetric", "for encryption", "encrypts", "alg none", "alg hmac", "curve", "short", "kid", "long kid"),
            *("off the curve", "small", "no members", "kty", "empty", "text", "null"),
        ],
    )
    def test_what_cannot_check_signatures_is_passed_over(self, jwk: object) -> None:
        good = new_key("good")
        assert parse_keys(keys(jwk, good)) == parse_keys(keys(good))
        assert cause_of(keys(jwk)) is Cause.NO_USABLE_KEY

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":null}', b"\x00"], ids=repr)
    def test_nonsense(self, body: bytes) -> None:
        assert cause_of(body) is Cause.NO_DOCUMENT

    def test_an_empty_set_is_no_set(self) -> None:
        assert cause_of(b'{"keys":[]}') is Cause.NO_USABLE_KEY

    def test_there_is_a_limit_to_how_many_there_are(self) -> None:
        many = [new_key(str(number)) for number in range(issuers.MOST_KEYS)]
        assert len(parse_keys(keys(*many)).keys) == issuers.MOST_KEYS
        assert cause_of(keys(*many, new_key("more"))) is Cause.TOO_MUCH

    def test_what_is_kept_fits_into_a_record(self) -> None:
        largest = rsa_jwk(3072)
        many = [{**largest, "kid": f"{number:03}" + "é" * (issuers.MAX_KID - 3)} for number in range(issuers.MOST_KEYS)]
        assert cause_of(keys(*many)) is Cause.TOO_MUCH
        length = len(parse_keys(keys(many[0])).keys[0])
        found = parse_keys(keys(*many[: issuers.MAX_KEPT // length]))
        endpoints = ["https://idp.example/" + "a" * 2000] * 2
        assert len(encode(Issuer(ISSUER, ISSUER, found.keys, *endpoints))) < MAX_RECORD_BYTES


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=300", 300),
        ("public, max-age=21600, must-revalidate", 21600),
        ("Max-Age = 60", 60),
        ('max-age="60"', 60),
        ("s-maxage=5", None),
        ("no-store", None),
        ("max-age=-1", None),
        ("", None),
    ],
)
def test_how_long_an_issuer_lets_its_keys_be_kept(header: str, seconds: int | None) -> None:
    assert issuers._max_age(header) == seconds
