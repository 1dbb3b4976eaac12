"""From the portal's records to those of the gateways: nothing personal, no plain key, nothing they need not know.

`touched` says which of the gateways' records depend on a record of the portal; `project` makes those of them anew that
are named, `everything` all of a region. Columns are selected, never whole records: a session keeps what it has loaded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.orm import Session

from kong_app_auth.domain import openid_connect, records
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.base import Base
from kong_app_auth.portal.store.changes import Changed, Kind
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
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

RELEVANT: Final[dict[type[Base], frozenset[str]]] = {
    Api: frozenset({"name", "version"}),
    Publication: frozenset({"api_id", "portal_id", "auth_strategy_id"}),
    Implementation: frozenset({"service_id", "api_id"}),
    AuthStrategy: frozenset({"name", "strategy_type", "config"}),
    Application: frozenset({"portal_id", "auth_strategy_id", "developer_id", "client_id"}),
    Registration: frozenset({"application_id", "api_id", "status", "consumer"}),
    Credential: frozenset({"digest", "application_id", "status", "expires_at"}),
    Developer: frozenset({"status"}),
}
"""The columns that gateways' records are made of: an update of others means nothing to them."""

_STREAMED: Final = 2000
_AT_ONCE: Final = 500
"""Ids in one statement."""

Found: TypeAlias = Iterator[tuple[str, Record]]


def touched(session: Session, changed: Changed) -> Iterator[Key]:
    """Name the gateways' records that depend on a changed record."""
    relevant = RELEVANT.get(type(changed.record))
    if relevant is None or (changed.kind is Kind.UPDATE and relevant.isdisjoint(changed.after)):
        return
    match changed.record:
        case Api(id=api_id):
            yield Key(Table.APIS, api_id)
        case Publication():
            yield from _both(Table.APIS, changed, "api_id")
        case Implementation():
            yield from _both(Table.SERVICES, changed, "service_id")
        case AuthStrategy(id=strategy_id):
            yield Key(Table.STRATEGIES, strategy_id)
        case Application(id=application_id):
            yield Key(Table.APPLICATIONS, application_id)
            yield from _clients_of(changed)
        case Registration():
            yield from _both(Table.APPLICATIONS, changed, "application_id")
        case Credential():
            yield from _both(Table.CREDENTIALS, changed, "digest")
        case Developer(id=developer_id):
            for application_id in session.scalars(
                select(Application.id).where(Application.developer_id == developer_id)
            ):
                yield Key(Table.APPLICATIONS, application_id)
        case _:
            pass


def _clients_of(changed: Changed) -> Iterator[Key]:
    """Name the OAuth client that an application has, and the one that it had before."""
    columns = ("auth_strategy_id", "client_id")
    before = tuple(changed.before.get(column, getattr(changed.record, column)) for column in columns)
    now = None if changed.kind is Kind.DELETE else tuple(getattr(changed.record, column) for column in columns)
    for pair in dict.fromkeys((before, now)):
        if pair is not None and pair[1] is not None and openid_connect.is_client_id(pair[1]):
            yield Key(Table.CLIENTS, records.client_key(*pair))


def _both(table: Table, changed: Changed, column: str) -> Iterator[Key]:
    """Name what the record belongs to, and what it belonged to before."""
    now = None if changed.kind is Kind.DELETE else getattr(changed.record, column)
    for one in dict.fromkeys((changed.before.get(column), now)):
        if one is not None:
            yield Key(table, one)


def project(session: Session, region: str, keys: Iterable[Key]) -> dict[Key, Record]:
    """Make the gateways' records of `keys` as they are now in this transaction; those that are gone are left out."""
    by_table: dict[Table, list[str]] = {}
    for key in keys:
        by_table.setdefault(key.table, []).append(key.id)
    return {
        Key(table, record_id): record
        for table, ids in by_table.items()
        for start in range(0, len(ids), _AT_ONCE)
        for record_id, record in _TABLES[table](session, region, ids[start : start + _AT_ONCE])
    }


def everything(session: Session, region: str) -> Iterator[tuple[Key, Record]]:
    """Make all of a region's records, as one moment's where the transaction is a snapshot, in constant memory."""
    for table, read in _TABLES.items():
        for record_id, record in read(session, region, None):
            yield Key(table, record_id), record


