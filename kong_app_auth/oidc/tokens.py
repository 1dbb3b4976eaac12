"""The whole check of a bearer JWT (RFC 7519, RFC 8725, RFC 9068) against one issuer's record; no network, no clock.

Cheap checks come first and the signature last, so that whatever is hostile costs little.
"""

from collections import OrderedDict
from collections.abc import Collection
from hashlib import sha256
from threading import Lock
from typing import Final

import msgspec

from kong_app_auth.domain.records import Issuer
from kong_app_auth.oidc.claims import Claims, times_fault, types_fault, valid_span
from kong_app_auth.oidc.jose import compact, json_object
from kong_app_auth.oidc.jose.header import Header
from kong_app_auth.oidc.jose.key_set import import_keys
from kong_app_auth.oidc.jose.outcomes import Failure, Fault, UnknownKey

ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105 - a media type
_TYPES: Final = frozenset({None, "jwt", ACCESS_TOKEN})
_REQUIRED_OF_ACCESS_TOKENS: Final = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
"""RFC 9068, 2.2."""
_MOST_CACHED_CHARACTERS: Final = 4 * 1024 * 1024


class Parsed(msgspec.Struct, frozen=True):
    """A token of good form. Nothing of it is to be believed before `verify` has given its claims."""

    issuer: str
    header: Header
    claims: Claims
    signing_input: bytes
    signature: bytes

    def __repr__(self) -> str:
        """Never show the token."""
        return "Parsed(…)"


def parse(token: str, most_characters: int = compact.MOST_CHARACTERS) -> Parsed | Failure:
    """Take a token apart: its size, its three parts, its header, its type, and a payload with an `iss`."""
    parts = compact.read(token, most_characters)
    if isinstance(parts, Failure):
        return parts
    if parts.header.type not in _TYPES:
        return Failure(Fault.TYPE_NOT_ACCEPTED)
    try:
        claims = Claims(json_object.decode(parts.payload))
    except ValueError:
        return Failure(Fault.MALFORMED_PAYLOAD)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        return Failure(Fault.MALFORMED_CLAIM)
    return Parsed(issuer, parts.header, claims, parts.signing_input, parts.signature)


def verify(
    parsed: Parsed, issuer: Issuer, algorithms: Collection[str], leeway: int, now: float
) -> Claims | Failure | UnknownKey:
    """Check a token's issuer, algorithm, claims and signature.

    `algorithms` are the strategy's; `leeway` is in seconds, `now` in Unix time. Audience and scopes are for the caller
    (`claims.is_for_audience`, `claims.has_scopes`), for they are judged by the strategy too but refused otherwise.
    """
    header, claims = parsed.header, parsed.claims
    if parsed.issuer != issuer.issuer:
        return Failure(Fault.OTHER_ISSUER)
    if header.algorithm not in algorithms:
        return Failure(Fault.ALGORITHM_NOT_ALLOWED)
    required = _REQUIRED_OF_ACCESS_TOKENS if header.type == ACCESS_TOKEN else ()
    fault = types_fault(claims, required) or times_fault(claims, leeway, now)
    if fault is not None:
        return fault
    key = import_keys(issuer.keys).find(header)
    if isinstance(key, Failure | UnknownKey):
        return key
    if not key.verifies(header.algorithm, parsed.signature, parsed.signing_input):
        return Failure(Fault.BAD_SIGNATURE)
    return claims


class _Verified(msgspec.Struct, frozen=True):
    """What is remembered of a token whose signature was good.

    `length`: the token's characters; `span`: its `valid_span`, which spares a hit to read three claims.
    """

    issuer: Issuer
    algorithm: str
    claims: Claims
    length: int
    span: tuple[float, float]


class VerifiedTokens:
    """Tokens whose signature was found good, so that it need not be checked again. Any thread may use it.

    A token is known by the SHA-256 of all its characters: another spelling, or another signature of the same claims, is
    another token. What was found holds for the one `Issuer` object it was found with: the replica gives another object
    as soon as anything of the issuer has changed, and then the token is checked anew. Everything else is checked at
    every hit: algorithm, `exp`, `nbf` and `iat`, each by the rules of the strategy that asks. Whether the application
    may still call is no part of it.

    Bounded by the characters of the tokens in it (4 MiB: some four thousand of the usual size); the one that was not
    asked for longest goes first. Refused tokens are never in it. It holds no token, only digests and claims.
    """

    def __init__(self, most_characters: int = _MOST_CACHED_CHARACTERS) -> None:
        self._most = most_characters
        self._characters = 0
        self._lock = Lock()
        self._by_digest: OrderedDict[bytes, _Verified] = OrderedDict()

    def __len__(self) -> int:
        """Count the tokens in it."""
        return len(self._by_digest)

    def check(
        self, token: str, issuer: Issuer, algorithms: Collection[str], leeway: int, now: float
    ) -> Claims | Failure | UnknownKey:
        """Do as `parse` and `verify` would, with less work where the token is known."""
        if len(token) > compact.MOST_CHARACTERS:
            return Failure(Fault.TOO_LARGE)
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._get(digest, issuer)
        if known is not None:
            if known.algorithm not in algorithms:
                return Failure(Fault.ALGORITHM_NOT_ALLOWED)
            begins, ends = known.span
            if begins <= now + leeway and now < ends + leeway:
                return known.claims
            return times_fault(known.claims, leeway, now) or known.claims
        parsed = parse(token)
        if isinstance(parsed, Failure):
            return parsed
        claims = verify(parsed, issuer, algorithms, leeway, now)
        if isinstance(claims, Claims):
            self._put(digest, _Verified(issuer, parsed.header.algorithm, claims, len(token), valid_span(claims)))
        return claims

    def _get(self, digest: bytes, issuer: Issuer) -> _Verified | None:
        with self._lock:
            known = self._by_digest.get(digest)
            if known is None or known.issuer is not issuer:
                return None
            self._by_digest.move_to_end(digest)
        return known

    def _put(self, digest: bytes, verified: _Verified) -> None:
        with self._lock:
            previous = self._by_digest.pop(digest, None)
            self._characters += verified.length - (previous.length if previous else 0)
            self._by_digest[digest] = verified
            while self._characters > self._most:
                _, oldest = self._by_digest.popitem(last=False)
                self._characters -= oldest.length
