"""How a region is, by what its sync daemon and its gateways have told the portal."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, case, func, select

from kong_app_auth.portal.services.usage import DAY
from kong_app_auth.portal.store.feed import FeedPosition
from kong_app_auth.portal.store.nodes import GatewayNode
from kong_app_auth.portal.store.usage import ReportsPosition, Usage
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.reports.records import ALLOWED, order_of

DAYS: Final = 14
"""Days that requests are counted for, today's with them."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 253_402_300_799_000
"""The last millisecond that a time can tell."""


SILENT_AFTER: Final = timedelta(seconds=60)
"""A node speaks every ten seconds; one that missed that six times is silent."""
LATE_AFTER: Final = 10
"""Seconds without a word of the registry: its writer sends one every second."""


class NodeState(Enum):
    """How a gateway node is, in words."""

    IN_STEP = "in step"
    BEHIND = "behind"
    EMPTY = "without a copy"
    SILENT = "silent"


class Refused(msgspec.Struct, frozen=True):
    """How many requests were refused for a reason, in the last hour and in the last 24 hours."""

    reason: str
    hour: int
    day: int


class OfDay(msgspec.Struct, frozen=True):
    """How many requests of a day (UTC) were let in, and how many refused."""

    day: date
    allowed: int
    refused: int


class Progress(msgspec.Struct, frozen=True):
    """How far things are.

    `seq`: the number of the region's last change. `heard_at`: when the newest report that the portal has counted was
    appended to the region's stream, by the clock of its Redis.
    """

    seq: int
    heard_at: datetime | None


def nodes(tx: Transaction) -> Sequence[GatewayNode]:
    """Give the region's gateway nodes by name: at most `reports.MOST_NODES_KEPT`."""
    here = select(GatewayNode).where(GatewayNode.region == tx.region)
    return tx.session.scalars(here.order_by(GatewayNode.name)).all()


def state_of(node: GatewayNode, now: datetime) -> NodeState:
    """Say how a node is. One without a complete copy serves nobody; one that is late serves what it knows."""
    if now - node.reported_at > SILENT_AFTER:
        return NodeState.SILENT
    if node.seq is None:
        return NodeState.EMPTY
    # A change on its way when it spoke is nothing: it shows by the age where it does not come.
    return NodeState.IN_STEP if node.age <= LATE_AFTER else NodeState.BEHIND


def progress(tx: Transaction) -> Progress:
    """Say how far the region's changes and its gateways' reports are."""
    seq = tx.session.scalar(select(FeedPosition.seq).where(FeedPosition.region == tx.region)) or 0
    known = tx.session.get(ReportsPosition, tx.region)
    # The first half of a stream's id is the time at which its entry was appended, in milliseconds.
    milliseconds = 0 if known is None else order_of(known.stream_id)[0]
    heard_at = None if milliseconds == 0 else _EPOCH + timedelta(milliseconds=min(milliseconds, _LATEST))
    return Progress(seq, None if heard_at is None else min(heard_at, tx.now))


def refused(tx: Transaction) -> list[Refused]:
    """Count the refusals of the last hour and of the last 24, by reason, the most frequent first."""
    hour, day = tx.now - timedelta(hours=1), tx.now - timedelta(days=1)
    in_hour: ColumnElement[Any] = func.sum(case((Usage.minute >= hour, Usage.requests), else_=0))
    counted = (
        select(Usage.outcome, in_hour, func.sum(Usage.requests))
        .where(Usage.region == tx.region, Usage.minute >= day, Usage.outcome != ALLOWED)
        .group_by(Usage.outcome)
    )
    found = [Refused(reason, int(hour_count), int(count)) for reason, hour_count, count in tx.session.execute(counted)]
    return sorted(found, key=lambda one: (-one.day, one.reason))


def by_day(tx: Transaction) -> Sequence[OfDay]:
    """Count the requests of the last days, by day: every day is in it."""
    first = tx.now.date() - timedelta(days=DAYS - 1)
    allowed = case((Usage.outcome == ALLOWED, 1), else_=0)
    counted = (
        select(DAY, allowed, func.sum(Usage.requests))
        .where(Usage.region == tx.region, Usage.minute >= datetime.combine(first, time(), UTC))
        .group_by(DAY, allowed)
    )
    counts: Counter[tuple[date, bool]] = Counter()
    for number, was_allowed, requests in tx.session.execute(counted):
        counts[_EPOCH.date() + timedelta(days=int(number)), bool(was_allowed)] += int(requests)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [OfDay(one, counts[one, True], counts[one, False]) for one in days]
