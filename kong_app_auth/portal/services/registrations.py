"""Registrations of applications with APIs.

- An application may be registered, once, with an API that is published in its portal with the application's strategy. A
  developer must also see the API and be allowed to consume it; what an operator registers, the operator answers for.
- A new registration is approved at once where the portal approves applications automatically, or the publication does;
  the publication's yes overrides the portal's no, and its no overrides nothing. Else it waits as `pending`. Before both
  comes the developer's own approval: nobody else can sign in. An operator may say `approved` or `pending` instead.
- An operator may change any status into any other at any time; only `approved` passes traffic. A reason belongs to one
  decision: the next one has its own, or none.
- What an operator has rejected or revoked, only an operator can delete: else an application could shed a refusal by
  registering again where approval is automatic.
- Registrations of one application whose APIs are implemented at one Kong control plane share one consumer.
"""

from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from kong_app_auth.portal.contract.registrations import (
    CreateOwnRegistration,
    CreateRegistration,
    SetConsumer,
    UpdateRegistration,
)
from kong_app_auth.portal.errors import Conflict, Forbidden, NotFound, invalid
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.services import rbac
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.services.registration_fields import checked_answers
from kong_app_auth.portal.store.apis import Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction

APPROVED: Final = "approved"
PENDING: Final = "pending"
REFUSED: Final = frozenset({"rejected", "revoked"})


def registrations_in(tx: Transaction, portal_id: str, *, with_applications: bool = True) -> Select[Registration]:
    """Select all registrations of a portal of the caller's region. Raises NotFound.

    `with_applications`: so that the applications' columns can be filtered and sorted by, which takes its time.
    """
    statement = select(Registration)
    if with_applications:
        statement = statement.join(Application, Application.id == Registration.application_id)
    return statement.where(Registration.portal_id == the_portal(tx, portal_id).id).options(
        selectinload(Registration.application), selectinload(Registration.api)
    )


def registrations_of(application: Application) -> Select[Registration]:
    """Select the registrations of an application."""
    return (
        select(Registration)
        .join(Registration.api)
        .where(Registration.application_id == application.id)
        .options(selectinload(Registration.application), selectinload(Registration.api))
    )


def the_registration(tx: Transaction, application: Application, registration_id: str) -> Registration:
    """Give a registration of an application. Raises NotFound."""
    found = tx.find(Registration, registration_id)
    if found is None or found.application_id != application.id:
        raise NotFound("Registration not found")
    return found


def create(tx: Transaction, application: Application, wanted: CreateRegistration) -> Registration:
    """Register an application with an API, as an operator. Raises NotFound, Conflict, Invalid."""
    portal = the_portal(tx, application.portal_id)
    publication = _publication(tx, application, wanted.api_id)
    registration = _add(tx, application, publication, wanted.status or first_status(portal, publication), {})
    notices.registration_status_changed(tx, portal, registration)
    return registration


def create_own(
    tx: Transaction, application: Application, developer_id: str, wanted: CreateOwnRegistration
) -> Registration:
    """Register an application with an API, as its owner. Raises NotFound, Forbidden, Conflict, Invalid."""
    portal = the_portal(tx, application.portal_id)
    if not rbac.may_view(tx, portal, developer_id, wanted.api_id):
        # RBAC may let somebody consume what it does not let them see; what is not seen is not there.
        raise NotFound("API not found")
    if not rbac.may_consume(tx, portal, developer_id, wanted.api_id):
        raise Forbidden("You may not register applications with this API")
    publication = _publication(tx, application, wanted.api_id)
    answers = checked_answers(tx, portal, wanted.fields)
    registration = _add(tx, application, publication, first_status(portal, publication), answers)
    if registration.status == PENDING:
        notices.registration_requested(tx, portal, registration)
    return registration


def first_status(portal: Portal, publication: Publication) -> str:
    """Say what a new registration of an approved developer is."""
    return APPROVED if portal.auto_approve_applications or publication.auto_approve_registrations else PENDING


