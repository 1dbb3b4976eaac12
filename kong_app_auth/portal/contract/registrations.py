"""Registrations of applications with APIs."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output, Reference, Status, UuidText

MAX_FIELDS: Final = 50
MAX_ANSWER: Final = 1000
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Answer = Annotated[str, StringConstraints(max_length=MAX_ANSWER)]
Answers = Annotated[dict[FieldName, Answer], Field(max_length=MAX_FIELDS)]


class CreateRegistration(Input):
    """The body of the operators' `create-application-registration`. Without `status`, auto-approval says."""

    api_id: UuidText
    status: Literal["approved", "pending"] | None = None


class UpdateRegistration(Input):
    """The body of `update-application-registration`. `reason` is beyond Konnect: what the applicant is told."""

    status: Status | None = None
    reason: Annotated[str | None, StringConstraints(min_length=1, max_length=1000)] = None


class SetConsumer(Input):
    """The body of `update-application-registration-consumer`."""

    id: UuidText


class CreateOwnRegistration(Input):
    """The body of the developers' `create-application-registration`.

    `fields` is beyond Konnect: answers to the portal's own fields, by name.
    """

    api_id: UuidText
    fields: Answers = {}  # noqa: RUF012


class RegisteredApi(Output):
    """The API of a registration."""

    id: str
    name: str
    version: str | None
    entity_type: str


class RegisteredApplication(Output):
    """The application of a registration."""

    id: str
    name: str


class ConsumerView(Reference):
    """The Kong consumer that a gateway takes an application for."""

    control_plane_id: str


class RegistrationView(Output):
    """A registration as operators see it."""

    id: str
    created_at: Moment
    updated_at: Moment
    status: str
    api: RegisteredApi
    application: RegisteredApplication
    consumer: ConsumerView | None = None


class OwnRegistrationView(Output):
    """A registration as the application's owner sees it."""

    id: str
    created_at: Moment
    updated_at: Moment
    status: str
    api_name: str
    api_id: str
    api_slug: str
    application_id: str


class AnswerView(Output):
    """What an applicant wrote into one of the portal's own fields."""

    name: str
    label: str
    value: str


class AnswersView(Output):
    """Beyond Konnect: what the applicant wrote, and the reason that the approver gave."""

    data: list[AnswerView]
    reason: str | None
