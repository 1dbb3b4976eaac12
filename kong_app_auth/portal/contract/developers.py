"""Developers as operators see them (`/v3/portals/{portalId}/developers`)."""

from typing import Annotated

from pydantic import StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output, Status
from kong_app_auth.portal.contract.emails import EmailText


class CreateDeveloper(Input):
    """The body of `create-developer`. Where no status is given, the portal's auto-approval decides."""

    email: EmailText
    full_name: Annotated[str, StringConstraints(max_length=255)]
    status: Status = "pending"
    send_invitation_email: bool = False


class UpdateDeveloper(Input):
    """The body of `update-developer`."""

    status: Status = "pending"


class DeveloperView(Output):
    """A developer as operators see them."""

    id: str
    created_at: Moment
    updated_at: Moment
    email: str
    full_name: str
    status: str
