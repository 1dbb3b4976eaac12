"""Where a region's feed stands, and a new epoch for it: numbers of different epochs are never compared."""

import secrets
from typing import Final

from sqlalchemy import delete

from kong_app_auth.portal.store.feed import FeedChange, FeedPosition
from kong_app_auth.portal.transaction import Deed, Transaction
from kong_app_auth.registry.feed import VERSION

_FIRST: Final = 1


def position(tx: Transaction) -> FeedPosition:
    """Give the position of the transaction's region, in a transaction that writes.

    A region without one begins with its first epoch. Lines that another version of this program wrote are not sent as
    ours: then it begins a new one.
    """
    found = tx.session.get(FeedPosition, tx.region)
    if found is None:
        found = FeedPosition(region=tx.region, epoch=_new(), version=VERSION, seq=0, oldest=_FIRST)
        tx.session.add(found)
    elif found.version != VERSION:
        _begin(tx, found)
    return found


def begin_new_epoch(tx: Transaction) -> str:
    """Make every cursor of the region old, so that its daemons take a snapshot; give the name of the new epoch.

    Needed after the database was restored from a backup: the numbers that were given since the backup are given again,
    to other changes, and a daemon that has seen the first ones would not notice.
    """
    found = position(tx)
    _begin(tx, found)
    tx.note(Deed("begin_epoch", "feed", details={"epoch": found.epoch}))
    return found.epoch


def _begin(tx: Transaction, found: FeedPosition) -> None:
    tx.session.execute(delete(FeedChange).where(FeedChange.region == tx.region))
    found.epoch, found.version, found.oldest = _new(), VERSION, found.seq + 1


def _new() -> str:
    return secrets.token_hex(8)
