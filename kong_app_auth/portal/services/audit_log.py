"""The audit log, read: by page, and all of it in batches."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, select

from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.transaction import Transaction


def all_entries(tx: Transaction) -> Select[AuditEntry]:
    """Select the entries of the caller's region."""
    return select(AuditEntry).where(AuditEntry.region == tx.region)


def last_number(tx: Transaction) -> int:
    """Give the number of the region's newest entry; 0 where there is none."""
    return tx.session.scalar(select(func.max(AuditEntry.number)).where(AuditEntry.region == tx.region)) or 0


def batch(
    tx: Transaction, conditions: Sequence[ColumnElement[bool]], after: int, until: int, size: int
) -> Sequence[AuditEntry]:
    """Give the next entries that meet the conditions, oldest first: `after` < number <= `until`."""
    here = all_entries(tx).where(*conditions, AuditEntry.number > after, AuditEntry.number <= until)
    return tx.session.scalars(here.order_by(AuditEntry.number).limit(size)).all()
