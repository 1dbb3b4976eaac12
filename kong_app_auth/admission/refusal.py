"""Why a token, or a client's secret, lets nobody in; and which of several reasons is told."""

from typing import Final

import msgspec

from kong_app_auth.domain.decision import Deny
from kong_app_auth.domain.reasons import Reason


class Refusal(msgspec.Struct, frozen=True):
    """A refusal, with what the log learns of it: a short code, and the credential's id where the proof was good.

    `scope`: what a token would have needed (RFC 6750, 3).
    """

    deny: Deny
    detail: str | None = None
    credential_id: str | None = None
    scope: str | None = None


_ORDER: Final = (
    Reason.INVALID_TOKEN,
    Reason.UNKNOWN_CREDENTIAL,
    Reason.PROVIDER_UNAVAILABLE,
    Reason.UNKNOWN_APPLICATION,
    Reason.REGISTRY_UNAVAILABLE,
    Reason.REVOKED_CREDENTIAL,
    Reason.WRONG_STRATEGY,
    Reason.NOT_REGISTERED,
)
_RANK: Final = {reason: rank for rank, reason in enumerate(_ORDER)}


def more_telling(one: Refusal | None, other: Refusal) -> Refusal:
    """Of the refusals of two rules, give that of the one that came further; of equal ones the first."""
    if one is None:
        return other
    return other if _rank(other) > _rank(one) else one


def _rank(refusal: Refusal) -> int:
    return _RANK.get(refusal.deny.reason, len(_ORDER))
