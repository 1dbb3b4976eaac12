"""Who may see an API in a portal, and who may consume it.

An API is there for somebody where it is published in the portal and either public, or private and the developer is
signed in. Where the portal has RBAC, a private API is there only for members of a team that has a role on it, and only
members of a team that is API Consumer of it may register an application with it, be it public or not.
"""

from typing import Final

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import Team, TeamMember, TeamRole
from kong_app_auth.portal.transaction import Transaction

VIEWER: Final = "API Viewer"
CONSUMER: Final = "API Consumer"
"""Consumers see what they consume."""
EVERYWHERE: Final = "*"
"""The region of a role that holds in all of them."""


def visible_apis(tx: Transaction, portal: Portal, developer_id: str | None) -> Select[Api]:  # noqa: ARG001
    """Select the APIs that a developer, or a visitor (None), sees in a portal; `Publication` is joined to them."""
    return _published(portal).where(or_(Publication.visibility == "public", _private_ones(portal, developer_id)))


def may_view(tx: Transaction, portal: Portal, developer_id: str | None, api_id: str) -> bool:
    """Say whether a developer, or a visitor (None), sees an API in a portal."""
    return _any(tx, visible_apis(tx, portal, developer_id), api_id)


def may_consume(tx: Transaction, portal: Portal, developer_id: str | None, api_id: str) -> bool:
    """Say whether a developer may register applications with an API in a portal. A visitor may not."""
    if developer_id is None:
        return False
    allowed = _has_role(portal, developer_id, CONSUMER) if portal.rbac_enabled else _is_of(portal, developer_id)
    return _any(tx, _published(portal).where(allowed), api_id)


def _published(portal: Portal) -> Select[Api]:
    return (
        select(Api)
        .join(Publication, Publication.api_id == Api.id)
        .where(Publication.portal_id == portal.id, Api.region == portal.region)
    )


def _private_ones(portal: Portal, developer_id: str | None) -> ColumnElement[bool]:
    if developer_id is None:
        return false()
    return _has_role(portal, developer_id, VIEWER, CONSUMER) if portal.rbac_enabled else _is_of(portal, developer_id)


def _is_of(portal: Portal, developer_id: str) -> ColumnElement[bool]:
    return select(Developer.id).where(Developer.id == developer_id, Developer.portal_id == portal.id).exists()


def _has_role(portal: Portal, developer_id: str, *role_names: str) -> ColumnElement[bool]:
    """One of the developer's teams in this portal has one of the roles on the API of the row."""
    return (
        select(TeamRole.id)
        .join(Team, Team.id == TeamRole.team_id)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(
            and_(
                TeamMember.developer_id == developer_id,
                Team.portal_id == portal.id,
                TeamRole.role_name.in_(role_names),
                TeamRole.entity_region.in_((portal.region, EVERYWHERE)),
                or_(TeamRole.entity_id.is_(None), TeamRole.entity_id == Api.id),
            )
        )
        .correlate(Api)
        .exists()
    )


def _any(tx: Transaction, apis: Select[Api], api_id: str) -> bool:
    known = ids.canonical(api_id)
    if known is None:
        return False
    return tx.session.scalar(apis.where(Api.id == known).with_only_columns(Api.id)) is not None
