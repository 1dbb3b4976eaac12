"""The roles that teams have on APIs."""

from typing import Final

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.teams import ALL_APIS, AssignRole
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services.rbac import CONSUMER, EVERYWHERE, VIEWER
from kong_app_auth.portal.services.teams import the_team
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.teams import TeamRole
from kong_app_auth.portal.transaction import Transaction

_ENTITY_TYPES: Final = ("Services", "APIs")


def roles_of_team(tx: Transaction, portal_id: str, team_id: str) -> Select[TeamRole]:
    """Select the roles that a team has. Raises NotFound."""
    return select(TeamRole).where(TeamRole.team_id == the_team(tx, portal_id, team_id).id)


def assign(tx: Transaction, portal_id: str, team_id: str, wanted: AssignRole) -> TeamRole:
    """Give a team a role on an API of the region, or on all. Raises NotFound, Invalid; Conflict where it has it."""
    team = the_team(tx, portal_id, team_id)
    if wanted.role_name not in (VIEWER, CONSUMER):
        raise invalid("role_name", f"must be {VIEWER} or {CONSUMER}")
    if wanted.entity_type_name not in _ENTITY_TYPES:
        raise invalid("entity_type_name", f"must be {' or '.join(_ENTITY_TYPES)}")
    if wanted.entity_region not in (tx.region, EVERYWHERE):
        raise invalid("entity_region", f"must be {tx.region}, the region of this portal, or {EVERYWHERE}")
    entity_id = None if wanted.entity_id == ALL_APIS else wanted.entity_id
    if entity_id is not None:
        api = tx.find(Api, entity_id)
        if api is None or api.region != tx.region:
            raise invalid("entity_id", "is no API", "missing_reference")
    known = select(TeamRole.id).where(
        TeamRole.team_id == team.id,
        TeamRole.role_name == wanted.role_name,
        TeamRole.entity_id.is_(None) if entity_id is None else TeamRole.entity_id == entity_id,
    )
    if tx.session.scalar(known) is not None:
        raise Conflict("The team has this role already")
    role = TeamRole(
        team_id=team.id,
        role_name=wanted.role_name,
        entity_id=entity_id,
        entity_type_name=wanted.entity_type_name,
        entity_region=wanted.entity_region,
    )
    tx.session.add(role)
    tx.session.flush()
    return role


def remove(tx: Transaction, portal_id: str, team_id: str, role_id: str) -> None:
    """Take a role from a team. Raises NotFound."""
    team = the_team(tx, portal_id, team_id)
    role = tx.find(TeamRole, role_id)
    if role is None or role.team_id != team.id:
        raise NotFound("The team has no such role")
    tx.session.delete(role)
    tx.session.flush()
