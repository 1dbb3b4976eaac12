"""Publications of APIs in portals."""

from typing import Annotated

from pydantic import Field

from kong_app_auth.portal.contract.common import Input, Moment, Output, UuidText, Visibility

StrategyIds = Annotated[list[UuidText], Field(min_length=1, max_length=1)]


class PutPublication(Input):
    """The body of `publish-api-to-portal`.

    `auth_strategy_ids` left out: the portal's default strategy; null: no authentication.
    """

    auto_approve_registrations: bool = False
    auth_strategy_ids: StrategyIds | None = None
    visibility: Visibility = "private"


class PublicationView(Output):
    """A publication."""

    auto_approve_registrations: bool
    auth_strategy_ids: list[str] | None
    visibility: str
    warnings: list[str]
    created_at: Moment
    updated_at: Moment


class PublicationOfApi(PublicationView):
    """A publication in the list of all."""

    api_id: str
    portal_id: str
    entity_type: str


class PublicationOfPortal(PublicationView):
    """A publication in the list of a portal's."""

    api_id: str
    portal_ids: list[str]
    entity_type: str
