"""Changes that no daemon will ask for any more are let go; one that does gets a snapshot."""

from typing import Final

from sqlalchemy import delete, func, select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.feed.epoch import position
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.feed import FeedChange, FeedPosition

AT_ONCE: Final = 1000
"""Numbers in one transaction: other writers of the region wait for it."""


def prune(plane: ControlPlane) -> int:
    """Delete the changes that are older than the configuration keeps them; give how many there were."""
    with plane.read(System("", "feed")) as tx:
        regions = list(tx.session.scalars(select(FeedPosition.region)))
    return sum(_prune(plane, region) for region in regions)


def _prune(plane: ControlPlane, region: str) -> int:
    total = 0
    while True:
        with plane.write(System(region, "feed")) as tx:
            here = FeedChange.region == region
            old = tx.now - plane.configuration.feed_retention
            last = tx.session.scalar(select(func.max(FeedChange.seq)).where(here, FeedChange.at < old))
            at = position(tx)
            if last is None or last < at.oldest:
                return total
            upto = min(last, at.oldest + AT_ONCE - 1)
            gone = tx.session.execute(
                delete(FeedChange).where(here, FeedChange.seq <= upto).returning(FeedChange.ordinal)
            )
            total += len(gone.all())
            at.oldest = upto + 1
