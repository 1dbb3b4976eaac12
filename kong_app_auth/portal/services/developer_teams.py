"""The teams that a developer is a member of, and who else is."""

from sqlalchemy import Select, select

from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.transaction import Transaction


def own_teams(developer_id: str) -> Select[Team]:
    """Select the teams of a developer."""
    return select(Team).join(TeamMember, TeamMember.team_id == Team.id).where(TeamMember.developer_id == developer_id)


def own_team(tx: Transaction, developer_id: str, team_id: str) -> Team:
    """Give a team of a developer. Raises NotFound for one that the developer is not in."""
    found = tx.find(Team, team_id)
    if found is None or tx.session.get(TeamMember, (found.id, developer_id)) is None:
        raise NotFound("Team not found")
    return found


def members(team: Team) -> Select[Developer]:
    """Select the members of a team."""
    return (
        select(Developer).join(TeamMember, TeamMember.developer_id == Developer.id).where(TeamMember.team_id == team.id)
    )
