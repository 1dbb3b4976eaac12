"""Changes get their number inside the transaction that makes them: they are in the feed if and only if it commits."""

from sqlalchemy import insert

from kong_app_auth.portal.feed.epoch import position
from kong_app_auth.portal.feed.projection import project, touched
from kong_app_auth.portal.store.changes import Changed
from kong_app_auth.portal.store.feed import FeedChange
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.registry.feed import Key, encode_line


def record(tx: Transaction, changes: list[Changed]) -> bool:
    """Put what `changes` mean for gateways into the feed of the transaction's region. False: they mean nothing to them.

    Called with everything flushed, as the last step before the commit. The number of statements depends on how many
    kinds of records are touched, not on how many records. Raises ValueError for a record that is too large for the
    registry; nothing can be committed then that gateways would not hear of.
    """
    keys: dict[Key, None] = {}
    for changed in changes:
        keys.update(dict.fromkeys(touched(tx.session, changed)))
    if not keys:
        return False
    at = position(tx)
    at.seq += 1
    found = project(tx.session, tx.region, keys)
    tx.session.execute(
        insert(FeedChange),
        [
            {
                "region": tx.region,
                "seq": at.seq,
                "ordinal": ordinal,
                "at": tx.now,
                "line": encode_line(key, found.get(key)).decode(),
            }
            for ordinal, key in enumerate(keys)
        ],
    )
    return True
