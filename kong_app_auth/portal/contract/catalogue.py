"""The catalogue of a portal: what developers see of its APIs (`/api/v3/apis`)."""

from pydantic import Field

from kong_app_auth.portal.contract.apis import Attributes
from kong_app_auth.portal.contract.common import Moment, Output
from kong_app_auth.portal.contract.strategies import EmbeddedStrategyView


class CatalogueSpecification(Output):
    """A specification inside an API."""

    id: str
    type: str


class CatalogueVersionSpecification(Output):
    """What kind of specification a version has."""

    type: str


class CatalogueVersion(Output):
    """An API's current version: its specification stands for it."""

    id: str
    spec: CatalogueVersionSpecification


class CatalogueApi(Output):
    """An API as developers see it."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    version: str | None
    description: str | None
    visibility: str
    slug: str
    auth_strategies: list[EmbeddedStrategyView]
    specifications: list[CatalogueSpecification]
    current_version_summary: CatalogueVersion | None
    attributes: Attributes


class Actions(Output):
    """What a developer may do with an API."""

    view: bool
    may_register: bool = Field(alias="register")
    view_documentation: bool


class ActionsView(Output):
    """The answer of `get-api-actions`."""

    actions: Actions


class SpecificationInList(Output):
    """A specification in the list of an API's."""

    id: str
    api_type: str


class SpecificationDocument(Output):
    """A specification's document."""

    api_type: str
    content: str


class ApiApplication(Output):
    """A developer's application, and its registration with the API if it has one."""

    id: str
    name: str
    registration_id: str | None
    registration_status: str | None
    auth_strategy: EmbeddedStrategyView
    created_at: Moment
    updated_at: Moment
