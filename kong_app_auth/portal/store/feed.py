"""The feed: per region, a sequence number and the changes that carry it."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import Base


class FeedPosition(Base):
    """Where a region stands. `oldest` is the first number that is still kept; a new `epoch` makes all cursors old."""

    __tablename__ = "feed_positions"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(32))
    seq: Mapped[int]
    oldest: Mapped[int]


class FeedChange(Base):
    """One record as it is since `seq`, or None where it is gone. A transaction has one `seq` for all its changes."""

    __tablename__ = "feed_changes"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    record_table: Mapped[str] = mapped_column(String(16))
    record_id: Mapped[str] = mapped_column(String(64))
    record: Mapped[dict[str, Any] | None]
