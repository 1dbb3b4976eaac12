"""`/v3/portals/{portalId}/teams`: teams, their members and their roles; and `/v3/portal-roles`."""

from typing import Annotated

from fastapi import Depends, Response
from sqlalchemy import literal

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.teams import (
    AddMember,
    AssignedRoleView,
    AssignRole,
    CreateTeam,
    MemberView,
    RolesView,
    TeamView,
    UpdateTeam,
)
from kong_app_auth.portal.services import roles, teams
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamRole
from kong_app_auth.portal.views.teams import assigned_role_view, member_view, roles_view, team_view

routes = router("/v3", "Portal Teams")

_CAN_OWN = Field(Team.can_own_applications, FieldKind.BOOLEAN)
_TEAMS = Listing(
    tie=Team.id, default=(Team.created_at,), filters={"name": Field(Team.name), "can_own_applications": _CAN_OWN}
)
_DEVELOPER_TEAMS = Listing(tie=Team.id, default=(Team.created_at,), filters={"can_own_applications": _CAN_OWN})
_MEMBERS = Listing(
    tie=Developer.id,
    default=(Developer.created_at,),
    filters={
        "email": Field(Developer.email),
        "full_name": Field(Developer.full_name),
        "attributes": Field(literal("")),  # developers have none here, so nothing is found by them
        "active": Field(Developer.status == "approved", FieldKind.BOOLEAN),
    },
)
_ROLES = Listing(tie=TeamRole.id, default=(TeamRole.created_at,))


@routes.get("/portals/{portal_id}/teams")
def list_teams(access: Reader, portal_id: str, query: Annotated[Query, Depends(_TEAMS)]) -> ListOf[TeamView]:
    """`list-portal-teams`."""
    with access.read() as tx:
        return query.page(tx, teams.teams_of_portal(tx, portal_id), team_view)


@routes.post("/portals/{portal_id}/teams", status_code=201)
def create_team(access: Writer, portal_id: str, wanted: CreateTeam) -> TeamView:
    """`create-portal-team`."""
    with access.write() as tx:
        return team_view(teams.create(tx, portal_id, wanted))


@routes.get("/portals/{portal_id}/teams/{team_id}")
def get_team(access: Reader, portal_id: str, team_id: str) -> TeamView:
    """`get-portal-team`."""
    with access.read() as tx:
        return team_view(teams.the_team(tx, portal_id, team_id))


@routes.patch("/portals/{portal_id}/teams/{team_id}")
def update_team(access: Writer, portal_id: str, team_id: str, wanted: UpdateTeam) -> TeamView:
    """`update-portal-team`."""
    with access.write() as tx:
        return team_view(teams.update(tx, portal_id, team_id, wanted))


@routes.delete("/portals/{portal_id}/teams/{team_id}", status_code=204)
def delete_team(access: Writer, portal_id: str, team_id: str) -> None:
    """`delete-portal-team`."""
    with access.write() as tx:
        teams.delete(tx, portal_id, team_id)


@routes.get("/portals/{portal_id}/teams/{team_id}/developers")
def list_members(
    access: Reader, portal_id: str, team_id: str, query: Annotated[Query, Depends(_MEMBERS)]
) -> ListOf[MemberView]:
    """`list-portal-team-developers`."""
    with access.read() as tx:
        return query.page(tx, teams.members(tx, portal_id, team_id), member_view)


@routes.post("/portals/{portal_id}/teams/{team_id}/developers", status_code=201, response_class=Response)
def add_member(access: Writer, portal_id: str, team_id: str, wanted: AddMember) -> Response:
    """`add-developer-to-portal-team`."""
    with access.write() as tx:
        teams.add_member(tx, portal_id, team_id, wanted)
    return Response(status_code=201)


@routes.delete("/portals/{portal_id}/teams/{team_id}/developers/{developer_id}", status_code=204)
def remove_member(access: Writer, portal_id: str, team_id: str, developer_id: str) -> None:
    """`remove-developer-from-portal-team`."""
    with access.write() as tx:
        teams.remove_member(tx, portal_id, team_id, developer_id)


@routes.get("/portals/{portal_id}/developers/{developer_id}/teams")
def list_teams_of_developer(
    access: Reader, portal_id: str, developer_id: str, query: Annotated[Query, Depends(_DEVELOPER_TEAMS)]
) -> ListOf[TeamView]:
    """`list-portal-developer-teams`."""
    with access.read() as tx:
        return query.page(tx, teams.teams_of_developer(tx, portal_id, developer_id), team_view)


@routes.get("/portals/{portal_id}/teams/{team_id}/assigned-roles")
def list_roles_of_team(
    access: Reader, portal_id: str, team_id: str, query: Annotated[Query, Depends(_ROLES)]
) -> ListOf[AssignedRoleView]:
    """`list-portal-team-roles`."""
    with access.read() as tx:
        return query.page(tx, roles.roles_of_team(tx, portal_id, team_id), assigned_role_view)


@routes.post("/portals/{portal_id}/teams/{team_id}/assigned-roles", status_code=201)
def assign_role(access: Writer, portal_id: str, team_id: str, wanted: AssignRole) -> AssignedRoleView:
    """`assign-role-to-portal-teams`."""
    with access.write() as tx:
        return assigned_role_view(roles.assign(tx, portal_id, team_id, wanted))


@routes.delete("/portals/{portal_id}/teams/{team_id}/assigned-roles/{role_id}", status_code=204)
def remove_role(access: Writer, portal_id: str, team_id: str, role_id: str) -> None:
    """`remove-role-from-portal-team`."""
    with access.write() as tx:
        roles.remove(tx, portal_id, team_id, role_id)


@routes.get("/portal-roles")
def list_roles(access: Reader) -> RolesView:  # noqa: ARG001  only who may ask
    """`list-portal-roles`."""
    return roles_view()
