"""From the portal's records to those of the gateways: nothing personal, no plain key, nothing they need not know.

`touched` says which of the gateways' records depend on a record of the portal; `project` makes one of them anew.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from kong_app_auth.domain import records
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.changes import Changed, Kind
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.registry.feed import Key
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import Record

STATES: Final = {
    "pending": records.RegistrationState.PENDING,
    "approved": records.RegistrationState.APPROVED,
    "rejected": records.RegistrationState.REJECTED,
    "revoked": records.RegistrationState.REVOKED,
}
DEFAULT_KEY_NAMES: Final = ("apikey",)


def touched(session: Session, changed: Changed) -> Iterator[Key]:
    """Name the gateways' records that depend on a changed record."""
    match changed.record:
        case Api(id=api_id):
            yield Key(Table.APIS, api_id)
        case Publication(api_id=api_id):
            yield Key(Table.APIS, api_id)
        case Implementation():
            for service_id in {changed.record.service_id, changed.before.get("service_id")} - {None}:
                yield Key(Table.SERVICES, str(service_id))
        case AuthStrategy(id=strategy_id):
            yield Key(Table.STRATEGIES, strategy_id)
        case Application(id=application_id):
            yield Key(Table.APPLICATIONS, application_id)
        case Registration(application_id=application_id):
            yield Key(Table.APPLICATIONS, application_id or changed.before["application_id"])
        case Credential(digest=digest):
            for one in {digest, changed.before.get("digest", digest)}:
                yield Key(Table.CREDENTIALS, one)
        case Developer(id=developer_id) if changed.kind is Kind.UPDATE and "status" in changed.after:
            owned = select(Application.id).where(Application.developer_id == developer_id)
            for application_id in session.scalars(owned):
                yield Key(Table.APPLICATIONS, application_id)
        case _:
            pass


def project(session: Session, region: str, key: Key) -> Record | None:
    """Make the gateways' record of `key` as it is now in this transaction; None: there is none."""
    match key.table:
        case Table.APIS:
            api = session.scalar(select(Api).where(Api.id == key.id).options(selectinload(Api.publications)))
            return None if api is None else api_record(api)
        case Table.SERVICES:
            found = session.scalar(
                select(Implementation).where(Implementation.region == region, Implementation.service_id == key.id)
            )
            return None if found is None else records.Service(key.id, found.api_id)
        case Table.STRATEGIES:
            strategy = session.get(AuthStrategy, key.id)
            return None if strategy is None else strategy_record(strategy)
        case Table.APPLICATIONS:
            application = session.scalar(
                select(Application)
                .where(Application.id == key.id)
                .options(selectinload(Application.registrations), selectinload(Application.developer))
            )
            return None if application is None else application_record(application)
        case Table.CREDENTIALS:
            credential = session.scalar(
                select(Credential).where(Credential.region == region, Credential.digest == key.id)
            )
            return None if credential is None else credential_record(credential)


def api_record(api: Api) -> records.Api:
    """An API and through which portals, by which strategies, it may be used."""
    accepts = sorted(
        (one.portal_id, one.auth_strategy_id) for one in api.publications if one.auth_strategy_id is not None
    )
    return records.Api(api.id, api.name, api.version or "", tuple(records.Acceptance(*one) for one in accepts))


def strategy_record(strategy: AuthStrategy) -> records.Strategy:
    """A strategy and where its keys are looked for."""
    is_key_auth = strategy.strategy_type == records.StrategyType.KEY_AUTH
    names = tuple(strategy.config.get("key_names") or DEFAULT_KEY_NAMES) if is_key_auth else ()
    return records.Strategy(strategy.id, strategy.name, records.StrategyType(strategy.strategy_type), names)


def application_record(application: Application) -> records.Application:
    """An application with its registrations. An owner who is not approved (any more) counts as revoked."""
    return records.Application(
        application.id,
        application.portal_id,
        application.auth_strategy_id,
        application.developer_id,
        application.developer is not None and application.developer.status != "approved",
        {one.api_id: STATES[one.status] for one in application.registrations},
    )


def credential_record(credential: Credential) -> records.Credential:
    """A key's record. Its end is rounded down: better a moment too early than too late."""
    state = records.CredentialState.ACTIVE if credential.status == "active" else records.CredentialState.REVOKED
    return records.Credential(credential.id, credential.application_id, state, unix(credential.expires_at))


def unix(moment: datetime | None) -> int | None:
    """Unix time in whole seconds."""
    return None if moment is None else int(moment.timestamp())
