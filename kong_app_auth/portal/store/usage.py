"""What gateways report: how often applications called, and why requests were refused."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import Base, Id
from kong_app_auth.portal.store.ids import NONE

NOBODY = NONE
"""The application or API of a request that named none: part of a key, so it cannot be null."""


class Usage(Base):
    """How many requests of an application to an API came out so in one minute.

    `outcome`: `allowed` or a reason code.
    """

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_application", "application_id", "minute"),)

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(Id, primary_key=True)
    api_id: Mapped[str] = mapped_column(Id, primary_key=True)
    outcome: Mapped[str] = mapped_column(String(32), primary_key=True)
    status_code: Mapped[int | None]
    requests: Mapped[int] = mapped_column(BigInteger)


class Refusal(Base):
    """One refused request, by the id that its client was shown."""

    __tablename__ = "refusals"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(32))
    status_code: Mapped[int]
    application_id: Mapped[str | None] = mapped_column(Id, index=True)
    credential_id: Mapped[str | None] = mapped_column(Id)
    api_id: Mapped[str | None] = mapped_column(Id)
    service_id: Mapped[str | None] = mapped_column(Id)


class ReportsPosition(Base):
    """How far a region's reports were taken in: a batch that is sent twice counts once."""

    __tablename__ = "reports_positions"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    stream_id: Mapped[str] = mapped_column(String(64))
