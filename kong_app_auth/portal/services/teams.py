"""Teams of a portal and their members."""

from typing import Final

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.teams import AddMember, CreateTeam, UpdateTeam
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services.departures import forget_team
from kong_app_auth.portal.services.developer_administration import the_developer
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.transaction import Transaction

_PLAIN: Final = ("name", "description", "can_own_applications")
"""Fields that are taken over as they are."""


def teams_of_portal(tx: Transaction, portal_id: str) -> Select[Team]:
    """Select the teams of a portal. Raises NotFound."""
    return select(Team).where(Team.portal_id == the_portal(tx, portal_id).id)


def the_team(tx: Transaction, portal_id: str, team_id: str) -> Team:
    """Give a team of a portal. Raises NotFound."""
    portal = the_portal(tx, portal_id)
    found = tx.find(Team, team_id)
    if found is None or found.portal_id != portal.id:
        raise NotFound("Team not found")
    return found


def create(tx: Transaction, portal_id: str, wanted: CreateTeam) -> Team:
    """Make a team. Raises NotFound, Invalid."""
    portal = the_portal(tx, portal_id)
    _check_name(tx, portal.id, wanted.name, None)
    team = Team(portal_id=portal.id, **wanted.given(*_PLAIN))
    tx.session.add(team)
    tx.session.flush()
    return team


def update(tx: Transaction, portal_id: str, team_id: str, wanted: UpdateTeam) -> Team:
    """Change a team. One that owns applications must go on being allowed to. Raises NotFound, Invalid."""
    team = the_team(tx, portal_id, team_id)
    changes = wanted.given(*_PLAIN)
    if "name" in changes:
        _check_name(tx, team.portal_id, wanted.name, team.id)
    if changes.get("can_own_applications") is False and team.can_own_applications:
        owned = select(Application.id).where(Application.team_id == team.id).limit(1)
        if tx.session.scalar(owned) is not None:
            raise invalid(
                "can_own_applications", "the team owns applications; give them to others first, or delete them"
            )
    for name, value in changes.items():
        setattr(team, name, value)
    tx.session.flush()
    return team


def delete(tx: Transaction, portal_id: str, team_id: str) -> None:
    """Delete a team with its roles and applications; its members stay. Raises NotFound."""
    forget_team(tx, the_team(tx, portal_id, team_id))


def members(tx: Transaction, portal_id: str, team_id: str) -> Select[Developer]:
    """Select the members of a team. Raises NotFound."""
    team = the_team(tx, portal_id, team_id)
    return (
        select(Developer).join(TeamMember, TeamMember.developer_id == Developer.id).where(TeamMember.team_id == team.id)
    )


def teams_of_developer(tx: Transaction, portal_id: str, developer_id: str) -> Select[Team]:
    """Select the teams that a developer is in. Raises NotFound."""
    developer = the_developer(tx, portal_id, developer_id)
    return select(Team).join(TeamMember, TeamMember.team_id == Team.id).where(TeamMember.developer_id == developer.id)


def add_member(tx: Transaction, portal_id: str, team_id: str, wanted: AddMember) -> None:
    """Put a developer into a team. Raises NotFound; Conflict where the developer is in it already."""
    team = the_team(tx, portal_id, team_id)
    developer = the_developer(tx, portal_id, wanted.id)
    if tx.session.get(TeamMember, (team.id, developer.id)) is not None:
        raise Conflict("The developer is in this team already")
    tx.session.add(TeamMember(team_id=team.id, developer_id=developer.id, created_at=tx.now))
    tx.session.flush()


def remove_member(tx: Transaction, portal_id: str, team_id: str, developer_id: str) -> None:
    """Take a developer out of a team. Raises NotFound."""
    team = the_team(tx, portal_id, team_id)
    developer = the_developer(tx, portal_id, developer_id)
    membership = tx.session.get(TeamMember, (team.id, developer.id))
    if membership is None:
        raise NotFound("The developer is not in this team")
    tx.session.delete(membership)
    tx.session.flush()


def _check_name(tx: Transaction, portal_id: str, name: str, own_id: str | None) -> None:
    known = tx.session.scalar(select(Team.id).where(Team.portal_id == portal_id, Team.name == name))
    if known is not None and known != own_id:
        raise invalid("name", "is the name of another team")
