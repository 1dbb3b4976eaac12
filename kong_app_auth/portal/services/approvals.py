"""What waits for an operator: registrations and developers of all portals of the region that are pending."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.contract.developers import UpdateDeveloper
from kong_app_auth.portal.contract.registrations import UpdateRegistration
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services import developer_administration, registrations
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.applications import Application, Registration, RegistrationField
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction

PENDING: Final = "pending"


def all_registrations(tx: Transaction) -> Select[Registration]:
    """Select the registrations of the caller's region, each with its API, application and the application's owner."""
    return (
        select(Registration)
        .join(Portal, Portal.id == Registration.portal_id)
        .where(Portal.region == tx.region)
        .options(joinedload(Registration.api), joinedload(Registration.application).joinedload(Application.developer))
    )


def waiting_registrations(tx: Transaction) -> Select[Registration]:
    """Select those that wait."""
    return all_registrations(tx).where(Registration.status == PENDING)


def waiting_developers(tx: Transaction) -> Select[Developer]:
    """Select the developers of the caller's region who wait."""
    here = select(Developer).join(Portal, Portal.id == Developer.portal_id)
    return here.where(Portal.region == tx.region, Developer.status == PENDING)


def the_registration(tx: Transaction, registration_id: str) -> Registration:
    """Give a registration of the caller's region. Raises NotFound."""
    wanted = ids.canonical(registration_id) or ids.NONE
    found = tx.session.scalar(all_registrations(tx).where(Registration.id == wanted))
    if found is None:
        raise NotFound("Registration not found")
    return found


def decide(
    tx: Transaction, registration_ids: Sequence[str], developer_ids: Sequence[str], status: str, reason: str | None
) -> tuple[int, int]:
    """Approve or reject what still waits; give how many that were, and how many it were not.

    What somebody else has decided meanwhile, or removed, stays as it is. `reason` is for registrations: a developer
    is told of the decision alone.
    """
    chosen = [one for one in map(ids.canonical, registration_ids) if one is not None]
    applications = tx.session.scalars(waiting_registrations(tx).where(Registration.id.in_(chosen))).all()
    for one in applications:
        wanted = {"status": status} if reason is None else {"status": status, "reason": reason}
        registrations.update(tx, one.application, one.id, UpdateRegistration.model_validate(wanted))
    chosen = [one for one in map(ids.canonical, developer_ids) if one is not None]
    people = tx.session.scalars(waiting_developers(tx).where(Developer.id.in_(chosen))).all()
    for developer in people:
        change = UpdateDeveloper.model_validate({"status": status})
        developer_administration.update(tx, developer.portal_id, developer.id, change)
    decided = len(applications) + len(people)
    return decided, len(set(registration_ids)) + len(set(developer_ids)) - decided


def names_of_teams(tx: Transaction, found: Iterable[Registration]) -> dict[str, str]:
    """Give the names of the teams that own the applications of registrations, by id."""
    wanted = {one.application.team_id for one in found if one.application.team_id is not None}
    if not wanted:
        return {}
    return {row.id: row.name for row in tx.session.execute(select(Team.id, Team.name).where(Team.id.in_(wanted)))}


def labels_of(tx: Transaction, found: Iterable[Registration]) -> Mapping[str, Mapping[str, str]]:
    """Give what people read for the fields of the portals of registrations: portal to name to label."""
    wanted = {one.portal_id for one in found}
    labels: dict[str, dict[str, str]] = {portal_id: {} for portal_id in wanted}
    if wanted:
        chosen = select(RegistrationField).where(RegistrationField.portal_id.in_(wanted))
        for field in tx.session.scalars(chosen):
            labels[field.portal_id][field.name] = field.label
    return labels
