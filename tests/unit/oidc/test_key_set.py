"""Which key must have signed a token: by its `kid`, and where keys or tokens have none."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kong_app_auth.oidc.jose.header import Header
from kong_app_auth.oidc.jose.jwk import Key
from kong_app_auth.oidc.jose.key_set import import_keys
from kong_app_auth.oidc.jose.outcomes import Failure, Fault, UnknownKey
from tests.servers.issuer import base64url, public_jwk


def jwk(**members: Any) -> str:
    return json.dumps(public_jwk(generate_private_key(SECP256R1()), **members))


def edwards(**members: Any) -> str:
    x = base64url(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": x, **members})


NAMELESS, NAMED, OF_ANOTHER_KIND = jwk(), jwk(kid="a"), edwards()


def found(keys: tuple[str, ...], kid: str | None) -> Key | Failure | UnknownKey:
    return import_keys(keys).find(Header("ES256", kid, None))


@pytest.mark.parametrize(
    ("keys", "kid", "which"),
    [
        ((NAMED, jwk(kid="b")), "a", NAMED),
        ((NAMED, NAMELESS), "a", NAMED),
        ((NAMED,), None, NAMED),
        ((NAMELESS,), None, NAMELESS),
        ((NAMELESS, OF_ANOTHER_KIND), None, NAMELESS),
    ],
    ids=["by its name", "beside a nameless one", "the only one", "the only one, nameless", "the only one that suits"],
)
def test_a_key_is_found(keys: tuple[str, ...], kid: str | None, which: str) -> None:
    assert found(keys, kid) == import_keys((which,)).keys[0]


@pytest.mark.parametrize(
    "keys",
    [(NAMELESS,), (NAMELESS, OF_ANOTHER_KIND), (NAMED, NAMELESS)],
    ids=["the only one", "one of two", "beside a named one"],
)
def test_a_token_that_names_a_key_is_never_checked_with_a_nameless_one(keys: tuple[str, ...]) -> None:
    """Decision 27: it asks for a refresh, as every unknown name does, and no signature is checked."""
    assert found(keys, "new") == UnknownKey("new")


def test_of_two_keys_that_suit_none_is_guessed() -> None:
    assert found((NAMELESS, NAMED), None) == Failure(Fault.KEY_AMBIGUOUS)


def test_a_key_of_that_name_that_does_not_suit_is_no_unknown_one() -> None:
    assert found((edwards(kid="a"), NAMELESS), "a") == Failure(Fault.KEY_NOT_SUITABLE)
