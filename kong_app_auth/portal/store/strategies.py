"""Auth strategies, and the providers at which clients are registered dynamically."""

from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kong_app_auth.portal.store.base import SECRET, Entity, Id


class DcrProvider(Entity):
    """A provider for dynamic client registration. `config` is what may be shown, `secrets` is sealed by the vault."""

    __tablename__ = "dcr_providers"
    __table_args__ = (UniqueConstraint("region", "name"),)

    region: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(256))
    display_name: Mapped[str | None] = mapped_column(String(256))
    provider_type: Mapped[str] = mapped_column(String(16))
    issuer: Mapped[str] = mapped_column(String(256))
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    secrets: Mapped[str] = mapped_column(Text, info=SECRET)
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)


class AuthStrategy(Entity):
    """How applications authenticate: `key_auth` or `openid_connect`. `config` is the one under `configs.<type>`.

    `built_in` marks the region's own `key-auth`, the default of every portal that names no other.
    """

    __tablename__ = "auth_strategies"
    __table_args__ = (UniqueConstraint("region", "name"),)

    region: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(256))
    display_name: Mapped[str] = mapped_column(String(256))
    strategy_type: Mapped[str] = mapped_column(String(16))
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    dcr_provider_id: Mapped[str | None] = mapped_column(Id, ForeignKey("dcr_providers.id"), index=True)
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)
    principals_enabled: Mapped[bool] = mapped_column(default=False)
    built_in: Mapped[bool] = mapped_column(default=False)

    dcr_provider: Mapped[DcrProvider | None] = relationship()
