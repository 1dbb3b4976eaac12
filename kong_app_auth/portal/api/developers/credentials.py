"""`/api/v3/applications/{id}/credentials` and `/regenerate-secret`."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Response

from kong_app_auth.portal.api.listing import Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.secrets_listing import secrets_page
from kong_app_auth.portal.api.security import Member, PortalAccess
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.credentials import (
    ClientSecretView,
    CreateCredential,
    CredentialUsageView,
    CredentialView,
    NewClientSecretView,
    NewCredentialView,
    RenewedSecretView,
    RotateCredential,
    UpdateCredential,
)
from kong_app_auth.portal.services import credentials, dcr_credentials
from kong_app_auth.portal.services.ownership import application_of
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.credentials import (
    credential_usage_view,
    credential_view,
    new_client_secret_view,
    new_credential_view,
)

routes = router("/api/v3/applications/{application_id}", "Own credentials")

_LIST = Listing(tie=Credential.id, default=(Credential.created_at,))


def _application(tx: Transaction, access: PortalAccess, application_id: str) -> Application:
    return application_of(tx, access.portal.id, access.developer_id, application_id)


@routes.get("/credentials")
def list_credentials(
    access: Member, application_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[CredentialView] | ListOf[ClientSecretView]:
    """`list-credentials`: keys, or the secrets of the client that was made for the application."""
    with access.read() as tx:
        application = _application(tx, access, application_id)
        if dcr_credentials.has_client(application):
            return secrets_page(tx, query, application)
        return query.page(tx, credentials.credentials_of(application), partial(credential_view, now=tx.now))


@routes.post("/credentials", status_code=201)
def create_credential(
    access: Member, application_id: str, wanted: CreateCredential | None = None
) -> NewCredentialView | NewClientSecretView:
    """`create-credential`. The answer is the only one that holds the key, or the client's new secret."""
    with access.read() as tx:
        has_client = dcr_credentials.has_client(_application(tx, access, application_id))
    if has_client:
        name = None if wanted is None else wanted.display_name
        return dcr_credentials.add(
            access, lambda tx: _application(tx, access, application_id), name, new_client_secret_view
        )
    with access.write() as tx:
        return new_credential_view(credentials.create(tx, _application(tx, access, application_id), wanted), tx.now)


@routes.put("/credentials/{credential_id}", response_class=Response)
def update_credential(access: Member, application_id: str, credential_id: str, wanted: UpdateCredential) -> None:
    """`update-credential`."""
    with access.write() as tx:
        application = _application(tx, access, application_id)
        if dcr_credentials.has_client(application):
            dcr_credentials.rename(tx, application, credential_id, wanted.display_name)
        else:
            credentials.rename(tx, application, credential_id, wanted)


@routes.delete("/credentials/{credential_id}", status_code=204)
def delete_credential(access: Member, application_id: str, credential_id: str) -> None:
    """`delete-credential`."""
    with access.write() as tx:
        application = _application(tx, access, application_id)
        if dcr_credentials.has_client(application):
            dcr_credentials.remove(tx, application, credential_id)
        else:
            credentials.remove(tx, application, credential_id)


@routes.post("/credentials/{credential_id}/rotate", status_code=201)
def rotate_credential(
    access: Member, application_id: str, credential_id: str, wanted: RotateCredential
) -> NewCredentialView:
    """Beyond Konnect: a new key in the place of an active one, which is good for `overlap_seconds` more.

    Both happen or neither. At the most keys that an application may have, one more is allowed for the overlap.
    """
    with access.write() as tx:
        application = _application(tx, access, application_id)
        return new_credential_view(credentials.rotate(tx, application, credential_id, wanted), tx.now)


@routes.get("/credentials/{credential_id}/usage")
def get_credential_usage(access: Member, application_id: str, credential_id: str) -> CredentialUsageView:
    """Beyond Konnect: when a gateway last let the key in."""
    with access.read() as tx:
        credential = credentials.the_credential(tx, _application(tx, access, application_id), credential_id)
        return credential_usage_view(credential, credentials.last_used_at(tx, credential))


@routes.post("/regenerate-secret", status_code=201)
def regenerate_application_secret(access: Member, application_id: str) -> RenewedSecretView:
    """`regenerate-application-secret`: of the client that was made for the application.

    Keys are rotated instead, and a client that its developer brought is not ours to change.
    """
    with access.read() as tx:
        application = _application(tx, access, application_id)
        if not dcr_credentials.has_client(application):
            credentials.refuse_new_secret(tx, application)
    client_id, secret = dcr_credentials.renew(access, lambda tx: _application(tx, access, application_id))
    return RenewedSecretView(client_id=client_id, client_secret=secret)