def update(tx: Transaction, application: Application, registration_id: str, wanted: UpdateRegistration) -> Registration:
    """Decide on a registration, as an operator; its owner is told of a new status. Raises NotFound."""
    registration = the_registration(tx, application, registration_id)
    changes = wanted.status is not None and wanted.status != registration.status
    if wanted.status is not None and changes:
        registration.status = wanted.status
        registration.reason = None
    if "reason" in wanted.model_fields_set:
        registration.reason = wanted.reason
    tx.session.flush()
    if changes:
        notices.registration_status_changed(tx, the_portal(tx, application.portal_id), registration)
    return registration


def delete(tx: Transaction, application: Application, registration_id: str) -> None:
    """Delete a registration, as an operator. Raises NotFound."""
    tx.session.delete(the_registration(tx, application, registration_id))
    tx.session.flush()


def delete_own(tx: Transaction, application: Application, registration_id: str) -> None:
    """Delete a registration, as its owner. Raises NotFound; Forbidden for one that an operator has refused."""
    registration = the_registration(tx, application, registration_id)
    if registration.status in REFUSED:
        raise Forbidden(f"This registration was {registration.status}; only an administrator can delete it")
    tx.session.delete(registration)
    tx.session.flush()


def set_consumer(tx: Transaction, application: Application, registration_id: str, wanted: SetConsumer) -> None:
    """Note the Kong consumer that an application is at the control plane of a registration's API.

    The portal cannot look into that control plane, so the consumer is taken as it is named. Raises NotFound; Invalid
    where the API has no implementation, for there is no control plane then.
    """
    registration = the_registration(tx, application, registration_id)
    control_plane_id = _control_plane(tx, registration.api_id)
    if control_plane_id is None:
        raise invalid("id", "cannot be looked for: the API has no implementation", "missing_reference")
    for one in _same_control_plane(tx, registration, control_plane_id):
        one.consumer = {"id": wanted.id, "control_plane_id": control_plane_id}
    tx.session.flush()


def clear_consumer(tx: Transaction, application: Application, registration_id: str) -> None:
    """Forget the consumer of a registration, and of those that share it. Raises NotFound."""
    registration = the_registration(tx, application, registration_id)
    known = registration.consumer
    if known is not None:
        for one in tx.session.scalars(registrations_of(application)):
            if one.consumer is not None and one.consumer["control_plane_id"] == known["control_plane_id"]:
                one.consumer = None
    tx.session.flush()


def _publication(tx: Transaction, application: Application, api_id: str) -> Publication:
    """Give the publication through which an application can register with an API that it is not registered with."""
    here = (Publication.api_id == api_id, Publication.portal_id == application.portal_id)
    publication = tx.session.scalar(select(Publication).where(*here))
    if publication is None:
        raise NotFound("API not found")
    same = (Registration.application_id == application.id, Registration.api_id == publication.api_id)
    if tx.session.scalar(select(Registration.id).where(*same)) is not None:
        raise Conflict("The application is registered with this API already")
    if publication.auth_strategy_id is None:
        raise invalid("api_id", "is an API that needs no registration here")
    if publication.auth_strategy_id != application.auth_strategy_id:
        raise invalid("api_id", "is an API with another auth strategy than the application's")
    return publication


def _add(
    tx: Transaction, application: Application, publication: Publication, status: str, answers: dict[str, str]
) -> Registration:
    # By ids: the application's own list of registrations stays unloaded, so that nobody finds it out of date.
    registration = Registration(
        portal_id=application.portal_id,
        application_id=application.id,
        api_id=publication.api_id,
        status=status,
        fields=answers,
    )
    control_plane_id = _control_plane(tx, publication.api_id)
    if control_plane_id is not None:
        registration.consumer = next(
            (
                one.consumer
                for one in tx.session.scalars(registrations_of(application))
                if one.consumer is not None and one.consumer["control_plane_id"] == control_plane_id
            ),
            None,
        )
    tx.session.add(registration)
    tx.session.flush()
    return registration


def _control_plane(tx: Transaction, api_id: str) -> str | None:
    return tx.session.scalar(select(Implementation.control_plane_id).where(Implementation.api_id == api_id))


def _same_control_plane(tx: Transaction, registration: Registration, control_plane_id: str) -> list[Registration]:
    found = tx.session.scalars(
        select(Registration)
        .join(Implementation, Implementation.api_id == Registration.api_id)
        .where(
            Registration.application_id == registration.application_id,
            Implementation.control_plane_id == control_plane_id,
        )
    )
    return list(found)
