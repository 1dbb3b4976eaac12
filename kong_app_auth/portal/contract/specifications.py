"""Specifications of APIs (`/v3/apis/{apiId}/specifications`)."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, NotNull, Output

SpecificationType = Literal["oas2", "oas3", "asyncapi"]
Content = Annotated[str, StringConstraints(min_length=1)]
"""The text of a document. The limit of bodies is its limit."""


class CreateSpecification(Input):
    """The body of `create-api-spec`. The type need not be given: the content says it."""

    content: Content
    type: Annotated[SpecificationType | None, NotNull] = None


class UpdateSpecification(Input):
    """The body of `update-api-spec`."""

    content: Content = ""
    type: Annotated[SpecificationType | None, NotNull] = None


class ValidationMessage(Output):
    """Something that is wrong with a document."""

    message: str


class SpecificationView(Output):
    """A specification with its content."""

    id: str
    content: str
    validation_messages: list[ValidationMessage]
    type: str
    created_at: Moment
    updated_at: Moment


class SpecificationSummary(Output):
    """A specification in a list."""

    id: str
    type: str
    created_at: Moment
    updated_at: Moment
