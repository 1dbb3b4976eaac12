"""`/v3/portals/{id}/application-registrations` and `/v3/portals/{id}/applications/{id}/registrations`."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.operators.applications import or_nobody
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.registrations import (
    AnswersView,
    CreateRegistration,
    RegistrationView,
    SetConsumer,
    UpdateRegistration,
)
from kong_app_auth.portal.services import registration_fields, registrations
from kong_app_auth.portal.services.ownership import application_in
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.views.registrations import answers_view, registration_view

all_routes = router("/v3/portals/{portal_id}/application-registrations", "Registrations")
routes = router("/v3/portals/{portal_id}/applications/{application_id}/registrations", "Registrations")

_SORTS = {
    "created_at": Registration.created_at,
    "updated_at": Registration.updated_at,
    "status": Registration.status,
}
_ALL = Listing(
    tie=Registration.id,
    default=(Registration.created_at,),
    filters={
        "developer_id": Field(or_nobody(Application.developer_id), FieldKind.UUID),
        "application_name": Field(Application.name),
        "status": Field(Registration.status),
    },
    sorts={**_SORTS, "developer_id": Application.developer_id},
)
_LIST = Listing(
    tie=Registration.id,
    default=(Registration.created_at,),
    filters={"status": Field(Registration.status)},
    sorts=_SORTS,
)


@all_routes.get("")
def list_registrations(
    access: Reader, portal_id: str, query: Annotated[Query, Depends(_ALL)]
) -> ListOf[RegistrationView]:
    """`list-registrations`."""
    with access.read() as tx:
        statement = registrations.registrations_in(tx, portal_id, with_applications=not query.plain)
        return query.page(tx, statement, registration_view)


@routes.get("")
def list_registrations_by_application(
    access: Reader, portal_id: str, application_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[RegistrationView]:
    """`list-registrations-by-application`."""
    with access.read() as tx:
        application = application_in(tx, portal_id, application_id)
        return query.page(tx, registrations.registrations_of(application), registration_view)


@routes.post("", status_code=201)
def create_application_registration(
    access: Writer, portal_id: str, application_id: str, wanted: CreateRegistration
) -> RegistrationView:
    """`create-application-registration`."""
    with access.write() as tx:
        application = application_in(tx, portal_id, application_id)
        return registration_view(registrations.create(tx, application, wanted))


@routes.get("/{registration_id}")
def get_application_registration(
    access: Reader, portal_id: str, application_id: str, registration_id: str
) -> RegistrationView:
    """`get-application-registration`."""
    with access.read() as tx:
        application = application_in(tx, portal_id, application_id)
        return registration_view(registrations.the_registration(tx, application, registration_id))


@routes.patch("/{registration_id}")
def update_application_registration(
    access: Writer, portal_id: str, application_id: str, registration_id: str, wanted: UpdateRegistration
) -> RegistrationView:
    """`update-application-registration`: any status may follow any other.

    `reason` is beyond Konnect: the owner is told it.
    """
    with access.write() as tx:
        application = application_in(tx, portal_id, application_id)
        return registration_view(registrations.update(tx, application, registration_id, wanted))


@routes.delete("/{registration_id}", status_code=204)
def delete_application_registration(access: Writer, portal_id: str, application_id: str, registration_id: str) -> None:
    """`delete-application-registration`."""
    with access.write() as tx:
        registrations.delete(tx, application_in(tx, portal_id, application_id), registration_id)


@routes.get("/{registration_id}/fields")
def get_registration_answers(access: Reader, portal_id: str, application_id: str, registration_id: str) -> AnswersView:
    """Beyond Konnect: what the applicant wrote into the portal's own fields, and the reason of the last decision."""
    with access.read() as tx:
        application = application_in(tx, portal_id, application_id)
        registration = registrations.the_registration(tx, application, registration_id)
        return answers_view(registration, registration_fields.labels(tx, application.portal_id))


@routes.put("/{registration_id}/consumer", status_code=204)
def update_application_registration_consumer(
    access: Writer, portal_id: str, application_id: str, registration_id: str, wanted: SetConsumer
) -> None:
    """`update-application-registration-consumer`."""
    with access.write() as tx:
        registrations.set_consumer(tx, application_in(tx, portal_id, application_id), registration_id, wanted)


@routes.delete("/{registration_id}/consumer", status_code=204)
def delete_application_registration_consumer(
    access: Writer, portal_id: str, application_id: str, registration_id: str
) -> None:
    """`delete-application-registration-consumer`."""
    with access.write() as tx:
        registrations.clear_consumer(tx, application_in(tx, portal_id, application_id), registration_id)
