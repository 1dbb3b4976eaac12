"""The feed: per region, a sequence number and the changes that carry it."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import SECRET, Base


class FeedPosition(Base):
    """Where a region stands. `oldest` is the first number that is still kept; a new `epoch` makes all cursors old.

    `version` is that of the lines: those of another version are never sent, for a new epoch is begun instead.
    """

    __tablename__ = "feed_positions"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    seq: Mapped[int] = mapped_column(BigInteger)
    oldest: Mapped[int] = mapped_column(BigInteger)


class FeedChange(Base):
    """One record as it is since `seq`, as a line of the feed. A transaction has one `seq` for all its changes."""

    __tablename__ = "feed_changes"
    __table_args__ = (Index("ix_feed_changes_region_at", "region", "at"),)

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    line: Mapped[str] = mapped_column(Text, info=SECRET)
