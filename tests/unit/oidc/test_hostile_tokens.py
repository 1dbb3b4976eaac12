"""Tokens that were made hostile out of good ones: not one gets through, and a fuzzer finds nothing but refusals."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.records import DEFAULT_ALGORITHMS, Issuer
from kong_app_auth.oidc.claims import Claims
from kong_app_auth.oidc.jose import base64url
from kong_app_auth.oidc.jose.outcomes import Failure, UnknownKey
from kong_app_auth.oidc.tokens import VerifiedTokens

NOW = 1_800_000_000.0
ORDER = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
"""Of P-256 (FIPS 186-4, D.1.2.3)."""
SHA = hashes.SHA256()
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def text(data: bytes) -> str:
    return base64url.encode(data).decode()


def number(value: int, size: int | None = None) -> str:
    return text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def ecdsa(data: bytes) -> bytes:
    r, s = decode_dss_signature(EC.sign(data, ec.ECDSA(SHA)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGN: dict[str, Callable[[bytes], bytes]] = {
    "RS256": lambda data: RSA.sign(data, padding.PKCS1v15(), SHA),
    "PS256": lambda data: RSA.sign(data, padding.PSS(padding.MGF1(SHA), 32), SHA),
    "ES256": ecdsa,
    "EdDSA": ED.sign,
}
KID = {"RS256": "r", "PS256": "r", "ES256": "e", "EdDSA": "d"}
_rsa, _ec = RSA.public_key().public_numbers(), EC.public_key().public_numbers()
KEYS = (
    json.dumps({"kty": "RSA", "kid": "r", "n": number(_rsa.n), "e": number(_rsa.e)}),
    json.dumps({"kty": "EC", "crv": "P-256", "kid": "e", "x": number(_ec.x, 32), "y": number(_ec.y, 32)}),
    json.dumps({"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": text(ED.public_key().public_bytes_raw())}),
)
ISSUER = Issuer("https://idp.example", "https://idp.example", KEYS)
PAYLOAD: dict[str, Any] = {
    "iss": ISSUER.issuer,
    "aud": "https://weather.example",
    "sub": "svc",
    "azp": "weather",
    "client_id": "weather",
    "exp": int(NOW) + 60,
    "iat": int(NOW) - 1,
    "nbf": int(NOW) - 1,
    "jti": "1",
}


def made(algorithm: str = "RS256", payload: dict[str, Any] | bytes = PAYLOAD, **header: Any) -> str:
    """A token with a good signature, whatever its header and payload say."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    start = {"alg": algorithm, "kid": KID[algorithm], "typ": "at+jwt", **header}
    signed = f"{text(json.dumps(start).encode())}.{text(raw)}"
    return f"{signed}.{text(SIGN[algorithm](signed.encode()))}"


def check(token: str, verified: VerifiedTokens | None = None) -> Claims | Failure | UnknownKey:
    return (VerifiedTokens() if verified is None else verified).check(token, ISSUER, DEFAULT_ALGORITHMS, 5, NOW)


def unsigned(header: dict[str, Any], key: bytes | None = None) -> str:
    """A token with the header of a forger, signed by HMAC with `key` or not at all."""
    signed = f"{text(json.dumps(header).encode())}.{text(json.dumps(PAYLOAD).encode())}"
    return f"{signed}.{'' if key is None else text(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def raw(payload: str) -> bytes:
    """The good payload with a member more, as text."""
    return json.dumps(PAYLOAD).encode()[:-1] + b"," + payload.encode() + b"}"


def public(encoding: serialization.Encoding) -> bytes:
    return RSA.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


