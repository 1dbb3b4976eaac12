"""Teams of a portal's developers, and the roles that teams have on APIs."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import Base, Entity, Id


class Team(Entity):
    """A team of a portal."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("portal_id", "name"),)

    portal_id: Mapped[str] = mapped_column(Id, ForeignKey("portals.id"))
    name: Mapped[str] = mapped_column(String(250))
    description: Mapped[str | None] = mapped_column(String(250))
    can_own_applications: Mapped[bool] = mapped_column(default=False)


class TeamMember(Base):
    """A developer is in a team."""

    __tablename__ = "team_members"

    team_id: Mapped[str] = mapped_column(Id, ForeignKey("teams.id"), primary_key=True)
    developer_id: Mapped[str] = mapped_column(Id, ForeignKey("developers.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]


class TeamRole(Entity):
    """A team may see (`API Viewer`) or consume (`API Consumer`) an API, or all of them (`entity_id` None)."""

    __tablename__ = "team_roles"
    __table_args__ = (UniqueConstraint("team_id", "role_name", "entity_id"),)

    team_id: Mapped[str] = mapped_column(Id, ForeignKey("teams.id"))
    role_name: Mapped[str] = mapped_column(String(64))
    entity_id: Mapped[str | None] = mapped_column(Id, index=True)
    entity_type_name: Mapped[str] = mapped_column(String(64))
    entity_region: Mapped[str] = mapped_column(String(32))
