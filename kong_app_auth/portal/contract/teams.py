"""Teams of a portal (`/v3/portals/{portalId}/teams`), their members and their roles."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.contract.common import Input, Moment, Output, UuidText
from kong_app_auth.portal.store import ids

Name = Annotated[str, StringConstraints(min_length=1, max_length=250)]
ALL_APIS: Final = "*"
"""The `entity_id` of a role on all APIs: beyond Konnect, whose roles are on one API each."""
Region = Literal["us", "eu", "au", "me", "in", "sg", "*"]


def _entity(text: str) -> str:
    known = text if text == ALL_APIS else ids.canonical(text)
    # The id that answers show for all APIs is no way to ask for them: a program may send it by mistake.
    if known is None or known == ids.NONE:
        raise PydanticCustomError("is_uuid", "must be the UUID of an API, or * for all")
    return known


class CreateTeam(Input):
    """The body of `create-portal-team`."""

    name: Name
    description: Name = ""
    can_own_applications: bool = False


class UpdateTeam(Input):
    """The body of `update-portal-team`. What is left out stays as it is."""

    name: Name = ""
    description: Name = ""
    can_own_applications: bool = False


class TeamView(Output):
    """A team as operators see it."""

    id: str
    name: str
    description: str
    created_at: Moment
    updated_at: Moment
    can_own_applications: bool


class AddMember(Input):
    """The body of `add-developer-to-portal-team`: a developer's id."""

    id: UuidText


class MemberView(Output):
    """A member of a team. `active`: whether the developer is approved."""

    id: str
    email: str
    full_name: str
    active: bool
    created_at: Moment
    updated_at: Moment


class AssignRole(Input):
    """The body of `assign-role-to-portal-teams`. `entity_type_name`: Konnect's older or newer word for APIs."""

    role_name: Annotated[str, StringConstraints(max_length=64)]
    entity_id: Annotated[str, AfterValidator(_entity)]
    entity_type_name: Annotated[str, StringConstraints(max_length=64)]
    entity_region: Region


class AssignedRoleView(Output):
    """A role that a team has. The nil UUID as `entity_id` means all APIs."""

    id: str
    role_name: str
    entity_id: str
    entity_type_name: str
    entity_region: str


class RoleView(Output):
    """A role that there is."""

    name: str
    description: str


class ApiRolesView(Output):
    """The roles on an API."""

    apiviewer: RoleView
    apiconsumer: RoleView


class ServicesView(Output):
    """What roles are on: APIs, which Konnect's older word calls services."""

    name: str
    roles: ApiRolesView


class RolesView(Output):
    """The answer of `list-portal-roles`."""

    services: ServicesView
