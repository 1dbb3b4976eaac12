"""Portals, their settings for signing in, and who hears of their audit log."""

from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, LargeBinary, String, Text, UniqueConstraint, exists, func
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from kong_app_auth.portal.store.base import SECRET, Base, Entity, Id


class Portal(Entity):
    """A place where APIs are published for developers. It belongs to one region, and all that is in it too.

    `slug` names it in paths (`/p/<slug>/`); `custom_domain` is the operator's own host name for it, if any. `accent` is
    the colour of its pages (`#rrggbb`), `logo_version` names the logo's content; None for the product's own.
    """

    __tablename__ = "portals"
    __table_args__ = (UniqueConstraint("region", "name"),)

    region: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(255))
    display_name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(512))
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    default_domain: Mapped[str] = mapped_column(String(253), unique=True)
    custom_domain: Mapped[str | None] = mapped_column(String(253), unique=True)
    authentication_enabled: Mapped[bool] = mapped_column(default=True)
    rbac_enabled: Mapped[bool] = mapped_column(default=False)
    default_api_visibility: Mapped[str] = mapped_column(String(8), default="private")
    default_page_visibility: Mapped[str] = mapped_column(String(8), default="private")
    default_application_auth_strategy_id: Mapped[str | None] = mapped_column(Id, ForeignKey("auth_strategies.id"))
    auto_approve_developers: Mapped[bool] = mapped_column(default=False)
    auto_approve_applications: Mapped[bool] = mapped_column(default=False)
    notifications_developer_pii_visibility_enabled: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict)
    accent: Mapped[str | None] = mapped_column(String(7))
    logo_version: Mapped[str | None] = mapped_column(String(16))

    canonical_domain: Mapped[str] = column_property(func.coalesce(custom_domain, default_domain))

    authentication: Mapped["PortalAuthentication"] = relationship(cascade="all, delete-orphan", single_parent=True)
    audit_log_webhook: Mapped["PortalAuditLogWebhook | None"] = relationship(
        cascade="all, delete-orphan", single_parent=True
    )
    logo: Mapped["PortalLogo | None"] = relationship(cascade="all, delete-orphan", single_parent=True)


class PortalLogo(Base):
    """The picture beside a portal's name. It may be long, so it is loaded for its own sake only."""

    __tablename__ = "portal_logos"

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(32))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class IdentityProvider(Entity):
    """An identity provider through which developers of a portal sign in; a portal has one of a `type`: oidc or saml.

    `config` is what may be shown; `secret`, an OIDC client's, is sealed by the vault.
    """

    __tablename__ = "identity_providers"
    __table_args__ = (UniqueConstraint("portal_id", "type"),)

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    type: Mapped[str] = mapped_column(String(8))
    enabled: Mapped[bool] = mapped_column(default=False)
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    secret: Mapped[str | None] = mapped_column(Text, info=SECRET)


def _enabled_at(portal_id: Any, provider_type: str) -> ColumnElement[bool]:
    """Say whether a portal's provider of a type is enabled."""
    return (
        exists()
        .where(
            IdentityProvider.portal_id == portal_id,
            IdentityProvider.type == provider_type,
            IdentityProvider.enabled.is_(True),
        )
        .correlate_except(IdentityProvider)
    )


class PortalAuthentication(Entity):
    """How developers of a portal sign in, besides its identity providers, which are records of their own.

    `idp_mapping_enabled`: groups at the identity provider say which teams a developer is in;
    `konnect_mapping_enabled`: operators say it.
    """

    __tablename__ = "portal_authentication"

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), unique=True)
    basic_auth_enabled: Mapped[bool] = mapped_column(default=True)
    konnect_mapping_enabled: Mapped[bool] = mapped_column(default=False)
    idp_mapping_enabled: Mapped[bool] = mapped_column(default=False)

    oidc_auth_enabled: Mapped[bool] = column_property(_enabled_at(portal_id, "oidc"))
    saml_auth_enabled: Mapped[bool] = column_property(_enabled_at(portal_id, "saml"))


class TeamGroupMapping(Entity):
    """Members of `group` at an identity provider are members of the team."""

    __tablename__ = "team_group_mappings"
    __table_args__ = (UniqueConstraint("identity_provider_id", "team_id", "group"),)

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), index=True)
    identity_provider_id: Mapped[str] = mapped_column(Id, ForeignKey("identity_providers.id"))
    team_id: Mapped[str] = mapped_column(Id, ForeignKey("teams.id"), index=True)
    group: Mapped[str] = mapped_column(String(255))


class PortalAuditLogWebhook(Entity):
    """Where a portal's audit log goes. How far it has got, and how the last attempt went: `AuditLogSubscription`."""

    __tablename__ = "portal_audit_log_webhooks"

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"), unique=True)
    enabled: Mapped[bool] = mapped_column(default=False)
    audit_log_destination_id: Mapped[str | None] = mapped_column(Id, ForeignKey("audit_log_destinations.id"))
