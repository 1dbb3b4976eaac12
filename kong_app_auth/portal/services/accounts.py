"""Developers' own accounts: signing up, confirming the address, forgotten passwords, the profile, and the end.

Nobody learns from `register` and `forgot_password` whether an address is known: they return nothing, and what happened
is told by mail to the address itself.
"""

from sqlalchemy import select

from kong_app_auth.portal.contract.accounts import RegisterPayload, UpdateMeRequest
from kong_app_auth.portal.contract.emails import email_key
from kong_app_auth.portal.errors import Forbidden, Gone, Unauthorized, invalid
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.services import identities, one_time_tokens, sessions
from kong_app_auth.portal.services.departures import end_sessions, forget_developer
from kong_app_auth.portal.services.signing_in import with_passwords
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction


def register(tx: Transaction, portal_id: str, wanted: RegisterPayload) -> None:
    """Sign up. Raises Forbidden where the portal has no accounts with passwords."""
    portal = with_passwords(tx, portal_id)
    developer = by_email(tx, portal.id, wanted.email)
    if developer is None:
        developer = Developer(
            portal_id=portal.id,
            email=wanted.email,
            email_key=email_key(wanted.email),
            full_name=wanted.full_name,
            status="pending",
        )
        tx.session.add(developer)
        tx.session.flush()
    _remind(tx, portal, developer, signed_up=True)
    tx.session.flush()


def forgot_password(tx: Transaction, portal_id: str, email: str) -> None:
    """Send the way to a new password, if the address is known. Raises Forbidden where there are no passwords."""
    portal = with_passwords(tx, portal_id)
    developer = by_email(tx, portal.id, email)
    if developer is not None:
        _remind(tx, portal, developer, signed_up=False)
    tx.session.flush()


def verify_email(tx: Transaction, portal_id: str, token: str) -> tuple[str, str]:
    """Confirm an address by the token that was sent to it; give the address, and a token that sets a password.

    Raises Forbidden, NotFound, Gone.
    """
    portal = with_passwords(tx, portal_id)
    developer = one_time_tokens.use(tx, portal.id, token, "verify_email")
    confirmed(tx, portal, developer)
    fresh = one_time_tokens.issue(tx, developer, "reset_password")
    tx.session.flush()
    return developer.email, fresh


def whose_password(tx: Transaction, portal_id: str, token: str) -> Developer:
    """Give the developer whose password the token sets. Raises Forbidden, NotFound, Gone."""
    with_passwords(tx, portal_id)
    return one_time_tokens.look(tx, portal_id, token, "reset_password")[1]


def reset_password(tx: Transaction, portal_id: str, token: str, password_hash: str) -> None:
    """Set a password by a token that was sent by mail, and sign out everywhere. Raises Forbidden, NotFound, Gone."""
    portal = with_passwords(tx, portal_id)
    developer = one_time_tokens.use(tx, portal.id, token, "reset_password")
    developer.password_hash = password_hash
    confirmed(tx, portal, developer)
    one_time_tokens.use_up(tx, developer)
    end_sessions(tx, developer.id)
    tx.session.flush()


def me(tx: Transaction, developer_id: str) -> Developer:
    """Give the developer who is signed in. Raises Unauthorized where the account has gone in the meantime."""
    developer = tx.find(Developer, developer_id)
    if developer is None or developer.status != "approved":
        raise Unauthorized
    return developer


def update(tx: Transaction, developer_id: str, wanted: UpdateMeRequest) -> Developer:
    """Change the own profile."""
    developer = me(tx, developer_id)
    developer.full_name = wanted.full_name
    tx.session.flush()
    return developer


def change_password(tx: Transaction, developer_id: str, session_id: str, old_hash: str | None, new_hash: str) -> None:
    """Set a new password, and sign out everywhere but here. Raises Gone where it was changed in the meantime."""
    developer = me(tx, developer_id)
    if developer.password_hash != old_hash:
        raise Gone("The password was changed in the meantime")
    developer.password_hash = new_hash
    one_time_tokens.use_up(tx, developer)
    end_sessions(tx, developer.id, but=session_id)
    tx.session.flush()


def delete(tx: Transaction, developer_id: str, session_id: str, email: str) -> None:
    """Delete the own account with the own applications; keys are cut at once. Those of teams stay.

    The caller has checked the password. Where there is none, `email` is what was typed for the account's address.
    Raises Invalid where it is another, Forbidden where the session is not fresh.
    """
    developer = me(tx, developer_id)
    if developer.password_hash is None:
        if email_key(email) != developer.email_key:
            raise invalid("email", "is not your e-mail address")
        if not sessions.is_fresh(tx, session_id):
            raise Forbidden("Sign out and in again, then delete the account within ten minutes")
    forget_developer(tx, developer)


def _remind(tx: Transaction, portal: Portal, developer: Developer, *, signed_up: bool) -> None:
    """Send what leads a developer on. Those who were turned away hear nothing: it would lead nowhere."""
    if developer.status not in ("pending", "approved"):
        return
    if developer.email_verified_at is None and developer.password_hash is None:
        # Whose address nobody has confirmed, and who came by an identity provider, may have named another's: that other
        # one shall not set a password for an account that somebody else is in already.
        if not identities.has_any(tx, developer.id):
            notices.verify_email(tx, portal, developer)
    elif signed_up:
        notices.account_exists(tx, portal, developer)
    else:
        notices.reset_password(tx, portal, developer)


def confirmed(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Take note that the address is the developer's. A new one is approved now, or waits for an operator."""
    if developer.email_verified_at is not None:
        return
    developer.email_verified_at = tx.now
    if developer.status != "pending":
        return
    if portal.auto_approve_developers:
        developer.status = "approved"
    else:
        notices.developer_requested(tx, portal, developer)


def by_email(tx: Transaction, portal_id: str, email: str) -> Developer | None:
    """Give the developer of a portal with this address."""
    return tx.session.scalar(
        select(Developer).where(Developer.portal_id == portal_id, Developer.email_key == email_key(email))
    )
