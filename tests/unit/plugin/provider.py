"""An identity provider as far as gateways see one: its record with public keys, and tokens signed with the private."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from kong_app_auth.domain.records import Issuer
from tests.unit.plugin.stage import NOW


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return b64(value.to_bytes(size, "big"))


class SigningKey:
    """A key for ES256 or RS256."""

    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._key = (
            ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
        )

    @property
    def jwk(self) -> str:
        """The public key as JSON text."""
        common = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if isinstance(self._key, rsa.RSAPrivateKey):
            numbers = self._key.public_key().public_numbers()
            return json.dumps({"kty": "RSA", "n": _number(numbers.n, 256), "e": "AQAB", **common})
        point = self._key.public_key().public_numbers()
        return json.dumps({"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32), **common})

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A compact JWS of these claims."""
        parts = [{"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt", **header}, claims]
        signed = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        else:
            r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{signed}.{b64(signature)}"


class Provider:
    """One issuer with one key."""

    def __init__(self, issuer: str, algorithm: str = "ES256") -> None:
        self.issuer = issuer
        self.key = SigningKey(f"of {issuer}", algorithm)

    def record(self, **fields: Any) -> Issuer:
        """The record of the registry."""
        return Issuer(self.issuer, self.issuer, **{"keys": (self.key.jwk,), "fetched_at": 1_800_000_000, **fields})

    def token(self, client_id: str, /, *, key: SigningKey | None = None, **claims: Any) -> str:
        """An access token of RFC 9068; a claim that is None is left out."""
        now = int(NOW)
        usual = {
            "iss": self.issuer,
            "sub": client_id,
            "client_id": client_id,
            "aud": "https://weather.example.com",
            "scope": "read",
            "iat": now,
            "exp": now + 600,
            "jti": "1",
        }
        told = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return (key or self.key).sign(told)
