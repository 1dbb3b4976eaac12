"""Who did what: the audit log, and the webhooks that hear of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kong_app_auth.portal.store.base import SECRET, Base, Entity, Id, new_id


class AuditEntry(Base):
    """One thing that somebody did to one record. `before` and `after` hold the columns that differ, without secrets.

    `actor_type`: operator, developer, anonymous or system. `action`: create, update, delete, or a name of its own
    (sign_in, import_key, …). Entries of one request share its `request_id`.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_region_number", "region", "number"),
        Index("ix_audit_entries_portal_id_number", "portal_id", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    region: Mapped[str] = mapped_column(String(32))
    portal_id: Mapped[str | None] = mapped_column(Id)
    actor_type: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(Id)
    actor_name: Mapped[str | None] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(32))
    entity_type: Mapped[str] = mapped_column(String(64))
    entity_id: Mapped[str | None] = mapped_column(String(80))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    request_id: Mapped[str] = mapped_column(String(64))


class AuditLogDestination(Entity):
    """A URL that audit entries are posted to. `secret` signs them; it is sealed by the vault.

    `all_portals`: it hears of the whole region, else of the portals whose webhook names it.
    """

    __tablename__ = "audit_log_destinations"
    __table_args__ = (UniqueConstraint("region", "name"),)

    region: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(255))
    endpoint: Mapped[str] = mapped_column(String(2048))
    secret: Mapped[str] = mapped_column(Text, info=SECRET)
    enabled: Mapped[bool] = mapped_column(default=True)
    all_portals: Mapped[bool] = mapped_column(default=False)

    subscriptions: Mapped[list["AuditLogSubscription"]] = relationship(
        back_populates="destination", cascade="all, delete-orphan", passive_deletes=True
    )


class AuditLogSubscription(Base):
    """How far a destination has heard of a portal's log, or of the whole region's (`portal_id` None).

    The log itself is the queue: `position` is the number of the last entry that was delivered. `failures` in a row
    lead to `next_attempt_at`, and at last to `off_since`. The process that is sending holds the `lease` until
    `leased_until`. Changes here are nobody's deeds, so they stand apart from the records that the log is about.
    """

    __tablename__ = "audit_log_subscriptions"
    __table_args__ = (UniqueConstraint("destination_id", "portal_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    region: Mapped[str] = mapped_column(String(32), index=True)
    destination_id: Mapped[str] = mapped_column(Id, ForeignKey("audit_log_destinations.id", ondelete="CASCADE"))
    portal_id: Mapped[str | None] = mapped_column(Id, ForeignKey("portals.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    failures: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    off_since: Mapped[datetime | None]
    lease: Mapped[str | None] = mapped_column(Id)
    leased_until: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    last_response_code: Mapped[int | None]
    last_response_message: Mapped[str | None] = mapped_column(String(255))

    destination: Mapped[AuditLogDestination] = relationship(back_populates="subscriptions")
