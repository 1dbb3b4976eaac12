"""Changes get their number inside the transaction that makes them: they are in the feed if and only if it commits."""

import secrets

import msgspec

from kong_app_auth.portal.feed.projection import project, touched
from kong_app_auth.portal.store.changes import Changed
from kong_app_auth.portal.store.feed import FeedChange, FeedPosition
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.registry.feed import Key


def record(tx: Transaction, changes: list[Changed]) -> bool:
    """Put what `changes` mean for gateways into the feed of the transaction's region. False: they mean nothing to them.

    Called with everything flushed, as the last step before the commit.
    """
    keys: dict[Key, None] = {}
    for changed in changes:
        keys.update(dict.fromkeys(touched(tx.session, changed)))
    if not keys:
        return False
    position = tx.session.get(FeedPosition, tx.region) or _begin(tx)
    position.seq += 1
    for ordinal, key in enumerate(keys):
        found = project(tx.session, tx.region, key)
        tx.session.add(
            FeedChange(
                region=tx.region,
                seq=position.seq,
                ordinal=ordinal,
                at=tx.now,
                record_table=key.table.value,
                record_id=key.id,
                record=None if found is None else {"v": msgspec.to_builtins(found)},
            )
        )
    return True


def _begin(tx: Transaction) -> FeedPosition:
    position = FeedPosition(region=tx.region, epoch=secrets.token_hex(8), seq=0, oldest=1)
    tx.session.add(position)
    return position
