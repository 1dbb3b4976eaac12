"""Beyond Konnect: a portal's own fields on registrations (`/v3/portals/{id}/registration-fields`)."""

from typing import Annotated

from pydantic import StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Description = Annotated[str, StringConstraints(max_length=1000)]


class CreateRegistrationField(Input):
    """A new field. `name` is what answers are sent under, `label` what people read."""

    name: Name
    label: Label
    description: Description | None = None
    required: bool = False


class UpdateRegistrationField(Input):
    """What changes of a field. Its name stays: answers are kept under it."""

    label: Label = ""
    description: Description | None = None
    required: bool = False


class RegistrationFieldView(Output):
    """A field as operators see it."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    label: str
    description: str | None
    required: bool


class AskedFieldView(Output):
    """A field as applicants are asked it."""

    name: str
    label: str
    description: str | None
    required: bool
