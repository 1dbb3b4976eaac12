"""Developers of a portal, what they sign in with, and the one-time tokens that they get by mail."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import PERSONAL, SECRET, Entity, Id


class Developer(Entity):
    """Somebody who signed up at a portal. `status` is approved, pending, revoked or rejected.

    `email_key` is the address as it is compared: in lower case. `password_hash` is argon2id's encoded form.
    """

    __tablename__ = "developers"
    __table_args__ = (UniqueConstraint("portal_id", "email_key"),)

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    email: Mapped[str] = mapped_column(String(255), info=PERSONAL)
    email_key: Mapped[str] = mapped_column(String(255), info=PERSONAL)
    full_name: Mapped[str] = mapped_column(String(256), info=PERSONAL)
    status: Mapped[str] = mapped_column(String(16), index=True)
    password_hash: Mapped[str | None] = mapped_column(String(255), info=SECRET)
    email_verified_at: Mapped[datetime | None]


class DeveloperIdentity(Entity):
    """Who a developer is at an identity provider: `subject` never changes there and is nobody else's, an address may.

    It hangs on the `issuer` and not on the record of the provider, so it outlives a provider that is made anew.
    """

    __tablename__ = "developer_identities"
    __table_args__ = (UniqueConstraint("portal_id", "issuer", "subject"),)

    developer_id: Mapped[str] = mapped_column(Id, ForeignKey("developers.id"), index=True)
    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    issuer: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(255), info=PERSONAL)


class DeveloperToken(Entity):
    """A one-time token sent by mail, known by its hex SHA-256. `purpose`: verify_email or reset_password."""

    __tablename__ = "developer_tokens"

    developer_id: Mapped[str] = mapped_column(Id, ForeignKey("developers.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DeveloperSession(Entity):
    """A signed-in developer: an access token of short life and the refresh token that renews it, by hex SHA-256.

    `previous_refresh_digest` is that of the refresh token before: who shows that one has a copy of it. `device` is what
    the browser says that it is.
    """

    __tablename__ = "developer_sessions"

    developer_id: Mapped[str] = mapped_column(Id, ForeignKey("developers.id"), index=True)
    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), index=True)
    access_digest: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    access_expires_at: Mapped[datetime]
    refresh_digest: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    refresh_expires_at: Mapped[datetime]
    previous_refresh_digest: Mapped[str | None] = mapped_column(String(64), index=True, info=SECRET)
    refreshed_at: Mapped[datetime | None]
    device: Mapped[str | None] = mapped_column(String(255), info=PERSONAL)


class Attempt(Entity):
    """A counted attempt (sign-in, sign-up, password reset, key disclosure) of a subject, for the rate limits.

    `subject` is a keyed hash of what is counted: an address of the network or of mail, never the address itself.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_subject_created", "subject", "created_at"),
        Index("ix_attempts_created", "created_at"),
    )

    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
