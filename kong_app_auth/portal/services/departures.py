"""What goes with what: everything that hangs on an application, a team or a developer goes with it.

Records are deleted one by one through the session, so that the feed and the audit log hear of each.
"""

from sqlalchemy import delete, or_, select

from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import CredentialUse
from kong_app_auth.portal.store.developers import Developer, DeveloperIdentity, DeveloperSession, DeveloperToken
from kong_app_auth.portal.store.portals import TeamGroupMapping
from kong_app_auth.portal.store.teams import Team, TeamMember, TeamRole
from kong_app_auth.portal.transaction import Transaction


def forget_application(tx: Transaction, application: Application) -> None:
    """Delete an application with its registrations and credentials."""
    used = [credential.id for credential in application.credentials]
    if used:
        tx.session.execute(delete(CredentialUse).where(CredentialUse.credential_id.in_(used)))
    tx.session.delete(application)
    tx.session.flush()


def forget_team(tx: Transaction, team: Team) -> None:
    """Delete a team with its memberships, roles, mappings and applications."""
    for application in tx.session.scalars(select(Application).where(Application.team_id == team.id)):
        forget_application(tx, application)
    for record_type in (TeamMember, TeamRole, TeamGroupMapping):
        for record in tx.session.scalars(select(record_type).where(record_type.team_id == team.id)):
            tx.session.delete(record)
    tx.session.flush()
    tx.session.delete(team)
    tx.session.flush()


def forget_developer(tx: Transaction, developer: Developer) -> None:
    """Delete a developer with the applications, sessions, tokens, identities and memberships."""
    for application in tx.session.scalars(select(Application).where(Application.developer_id == developer.id)):
        forget_application(tx, application)
    for record_type in (TeamMember, DeveloperIdentity):
        for record in tx.session.scalars(select(record_type).where(record_type.developer_id == developer.id)):
            tx.session.delete(record)
    end_sessions(tx, developer.id)
    tx.session.execute(delete(DeveloperToken).where(DeveloperToken.developer_id == developer.id))
    tx.session.flush()
    tx.session.delete(developer)
    tx.session.flush()


def end_sessions(tx: Transaction, developer_id: str, *, but: str | None = None) -> None:
    """Sign a developer out everywhere, `but` for one session."""
    ended = DeveloperSession.developer_id == developer_id
    kept = or_(DeveloperSession.id != but) if but is not None else None
    statement = delete(DeveloperSession).where(ended)
    tx.session.execute(statement if kept is None else statement.where(kept))
