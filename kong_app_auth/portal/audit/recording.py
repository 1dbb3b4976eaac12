"""What a transaction changed becomes audit entries, in the same transaction."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import inspect

from kong_app_auth.portal.actors import Actor, Anonymous, Operator, SignedIn, System
from kong_app_auth.portal.store.apis import Api, ApiSpecification, Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration, RegistrationField
from kong_app_auth.portal.store.audit import AuditEntry, AuditLogDestination
from kong_app_auth.portal.store.base import Base
from kong_app_auth.portal.store.changes import Changed
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer, DeveloperIdentity
from kong_app_auth.portal.store.operators import OperatorToken
from kong_app_auth.portal.store.portals import (
    IdentityProvider,
    Portal,
    PortalAuditLogWebhook,
    PortalAuthentication,
    TeamGroupMapping,
)
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.store.teams import Team, TeamMember, TeamRole
from kong_app_auth.portal.transaction import Transaction

AUDITED: Final[dict[type[Base], str]] = {
    Api: "api",
    ApiSpecification: "api_specification",
    Application: "application",
    AuditLogDestination: "audit_log_destination",
    AuthStrategy: "auth_strategy",
    Credential: "credential",
    DcrProvider: "dcr_provider",
    Developer: "developer",
    DeveloperIdentity: "developer_identity",
    IdentityProvider: "identity_provider",
    Implementation: "api_implementation",
    OperatorToken: "operator_token",
    Portal: "portal",
    PortalAuditLogWebhook: "audit_log_webhook",
    PortalAuthentication: "authentication_settings",
    Publication: "api_publication",
    Registration: "application_registration",
    RegistrationField: "registration_field",
    Team: "team",
    TeamGroupMapping: "team_group_mapping",
    TeamMember: "team_membership",
    TeamRole: "team_role",
}
"""The records whose changes are somebody's deed, and what they are called in the log."""
HIDDEN: Final = "[hidden]"
MAX_SHOWN: Final = 4096
"""Characters of a value (of its JSON, if it is no text) that the log keeps; of longer ones it keeps what they were."""
_NEVER_SHOWN: Final = frozenset({"created_at", "updated_at", "email_key"})


def record(tx: Transaction, changes: list[Changed]) -> list[AuditEntry]:
    """Add an entry for every audited change, and the entries that services noted themselves."""
    entries = [
        _entry(
            tx,
            action=changed.kind.value,
            entity_type=AUDITED[type(changed.record)],
            entity_id=_identity(changed.record),
            portal_id=_portal_of(tx, changed),
            before=shown(type(changed.record), changed.before),
            after=shown(type(changed.record), changed.after),
        )
        for changed in changes
        if type(changed.record) in AUDITED
    ]
    entries += [
        _entry(
            tx,
            action=deed.action,
            entity_type=deed.entity_type,
            entity_id=deed.entity_id,
            portal_id=deed.portal_id or _portal_of_actor(tx.actor),
            before=None,
            after=deed.details,
        )
        for deed in tx.deeds
    ]
    tx.session.add_all(entries)
    return entries


def shown(record_type: type[Base], columns: dict[str, Any]) -> dict[str, Any] | None:
    """Give the columns as the log shows them: secrets hidden, times as text. None for none."""
    table = record_type.__table__
    result: dict[str, Any] = {}
    for name, value in columns.items():
        if name in _NEVER_SHOWN:
            continue
        if table.columns[name].info.get("secret"):
            result[name] = None if value is None else HIDDEN
        else:
            result[name] = _brief(value.isoformat() if isinstance(value, datetime) else value)
    return result or None


def _brief(value: Any) -> Any:
    """A whole specification in every entry would make the log unreadable, and webhooks heavy."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) <= MAX_SHOWN:
        return value
    return f"[{len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}]"


def _entry(
    tx: Transaction,
    *,
    action: str,
    entity_type: str,
    entity_id: str | None,
    portal_id: str | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> AuditEntry:
    actor_type, actor_id, actor_name = _actor(tx.actor)
    return AuditEntry(
        at=tx.now,
        region=tx.region,
        portal_id=portal_id,
        actor_type=actor_type,
        actor_id=actor_id,
        actor_name=actor_name,
        action=action,
        entity_type=entity_type,
        entity_id=entity_id,
        before=before,
        after=after,
        request_id=tx.request_id,
    )


def _actor(actor: Actor) -> tuple[str, str | None, str | None]:
    match actor:
        case Operator(id=token_id, name=name):
            return "operator", token_id, name
        case SignedIn(id=developer_id):
            return "developer", developer_id, None
        case Anonymous():
            return "anonymous", None, None
        case System(name=name):
            return "system", None, name


def _portal_of_actor(actor: Actor) -> str | None:
    return actor.portal_id if isinstance(actor, SignedIn | Anonymous) else None


def _identity(record: Base) -> str:
    identity = inspect(record).identity or inspect(type(record)).primary_key_from_instance(record)
    return "/".join(str(part) for part in identity)


def _portal_of(tx: Transaction, changed: Changed) -> str | None:
    """The portal that a record belongs to: its own column, or its application's or team's."""
    record = changed.record
    if isinstance(record, Portal):
        return record.id
    columns = changed.before | changed.after
    own: str | None = getattr(record, "portal_id", None) or columns.get("portal_id")
    if own is not None:
        return own
    application_id: str | None = getattr(record, "application_id", None) or columns.get("application_id")
    if application_id is not None and (application := tx.session.get(Application, application_id)) is not None:
        return application.portal_id
    team_id: str | None = getattr(record, "team_id", None) or columns.get("team_id")
    if team_id is not None and (team := tx.session.get(Team, team_id)) is not None:
        return team.portal_id
    return _portal_of_actor(tx.actor)
