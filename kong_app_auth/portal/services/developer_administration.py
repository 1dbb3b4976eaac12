"""Developers in the hands of operators: added, approved, rejected, revoked, deleted."""

from typing import Final

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.developers import CreateDeveloper, UpdateDeveloper
from kong_app_auth.portal.contract.emails import email_key
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.services.departures import end_sessions, forget_developer
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.transaction import Transaction

NEXT: Final = {
    "pending": ("approved", "rejected"),
    "approved": ("revoked",),
    "rejected": ("approved", "pending"),
    "revoked": ("approved", "pending"),
}
"""From each status, those it may change to: only who is approved can be revoked, only who waits can be rejected."""


def developers_of_portal(tx: Transaction, portal_id: str) -> Select[Developer]:
    """Select the developers of a portal. Raises NotFound."""
    return select(Developer).where(Developer.portal_id == the_portal(tx, portal_id).id)


def the_developer(tx: Transaction, portal_id: str, developer_id: str) -> Developer:
    """Give a developer of a portal. Raises NotFound."""
    portal = the_portal(tx, portal_id)
    found = tx.find(Developer, developer_id)
    if found is None or found.portal_id != portal.id:
        raise NotFound("Developer not found")
    return found


def create(tx: Transaction, portal_id: str, wanted: CreateDeveloper) -> Developer:
    """Add a developer who has no password yet: one is set by the link of the invitation, or of a forgotten password.

    Raises NotFound, Invalid; Conflict where the address has an account in this portal.
    """
    portal = the_portal(tx, portal_id)
    status = wanted.status if "status" in wanted.model_fields_set else _first_status(portal.auto_approve_developers)
    if wanted.send_invitation_email and status not in ("approved", "pending"):
        raise invalid("send_invitation_email", f"nobody who is {status} can be invited")
    key = email_key(wanted.email)
    known = select(Developer.id).where(Developer.portal_id == portal.id, Developer.email_key == key)
    if tx.session.scalar(known) is not None:
        raise Conflict("Developer with the given email already exists")
    developer = Developer(
        portal_id=portal.id, email=wanted.email, email_key=key, full_name=wanted.full_name, status=status
    )
    tx.session.add(developer)
    tx.session.flush()
    if wanted.send_invitation_email:
        notices.developer_invited(tx, portal, developer)
    return developer


def update(tx: Transaction, portal_id: str, developer_id: str, wanted: UpdateDeveloper) -> Developer:
    """Change a developer's status. Who is not approved any more is signed out, and their keys are cut by the feed.

    Raises NotFound; Invalid where the change is not one that there is.
    """
    developer = the_developer(tx, portal_id, developer_id)
    if "status" not in wanted.model_fields_set or wanted.status == developer.status:
        return developer
    allowed = NEXT[developer.status]
    if wanted.status not in allowed:
        raise invalid("status", f"a developer who is {developer.status} can become {' or '.join(allowed)} only")
    developer.status = wanted.status
    tx.session.flush()
    if developer.status != "approved":
        end_sessions(tx, developer.id)
    notices.developer_status_changed(tx, the_portal(tx, portal_id), developer)
    return developer


def delete(tx: Transaction, portal_id: str, developer_id: str) -> None:
    """Delete a developer with the applications, keys, sessions and memberships. Raises NotFound."""
    forget_developer(tx, the_developer(tx, portal_id, developer_id))


def _first_status(auto_approve: bool) -> str:
    return "approved" if auto_approve else "pending"
