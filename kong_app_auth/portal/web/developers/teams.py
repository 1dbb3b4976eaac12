"""`/teams`: the teams that somebody is in, and who else is."""

from typing import Any

from fastapi import Response
from sqlalchemy import func, select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.services import developer_teams, ownership
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer as Account
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.web.paging import page_of
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import Developer
from kong_app_auth.portal.web.sites import site_of

routes = router("/teams", "Pages")


@routes.get("", response_class=Response)
def list_teams(access: Developer) -> Response:
    """The own teams."""
    query = page_of(access.request, Team.name, Team.id)
    with access.read() as tx:
        found, total = query.records(tx, developer_teams.own_teams(access.developer_id))
        counts = select(TeamMember.team_id, func.count()).where(TeamMember.team_id.in_([one.id for one in found]))
        members: dict[str, int] = {row[0]: row[1] for row in tx.session.execute(counts.group_by(TeamMember.team_id))}
        teams = [
            {
                "id": one.id,
                "name": one.name,
                "description": one.description,
                "owns": one.can_own_applications,
                "members": members.get(one.id, 0),
            }
            for one in found
        ]
        page = query.written(teams, total).meta.page
    return render(access, site_of(access), "developers/teams.html", teams=teams, page=page)


@routes.get("/{team_id}", response_class=Response)
def show_team(access: Developer, team_id: str) -> Response:
    """A team: its members, and its applications."""
    query = page_of(access.request, Account.full_name, Account.id)
    with access.read() as tx:
        team = developer_teams.own_team(tx, access.developer_id, team_id)
        found, total = query.records(tx, developer_teams.members(team))
        own = ownership.applications_of(access.portal.id, access.developer_id).where(Application.team_id == team.id)
        applications = [(one.id, one.name) for one in tx.session.scalars(own.order_by(Application.name).limit(50))]
        members = [(one.full_name, one.email, one.id == access.developer_id) for one in found]
        context: dict[str, Any] = {
            "team": {"id": team.id, "name": team.name, "description": team.description},
            "owns": team.can_own_applications,
            "members": members,
            "applications": applications,
            "page": query.written(members, total).meta.page,
        }
    return render(access, site_of(access), "developers/team.html", **context)
