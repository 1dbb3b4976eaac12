"""Teams, members and roles, as operators see them."""

from kong_app_auth.portal.contract.teams import (
    ApiRolesView,
    AssignedRoleView,
    MemberView,
    RolesView,
    RoleView,
    ServicesView,
    TeamView,
)
from kong_app_auth.portal.services.rbac import CONSUMER, VIEWER
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamRole


def team_view(team: Team) -> TeamView:
    """Give the answer for a team. The contract wants a description where none was given: the name stands in for it."""
    return TeamView(
        id=team.id,
        name=team.name,
        description=team.description or team.name,
        created_at=team.created_at,
        updated_at=team.updated_at,
        can_own_applications=team.can_own_applications,
    )


def member_view(developer: Developer) -> MemberView:
    """Give the answer for a member of a team."""
    return MemberView(
        id=developer.id,
        email=developer.email,
        full_name=developer.full_name,
        active=developer.status == "approved",
        created_at=developer.created_at,
        updated_at=developer.updated_at,
    )


def assigned_role_view(role: TeamRole) -> AssignedRoleView:
    """Give the answer for a role of a team."""
    return AssignedRoleView(
        id=role.id,
        role_name=role.role_name,
        entity_id=role.entity_id or ids.NONE,
        entity_type_name=role.entity_type_name,
        entity_region=role.entity_region,
    )


def roles_view() -> RolesView:
    """Give the answer that lists the roles, in the contract's words."""
    return RolesView(
        services=ServicesView(
            name="Services",
            roles=ApiRolesView(
                apiviewer=RoleView(
                    name=VIEWER,
                    description=("API Viewers have read-only access to the documentation of a service in a portal"),
                ),
                apiconsumer=RoleView(
                    name=CONSUMER,
                    description="API Consumers can make calls to the given service",
                ),
            ),
        )
    )
