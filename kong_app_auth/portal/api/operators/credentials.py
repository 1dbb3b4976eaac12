"""`/v3/portals/{id}/applications/{id}/credentials`."""

from functools import partial
from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.secrets_listing import secrets_page
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.credentials import (
    ClientSecretView,
    CredentialUsageView,
    CredentialView,
    ImportCredential,
)
from kong_app_auth.portal.services import credentials, dcr_credentials
from kong_app_auth.portal.services.ownership import application_in
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.views.credentials import credential_usage_view, credential_view

routes = router("/v3/portals/{portal_id}/applications/{application_id}/credentials", "Credentials")

_LIST = Listing(tie=Credential.id, default=(Credential.created_at,))


@routes.get("")
def list_credentials(
    access: Reader, portal_id: str, application_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[CredentialView] | ListOf[ClientSecretView]:
    """`list-credentials-by-application`: keys, or the secrets of the client that was made for the application."""
    with access.read() as tx:
        application = application_in(tx, portal_id, application_id)
        if dcr_credentials.has_client(application):
            return secrets_page(tx, query, application)
        return query.page(tx, credentials.credentials_of(application), partial(credential_view, now=tx.now))


@routes.post("", status_code=201)
def import_credential(access: Writer, portal_id: str, application_id: str, wanted: ImportCredential) -> CredentialView:
    """Beyond Konnect: import a key that clients hold already, in plain or as its hex SHA-256.

    409 where the region knows the key, whosever it is.
    """
    with access.write() as tx:
        application = application_in(tx, portal_id, application_id)
        return credential_view(credentials.take_over(tx, application, wanted), tx.now)


@routes.delete("/{credential_id}", status_code=204)
def revoke_credential(access: Writer, portal_id: str, application_id: str, credential_id: str) -> None:
    """Beyond Konnect: revoke one key. It stays in the lists as revoked; revoking it again does nothing."""
    with access.write() as tx:
        credentials.revoke(tx, application_in(tx, portal_id, application_id), credential_id)


@routes.get("/{credential_id}/usage")
def get_credential_usage(
    access: Reader, portal_id: str, application_id: str, credential_id: str
) -> CredentialUsageView:
    """Beyond Konnect: when a gateway last let the key in."""
    with access.read() as tx:
        application = application_in(tx, portal_id, application_id)
        credential = credentials.the_credential(tx, application, credential_id)
        return credential_usage_view(credential, credentials.last_used_at(tx, credential))
