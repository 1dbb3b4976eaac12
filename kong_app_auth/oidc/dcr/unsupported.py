# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""What a provider cannot do, said the same way by every adapter."""

from kong_app_auth.oidc.dcr.provider import DcrFailed, Event, FailureKind, RegisteredClient, Registration


def refused(what: str) -> DcrFailed:
    """Give the error of a call that this type of provider has not."""
    return DcrFailed(f"cannot {what}", FailureKind.REFUSED)


class OneSecret:
    """Of providers whose clients have one secret at a time."""

    def add_secret(self, client_id: str, registration: Registration | None, name: str) -> RegisteredClient:
        """Refuse: raises DcrFailed."""
        raise refused("give a client a second secret")

    def delete_secret(self, client_id: str, registration: Registration | None, secret_id: str) -> None:
        """Refuse: raises DcrFailed."""
        raise refused("take a secret from a client")


class NoHooks:
    """Of providers that want to know of no events."""

    def event(self, client_id: str, event: Event) -> None:
        """Do nothing."""
