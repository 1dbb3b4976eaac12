"""What a transaction has changed, record by record: what the audit log and the feed are made of.

Nothing that goes through the session can be forgotten this way; a service cannot change a record past it, for bulk
statements are not used on audited records.
"""

from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy import event, inspect
from sqlalchemy.orm import InstanceState, Session

from kong_app_auth.portal.store.base import Base, Entity


class Kind(Enum):
    """What happened to a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Changed(msgspec.Struct):
    """A record, what happened to it, and its columns before and after (only those that differ, for an update)."""

    record: Base
    kind: Kind
    before: dict[str, Any]
    after: dict[str, Any]


class ChangeLog:
    """Follows a session through all its flushes. `now` is put into the times of the records."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._now = now
        self._changes: dict[int, Changed] = {}
        event.listen(session, "before_flush", self._stamp)
        event.listen(session, "after_flush", self._note)

    def entries(self) -> list[Changed]:
        """List what was changed, in the order in which it was first written."""
        return list(self._changes.values())

    def _stamp(self, session: Session, _context: Any, _instances: Any) -> None:
        for record in session.new:
            if isinstance(record, Entity) and "created_at" not in _state(record).dict:
                record.created_at = record.updated_at = self._now
        for record in session.dirty:
            if isinstance(record, Entity) and session.is_modified(record, include_collections=False):
                record.updated_at = self._now

    def _note(self, session: Session, _context: Any) -> None:
        for record in session.new:
            self._changes[id(record)] = Changed(record, Kind.CREATE, {}, _columns(record))
        for record in session.dirty:
            before, after = _difference(record)
            if not after:
                continue
            known = self._changes.get(id(record))
            if known is None:
                self._changes[id(record)] = Changed(record, Kind.UPDATE, before, after)
            else:
                known.before = {**before, **known.before} if known.kind is Kind.UPDATE else known.before
                known.after.update(after)
        for record in session.deleted:
            known = self._changes.pop(id(record), None)
            if known is None or known.kind is not Kind.CREATE:
                before = _columns(record) | ({} if known is None else known.before)
                self._changes[id(record)] = Changed(record, Kind.DELETE, before, {})


def _state(record: Base) -> InstanceState[Any]:
    state: InstanceState[Any] = inspect(record)
    return state


def _columns(record: Base) -> dict[str, Any]:
    state = _state(record)
    return {column.key: state.dict.get(column.key) for column in record.__table__.columns}


def _difference(record: Base) -> tuple[dict[str, Any], dict[str, Any]]:
    state = _state(record)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for column in record.__table__.columns:
        history = state.attrs[column.key].history
        if history.has_changes() and column.key != "updated_at":
            before[column.key] = history.deleted[0] if history.deleted else None
            after[column.key] = history.added[0] if history.added else None
    return before, after