def _apis(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    published = and_(Publication.api_id == Api.id, Publication.auth_strategy_id.is_not(None))
    statement = (
        select(Api.id, Api.name, Api.version, Publication.portal_id, Publication.auth_strategy_id)
        .outerjoin(Publication, published)
        .where(Api.region == region, _among(Api.id, ids))
        .order_by(Api.id)
    )
    for api_id, group in groupby(_rows(session, statement, ids), lambda row: str(row[0])):
        rows = list(group)
        accepts = sorted((row[3], row[4]) for row in rows if row[3] is not None)
        name, version = rows[0][1], rows[0][2] or ""
        yield api_id, records.Api(api_id, name, version, tuple(records.Acceptance(*one) for one in accepts))


def _services(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    statement = select(Implementation.service_id, Implementation.api_id).where(
        Implementation.region == region, Implementation.service_id.is_not(None), _among(Implementation.service_id, ids)
    )
    for service_id, api_id in _rows(session, statement, ids):
        yield service_id, records.Service(service_id, api_id)


def _strategies(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    statement = select(AuthStrategy.id, AuthStrategy.name, AuthStrategy.strategy_type, AuthStrategy.config).where(
        AuthStrategy.region == region, _among(AuthStrategy.id, ids)
    )
    for strategy_id, name, strategy_type, config in _rows(session, statement, ids):
        kind = records.StrategyType(strategy_type)
        is_key_auth = kind is records.StrategyType.KEY_AUTH
        names = tuple(config.get("key_names") or DEFAULT_KEY_NAMES) if is_key_auth else ()
        tokens = None if is_key_auth else openid_connect.read(config)
        # Settings from before they were checked may be wrong: such a strategy accepts nobody.
        taken = tokens if isinstance(tokens, records.OpenIdConnect) else None
        yield strategy_id, records.Strategy(strategy_id, name, kind, names, taken)


def _applications(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    statement = (
        select(
            Application.id,
            Application.portal_id,
            Application.auth_strategy_id,
            Application.developer_id,
            Developer.status,
            Registration.api_id,
            Registration.status,
            Registration.consumer,
        )
        .join(Portal, and_(Portal.id == Application.portal_id, Portal.region == region))
        .outerjoin(Developer, Developer.id == Application.developer_id)
        .outerjoin(Registration, Registration.application_id == Application.id)
        .where(_among(Application.id, ids))
        .order_by(Application.id)
    )
    for application_id, group in groupby(_rows(session, statement, ids), lambda row: str(row[0])):
        rows = list(group)
        _, portal_id, strategy_id, developer_id, status, *_ = rows[0]
        yield (
            application_id,
            records.Application(
                application_id,
                portal_id,
                strategy_id,
                developer_id,
                # An owner who is not approved (any more) counts as revoked.
                developer_id is not None and status != "approved",
                {row[5]: STATES[row[6]] for row in rows if row[5] is not None},
                {row[5]: row[7]["id"] for row in rows if row[7] is not None},
            ),
        )


def _credentials(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    statement = select(
        Credential.digest, Credential.id, Credential.application_id, Credential.status, Credential.expires_at
    ).where(Credential.region == region, _among(Credential.digest, ids))
    for digest, credential_id, application_id, status, expires_at in _rows(session, statement, ids):
        state = records.CredentialState.ACTIVE if status == "active" else records.CredentialState.REVOKED
        yield digest, records.Credential(credential_id, application_id, state, unix(expires_at))


def _clients(session: Session, region: str, ids: Sequence[str] | None) -> Found:
    """The clients that developers brought: the application itself stands for the credential."""
    pairs = None if ids is None else [tuple(one.split(":", 1)) for one in ids]
    columns = tuple_(Application.auth_strategy_id, Application.client_id)
    statement = (
        select(Application.id, Application.auth_strategy_id, Application.client_id)
        .join(Portal, and_(Portal.id == Application.portal_id, Portal.region == region))
        .join(AuthStrategy, AuthStrategy.id == Application.auth_strategy_id)
        .where(
            AuthStrategy.strategy_type == records.StrategyType.OPENID_CONNECT.value,
            Application.client_id.is_not(None) if pairs is None else columns.in_(pairs),
        )
    )
    for application_id, strategy_id, client_id in _rows(session, statement, ids):
        if openid_connect.is_client_id(client_id):
            key = records.client_key(strategy_id, client_id)
            yield key, records.Client(key, application_id, application_id)


_TABLES: Final[dict[Table, Callable[[Session, str, Sequence[str] | None], Found]]] = {
    Table.APIS: _apis,
    Table.SERVICES: _services,
    Table.STRATEGIES: _strategies,
    Table.APPLICATIONS: _applications,
    Table.CREDENTIALS: _credentials,
    Table.CLIENTS: _clients,
}


def _among(column: Any, ids: Sequence[str] | None) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.is_not(None) if ids is None else column.in_(ids)
    return found


def _rows(session: Session, statement: Any, ids: Sequence[str] | None) -> Iterator[Any]:
    """Read a few rows at once, or all there are piece by piece."""
    found: Any = session.execute(statement, execution_options={} if ids is not None else {"yield_per": _STREAMED})
    return iter(found)


def unix(moment: datetime | None) -> int | None:
    """Unix time in whole seconds, rounded down: better a moment too early than too late."""
    return None if moment is None else int(moment.timestamp())
