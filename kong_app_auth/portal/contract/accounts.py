"""Developers' own accounts (`/api/v3/developer`) and sessions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output, UuidText
from kong_app_auth.portal.contract.emails import EmailText

FullName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Password = Annotated[str, Field(max_length=1024, repr=False)]
"""As it came: the rules are in `services.passwords`. The bound only keeps work small."""
Sent = Annotated[str | None, Field(max_length=4096, repr=False)]
"""Part of an identity provider's response; some codes are long."""


class RegisterPayload(Input):
    """The body of `register`."""

    email: EmailText
    full_name: FullName


class ResetPasswordPayload(Input):
    """The body of `forgot-password`."""

    email: EmailText


class AuthenticateRequest(Input):
    """The body of `authenticate`."""

    username: EmailText
    password: Password


class AuthorizationResponse(BaseModel):
    """The query that a browser brings from an identity provider (RFC 6749, 4.1.2; RFC 9207). Providers add to it."""

    model_config = ConfigDict(hide_input_in_errors=True, frozen=True)

    state: Sent = None
    code: Sent = None
    iss: Sent = None
    error: Sent = None


class ResetPasswordRequest(Input):
    """The body of `reset-password`."""

    password: Password
    token: Annotated[UuidText, Field(repr=False)]


class VerifyEmailRequest(Input):
    """The body of `verify-email`."""

    token: Annotated[UuidText, Field(repr=False)]


class ChangePasswordRequest(Input):
    """The body of `POST /api/v3/developer/change-password` (beyond the contract)."""

    current_password: Password
    new_password: Password


class UpdateMeRequest(Input):
    """The body of `PATCH /api/v3/developer/me` (beyond the contract)."""

    full_name: FullName


class DeleteMeRequest(Input):
    """The body of `POST /api/v3/developer/delete-account` (beyond the contract).

    Who has no password, for the account came from an identity provider, says its `email` instead, and has signed in a
    moment ago.
    """

    password: Password = ""
    email: Annotated[str, Field(max_length=254)] = ""


class VerifyEmailResponse(Output):
    """The answer of `verify-email`: the token sets the first password."""

    email: str
    token: Annotated[str, Field(repr=False)]


class DeveloperView(Output):
    """A developer as developers see each other, and themselves."""

    id: str
    email: str
    full_name: str
    created_at: Moment
    updated_at: Moment


class DeveloperTeamView(Output):
    """A team that the developer is a member of."""

    id: str
    name: str
    description: str | None
    created_at: Moment
    updated_at: Moment


class SessionView(Output):
    """A session of the developer (beyond the contract). `device`: what the browser says that it is."""

    id: str
    created_at: Moment
    refreshed_at: Moment | None
    expires_at: Moment
    device: str | None
    current: bool


class SessionList(Output):
    """All sessions of the developer."""

    data: list[SessionView]


class PortalContext(Output):
    """What a portal's pages need to know about it."""

    portal_id: str
    org_id: str
    basic_auth_enabled: bool
    oidc_auth_enabled: bool
    saml_auth_enabled: bool
    authentication_enabled: bool
    rbac_enabled: bool
    name: str
    canonical_domain: str
