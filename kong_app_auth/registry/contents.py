"""The whole registry of a region as a value, and the way from one to another that never gives before it takes away."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kong_app_auth.domain.records import (
    Api,
    Application,
    Client,
    Credential,
    CredentialState,
    Issuer,
    RegistrationState,
    Service,
    Strategy,
)
from kong_app_auth.registry.changes import Change, Delete, Put, in_batches
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import Record, RecordId


class Contents(msgspec.Struct):
    """Everything that a region's gateways know: records by id, credentials by the 32-byte digest of their key."""

    apis: dict[str, Api] = {}
    services: dict[str, Service] = {}
    strategies: dict[str, Strategy] = {}
    applications: dict[str, Application] = {}
    credentials: dict[bytes, Credential] = {}
    clients: dict[str, Client] = {}
    issuers: dict[str, Issuer] = {}

    def __repr__(self) -> str:
        """Count the records: their content is too much for a log, and digests do not belong there."""
        return "Contents(" + ", ".join(f"{table.value}={len(self.table(table))}" for table in Table) + ")"

    def table(self, table: Table) -> Mapping[RecordId, Record]:
        """Give one table by name."""
        found: Mapping[RecordId, Record] = getattr(self, table.value)
        return found

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, in their order."""
        for change in changes:
            table: dict[RecordId, Record] = getattr(self, change.table.value)
            if isinstance(change, Put):
                table[change.id] = change.record
            else:
                table.pop(change.id, None)


_TAKING: Final = (
    *(Table.ISSUERS, Table.CREDENTIALS, Table.CLIENTS),
    *(Table.APPLICATIONS, Table.SERVICES, Table.APIS, Table.STRATEGIES),
)
_GIVING: Final = tuple(reversed(_TAKING))


def diff(current: Contents, wanted: Contents) -> list[Change]:
    """List the changes that make `wanted` of `current`.

    They are safe to apply in batches: whatever prefix of them is in force, no request is allowed that both `current`
    and `wanted` refuse. First every record is narrowed to what it grants in both; only then is anything granted, and
    credentials come last. A record that gives one thing and takes another is therefore changed twice.
    """
    changes: list[Change] = []
    for name in _TAKING:
        old_table, new_table = current.table(name), wanted.table(name)
        for record_id, old in old_table.items():
            new = new_table.get(record_id)
            narrowed = None if new is None else narrow(old, new)
            if narrowed is None:
                changes.append(Delete(name, record_id))
            elif narrowed != old:
                changes.append(Put(name, record_id, narrowed))
    for name in _GIVING:
        old_table, new_table = current.table(name), wanted.table(name)
        for record_id, record in new_table.items():
            known = old_table.get(record_id)
            if known is None or narrow(known, record) != record:
                changes.append(Put(name, record_id, record))
    return changes


def amend(current: Contents, changes: Iterable[Change]) -> list[Change]:
    """List what of `changes` makes a difference to `current`, each record once. It costs what they are, not what it is.

    What fits into one atomic batch stays as it is. More than that is listed as `diff` does: whatever prefix of it is in
    force, nothing is granted that was refused before and is refused after.
    """
    last = {(change.table, change.id): change for change in changes}
    real = [
        change
        for change in last.values()
        if current.table(change.table).get(change.id) != (change.record if isinstance(change, Put) else None)
    ]
    if sum(1 for _ in in_batches(real)) <= 1:
        return real
    before, after = Contents(), Contents()
    for change in real:
        known = current.table(change.table).get(change.id)
        if known is not None:
            before.apply([Put(change.table, change.id, known)])
        after.apply([change])
    return diff(before, after)


def narrow(old: Record, new: Record) -> Record | None:
    """Give the record that grants what both `old` and `new` grant, and is else like `new`; None where there is none."""
    if old == new:
        return old
    match old, new:
        case Credential(), Credential():
            return _narrow_credential(old, new)
        case Application(), Application():
            return _narrow_application(old, new)
        case Client(), Client():
            return _narrow_client(old, new)
        case Api(), Api():
            return msgspec.structs.replace(new, accepts=tuple(one for one in new.accepts if one in old.accepts))
        case Strategy(), Strategy():
            same = old.type is new.type and old.openid_connect == new.openid_connect
            return new if same else None
        case Issuer(), Issuer():
            keys = tuple(key for key in new.keys if key in old.keys)
            return msgspec.structs.replace(new, keys=keys) if old.issuer == new.issuer else None
        case _:  # a service: it implements this API or that one
            return None


def _narrow_credential(old: Credential, new: Credential) -> Credential | None:
    if old.application_id != new.application_id:
        return None
    expiries = [expiry for expiry in (old.expires_at, new.expires_at) if expiry is not None]
    return msgspec.structs.replace(
        new,
        state=new.state if old.state is CredentialState.ACTIVE else old.state,
        expires_at=min(expiries, default=None),
    )


def _narrow_client(old: Client, new: Client) -> Client | None:
    if old.application_id != new.application_id:
        return None
    return msgspec.structs.replace(new, state=new.state if old.state is CredentialState.ACTIVE else old.state)


def _narrow_application(old: Application, new: Application) -> Application | None:
    if (old.portal_id, old.strategy_id) != (new.portal_id, new.strategy_id):
        return None
    registrations = dict[str, RegistrationState]()
    for api_id, state in new.registrations.items():
        if state is not RegistrationState.APPROVED or old.registrations.get(api_id) is RegistrationState.APPROVED:
            registrations[api_id] = state
        elif api_id in old.registrations:
            registrations[api_id] = old.registrations[api_id]
    return msgspec.structs.replace(
        new, developer_revoked=old.developer_revoked or new.developer_revoked, registrations=registrations
    )
