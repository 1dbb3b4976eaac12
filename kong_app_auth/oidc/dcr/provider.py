"""What every provider for dynamic client registration can do, and how it fails.

The adapters are in the modules beside this one; `kong_app_auth.oidc.dcr.providers.provider_for` makes the one that a
provider's record names. All calls block, use the network, and may be made by several threads at once.

A caller does, in this order:

1. keeps in its own record that a client is wanted, then calls `create`;
2. DcrFailed REFUSED or UNREACHABLE: no client was made. AMBIGUOUS: one may have been. Where
   `Capabilities.finds_by_reference`, calling `create` again with the same reference finds that one and takes it over;
   elsewhere a client without an application may be left at the provider, and only a person can delete it;
3. keeps `RegisteredClient.registration` (sealed) of every answer in place of the former one, for providers rotate it.
"""

import enum
from typing import Protocol

import msgspec


class FailureKind(enum.StrEnum):
    """What is known of a call that failed."""

    REFUSED = "refused"
    """The provider said no; nothing was changed. The same call again would be refused too."""
    UNKNOWN_CLIENT = "unknown_client"
    """The provider has no such client (any more); nothing was changed. `delete` never fails with it."""
    UNREACHABLE = "unreachable"
    """The provider could not be asked, or is too busy; nothing was changed. The same call may work later."""
    AMBIGUOUS = "ambiguous"
    """It was asked, and whether it did it is unknown: a time-out, a cut connection, a 5xx, an answer without sense."""


class DcrFailed(Exception):  # noqa: N818  says what it is
    """A call to a provider came to nothing, as far as is known.

    `detail` is a clause for operators, of which the provider is the subject. It holds no secret, and no more of the
    provider's answer than a short, printable error code or description. `retry_after`: seconds that the provider asked
    us to wait. `registration`: rotated by the provider before the call failed, to be kept in place of the former one.
    """

    def __init__(
        self,
        detail: str,
        kind: FailureKind,
        retry_after: int | None = None,
        registration: "Registration | None" = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.kind = kind
        self.retry_after = retry_after
        self.registration = registration


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider can do, so that callers need not know its type."""

    multiple_credentials: bool = False
    """`add_secret` and `delete_secret` work: a client has several secrets at once."""
    max_credentials: int | None = None
    """How many secrets a client has at most; None where not known to be limited."""
    new_secret: bool = False
    """`new_secret` works: it replaces all secrets of a client by one."""
    granted_scopes: bool = False
    """`read` tells which scopes the client was granted, and `ClientRequest.scopes` may be the developer's choice."""
    event_hooks: bool = False
    """`event` tells the provider something. Elsewhere it does nothing."""
    finds_by_reference: bool = False
    """`create` first looks for a client that carries the reference, and takes it over; a repetition makes no second."""
    reads: bool = True
    """`read` can say whether a client is there, given its registration where the provider uses those."""
    updates: bool = True
    """`update` changes the client. Elsewhere it does nothing but give the client back (a bridge is told by `event`)."""
    needs_registration: bool = False
    """`read`, `update` and `delete` are possible only with the Registration that `create` gave."""


class Registration(msgspec.Struct, frozen=True):
    """How one client is managed (RFC 7592, section 3): secret, to be kept sealed. msgspec encodes and decodes it."""

    client_uri: str
    access_token: str

    def __repr__(self) -> str:
        return f"Registration(client_uri={self.client_uri!r})"


class ClientRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The client that an application wants.

    `reference` is the application's id: it marks the client at the provider. `scopes`: those asked for, the developer's
    choice where `Capabilities.granted_scopes`, else the strategy's; `audiences`: the strategy's, at which those scopes
    are granted (Auth0 gives a client no token for an audience at which it has no grant). Both are without effect where
    the provider grants nothing by itself. The identifiers at the end are for the HTTP bridge, which gets them all.
    """

    reference: str
    client_name: str
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("client_credentials",)
    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    token_endpoint_auth_method: str = "client_secret_basic"  # noqa: S105 the name of a method
    application_description: str = ""
    portal_id: str = ""
    organization_id: str = ""
    developer_id: str = ""
    auth_strategy_id: str = ""
    dcr_provider_id: str = ""


class RegisteredClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client as the provider has it after a call."""

    client_id: str
    client_secret: str | None = None
    """The secret that this call made, shown this once. None where it made none."""
    secret_id: str | None = None
    """What `delete_secret` calls that secret. None where the provider has one secret a client, or none was made."""
    secret_expires_at: int | None = None
    """Unix time; None: never, as far as the provider tells."""
    scopes: tuple[str, ...] | None = None
    """The scopes granted; None where the provider does not tell."""
    registration: Registration | None = None
    """To be kept in place of the former one. None where the provider uses none."""
    adopted: bool = False
    """`create` found the client of an earlier call, and gave it a new secret in place of those it had."""

    def __repr__(self) -> str:
        return f"RegisteredClient(client_id={self.client_id!r}, scopes={self.scopes!r}, adopted={self.adopted!r})"


class EventType(enum.StrEnum):
    """The events of the HTTP bridge."""

    UPDATE_APPLICATION = "update_application"
    ADD_REGISTRATION = "add_registration"
    REMOVE_REGISTRATION = "remove_registration"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an application. `api_id`: of the registration events."""

    event_type: EventType
    application_id: str
    application_name: str
    application_description: str = ""
    portal_id: str = ""
    organization_id: str = ""
    developer_id: str = ""
    api_id: str | None = None


class Provider(Protocol):
    """An identity provider at which clients are made. Every method but `verify` raises DcrFailed."""

    @property
    def capabilities(self) -> Capabilities:
        """What this provider can do with its settings."""
        ...

    def verify(self) -> tuple[str, ...]:
        """Try the settings without making a client. Gives what is wrong, in sentences for operators; () = nothing."""
        ...

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """Make the client, with its first secret; or take over the one that carries `wanted.reference`."""
        ...

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """Give the client without its secrets; None where the provider has none of this id.

        For the import of a client that the operator made: `registration` is None then, and a provider that
        `needs_registration` fails with REFUSED; so does one without `Capabilities.reads`.
        """
        ...

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """Change name, redirect addresses, description and scopes to those wanted."""
        ...

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """Replace all secrets of the client by one. REFUSED where the provider cannot (`capabilities`)."""
        ...

    def add_secret(self, client_id: str, registration: Registration | None, name: str) -> RegisteredClient:
        """Give the client one secret more, called `name` where the provider keeps names. REFUSED where it cannot."""
        ...

    def delete_secret(self, client_id: str, registration: Registration | None, secret_id: str) -> None:
        """Take one secret from the client; one that is gone already is no error. REFUSED where it cannot."""
        ...

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """Delete the client; one that is gone already is no error."""
        ...

    def event(self, client_id: str, event: Event) -> None:
        """Tell the provider of `event`, where it has hooks; elsewhere nothing happens."""
        ...
