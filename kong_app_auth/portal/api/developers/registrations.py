"""`/api/v3/applications/{id}/registrations`, and what applicants are asked."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member, PortalAccess
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.registration_fields import AskedFieldView
from kong_app_auth.portal.contract.registrations import AnswersView, CreateOwnRegistration, OwnRegistrationView
from kong_app_auth.portal.services import registration_fields, registrations
from kong_app_auth.portal.services.ownership import application_of
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration, RegistrationField
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.registration_fields import asked_field_view
from kong_app_auth.portal.views.registrations import answers_view, own_registration_view

routes = router("/api/v3/applications/{application_id}/registrations", "Own registrations")
asked = router("/api/v3/registration-fields", "Own registrations")

_LIST = Listing(
    tie=Registration.id,
    default=(Registration.created_at,),
    filters={
        "id": Field(Registration.id, FieldKind.UUID),
        "status": Field(Registration.status, FieldKind.CHOICE, choices=("approved", "pending", "rejected", "revoked")),
        "api_name": Field(Api.name),
    },
)
_ASKED = Listing(tie=RegistrationField.id, default=(RegistrationField.created_at,))


def _application(tx: Transaction, access: PortalAccess, application_id: str) -> Application:
    return application_of(tx, access.portal.id, access.developer_id, application_id)


@routes.get("")
def list_application_registrations(
    access: Member, application_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[OwnRegistrationView]:
    """`list-application-registrations`."""
    with access.read() as tx:
        application = _application(tx, access, application_id)
        return query.page(tx, registrations.registrations_of(application), own_registration_view)


@routes.post("", status_code=201)
def create_application_registration(
    access: Member, application_id: str, wanted: CreateOwnRegistration
) -> OwnRegistrationView:
    """`create-application-registration`. `fields` (beyond Konnect) answers what the portal asks applicants."""
    with access.write() as tx:
        application = _application(tx, access, application_id)
        return own_registration_view(registrations.create_own(tx, application, access.developer_id, wanted))


@routes.get("/{registration_id}")
def get_application_registration(access: Member, application_id: str, registration_id: str) -> OwnRegistrationView:
    """`get-application-registration`."""
    with access.read() as tx:
        application = _application(tx, access, application_id)
        return own_registration_view(registrations.the_registration(tx, application, registration_id))


@routes.delete("/{registration_id}", status_code=204)
def delete_application_registration(access: Member, application_id: str, registration_id: str) -> None:
    """`delete-application-registration`. One that an operator has rejected or revoked stays: 403."""
    with access.write() as tx:
        registrations.delete_own(tx, _application(tx, access, application_id), registration_id)


@routes.get("/{registration_id}/fields")
def get_own_answers(access: Member, application_id: str, registration_id: str) -> AnswersView:
    """Beyond Konnect: what was answered, and the reason that the approver gave."""
    with access.read() as tx:
        application = _application(tx, access, application_id)
        registration = registrations.the_registration(tx, application, registration_id)
        return answers_view(registration, registration_fields.labels(tx, application.portal_id))


@asked.get("")
def list_asked_fields(access: Member, query: Annotated[Query, Depends(_ASKED)]) -> ListOf[AskedFieldView]:
    """Beyond Konnect: what this portal asks applicants when they register."""
    with access.read() as tx:
        return query.page(tx, registration_fields.fields_in(tx, access.portal.id), asked_field_view)
