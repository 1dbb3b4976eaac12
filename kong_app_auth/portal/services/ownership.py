"""Who may touch which application.

An operator: every application of the portals of the own region. A developer: the own ones, and those of the teams that
the developer is a member of, as long as the team may own applications. What is not there for somebody is NotFound.
"""

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import undefer

from kong_app_auth.portal.errors import NotFound, Unauthorized, invalid
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.transaction import Transaction


def applications_in(tx: Transaction, portal_id: str) -> Select[Application]:
    """Select the applications of a portal of the caller's region, for its operators. Raises NotFound."""
    return select(Application).where(Application.portal_id == the_portal(tx, portal_id).id)


def application_in(tx: Transaction, portal_id: str, application_id: str) -> Application:
    """Give an application of a portal of the caller's region. Raises NotFound."""
    return _one(tx, applications_in(tx, portal_id), application_id)


def application_in_region(tx: Transaction, application_id: str) -> Application:
    """Give an application of any portal of the caller's region. Raises NotFound."""
    here = select(Application).join(Portal, Portal.id == Application.portal_id).where(Portal.region == tx.region)
    return _one(tx, here, application_id)


def accessible(developer_id: str) -> ColumnElement[bool]:
    """Say of an `Application` whether it is one of the developer's, or of one of the developer's teams."""
    teams = teams_that_own(developer_id).with_only_columns(Team.id)
    return or_(Application.developer_id == developer_id, Application.team_id.in_(teams))


def teams_that_own(developer_id: str) -> Select[Team]:
    """Select the developer's teams that may own applications."""
    return (
        select(Team)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(TeamMember.developer_id == developer_id, Team.can_own_applications.is_(True))
    )


def applications_of(portal_id: str, developer_id: str) -> Select[Application]:
    """Select the applications that a developer of a portal can reach."""
    return select(Application).where(Application.portal_id == portal_id, accessible(developer_id))


def application_of(tx: Transaction, portal_id: str, developer_id: str, application_id: str) -> Application:
    """Give an application that a developer of a portal can reach. Raises NotFound, Unauthorized."""
    the_developer(tx, portal_id, developer_id)
    return _one(tx, applications_of(portal_id, developer_id), application_id)


def the_developer(tx: Transaction, portal_id: str, developer_id: str) -> Developer:
    """Give the one who asks, as of this transaction: somebody may have been revoked since the request came.

    Raises Unauthorized.
    """
    found = tx.find(Developer, developer_id)
    if found is None or found.portal_id != portal_id or found.status != "approved":
        raise Unauthorized
    return found


def own_team(tx: Transaction, portal_id: str, developer_id: str, team_id: str) -> Team:
    """Give a team that the developer is a member of and that may own applications. Raises Invalid."""
    own = teams_that_own(developer_id).where(Team.portal_id == portal_id, Team.id == team_id)
    found = tx.session.scalar(own)
    if found is None:
        raise invalid("team_id", "is no team of yours that may own applications", "missing_reference")
    return found


def owner_in(tx: Transaction, portal_id: str, owner_type: str, owner_id: str) -> Developer | Team:
    """Give a developer of a portal, or a team of it that may own applications. Raises Invalid."""
    found = tx.find(Developer, owner_id) if owner_type == "developer" else tx.find(Team, owner_id)
    if found is None or found.portal_id != portal_id:
        raise invalid("owner.id", f"is no {owner_type} of this portal", "missing_reference")
    if isinstance(found, Team) and not found.can_own_applications:
        raise invalid("owner.id", "is a team that may not own applications")
    return found


def developers_of(application: Application) -> Select[Developer]:
    """Select the developers who can reach an application."""
    if application.team_id is None:
        return select(Developer).where(Developer.id == application.developer_id)
    return (
        select(Developer)
        .join(TeamMember, TeamMember.developer_id == Developer.id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(Team.id == application.team_id, Team.can_own_applications.is_(True))
    )


def _one(tx: Transaction, here: Select[Application], application_id: str) -> Application:
    known = ids.canonical(application_id)
    here = here.options(undefer(Application.registration_count))
    found = None if known is None else tx.session.scalar(here.where(Application.id == known))
    if found is None:
        raise NotFound("Application not found")
    return found
