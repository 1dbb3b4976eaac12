"""`/api/v3/developer/teams`."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.contract.accounts import DeveloperTeamView, DeveloperView
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.services import developer_teams
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.views.accounts import developer_team_view, developer_view

routes = router("/api/v3/developer/teams", "Developer Teams")

_TEAMS = Listing(tie=Team.id, default=(Team.name,))
_MEMBERS = Listing(tie=Developer.id, default=(Developer.full_name,))


@routes.get("")
def get_developer_teams(access: Member, query: Annotated[Query, Depends(_TEAMS)]) -> ListOf[DeveloperTeamView]:
    """`get-developer-teams`."""
    with access.read() as tx:
        return query.page(tx, developer_teams.own_teams(access.developer_id), developer_team_view)


@routes.get("/{team_id}")
def get_developer_team(access: Member, team_id: str) -> DeveloperTeamView:
    """`get-developer-team`."""
    with access.read() as tx:
        return developer_team_view(developer_teams.own_team(tx, access.developer_id, team_id))


@routes.get("/{team_id}/developers")
def get_developer_team_developers(
    access: Member, team_id: str, query: Annotated[Query, Depends(_MEMBERS)]
) -> ListOf[DeveloperView]:
    """`get-developer-team-developers`."""
    with access.read() as tx:
        team = developer_teams.own_team(tx, access.developer_id, team_id)
        return query.page(tx, developer_teams.members(team), developer_view)
