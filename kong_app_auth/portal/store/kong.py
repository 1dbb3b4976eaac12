"""What sync daemons say of their region's Kongs: how each one is, and how the plugin stands on each Gateway Service."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import Base, Id


class KongGateway(Base):
    """A Kong whose plugins a daemon manages.

    `error`: why nothing can be done there, as a code; None while all is well. `drift`: how often something that was
    changed by hand has been put back since the daemon began.
    """

    __tablename__ = "kong_gateways"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(16))
    on_unlink: Mapped[str] = mapped_column(String(8))
    error: Mapped[str | None] = mapped_column(String(64))
    checked_at: Mapped[datetime | None]
    reported_at: Mapped[datetime]
    drift: Mapped[int]


class KongService(Base):
    """A Gateway Service that carries the plugin, or shall.

    `state`: enforced, blocked, pending (no Kong has it yet) or failed. `error` has `code`, `message` and `gateway`.
    """

    __tablename__ = "kong_services"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    service_id: Mapped[str] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    error: Mapped[dict[str, Any] | None]
