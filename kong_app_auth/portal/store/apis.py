"""APIs: their specifications, the Gateway Services that implement them, and the portals that publish them."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kong_app_auth.portal.store.base import Entity, Id
from kong_app_auth.portal.store.portals import Portal

if TYPE_CHECKING:  # it knows this module
    from kong_app_auth.portal.store.strategies import AuthStrategy


class Api(Entity):
    """A product with a name and a version. `version` is None where it has none."""

    __tablename__ = "apis"
    __table_args__ = (UniqueConstraint("region", "name", "version"), UniqueConstraint("region", "slug"))

    region: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(255))
    version: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(String(255))
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)

    specifications: Mapped[list["ApiSpecification"]] = relationship(
        cascade="all, delete-orphan", order_by="ApiSpecification.created_at"
    )
    publications: Mapped[list["Publication"]] = relationship(cascade="all, delete-orphan", back_populates="api")
    implementation: Mapped["Implementation | None"] = relationship(
        cascade="all, delete-orphan", single_parent=True, back_populates="api"
    )


class ApiSpecification(Entity):
    """An OpenAPI or AsyncAPI document. `type` is oas2, oas3 or asyncapi."""

    __tablename__ = "api_specifications"

    api_id: Mapped[str] = mapped_column(Id, ForeignKey("apis.id"), index=True)
    type: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    validation_messages: Mapped[list[str]] = mapped_column(default=list)


class Implementation(Entity):
    """The link of an API to a Gateway Service (`service_id`), or to a control plane alone: one a service and API."""

    __tablename__ = "implementations"
    __table_args__ = (UniqueConstraint("region", "service_id"),)

    region: Mapped[str] = mapped_column(String(32))
    api_id: Mapped[str] = mapped_column(Id, ForeignKey("apis.id"), unique=True)
    control_plane_id: Mapped[str] = mapped_column(Id)
    service_id: Mapped[str | None] = mapped_column(Id)

    api: Mapped[Api] = relationship(back_populates="implementation")


class Publication(Entity):
    """An API in a portal, with at most one auth strategy there; None means no authentication."""

    __tablename__ = "publications"
    __table_args__ = (UniqueConstraint("api_id", "portal_id"),)

    api_id: Mapped[str] = mapped_column(Id, ForeignKey("apis.id"))
    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), index=True)
    auth_strategy_id: Mapped[str | None] = mapped_column(Id, ForeignKey("auth_strategies.id"), index=True)
    visibility: Mapped[str] = mapped_column(String(8), default="private")
    auto_approve_registrations: Mapped[bool] = mapped_column(default=False)

    api: Mapped[Api] = relationship(back_populates="publications")
    portal: Mapped[Portal] = relationship()
    auth_strategy: Mapped["AuthStrategy | None"] = relationship()
