"""What all records have in common: names of constraints, column types, an id and two times."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, MetaData, TypeDecorator, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names of their own, so that a migration can speak of them on either database."""

SECRET = {"secret": True}
"""The `info` of a column whose value is never shown: not in the audit log, not in a repr."""
PERSONAL = {"personal": True}
"""The `info` of a column that says who somebody is."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, always in UTC. SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a time without a zone: nobody could say when it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JsonDocument = JSON().with_variant(JSONB(), "postgresql")
"""A JSON value. Always assign a new one: a change inside it is not seen."""


class Base(DeclarativeBase):
    """The parent of every record."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UtcTime(), dict[str, Any]: JsonDocument, list[str]: JsonDocument}  # noqa: RUF012

    def __repr__(self) -> str:
        """Name the record; its columns may hold secrets."""
        return f"{type(self).__name__}({getattr(self, 'id', '…')})"


def new_id() -> str:
    """Make an id: a random UUID in its canonical text form."""
    return str(uuid.uuid4())


Id = Uuid(as_uuid=False)
"""A UUID as text."""


class Entity(Base):
    """A record with an id of its own. Its times are set by the transaction that writes it."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id, sort_order=-3)
    created_at: Mapped[datetime] = mapped_column(sort_order=-2)
    updated_at: Mapped[datetime] = mapped_column(sort_order=-1)
