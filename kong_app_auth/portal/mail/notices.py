"""What people are told by mail.

Each function puts mails into the outbox in the transaction of the change that they tell of: they are sent if and only
if it was committed. Nothing is sent here.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from kong_app_auth.portal.mail import links
from kong_app_auth.portal.mail.rendering import render
from kong_app_auth.portal.services import one_time_tokens
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import TeamMember
from kong_app_auth.portal.transaction import Transaction

_TOLD = frozenset({"approved", "rejected", "revoked"})
"""Of a change to `pending` nobody is told: there is nothing yet to tell."""


def verify_email(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Ask a developer who signed up to confirm the address. Makes the one-time token."""
    token = one_time_tokens.issue(tx, developer, "verify_email")
    link = links.confirm_email_url(tx.configuration, portal, token)
    _to_developer(tx, portal, developer, "confirm-email-address", link=link, hours=_hours(tx))


def reset_password(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Send a developer the way to a new password. Makes the one-time token."""
    token = one_time_tokens.issue(tx, developer, "reset_password")
    link = links.set_password_url(tx.configuration, portal, token)
    _to_developer(tx, portal, developer, "reset-password", link=link, hours=_hours(tx))


def account_exists(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Tell a developer that somebody signed up with an address that has an account. The one who did learns nothing."""
    token = one_time_tokens.issue(tx, developer, "reset_password")
    link = links.set_password_url(tx.configuration, portal, token)
    _to_developer(tx, portal, developer, "account-exists", link=link, hours=_hours(tx))


def developer_invited(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Invite a developer whom an operator has added. Makes the one-time token that sets the first password."""
    token = one_time_tokens.issue(tx, developer, "reset_password")
    link = links.set_password_url(tx.configuration, portal, token)
    _to_developer(tx, portal, developer, "developer-invitation", link=link, hours=_hours(tx))


def developer_requested(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Tell the operators of a developer who waits for approval."""
    shown = portal.notifications_developer_pii_visibility_enabled
    who = {"full_name": developer.full_name, "email": developer.email} if shown else None
    _to_operators(tx, portal, "account-requested", developer=who, developer_id=developer.id)


def developer_status_changed(tx: Transaction, portal: Portal, developer: Developer) -> None:
    """Tell a developer of the account's new status: approved, rejected or revoked."""
    if developer.status in _TOLD:
        _to_developer(tx, portal, developer, f"account-access-{developer.status}")


def registration_requested(tx: Transaction, portal: Portal, registration: Registration) -> None:
    """Tell the operators of a registration that waits for approval."""
    application = _application(tx, registration.application_id)
    owner = None
    if application.developer_id is not None and portal.notifications_developer_pii_visibility_enabled:
        developer = tx.session.get_one(Developer, application.developer_id)
        owner = {"full_name": developer.full_name, "email": developer.email}
    _to_operators(
        tx,
        portal,
        "app-registration-requested",
        application_name=application.name,
        api=_api_name(tx, registration),
        registration_id=registration.id,
        developer=owner,
        developer_id=application.developer_id,
        team_id=application.team_id,
    )


def registration_status_changed(tx: Transaction, portal: Portal, registration: Registration) -> None:
    """Tell the owners of an application that a registration was approved, rejected or revoked."""
    if registration.status not in _TOLD:
        return
    application = _application(tx, registration.application_id)
    _to_owners(
        tx,
        portal,
        application,
        f"app-registration-{registration.status}",
        api=_api_name(tx, registration),
        reason=registration.reason,
    )


def key_disclosed(tx: Transaction, portal: Portal, application: Application, credential: Credential) -> None:
    """Tell the owners that a key of theirs was found in the open, and has been revoked."""
    _to_owners(tx, portal, application, "api-key-disclosed", key_name=credential.display_name, key_id=credential.id)


def key_expires_soon(tx: Transaction, portal: Portal, application: Application, credential: Credential) -> None:
    """Tell the owners that a key will expire."""
    _to_owners(tx, portal, application, "api-key-expiring-soon", **_expiry(credential))


def key_expired(tx: Transaction, portal: Portal, application: Application, credential: Credential) -> None:
    """Tell the owners that a key has expired."""
    _to_owners(tx, portal, application, "api-key-expired", **_expiry(credential))


def _expiry(credential: Credential) -> dict[str, Any]:
    assert credential.expires_at is not None  # noqa: S101  a key that never expires is not told of
    moment = credential.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    return {"key_name": credential.display_name, "key_id": credential.id, "expires_at": moment}


def _to_developer(tx: Transaction, portal: Portal, developer: Developer, template: str, **values: Any) -> None:
    _put(tx, portal, [developer.email], template, full_name=developer.full_name, **values)


def _to_owners(tx: Transaction, portal: Portal, application: Application, template: str, **values: Any) -> None:
    link = links.application_url(tx.configuration, portal, application.id)
    for developer in _owners(tx, application):
        _to_developer(tx, portal, developer, template, application_name=application.name, link=link, **values)


def _to_operators(tx: Transaction, portal: Portal, template: str, **values: Any) -> None:
    notify = tx.configuration.notify
    _put(tx, portal, notify.get(portal.id, notify.get(portal.region, ())), template, **values)


def _put(tx: Transaction, portal: Portal, recipients: Iterable[str], template: str, **values: Any) -> None:
    where = {"portal_name": portal.display_name, "portal_url": links.portal_url(tx.configuration, portal)}
    for recipient in recipients:
        mail = render(template, **where, **values)
        tx.session.add(
            Message(
                portal_id=portal.id,
                template=template,
                recipient=recipient,
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                next_attempt_at=tx.now,
            )
        )


def _owners(tx: Transaction, application: Application) -> Iterable[Developer]:
    """The developer, or the members of the team; those only who may still sign in."""
    owner = Developer.id == application.developer_id
    if application.team_id is not None:
        members = select(TeamMember.developer_id).where(TeamMember.team_id == application.team_id)
        owner = Developer.id.in_(members)
    return tx.session.scalars(select(Developer).where(owner, Developer.status == "approved").order_by(Developer.id))


def _application(tx: Transaction, application_id: str) -> Application:
    return tx.session.get_one(Application, application_id)


def _api_name(tx: Transaction, registration: Registration) -> str:
    api = tx.session.get_one(Api, registration.api_id)
    return api.name if api.version is None else f"{api.name} {api.version}"


def _hours(tx: Transaction) -> int:
    return max(1, round(tx.configuration.token_lifetime.total_seconds() / 3600))