GOOD = made()
HEAD, BODY, SIGNATURE = GOOD.split(".")
HS = {"alg": "HS256", "kid": "r", "typ": "at+jwt"}
HOSTILE = {
    **{f"alg {name}": unsigned({"alg": name, "typ": "JWT"}) for name in ("none", "None", "NONE", "nOnE", "")},
    "no alg": unsigned({"typ": "JWT"}),
    "HS256 by the PEM": unsigned(HS, public(serialization.Encoding.PEM)),
    "HS256 by the DER": unsigned(HS, public(serialization.Encoding.DER)),
    "HS256 by the JWK": unsigned(HS, KEYS[0].encode()),
    "HS256 by nothing": unsigned(HS, b""),
    "own key": made(jwk=json.loads(KEYS[0])),
    "own key's address": made(jku="https://evil.example/jwks"),
    "own certificate": made(x5c=["MIIB"]),
    "own certificate's address": made(x5u="https://evil.example/x5"),
    "critical extension": made(crit=["exp"]),
    "not encoded": made(b64=False),
    "nested": made(cty="JWT"),
    "encrypted": made(enc="A128GCM"),
    "logout token": made(typ="logout+jwt"),
    "kid that climbs": made(kid="../../etc/passwd"),
    "kid that asks": made(kid="' or 1=1 --"),
    "kid that is a list": made(kid=["r"]),
    "kid of another key": made(kid="e"),
    "payload of another": f"{HEAD}.{text(json.dumps({**PAYLOAD, 'azp': 'admin'}).encode())}.{SIGNATURE}",
    "signature of another": ".".join([*made("ES256").split(".")[:2], SIGNATURE]),
    "DER signature": ".".join(
        [*(es := made("ES256")).split(".")[:2], text(EC.sign(es.rpartition(".")[0].encode(), ec.ECDSA(SHA)))]
    ),
    "zero r and s": ".".join([*es.split(".")[:2], text(bytes(64))]),
    "r and s of the order": ".".join([*es.split(".")[:2], text(ORDER.to_bytes(32, "big") * 2)]),
    "no signature": f"{HEAD}.{BODY}.",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.",
    "five parts": f"{GOOD}.{BODY}.{BODY}",
    "swapped": f"{BODY}.{HEAD}.{SIGNATURE}",
    "truncated": GOOD[:-1],
    "padded": f"{GOOD}==",
    "line break": f"{GOOD}\n",
    "blank": f" {GOOD}",
    "blank inside": f"{HEAD}. {BODY}.{SIGNATURE}",
    "standard base64": GOOD.replace("_", "/").replace("-", "+"),
    "not ASCII": f"{GOOD}é",
    "half a character": f"{GOOD}\ud800",
    "empty": "",
    "dots": "." * 8000,
    "too long": GOOD + "A" * 9000,
    "member twice": made(payload=raw('"iss":"https://idp.example"')),
    "NaN": made(payload=raw('"x":NaN')),
    "endless": made(payload=raw('"x":1e999')),
    "huge number": made(payload=raw('"x":' + "9" * 5000)),
    "half a character inside": made(payload=raw('"x":"\\ud800"')),
    "not UTF-8": made(payload=json.dumps(PAYLOAD).encode()[:-1] + b',"x":"\xff"}'),
    "deep": made(payload=b'{"iss":' + b"[" * 2500 + b"]" * 2500 + b"}"),
    "a list": made(payload=b"[1]"),
    "expired": made(payload={**PAYLOAD, "exp": int(NOW) - 5}),
    "no end": made(payload={name: value for name, value in PAYLOAD.items() if name != "exp"}),
    "end that is text": made(payload={**PAYLOAD, "exp": "9999999999"}),
    "end that is true": made(payload={**PAYLOAD, "exp": True}),
    "from the future": made(payload={**PAYLOAD, "nbf": int(NOW) + 6}),
    "made in the future": made(payload={**PAYLOAD, "iat": int(NOW) + 6}),
    "another issuer's": made(payload={**PAYLOAD, "iss": "https://idp.example/"}),
    "no issuer's": made(payload={name: value for name, value in PAYLOAD.items() if name != "iss"}),
}


@pytest.mark.parametrize("algorithm", sorted(SIGN))
def test_a_good_token_is_good(algorithm: str) -> None:
    assert check(made(algorithm)) == PAYLOAD


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_token_is_refused_and_nothing_of_it_is_kept(name: str) -> None:
    verified = VerifiedTokens()
    assert isinstance(check(HOSTILE[name], verified), Failure | UnknownKey)
    assert len(verified) == 0


def test_the_twin_of_a_signature_is_checked_in_full() -> None:
    # (r, n-s) is a signature too. What was remembered of the one says nothing of the other.
    verified = VerifiedTokens()
    token = made("ES256")
    signed, _, signature = token.rpartition(".")
    both = base64url.decode(signature.encode())
    twin = f"{signed}.{text(both[:32] + (ORDER - int.from_bytes(both[32:], 'big')).to_bytes(32, 'big'))}"
    assert check(token, verified) == check(twin, verified) == PAYLOAD
    assert len(verified) == 2


def test_what_is_remembered_ends_with_the_token_the_algorithm_and_the_keys() -> None:
    verified = VerifiedTokens()
    assert check(GOOD, verified) == check(GOOD, verified) == PAYLOAD
    assert len(verified) == 1
    assert isinstance(verified.check(GOOD, ISSUER, DEFAULT_ALGORITHMS, 5, NOW + 65), Failure)
    assert isinstance(verified.check(GOOD, ISSUER, ("ES256",), 5, NOW), Failure)
    without = Issuer(ISSUER.id, ISSUER.issuer, KEYS[1:])
    assert verified.check(GOOD, without, DEFAULT_ALGORITHMS, 5, NOW) == UnknownKey("r")


@given(st.text(max_size=200) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_whatever_is_no_token_is_refused(token: str) -> None:
    assert isinstance(check(token), Failure | UnknownKey)


@given(st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=255), st.booleans())
def test_a_token_with_one_character_changed_is_refused(at: int, character: str, insert: bool) -> None:
    changed = GOOD[:at] + character + GOOD[at + (not insert) :]
    if changed != GOOD:
        assert isinstance(check(changed), Failure | UnknownKey)
