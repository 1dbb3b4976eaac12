"""One public JWK (RFC 7517) made a key that checks signatures; what cannot be one for certain is not imported."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from kong_app_auth.oidc.jose import base64url, json_object
from kong_app_auth.oidc.jose.algorithms import ALGORITHMS, PublicKey

FEWEST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 8192
"""A larger modulus makes each check cost more than a millisecond."""
MOST_RSA_EXPONENT: Final = 2**32
"""65537 is usual. A large one makes each check slow (and is refused by OpenSSL for large moduli only)."""

_CURVES: Final[Mapping[object, tuple[EllipticCurve, int]]] = MappingProxyType(
    {"P-256": (SECP256R1(), 32), "P-384": (SECP384R1(), 48), "P-521": (SECP521R1(), 66)}
)


class Key(msgspec.Struct, frozen=True):
    """A public key with the algorithms it may be used with: the one of its `alg`, else those for its type and curve."""

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKey

    def verifies(self, algorithm: str, signature: bytes, data: bytes) -> bool:
        """Say whether this key made `signature` for `data` with an algorithm that it may be used with."""
        return algorithm in self.algorithms and ALGORITHMS[algorithm].verifies(self.public_key, signature, data)


def name_of(text: str) -> str | None:
    """Read the `kid` of a JWK that need be good for nothing else; None if it has none."""
    try:
        kid = json_object.decode(text.encode()).get("kid")
    except ValueError:
        return None
    return kid if isinstance(kid, str) else None


def import_key(text: str) -> Key | None:
    """Import a JWK from its JSON text; None where it is no public key that may check signatures.

    `use`, `key_ops` and `alg` are honoured (RFC 7517, 4.2-4.4). Certificates (`x5c`) are passed over: the document that
    the key is in comes from the issuer itself. So are private members, which do not belong into a registry.
    """
    try:
        members = json_object.decode(text.encode())
        if not _for_signatures(members):
            return None
        kid = members.get("kid")
        if kid is not None and not isinstance(kid, str):
            return None
        key = _IMPORTERS[members["kty"]](members)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    algorithms = frozenset(name for name, algorithm in ALGORITHMS.items() if algorithm.takes(key))
    if "alg" in members:
        algorithms &= {members["alg"]} if isinstance(members["alg"], str) else frozenset()
    return Key(kid, algorithms, key) if algorithms else None


def _for_signatures(members: dict[str, Any]) -> bool:
    operations = members.get("key_ops", ["verify"])
    return members.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _rsa(members: dict[str, Any]) -> PublicKey:
    modulus, exponent = (int.from_bytes(_bytes(members, name), "big") for name in ("n", "e"))
    if not FEWEST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS or exponent >= MOST_RSA_EXPONENT:
        raise ValueError("too small to be safe, or too large to be fast")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _elliptic_curve(members: dict[str, Any]) -> PublicKey:
    curve, size = _CURVES[members["crv"]]
    x, y = _bytes(members, "x"), _bytes(members, "y")
    if len(x) != size or len(y) != size:
        raise ValueError("a coordinate is not as long as the curve's field")
    # Refuses a point that is not on the curve.
    return EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()


def _edwards(members: dict[str, Any]) -> PublicKey:
    return _EDWARDS[members["crv"]](_bytes(members, "x"))


def _bytes(members: dict[str, Any], name: str) -> bytes:
    value = members[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return base64url.decode(value.encode())


_EDWARDS: Final[Mapping[object, Callable[[bytes], PublicKey]]] = MappingProxyType(
    {"Ed25519": Ed25519PublicKey.from_public_bytes, "Ed448": Ed448PublicKey.from_public_bytes}
)
_IMPORTERS: Final[Mapping[object, Callable[[dict[str, Any]], PublicKey]]] = MappingProxyType(
    {"RSA": _rsa, "EC": _elliptic_curve, "OKP": _edwards}
)
