"""Warnings of keys that will expire: once for each key and threshold, and once when the key has expired."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction

BATCH: Final = 100
"""Keys of one transaction: other writers of the region wait no longer than for those."""
TOLD_AFTER: Final = timedelta(days=7)
"""Of a key that expired longer ago nobody is told, for instance after an import."""


def warn_of_expiring_keys(plane: ControlPlane) -> int:
    """Put the warnings that are due into the outbox; give for how many keys."""
    return sum(_warn(plane, System(region=region, name="key expiry")) for region in plane.configuration.regions)


def _warn(plane: ControlPlane, actor: System) -> int:
    warned, last = 0, ""
    while True:
        with plane.read(actor) as tx:
            ids = _ids(tx, last)
            due = [credential.id for credential in _due(tx, ids)]
        if not ids:
            return warned
        if due:
            with plane.write(actor) as tx:
                warned += sum(_tell(tx, credential) for credential in _due(tx, due))
        last = ids[-1]


def _ids(tx: Transaction, after: str) -> list[str]:
    """The next keys to look at, by id. Those that were told of as expired are left out."""
    farthest = max(tx.configuration.expiry_warnings, default=timedelta())
    statement = (
        select(Credential.id)
        .where(
            Credential.region == tx.region,
            Credential.status == "active",
            Credential.expires_at > tx.now - TOLD_AFTER,
            Credential.expires_at <= tx.now + farthest,
            or_(Credential.warned_at.is_(None), Credential.warned_at < Credential.expires_at),
        )
        .order_by(Credential.id)
        .limit(BATCH)
    )
    return list(tx.session.scalars(statement.where(Credential.id > after) if after else statement))


def _due(tx: Transaction, ids: Sequence[str]) -> list[Credential]:
    statement = (
        select(Credential)
        .where(Credential.id.in_(ids), Credential.status == "active")
        .options(joinedload(Credential.application).joinedload(Application.developer))
    )
    return [one for one in tx.session.scalars(statement) if _is_due(tx, one)]


def _is_due(tx: Transaction, credential: Credential) -> bool:
    if credential.expires_at is None:
        return False
    moment = _latest_moment(credential.created_at, credential.expires_at, tx)
    return moment is not None and (credential.warned_at is None or credential.warned_at < moment)


def _latest_moment(created_at: datetime, expires_at: datetime, tx: Transaction) -> datetime | None:
    """The last moment up to now at which the owners were to be told.

    A threshold that was passed when the key was made is none: they have just seen when it expires.
    """
    moments = [expires_at, *(expires_at - before for before in tx.configuration.expiry_warnings)]
    return max((moment for moment in moments if created_at < moment <= tx.now), default=None)


def _tell(tx: Transaction, credential: Credential) -> int:
    application = credential.application
    portal = tx.session.get_one(Portal, application.portal_id)
    expired = credential.expires_at is not None and credential.expires_at <= tx.now
    tell = notices.key_expired if expired else notices.key_expires_soon
    tell(tx, portal, application, credential)
    credential.warned_at = tx.now
    return 1
