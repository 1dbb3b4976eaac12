"""APIs (`/v3/apis`) and their registrations."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.contract.common import Input, Labels, LabelsUpdate, Moment, Output
from kong_app_auth.portal.store import ids

MAX_ATTRIBUTES = 50
_SLUG = re.compile(r"[\w-]{1,255}")
_ATTRIBUTE_KEY = re.compile(r"[a-z0-9_-]{1,63}")


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise PydanticCustomError(
            "string_pattern_mismatch", "must be 1 to 255 letters, digits, hyphens and underscores"
        )
    if ids.canonical(text) is not None:
        raise PydanticCustomError("reserved", "must not look like an id")
    return text


def _attribute_key(text: str) -> str:
    # The document says it in words only.
    if not _ATTRIBUTE_KEY.fullmatch(text):
        raise PydanticCustomError(
            "attribute_key", "must be 1 to 63 lower-case letters, digits, hyphens and underscores"
        )
    return text


ApiName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Slug = Annotated[str, AfterValidator(_slug)]
AttributeKey = Annotated[str, AfterValidator(_attribute_key)]
AttributeValue = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^,<>]*$")]
AttributeValues = Annotated[list[AttributeValue], Field(min_length=1, max_length=20)]
Attributes = dict[str, list[str]]
AttributesUpdate = Annotated[dict[AttributeKey, AttributeValues | None], Field(max_length=MAX_ATTRIBUTES)]
"""Attributes to set; null takes one away."""


class _Described(Input):
    """What an API can be told, at its making or later."""

    description: str | None = None
    version: ApiName | None = None
    slug: Slug | None = None
    attributes: AttributesUpdate = {}  # noqa: RUF012


class CreateApi(_Described):
    """The body of `create-api`. `spec_content`: the text of its specification."""

    name: ApiName
    labels: Labels = {}  # noqa: RUF012
    spec_content: str = ""


class UpdateApi(_Described):
    """The body of `update-api`."""

    name: ApiName = ""
    labels: LabelsUpdate | None = None


class VersionSpecification(Output):
    """What kind of specification a version has."""

    type: str


class VersionSummary(Output):
    """An API's version in short: its specification stands for it."""

    id: str
    version: str
    spec: VersionSpecification
    created_at: Moment
    updated_at: Moment


class PublishingPortal(Output):
    """A portal in which an API is published."""

    id: str
    name: str
    display_name: str


class ApiView(Output):
    """An API as operators see it."""

    id: str
    name: str
    description: str | None
    version: str | None
    current_version_summary: VersionSummary | None
    slug: str
    api_spec_ids: list[str]
    portals: list[PublishingPortal]
    labels: Labels
    implementation_mode: str | None
    attributes: Attributes
    created_at: Moment
    updated_at: Moment


class RegistrationPortal(Output):
    """The portal of a registration."""

    id: str
    name: str


class Owner(Output):
    """Whose an application is: a developer's or a team's (`type`)."""

    type: str
    id: str


class RegisteredApplication(Output):
    """The application of a registration."""

    id: str
    name: str
    description: str = ""
    owner: Owner


class ApiRegistrationView(Output):
    """A registration in the list of an API's."""

    id: str
    status: str
    portal: RegistrationPortal
    application: RegisteredApplication
