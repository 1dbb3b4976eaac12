"""What a gateway knows of its region: one record per API, service, strategy, application and credential.

Ids are UUIDs in their canonical lower-case text form. Times are Unix time in whole seconds. No record holds anything
personal, nor a plain key.
"""

from enum import IntEnum, StrEnum

import msgspec


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


class Strategy(msgspec.Struct, frozen=True, array_like=True):
    """An auth strategy. `key_names` are header (and query) names; only `KEY_AUTH` has them."""

    id: str
    name: str
    type: StrategyType
    key_names: tuple[str, ...] = ()


class Application(msgspec.Struct, frozen=True, array_like=True):
    """An application with its registrations by API id. `developer_id` is None where a team owns it."""

    id: str
    portal_id: str
    strategy_id: str
    developer_id: str | None = None
    developer_revoked: bool = False
    registrations: dict[str, RegistrationState] = {}


class Credential(msgspec.Struct, frozen=True):
    """An API key, found by the SHA-256 of its text. `expires_at` None: never."""

    id: str
    application_id: str
    state: CredentialState = CredentialState.ACTIVE
    expires_at: int | None = None
