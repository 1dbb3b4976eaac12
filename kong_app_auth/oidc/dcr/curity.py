# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""Curity Identity Server: RFC 7591 with an initial token of scope `dcr`, which can be used once.

The documents are https://curity.io/resources/learn/using-dynamic-client-registration and
https://curity.io/resources/learn/dynamic-client-registration-management. By the second, reading or updating a client
replaces the client's secret and its registration access token. So nothing is read or updated here, and `new_secret` is
a read; one whose answer is lost leaves a client that nobody can manage any more, except with the scope `dcrm`, which
the initial client is not asked to have.
"""

from kong_app_auth.oidc.dcr.access_token import ClientCredentials
from kong_app_auth.oidc.dcr.calls import Calls
from kong_app_auth.oidc.dcr.provider import (
    Capabilities,
    ClientRequest,
    DcrFailed,
    FailureKind,
    RegisteredClient,
    Registration,
)
from kong_app_auth.oidc.dcr.rfc7591 import Metadata, Rfc7591, registered
from kong_app_auth.oidc.dcr.unsupported import refused


class Curity(Rfc7591):
    """The adapter of type `curity`."""

    capabilities = Capabilities(new_secret=True, reads=False, updates=False, needs_registration=True)

    def __init__(self, calls: Calls, issuer: str, client_id: str, client_secret: str) -> None:
        metadata = Metadata(calls, issuer)
        self._tokens = ClientCredentials(
            calls,
            lambda: metadata.endpoint("token_endpoint"),
            client_id,
            client_secret,
            {"scope": "dcr"},
            in_header=True,
        )
        super().__init__(
            calls,
            metadata,
            lambda: metadata.endpoint("registration_endpoint"),
            lambda: self._tokens.fresh().token,
        )

    def verify(self) -> tuple[str, ...]:
        """Ask for an initial token, and look whether it has the scope; it is not used."""
        try:
            self._metadata.endpoint("registration_endpoint")
            granted = self._tokens.fresh()
        except DcrFailed as failed:
            return (failed.detail,)
        if granted.scopes is not None and "dcr" not in granted.scopes:
            return ("does not grant the scope dcr to initial_client_id",)
        return ()

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """Refuse: reading would replace the client's secret. Raises DcrFailed."""
        raise refused("be asked for a client without replacing its secret")

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """Change nothing: that would replace the client's secret."""
        return RegisteredClient(client_id=client_id, registration=registration)

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """Read the client, which replaces its secret."""
        reply = self._managed("GET", registration, changes=True)
        client = registered(reply, registration, with_secret=False)
        try:
            return registered(reply, registration, with_secret=True)
        except DcrFailed as failed:
            raise DcrFailed(failed.detail, FailureKind.AMBIGUOUS, registration=client.registration) from None
