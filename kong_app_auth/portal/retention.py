"""What is kept for a time only, and let go when that is over. The feed's own changes are `feed.retention`'s."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services.rate_limits import LONGEST_WINDOW
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.base import Base
from kong_app_auth.portal.store.developers import Attempt, DeveloperSession, DeveloperToken
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.pages import OperatorSession, UsedForm
from kong_app_auth.portal.store.usage import Refusal, Usage

TOKEN_RETENTION: Final = timedelta(days=30)
"""After its expiry. Until then who comes with an old link hears that it expired, not that it is unknown."""
STRETCH: Final = timedelta(hours=1)
"""What is deleted in one transaction: other writers wait for it."""


def prune(plane: ControlPlane) -> int:
    """Delete what has been kept long enough; give how many rows there were."""
    settings, now = plane.configuration, plane.clock()
    everything = "retention"
    kept: tuple[tuple[type[Base], InstrumentedAttribute[datetime], datetime], ...] = (
        (Attempt, Attempt.created_at, now - LONGEST_WINDOW),
        (DeveloperSession, DeveloperSession.refresh_expires_at, now),
        (DeveloperToken, DeveloperToken.expires_at, now - TOKEN_RETENTION),
        (Message, Message.created_at, now - settings.mail_retention),
        (OperatorSession, OperatorSession.expires_at, now),
        (UsedForm, UsedForm.expires_at, now),
    )
    total = sum(_prune(plane, everything, record, at, until) for record, at, until in kept)
    for region in settings.regions:
        of_usage, of_refusals = Usage.region == region, Refusal.region == region
        total += _prune(plane, region, Usage, Usage.minute, now - settings.usage_retention, of_usage)
        total += _prune(plane, region, Refusal, Refusal.at, now - settings.refusal_retention, of_refusals)
        if settings.audit_retention is not None:
            of_entries = AuditEntry.region == region
            total += _prune(plane, region, AuditEntry, AuditEntry.at, now - settings.audit_retention, of_entries)
    return total


def _prune(
    plane: ControlPlane,
    region: str,
    record: type[Base],
    at: InstrumentedAttribute[datetime],
    until: datetime,
    *conditions: Any,
) -> int:
    """Delete the rows of `record` whose time `at` is at or before `until`, a stretch at a time, the oldest first."""
    actor, total = System(region=region, name="retention"), 0
    while True:
        with plane.read(actor) as tx:
            oldest = tx.session.scalar(select(func.min(at)).where(*conditions))
        if oldest is None or oldest > until:
            return total
        with plane.write(actor) as tx:
            gone = tx.session.execute(delete(record).where(at <= min(until, oldest + STRETCH), *conditions))
            total += _count(gone)


def _count(result: Any) -> int:
    return max(0, int(result.rowcount))
