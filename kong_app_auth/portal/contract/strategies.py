"""Auth strategies (`/v2/application-auth-strategies`), and how applications and the catalogue show them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from kong_app_auth.domain.openid_connect import AUTH_METHODS, CLAIMS, SCOPES
from kong_app_auth.portal.contract.common import Input, Labels, LabelsUpdate, Moment, Output, UuidText
from kong_app_auth.portal.contract.urls import WebUrl

StrategyType = Literal["key_auth", "openid_connect"]
CredentialType = Literal["key_auth", "client_credentials", "self_managed_client_credentials"]
TtlUnit = Literal["days", "weeks", "years"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
DisplayName = Annotated[str, StringConstraints(max_length=256)]
KeyNames = Annotated[list[Annotated[str, StringConstraints(max_length=256)]], Field(min_length=1, max_length=10)]
Claims = Annotated[
    list[Annotated[str, StringConstraints(max_length=CLAIMS.characters)]], Field(max_length=CLAIMS.entries)
]
Scopes = Annotated[
    list[Annotated[str, StringConstraints(max_length=SCOPES.characters)]], Field(max_length=SCOPES.entries)
]
Methods = Annotated[
    list[Annotated[str, StringConstraints(max_length=AUTH_METHODS.characters)]], Field(max_length=AUTH_METHODS.entries)
]


class TtlInput(Input):
    """How long keys are good for. The longest span is the service's affair, for it depends on the unit."""

    value: Annotated[int, Field(ge=1)]
    unit: TtlUnit


class Principals(Input):
    """Konnect's application principals: kept, without an effect here."""

    enabled: bool


class KeyAuthConfig(Input):
    """`configs.key-auth`. What is left out keeps its value, or the default; `ttl` null takes it away."""

    key_names: KeyNames = ["apikey"]  # noqa: RUF012
    ttl: TtlInput | None = None


class OidcConfig(Input):
    """`configs.openid-connect` of a new strategy. Further settings are kept as they are."""

    model_config = ConfigDict(extra="allow")

    issuer: WebUrl
    credential_claim: Claims
    scopes: Scopes
    auth_methods: Methods


class OidcUpdate(Input):
    """`configs.openid-connect` of an update. What is left out keeps its value."""

    model_config = ConfigDict(extra="allow")

    issuer: WebUrl = ""
    credential_claim: Claims = []  # noqa: RUF012
    scopes: Scopes = []  # noqa: RUF012
    auth_methods: Methods = []  # noqa: RUF012


class Configs(Input):
    """`configs` of a new strategy: the one that its type names."""

    key_auth: Annotated[KeyAuthConfig | None, Field(alias="key-auth")] = None
    openid_connect: Annotated[OidcConfig | None, Field(alias="openid-connect")] = None


class ConfigsUpdate(Input):
    """`configs` of an update: the one of the strategy's type."""

    key_auth: Annotated[KeyAuthConfig | None, Field(alias="key-auth")] = None
    openid_connect: Annotated[OidcUpdate | None, Field(alias="openid-connect")] = None


class CreateStrategy(Input):
    """The body of `create-app-auth-strategy` and `replace-app-auth-strategy`."""

    name: Name
    display_name: DisplayName
    strategy_type: StrategyType
    configs: Configs
    dcr_provider_id: UuidText | None = None
    labels: Labels = {}  # noqa: RUF012
    principals: Principals = Principals(enabled=False)


class UpdateStrategy(Input):
    """The body of `update-app-auth-strategy`. What is left out stays as it is."""

    name: Name = ""
    display_name: DisplayName = ""
    configs: ConfigsUpdate = ConfigsUpdate()
    dcr_provider_id: UuidText | None = None
    labels: LabelsUpdate | None = None
    principals: Principals = Principals(enabled=False)


class Ttl(Output):
    """How long keys are good for."""

    value: int
    unit: str


class ProviderSummary(Output):
    """The DCR provider of a strategy, in short."""

    id: str
    name: str
    display_name: str
    provider_type: str


class PrincipalsView(Output):
    """Konnect's application principals."""

    enabled: bool


class StrategyView(Output):
    """An auth strategy as operators see it."""

    id: str
    name: str
    display_name: str
    strategy_type: str
    configs: dict[str, dict[str, Any]]
    active: bool
    dcr_provider: ProviderSummary | None
    labels: Labels
    created_at: Moment
    updated_at: Moment
    supports_multiple_credentials: bool
    principals: PrincipalsView


class EmbeddedStrategyView(Output):
    """An auth strategy inside an application or an API of the catalogue: `AuthStrategy` of the documents.

    `key_names` and `ttl` belong to keys; `auth_methods` and `available_scopes` to OAuth clients.
    """

    id: str
    name: str
    credential_type: str
    key_names: list[str] = []  # noqa: RUF012
    ttl: Ttl | None = None
    auth_methods: list[str] = []  # noqa: RUF012
    available_scopes: list[str] = []  # noqa: RUF012


class PortalStrategyView(EmbeddedStrategyView):
    """An auth strategy as developers see it: `PortalAuthStrategy` of the document."""

    supports_multiple_credentials: bool
