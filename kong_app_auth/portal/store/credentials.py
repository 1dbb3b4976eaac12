"""Credentials of applications. A key is never kept, only the SHA-256 that gateways find it by."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kong_app_auth.portal.store.base import SECRET, Base, Entity, Id

if TYPE_CHECKING:
    from kong_app_auth.portal.store.applications import Application


class Credential(Entity):
    """An API key: `digest` is the hex SHA-256 of its text, `status` active or revoked, `expires_at` None for never.

    `warned_at`: when its owner was told that it will expire.
    """

    __tablename__ = "credentials"
    __table_args__ = (UniqueConstraint("region", "digest"),)

    region: Mapped[str] = mapped_column(String(32))
    application_id: Mapped[str] = mapped_column(Id, ForeignKey("applications.id"), index=True)
    display_name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64), info=SECRET)
    status: Mapped[str] = mapped_column(String(8), default="active")
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    warned_at: Mapped[datetime | None]

    application: Mapped["Application"] = relationship(back_populates="credentials")


class CredentialUse(Base):
    """When a credential was last let in by a gateway. Apart from the credential, for it changes all the time."""

    __tablename__ = "credential_uses"

    credential_id: Mapped[str] = mapped_column(Id, primary_key=True)
    last_used_at: Mapped[datetime]
