"""Providers for dynamic client registration (`/v2/dcr-providers`)."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Labels, LabelsUpdate, Moment, Output
from kong_app_auth.portal.contract.urls import WebUrl

ProviderType = Literal["auth0", "azureAd", "curity", "okta", "http", "kongIdentity", "rfc7591"]
"""`rfc7591` is beyond Konnect: any provider with open or token-protected registration."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Setting = Annotated[str, StringConstraints(max_length=256)]
SecretSetting = Annotated[str, StringConstraints(max_length=256), Field(repr=False)]
ApiKey = Annotated[str, StringConstraints(min_length=12, max_length=256, pattern=r"^[a-zA-Z0-9_]+$"), Field(repr=False)]


class DcrConfig(Input):
    """`dcr_config`: all settings of all types. Which of them a type has, and needs, is the service's affair."""

    initial_client_id: Setting = ""
    initial_client_secret: SecretSetting = ""
    initial_client_audience: Setting | None = None
    use_developer_managed_scopes: bool = False
    dcr_token: SecretSetting = ""
    dcr_base_url: WebUrl = ""
    api_key: ApiKey = ""
    disable_event_hooks: bool = False
    disable_refresh_secret: bool = False
    allow_multiple_credentials: bool = False
    registration_endpoint: WebUrl | None = None
    initial_access_token: Annotated[str, StringConstraints(max_length=4096), Field(repr=False)] = ""


class CreateProvider(Input):
    """The body of `create-dcr-provider`."""

    provider_type: ProviderType
    name: Name
    display_name: Name = ""
    issuer: WebUrl
    dcr_config: DcrConfig = DcrConfig()
    labels: Labels = {}  # noqa: RUF012


class UpdateProvider(Input):
    """The body of `update-dcr-provider`. What is left out stays as it is."""

    name: Name = ""
    display_name: Name = ""
    issuer: WebUrl = ""
    dcr_config: DcrConfig = DcrConfig()
    labels: LabelsUpdate | None = None


class ProviderView(Output):
    """A provider, without its secrets."""

    id: str
    name: str
    display_name: str = ""
    provider_type: str
    issuer: str
    active: bool
    dcr_config: dict[str, Any]
    labels: Labels
    created_at: Moment
    updated_at: Moment


class Verification(Output):
    """What came of trying a provider's configuration."""

    status: Literal["success", "failed"]
    errors: list[str]
