"""What comes of a check that did not go well: a `Failure` for good, or an `UnknownKey` that a refresh may cure."""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """Codes for logs. A client never sees them, and none quotes anything of the token."""

    TOO_LARGE = "too_large"
    MALFORMED_TOKEN = "malformed_token"  # noqa: S105 - not three canonical base64url parts
    MALFORMED_HEADER = "malformed_header"
    MALFORMED_PAYLOAD = "malformed_payload"
    MALFORMED_CLAIM = "malformed_claim"
    """A claim that must be there is not, or is of another type than its definition says."""
    ALGORITHM_NOT_ALLOWED = "alg_not_allowed"
    CRITICAL_HEADER = "critical_header"
    """`crit` or `b64`: an extension that must be understood, and is not (RFC 7515, 4.1.11; RFC 7797)."""
    EMBEDDED_KEY = "embedded_key"
    """The token brings its key or says where to get it: `jwk`, `jku`, `x5u`, `x5c`."""
    ENCRYPTED = "encrypted"
    NESTED = "nested"
    TYPE_NOT_ACCEPTED = "typ_not_accepted"
    OTHER_ISSUER = "other_issuer"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    KEY_NOT_SUITABLE = "key_not_suitable"
    """The issuer has the key that the token names, but not for this algorithm, or not for signatures."""
    KEY_AMBIGUOUS = "key_ambiguous"
    """The token does not tell which of several suitable keys signed it."""
    BAD_SIGNATURE = "bad_signature"


class Failure(msgspec.Struct, frozen=True):
    """The token is refused. `detail` is a `Fault`, for logs."""

    detail: str


class UnknownKey(msgspec.Struct, frozen=True):
    """The issuer's record has no such key: it may have rotated. `kid` None: the token names none, and none suits."""

    kid: str | None
