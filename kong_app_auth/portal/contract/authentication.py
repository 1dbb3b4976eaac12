"""How developers of a portal sign in: settings, identity providers, and the groups there that mean teams here."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.contract.common import Input, ListOf, Moment, Output, UuidText
from kong_app_auth.portal.contract.urls import WebUrl

MAX_METADATA: Final = 100_000
"""Characters of a SAML provider's metadata."""
ProviderType = Literal["oidc", "saml"]
_PRINTABLE = re.compile(r"[ -~]+", re.ASCII)
_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+", re.ASCII)


def _printable(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise PydanticCustomError("invalid", "must be printable ASCII, and not empty")
    return text


def _scope(text: str) -> str:
    if not _SCOPE_TOKEN.fullmatch(text):
        raise PydanticCustomError("invalid", "must be a scope: printable ASCII without blanks, quotes and backslashes")
    return text


def _not_empty(text: str) -> str:
    if not text:
        raise PydanticCustomError("invalid", "must not be empty")
    return text


ClientId = Annotated[str, StringConstraints(max_length=255), AfterValidator(_printable)]
ClientSecret = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_printable), Field(repr=False)]
Scope = Annotated[str, StringConstraints(max_length=128), AfterValidator(_scope)]
"""A scope token: RFC 6749, section 3.3."""
Scopes = Annotated[list[Scope], Field(max_length=50)]
Claim = Annotated[str, StringConstraints(max_length=255), AfterValidator(_not_empty)]
Group = Annotated[str, StringConstraints(max_length=255), AfterValidator(_not_empty)]
Metadata = Annotated[str, StringConstraints(max_length=MAX_METADATA), AfterValidator(_not_empty)]


class ClaimMappings(Input):
    """Which claim of an ID token is what. What is left out keeps its value, or the default."""

    name: Claim = "name"
    email: Claim = "email"
    groups: Claim = "groups"


class UpdateSettings(Input):
    """The body of `update-portal-authentication-settings`.

    The `oidc_…` fields are Konnect's older way to tell of the portal's OIDC identity provider.
    """

    basic_auth_enabled: bool = True
    oidc_auth_enabled: bool = False
    saml_auth_enabled: bool = False
    oidc_team_mapping_enabled: bool = False
    konnect_mapping_enabled: bool = False
    idp_mapping_enabled: bool = False
    oidc_issuer: WebUrl = ""
    oidc_client_id: ClientId = ""
    oidc_client_secret: ClientSecret = ""
    oidc_scopes: Scopes = []  # noqa: RUF012
    oidc_claim_mappings: ClaimMappings = ClaimMappings()


class OidcConfigView(Output):
    """A portal's OIDC identity provider as the older settings show it."""

    issuer: str
    client_id: str
    scopes: list[str]
    claim_mappings: dict[str, str]


class SettingsView(Output):
    """The authentication settings of a portal. `oidc_config` is there where an OIDC identity provider is."""

    basic_auth_enabled: bool
    oidc_auth_enabled: bool
    saml_auth_enabled: bool
    oidc_team_mapping_enabled: bool
    idp_mapping_enabled: bool
    konnect_mapping_enabled: bool
    oidc_config: OidcConfigView | None = None


class ProviderConfig(Input):
    """`config` of an identity provider: the first five fields for OIDC, one of the last two for SAML."""

    issuer_url: WebUrl = ""
    client_id: ClientId = ""
    client_secret: ClientSecret = ""
    scopes: Scopes = []  # noqa: RUF012
    claim_mappings: ClaimMappings = ClaimMappings()
    idp_metadata_url: WebUrl = ""
    idp_metadata_xml: Metadata = ""


class CreateProvider(Input):
    """The body of `create-portal-identity-provider`. The document requires nothing; the service does."""

    type: ProviderType | None = None
    config: ProviderConfig = ProviderConfig()
    enabled: bool = False


class UpdateProvider(Input):
    """The body of `update-portal-identity-provider`. What is left out keeps its value."""

    enabled: bool = False
    config: ProviderConfig = ProviderConfig()


class ProviderView(Output):
    """An identity provider. Its client's secret is never shown."""

    id: str
    type: str
    enabled: bool
    config: dict[str, Any]
    created_at: Moment
    updated_at: Moment


class CreateMapping(Input):
    """The body of `create-portal-idp-team-group-mapping`."""

    team_id: UuidText
    group: Group


class MappingView(Output):
    """A group at an identity provider whose members are in a team."""

    id: str
    team_id: str
    group: str
    created_at: Moment
    updated_at: Moment


class TeamGroups(Input):
    """All groups that mean a team. Where they are left out, they stay as they are."""

    team_id: UuidText | None = None
    groups: Annotated[list[Group], Field(max_length=100)] = []  # noqa: RUF012


class UpdateTeamGroups(Input):
    """The body of `update-portal-team-group-mappings`: the groups of each team that is named are replaced."""

    data: Annotated[list[TeamGroups], Field(max_length=100)] = []  # noqa: RUF012


class TeamGroupsView(Output):
    """All groups that mean a team."""

    team_id: str
    groups: list[str]


TeamGroupsList = ListOf[TeamGroupsView]
