"""The signature algorithms (RFC 7518, 3; RFC 8037), each with the one family of keys that it takes.

All are asymmetric. `HS…` and `none` are not in the table, so nothing in a configuration or a token can bring them in.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey


class Algorithm(Protocol):
    """One way to check a signature."""

    def takes(self, key: PublicKey) -> bool:
        """Say whether a key is of the type, and on the curve, that the algorithm is for."""
        ...

    def verifies(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Say whether `key`, which `takes` let through, made `signature` for `data`."""
        ...


class Rsa(msgspec.Struct, frozen=True):
    """`RS…` and `PS…`. The length is checked here: a short signature would be filled up with zeros."""

    padding: AsymmetricPadding
    digest: HashAlgorithm

    def takes(self, key: PublicKey) -> bool:
        """RSA keys."""
        return isinstance(key, RSAPublicKey)

    def verifies(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Check a signature that is as long as the modulus."""
        if not isinstance(key, RSAPublicKey) or len(signature) != (key.key_size + 7) // 8:
            return False
        try:
            key.verify(signature, data, self.padding, self.digest)
        except InvalidSignature:
            return False
        return True


class EllipticCurve(msgspec.Struct, frozen=True):
    """`ES…`: r and s side by side, each as long as the curve's field; never DER (RFC 7518, 3.4)."""

    curve: str
    size: int
    digest: ECDSA

    def takes(self, key: PublicKey) -> bool:
        """Keys on the one curve of the algorithm."""
        return isinstance(key, EllipticCurvePublicKey) and key.curve.name == self.curve

    def verifies(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Check a signature; r and s of 0, or of the group's order and more, are refused by the library."""
        if not isinstance(key, EllipticCurvePublicKey) or len(signature) != 2 * self.size:
            return False
        r, s = int.from_bytes(signature[: self.size], "big"), int.from_bytes(signature[self.size :], "big")
        try:
            key.verify(encode_dss_signature(r, s), data, self.digest)
        except InvalidSignature:
            return False
        return True


class Edwards(msgspec.Struct, frozen=True):
    """`EdDSA`: Ed25519 and Ed448; the key's curve decides which (RFC 8037, 3.1)."""

    def takes(self, key: PublicKey) -> bool:
        """Keys on either curve."""
        return isinstance(key, Ed25519PublicKey | Ed448PublicKey)

    def verifies(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Check a signature; the library refuses one of another length and an S beyond the order."""
        if not isinstance(key, Ed25519PublicKey | Ed448PublicKey):
            return False
        try:
            key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


def _pss(digest: HashAlgorithm) -> Rsa:
    """RSASSA-PSS as RFC 7518, 3.5 has it: one digest for all, the salt as long as it."""
    return Rsa(PSS(MGF1(digest), digest.digest_size), digest)


ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        "RS256": Rsa(PKCS1v15(), SHA256()),
        "RS384": Rsa(PKCS1v15(), SHA384()),
        "RS512": Rsa(PKCS1v15(), SHA512()),
        "PS256": _pss(SHA256()),
        "PS384": _pss(SHA384()),
        "PS512": _pss(SHA512()),
        "ES256": EllipticCurve("secp256r1", 32, ECDSA(SHA256())),
        "ES384": EllipticCurve("secp384r1", 48, ECDSA(SHA384())),
        "ES512": EllipticCurve("secp521r1", 66, ECDSA(SHA512())),
        "EdDSA": Edwards(),
    }
)
