"""What a caller is told, and the log, when a provider does not do what it was asked."""

from typing import Final

import structlog

from kong_app_auth.oidc.dcr.provider import DcrFailed, FailureKind
from kong_app_auth.portal.errors import Refused, Unavailable, invalid

BUSY: Final = "Another change of this application's client is under way; try again in a moment"
MAX_PROBLEM: Final = 255

_log = structlog.get_logger()


def answer(failed: DcrFailed, field: str, source: str = "body") -> Refused:
    """Give the refusal of a request that a provider did not carry out. `field`: what of the request it is about.

    A provider's no is about the request (400). One that is away, or whose answer makes no sense, is no fault of the
    caller (503): the request can be made again.
    """
    match failed.kind:
        case FailureKind.REFUSED:
            return invalid(field, f"was refused by the identity provider: {failed.detail}", source=source)
        case FailureKind.UNKNOWN_CLIENT:
            return invalid(field, "has no client at the identity provider any more", source=source)
        case FailureKind.AMBIGUOUS:
            return Unavailable("The identity provider gave no clear answer; try again later")
        case _:
            return Unavailable("The identity provider cannot be reached, nothing was changed; try again later")


def tell(action: str, failed: DcrFailed, *, provider_id: str, application_id: str, request_id: str) -> None:
    """Put a failure into the log."""
    _log.warning(
        "identity provider failed",
        action=action,
        kind=failed.kind.value,
        problem=failed.detail[:MAX_PROBLEM],
        provider=provider_id,
        application=application_id,
        request_id=request_id,
    )
