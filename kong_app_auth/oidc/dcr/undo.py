"""Making a client in several steps: a step that fails leaves no half-made client behind, if that can be had."""

from collections.abc import Callable
from typing import TypeVar

from kong_app_auth.oidc.dcr.provider import DcrFailed, FailureKind

T = TypeVar("T")


def finished_or_undone(steps: Callable[[], T], undo: Callable[[], None]) -> T:
    """Do the steps that follow the making of a client; where one fails, delete the client.

    Raises DcrFailed: that of the step once the client is deleted (UNREACHABLE in place of AMBIGUOUS, for nothing is
    left then), else AMBIGUOUS, for the client is still there.
    """
    try:
        return steps()
    except DcrFailed as failed:
        try:
            undo()
        except DcrFailed:
            raise DcrFailed(
                f"{failed.detail}; the client that was made could not be deleted again", FailureKind.AMBIGUOUS
            ) from None
        kind = FailureKind.UNREACHABLE if failed.kind is FailureKind.AMBIGUOUS else failed.kind
        raise DcrFailed(failed.detail, kind, failed.retry_after) from None
