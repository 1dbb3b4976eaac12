"""Signing in with address and password.

Whoever fails learns nothing of why: unknown, wrong password, pending, rejected and revoked are one answer, after the
same work. The work is split, because a password is not looked at inside a transaction: `candidate`, then
`passwords.matches`, then `sign_in`.
"""

import msgspec
from sqlalchemy import select

from kong_app_auth.portal.contract.emails import email_key
from kong_app_auth.portal.errors import Forbidden
from kong_app_auth.portal.services import sessions
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.services.sessions import Tokens
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Deed, Transaction


class Candidate(msgspec.Struct, frozen=True):
    """Who may be the one who signs in, and the hash of the password; both None where nobody is."""

    developer_id: str | None
    password_hash: str | None

    def __repr__(self) -> str:
        """Leave the hash out."""
        return f"Candidate({self.developer_id})"


def with_passwords(tx: Transaction, portal_id: str) -> Portal:
    """Give a portal where developers have accounts with passwords. Raises Forbidden where they have none."""
    portal = the_portal(tx, portal_id)
    if not portal.authentication_enabled or not portal.authentication.basic_auth_enabled:
        raise Forbidden("This portal has no accounts with passwords")
    return portal


def candidate(tx: Transaction, portal_id: str, email: str) -> Candidate:
    """Look up who signs in. Raises Forbidden where nobody can."""
    with_passwords(tx, portal_id)
    found = tx.session.execute(
        select(Developer.id, Developer.password_hash).where(
            Developer.portal_id == portal_id, Developer.email_key == email_key(email)
        )
    ).first()
    return Candidate(None, None) if found is None else Candidate(found[0], found[1])


def sign_in(
    tx: Transaction, who: Candidate, *, matched: bool, renewed_hash: str | None, device: str | None
) -> Tokens | None:
    """Begin a session for a developer whose password matched, if approved; None for everybody else.

    `renewed_hash`: the same password, hashed with the parameters of today. The failure is on the record: commit it.
    """
    developer = tx.find(Developer, who.developer_id)
    # The password may have been changed since it was looked at.
    same = developer is not None and developer.password_hash == who.password_hash
    if developer is None or not (matched and same) or developer.status != "approved":
        tx.note(Deed("sign_in_failed", "developer", who.developer_id))
        return None
    if renewed_hash is not None:
        developer.password_hash = renewed_hash
    tx.note(Deed("sign_in", "developer", developer.id))
    return sessions.begin(tx, developer, device)
