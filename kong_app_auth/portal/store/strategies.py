"""Auth strategies, and the providers at which clients are registered dynamically."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, exists
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.base import SECRET, Entity, Id


class DcrProvider(Entity):
    """A provider for dynamic client registration. `config` is what may be shown, `secrets` is sealed by the vault.

    `active`: a strategy that uses it is that of a publication.
    """

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

    if TYPE_CHECKING:  # made below
        active: Mapped[bool]


class AuthStrategy(Entity):
    """How applications authenticate: `key_auth` or `openid_connect`. `config` is the one under `configs.<type>`.

    `built_in` marks the region's own `key-auth`, the default of every portal that names no other. `active`: a
    publication uses it; loaded when it is asked for.
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

    # Always loaded along: every view of a strategy depends on it, and most have none.
    dcr_provider: Mapped[DcrProvider | None] = relationship(lazy="joined")
    if TYPE_CHECKING:  # made below, where the columns of both classes are known
        active: Mapped[bool]


_in_use = exists().where(Publication.auth_strategy_id == AuthStrategy.id).correlate_except(Publication)
AuthStrategy.active = column_property(_in_use, deferred=True)
_of_used_strategy = exists().where(
    AuthStrategy.dcr_provider_id == DcrProvider.id, Publication.auth_strategy_id == AuthStrategy.id
)
DcrProvider.active = column_property(_of_used_strategy.correlate_except(AuthStrategy, Publication), deferred=True)
