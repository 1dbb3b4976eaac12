"""What changes of applications and registrations mean for the applications' clients at DCR providers.

It follows from what a transaction changed, as the feed and the audit log do: so no service can forget it.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.changes import Changed, Kind
from kong_app_auth.portal.store.clients import OAuthClient
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.transaction import Transaction

UPDATE: Final = "update"
EVENT: Final = "event:"
SECRET: Final = "secret:"  # noqa: S105  the beginning of a word in `owed`
WITH_HOOKS: Final = "http"
"""The provider type that is told of registrations."""
_TOLD: Final = frozenset({"name", "description", "redirect_uri", "scopes"})
"""The columns of an application that its client has too."""
_AT_ONCE: Final = 500


def follow(tx: Transaction, changes: Iterable[Changed]) -> None:
    """Note what providers are owed from now on. Called with everything flushed, before the commit."""
    owed: dict[str, list[str]] = {}
    gone: set[str] = set()
    for changed in changes:
        record = changed.record
        if isinstance(record, Application) and changed.kind is Kind.DELETE:
            owed.setdefault(record.id, [])
            gone.add(record.id)
        elif isinstance(record, Application) and changed.kind is Kind.UPDATE and _TOLD & changed.after.keys():
            owed.setdefault(record.id, []).append(UPDATE)
        elif isinstance(record, Registration) and (changed.kind is not Kind.UPDATE or "status" in changed.after):
            owed.setdefault(record.application_id, []).append(EVENT + record.api_id)
    ids = sorted(owed)
    for start in range(0, len(ids), _AT_ONCE):
        found = (
            select(OAuthClient, DcrProvider.provider_type)
            .join(DcrProvider, DcrProvider.id == OAuthClient.dcr_provider_id)
            .where(OAuthClient.application_id.in_(ids[start : start + _AT_ONCE]))
        )
        for client, provider_type in tx.session.execute(found).all():
            words = owed[client.application_id]
            new = [one for one in words if provider_type == WITH_HOOKS or not one.startswith(EVENT)]
            if new or client.application_id in gone:
                owe(client, *new)
                if client.lease is None:
                    client.next_attempt_at = tx.now
    tx.session.flush()


def owe(client: OAuthClient, *what: str) -> None:
    """Note what the provider may have wrong."""
    client.owed = [*dict.fromkeys([*client.owed, *what])]
