"""The header of a JWS (RFC 7515, 4): what it may say, and what refuses the token whatever else it says (RFC 8725)."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from kong_app_auth.oidc.jose import base64url, json_object
from kong_app_auth.oidc.jose.algorithms import ALGORITHMS
from kong_app_auth.oidc.jose.outcomes import Failure, Fault

MOST_KID: Final = 255
"""Characters of a key's name."""
_REMEMBERED: Final = 256
_MOST_REMEMBERED_BYTES: Final = 512

# Where a token brings its own key, or a place to fetch it from, whoever wrote the token chose the key. Thumbprints
# (`x5t`, `x5t#S256`) bring nothing and are passed over.
_EMBEDDED_KEYS: Final = frozenset({"jwk", "jku", "x5u", "x5c"})
# A JWT may not have an unencoded payload (RFC 7797, 7), so `b64` has nothing to say; no extension is understood.
_CRITICAL: Final = frozenset({"crit", "b64"})
_ENCRYPTION: Final = frozenset({"enc", "zip", "epk"})
_REFUSED: Final = _EMBEDDED_KEYS | _CRITICAL | _ENCRYPTION


class Header(msgspec.Struct, frozen=True):
    """What a check needs of a header.

    `algorithm` is one of `ALGORITHMS`. `kid` is printable. `type` is `typ` in lower case, without `application/`; None
    where there is none.
    """

    algorithm: str
    kid: str | None
    type: str | None


def read(part: bytes) -> Header | Failure:
    """Read the first part of a compact JWS.

    An issuer's tokens all have the same few headers, so the last ones are remembered: reading is a pure function.
    """
    return _remembered(part) if len(part) <= _MOST_REMEMBERED_BYTES else _read(part)


def _read(part: bytes) -> Header | Failure:
    try:
        data = base64url.decode(part)
    except ValueError:
        return Failure(Fault.MALFORMED_TOKEN)
    try:
        members = json_object.decode(data)
    except ValueError:
        return Failure(Fault.MALFORMED_HEADER)
    return _judge(members)


def _judge(members: dict[str, Any]) -> Header | Failure:
    if not _REFUSED.isdisjoint(members):
        if not _EMBEDDED_KEYS.isdisjoint(members):
            return Failure(Fault.EMBEDDED_KEY)
        return Failure(Fault.ENCRYPTED if _CRITICAL.isdisjoint(members) else Fault.CRITICAL_HEADER)
    algorithm, kid = members.get("alg"), members.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return Failure(Fault.ALGORITHM_NOT_ALLOWED)
    if kid is None and "kid" in members:
        return Failure(Fault.MALFORMED_HEADER)
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MOST_KID and kid.isprintable()):
        return Failure(Fault.MALFORMED_HEADER)
    try:
        kind, content = _media_type(members, "typ"), _media_type(members, "cty")
    except TypeError:
        return Failure(Fault.MALFORMED_HEADER)
    return Failure(Fault.NESTED) if content == "jwt" else Header(algorithm, kid, kind)


def _media_type(members: dict[str, Any], name: str) -> str | None:
    """A media type, whose case and `application/` mean nothing (RFC 7515, 4.1.9); TypeError if it is no text."""
    if name not in members:
        return None
    value = members[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value.lower().removeprefix("application/")


_remembered = lru_cache(maxsize=_REMEMBERED)(_read)
