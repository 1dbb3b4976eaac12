"""What a gateway knows of its region: one record per API, service, strategy, application and credential.

Ids are UUIDs in their canonical lower-case text form. Times are Unix time in whole seconds. No record holds anything
personal, nor a plain key.
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

BEARER: Final = "bearer"
CLIENT_CREDENTIALS: Final = "client_credentials"
INTROSPECTION: Final = "introspection"
"""The values of `auth_methods` that grant something, by the names of Kong's openid-connect plugin."""

DEFAULT_CREDENTIAL_CLAIMS: Final = ("azp", "client_id", "appid", "sub")
DEFAULT_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""The JWS algorithms (RFC 7518, 3.1; RFC 8037) that a strategy can allow: all by asymmetric keys."""
DEFAULT_LEEWAY: Final = 5
DEFAULT_CACHE_TTL: Final = 60


class StrategyType(StrEnum):
    """How the applications of a strategy authenticate (Konnect's `strategy_type`)."""

    KEY_AUTH = "key_auth"
    OPENID_CONNECT = "openid_connect"


class RegistrationState(IntEnum):
    """Where a registration of an application with an API stands; only `APPROVED` passes traffic."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3
    REVOKED = 4


class CredentialState(IntEnum):
    """Whether a credential may be used."""

    ACTIVE = 1
    REVOKED = 2


class Acceptance(msgspec.Struct, frozen=True, array_like=True):
    """One publication of an API: applications of `portal_id` that hold `strategy_id` may register there."""

    portal_id: str
    strategy_id: str


class Api(msgspec.Struct, frozen=True, array_like=True):
    """An API (Weather API v1) and the publications through which applications may use it."""

    id: str
    name: str
    version: str
    accepts: tuple[Acceptance, ...] = ()


class Service(msgspec.Struct, frozen=True, array_like=True):
    """The implementation of an API by a Gateway Service of Kong: one API a service, one service an API."""

    id: str
    api_id: str


class OpenIdConnect(msgspec.Struct, frozen=True, array_like=True):
    """How tokens are taken, in the words of Kong's openid-connect plugin.

    - `issuer` is the id of an `Issuer`: what was configured, without `/.well-known/openid-configuration`.
    - `credential_claims` are tried in turn for the client id; one with dots that no claim has as its name is a path.
    - `auth_methods`: `bearer`, `client_credentials` and `introspection`; others grant nothing.
    - `scopes` and `audience` are asked for when a client's id and secret are exchanged for a token.
    - `scopes_required`: every scope of one of the entries, which are separated by blanks. None: no check.
    - `audience_required`: one of them. None: no check.
    - `leeway`: seconds that clocks may differ, for `exp`, `nbf` and `iat`.
    - `cache_ttl`: seconds that the answer of an introspection is good for at most.
    """

    issuer: str
    credential_claims: tuple[str, ...] = DEFAULT_CREDENTIAL_CLAIMS
    auth_methods: tuple[str, ...] = (BEARER,)
    scopes: tuple[str, ...] = ()
    scopes_required: tuple[str, ...] = ()
    audience_required: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    leeway: int = DEFAULT_LEEWAY
    cache_ttl: int = DEFAULT_CACHE_TTL


class Strategy(msgspec.Struct, frozen=True, array_like=True):
    """An auth strategy. `key_names` are header (and query) names; only `KEY_AUTH` has them.

    Only `OPENID_CONNECT` has `openid_connect`; without it such a strategy accepts nobody.
    """

    id: str
    name: str
    type: StrategyType
    key_names: tuple[str, ...] = ()
    openid_connect: OpenIdConnect | None = None


class Application(msgspec.Struct, frozen=True, array_like=True):
    """An application with its registrations by API id. `developer_id` is None where a team owns it.

    `consumers`: the ids of the consumers of Kong that it counts as, by API id.
    """

    id: str
    portal_id: str
    strategy_id: str
    developer_id: str | None = None
    developer_revoked: bool = False
    registrations: dict[str, RegistrationState] = {}
    consumers: dict[str, str] = {}


class Credential(msgspec.Struct, frozen=True):
    """An API key, found by the SHA-256 of its text. `expires_at` None: never."""

    id: str
    application_id: str
    state: CredentialState = CredentialState.ACTIVE
    expires_at: int | None = None


class Client(msgspec.Struct, frozen=True, array_like=True):
    """An OAuth client of an application, under `client_key` of its strategy and client id.

    `credential_id` is the portal's credential for it, or the application's id where its developer brought the client.
    """

    id: str
    credential_id: str
    application_id: str
    state: CredentialState = CredentialState.ACTIVE

    @property
    def client_id(self) -> str:
        """What the identity provider calls it."""
        return self.id.partition(":")[2]


class Issuer(msgspec.Struct, frozen=True, array_like=True):
    """An identity provider as its documents describe it (OpenID Connect Discovery 1.0, RFC 7517).

    `id` is how strategies name it, `issuer` what its tokens say. `keys` are its public JWKs, each as JSON text.
    `fetched_at`: when these were fetched for the first time.
    """

    id: str
    issuer: str
    keys: tuple[str, ...] = ()
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    fetched_at: int = 0


def client_key(strategy_id: str, client_id: str) -> str:
    """Name an OAuth client within a region: two strategies may know different clients by the same id."""
    return f"{strategy_id}:{client_id}"
