"""Applications, as operators (`/v3/portals/{id}/applications`) and developers (`/api/v3/applications`) see them."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.contract.common import Input, LabelsUpdate, Moment, NotNull, Output, Reference, UuidText
from kong_app_auth.portal.contract.strategies import EmbeddedStrategyView, PortalStrategyView

MAX_SCOPES: Final = 50
MAX_URI: Final = 2048
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):[!-~]+", re.ASCII)
_NEVER: Final = frozenset({"about", "blob", "data", "file", "javascript", "vbscript"})
"""Schemes that make a browser do something else than call an application back."""


def redirect_uri(text: str) -> str:
    """Give `text` if it is an absolute URI without a fragment (RFC 6749, section 3.1.2)."""
    found = _URI.fullmatch(text)
    if found is None or "#" in text or found["scheme"].lower() in _NEVER:
        raise PydanticCustomError("invalid_uri", "must be an absolute URI without a fragment")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Description = Annotated[str, StringConstraints(max_length=255)]
ClientId = Annotated[str, StringConstraints(max_length=255)]
RedirectUri = Annotated[str, StringConstraints(max_length=MAX_URI), AfterValidator(redirect_uri)]
Scopes = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=128)]], Field(max_length=MAX_SCOPES)]


class Owner(Input):
    """Who an application belongs to."""

    type: Literal["developer", "team"]
    id: UuidText


class CreateApplicationForOwner(Input):
    """The body of the operators' `create-application`."""

    name: Name
    description: Description | None = None
    labels: LabelsUpdate | None = None
    dcr_client_id: ClientId | None = None
    client_id: ClientId | None = None
    auth_strategy_id: UuidText | None = None
    owner: Owner


class UpdateApplicationOwner(Input):
    """The body of the operators' `update-application`."""

    owner: Annotated[Owner | None, NotNull] = None


class CreateOwnApplication(Input):
    """The body of the developers' `create-application`. `team_id`: a team that shall own it."""

    name: Name
    client_id: ClientId | None = None
    redirect_uri: RedirectUri | None = None
    description: Description | None = None
    auth_strategy_id: UuidText | None = None
    scopes: Scopes = []  # noqa: RUF012
    team_id: UuidText | None = None


class UpdateOwnApplication(Input):
    """The body of the developers' `update-application`. `team_id` null: it becomes the developer's own."""

    name: Name = ""
    client_id: ClientId = ""
    redirect_uri: RedirectUri | None = None
    description: Description = ""
    scopes: Scopes = []  # noqa: RUF012
    team_id: UuidText | None = None


class OwnerView(Output):
    """Who an application belongs to."""

    type: str
    id: str


class ApplicationView(Output):
    """An application as operators see it. `client_id`, `dcr_provider` and `granted_scopes`: OAuth only."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    description: str | None
    labels: dict[str, str]
    client_id: str = ""
    registration_count: int
    dcr_provider: Reference | None = None
    portal: Reference
    auth_strategy: EmbeddedStrategyView
    granted_scopes: list[str] | None = None
    owner: OwnerView


class OwnApplicationView(Output):
    """An application as its owner sees it."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    description: str | None
    redirect_uri: str | None
    client_id: str = ""
    auth_strategy: PortalStrategyView
    scopes: list[str] = []  # noqa: RUF012
    team_id: str | None


class NewOwnApplicationView(OwnApplicationView):
    """An application as it is made: the only time that the secret of its client is shown."""

    client_secret: Annotated[str, Field(repr=False)] = ""


class GrantedScopesView(Output):
    """The scopes that an application's client was granted by its DCR provider."""

    scopes: list[str]


class ApplicationDeveloperView(Output):
    """A developer who can reach an application."""

    id: str
    email: str
    full_name: str
