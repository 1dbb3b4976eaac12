"""Credentials of applications. A key is in the one answer that makes it, and in no other."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from kong_app_auth.domain.api_key import IMPORTED_MIN_LENGTH, MAX_LENGTH
from kong_app_auth.portal.contract.common import Input, Moment, Output

MAX_OVERLAP_SECONDS: Final = 30 * 24 * 3600
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CreateCredential(Input):
    """The body of `create-credential`; it may be left out."""

    display_name: DisplayName | None = None


class UpdateCredential(Input):
    """The body of `update-credential`."""

    display_name: DisplayName


class RotateCredential(Input):
    """Beyond Konnect: the old key is good for `overlap_seconds` more, at most 30 days; 0 ends it at once."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)]
    display_name: DisplayName | None = None


class ImportCredential(Input):
    """Beyond Konnect: a key that exists already, in plain or as the hex SHA-256 of its text; one of the two."""

    key: Annotated[
        str | None, StringConstraints(min_length=IMPORTED_MIN_LENGTH, max_length=MAX_LENGTH), Field(repr=False)
    ] = None
    key_sha256: Annotated[str | None, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$"), Field(repr=False)] = None
    display_name: DisplayName | None = None
    expires_at: Moment | None = None


class CredentialView(Output):
    """An API key in a list, or imported."""

    type: str = "api_key"
    id: str
    display_name: str
    status: str
    expires_at: Moment | None
    created_at: Moment


class NewCredentialView(CredentialView):
    """An API key as it is made: the only time that it is shown."""

    credential: Annotated[str, Field(repr=False)]


class ClientSecretView(Output):
    """A secret of an application's client at a DCR provider, in a list."""

    type: str = "client_secret"
    id: str
    display_name: str | None
    client_id: str
    created_at: Moment
    expires_at: Moment | None


class NewClientSecretView(ClientSecretView):
    """A secret as it is made: the only time that it is shown."""

    client_secret: Annotated[str, Field(repr=False)]


class RenewedSecretView(Output):
    """The answer of `regenerate-application-secret`: the only one that holds the secret."""

    client_id: str
    client_secret: Annotated[str, Field(repr=False)]


class CredentialUsageView(Output):
    """When a key was last let in by a gateway; null for never, or not known yet."""

    credential_id: str
    last_used_at: Moment | None
