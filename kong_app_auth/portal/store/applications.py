"""Applications, their registrations with APIs, and the operator's own fields on registrations."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.base import Entity, Id
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.strategies import AuthStrategy


class Application(Entity):
    """An application of a developer or of a team; it holds one auth strategy.

    `client_id` names it at the identity provider, or in another system. `scopes` are those that its developer asked
    for, `granted_scopes` those that a DCR provider gave (None: it does not tell). `registration_count` is loaded when
    it is asked for.
    """

    __tablename__ = "applications"
    __table_args__ = (
        CheckConstraint("(developer_id IS NULL) <> (team_id IS NULL)", name="one_owner"),
        UniqueConstraint("auth_strategy_id", "client_id"),
        Index("ix_applications_portal_created", "portal_id", "created_at", "id"),
        Index("ix_applications_portal_strategy", "portal_id", "auth_strategy_id"),
    )

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(255))
    redirect_uri: Mapped[str | None] = mapped_column(String(2048))
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)
    scopes: Mapped[list[str]] = mapped_column(default=list)
    granted_scopes: Mapped[list[str] | None]
    client_id: Mapped[str | None] = mapped_column(String(255))
    auth_strategy_id: Mapped[str] = mapped_column(Id, ForeignKey("auth_strategies.id"), index=True)
    developer_id: Mapped[str | None] = mapped_column(Id, ForeignKey("developers.id"), index=True)
    team_id: Mapped[str | None] = mapped_column(Id, ForeignKey("teams.id"), index=True)

    auth_strategy: Mapped[AuthStrategy] = relationship()
    developer: Mapped[Developer | None] = relationship()
    registrations: Mapped[list["Registration"]] = relationship(
        cascade="all, delete-orphan", back_populates="application"
    )
    credentials: Mapped[list[Credential]] = relationship(cascade="all, delete-orphan", back_populates="application")
    if TYPE_CHECKING:  # made below, where the columns of both classes are known
        registration_count: Mapped[int]


class Registration(Entity):
    """An application with an API: approved, pending, revoked or rejected; only approved ones pass traffic.

    `fields` are the applicant's answers to the portal's own fields; `reason` is what the approver said, `consumer` a
    Kong consumer that the gateway is to take the application for. `portal_id` is the application's: a portal's list of
    registrations would otherwise have to look at every application.
    """

    __tablename__ = "registrations"
    __table_args__ = (
        UniqueConstraint("application_id", "api_id"),
        Index("ix_registrations_portal_created", "portal_id", "created_at", "id"),
        Index("ix_registrations_api_created", "api_id", "created_at", "id"),
        Index("ix_registrations_status_created", "status", "created_at", "id"),
    )

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    application_id: Mapped[str] = mapped_column(Id, ForeignKey("applications.id"))
    api_id: Mapped[str] = mapped_column(Id, ForeignKey("apis.id"))
    status: Mapped[str] = mapped_column(String(16))
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str | None] = mapped_column(String(1000))
    consumer: Mapped[dict[str, Any] | None]

    application: Mapped[Application] = relationship(back_populates="registrations")
    api: Mapped[Api] = relationship()


_registrations = select(func.count(Registration.id)).where(Registration.application_id == Application.id)
Application.registration_count = column_property(
    _registrations.correlate_except(Registration).scalar_subquery(), deferred=True
)


class RegistrationField(Entity):
    """A field that the operator of a portal asks applicants to fill in when they register with an API."""

    __tablename__ = "registration_fields"
    __table_args__ = (UniqueConstraint("portal_id", "name"),)

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    name: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(1000))
    required: Mapped[bool] = mapped_column(default=False)
