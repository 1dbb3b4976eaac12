"""The audit log on its way to those who want to hear of it: one signed POST an entry, in the log's order.

The log is its own queue: a subscription knows the number of the last entry that was taken, so what is committed is
sent, whatever dies in between, and a change costs nothing more for being heard of. An entry that is not taken holds up
those behind it. It is tried again after five seconds, then twice as long each time up to an hour, with jitter; later
where the receiver's `Retry-After` says so, up to that hour. After `MAX_FAILURES` in a row (about three days) the
subscription is turned off until an operator turns it on again.

Several processes may do this: who sends for a subscription holds its lease. A process that dies while it sends leaves
an entry that may be sent twice, with the same `X-App-Auth-Delivery`.
"""

import secrets
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.audit.posting import Answer, post
from kong_app_auth.portal.audit.signature import HEADER, signature
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry, AuditLogSubscription
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Sealed
from kong_app_auth.portal.views.audit import entry_view

DELIVERY_HEADER: Final = "X-App-Auth-Delivery"
BATCH: Final = 100
"""Entries of a subscription that are sent in one go."""
SUBSCRIPTIONS: Final = 16
"""Subscriptions of a region that are served at a time."""
SENDING_SECONDS: Final = 10.0
"""No further entry is begun after this time, so that the lease outlasts the last one."""
LEASE: Final = timedelta(seconds=90)
FIRST_DELAY: Final = 5.0
MAX_DELAY: Final = 3600.0
MAX_FAILURES: Final = 100

_DELIVERIES: Final = uuid.UUID("8c0e6a53-6a5f-4d0a-9f5c-0f6b4f0c1d7e")
_random = secrets.SystemRandom()
_log = structlog.get_logger()


class Claim(msgspec.Struct, frozen=True):
    """A subscription that this process has the lease of."""

    id: str
    lease: str
    region: str
    portal_id: str | None
    destination_id: str
    endpoint: str
    sealed: str
    position: int

    def __repr__(self) -> str:
        """Leave the endpoint and the secret out."""
        return f"Claim({self.id})"


def deliver_due(plane: ControlPlane) -> int:
    """Send what is due, in all regions of `plane`; give the number of entries that were taken.

    It takes as long as the receivers do, at most about `SENDING_SECONDS`; call it from a thread of its own, every
    second or so. When nothing is due it costs one short read a region.
    """
    claims = [claim for region in plane.configuration.regions for claim in claim_due(plane, region)]
    if len(claims) <= 1:
        return sum(_serve(plane, claim) for claim in claims)
    with ThreadPoolExecutor(min(len(claims), SUBSCRIPTIONS), "audit-webhook") as pool:
        return sum(pool.map(partial(_serve, plane), claims))


def delay_after(failures: int, asked_for: int | None = None) -> timedelta:
    """Say how long to wait after so many failures in a row: doubled each time, at random down to half of it.

    `asked_for`: the seconds of `Retry-After`, which are waited at least, as far as `MAX_DELAY` goes.
    """
    longest = min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 20))
    ours = _random.uniform(longest / 2, longest)
    return timedelta(seconds=max(ours, min(asked_for or 0, MAX_DELAY)))


def delivery_id(destination_id: str, number: int) -> str:
    """Give the id of an entry's delivery to a destination. It is the same however often it is sent."""
    return str(uuid.uuid5(_DELIVERIES, f"{destination_id}/{number}"))


def _due(tx: Transaction) -> Select[AuditLogSubscription]:
    subscription = AuditLogSubscription
    waiting = exists().where(
        AuditEntry.region == subscription.region,
        AuditEntry.number > subscription.position,
        or_(subscription.portal_id.is_(None), AuditEntry.portal_id == subscription.portal_id),
    )
    return (
        select(subscription)
        .where(
            subscription.region == tx.region,
            subscription.off_since.is_(None),
            or_(subscription.next_attempt_at.is_(None), subscription.next_attempt_at <= tx.now),
            or_(subscription.leased_until.is_(None), subscription.leased_until <= tx.now),
            waiting,
        )
        .order_by(subscription.last_attempt_at, subscription.id)
        .limit(SUBSCRIPTIONS)
    )


def claim_due(plane: ControlPlane, region: str) -> list[Claim]:
    """Take the leases of the region's subscriptions for which something is due."""
    with plane.read(System(region)) as tx:
        if tx.session.scalar(_due(tx).with_only_columns(AuditLogSubscription.id).limit(1)) is None:
            return []
    with plane.write(System(region)) as tx:
        found = tx.session.scalars(_due(tx).options(joinedload(AuditLogSubscription.destination))).all()
        for subscription in found:
            subscription.lease = new_id()
            subscription.leased_until = tx.now + LEASE
        return [
            Claim(
                id=one.id,
                lease=one.lease or "",
                region=one.region,
                portal_id=one.portal_id,
                destination_id=one.destination_id,
                endpoint=one.destination.endpoint,
                sealed=one.destination.secret,
                position=one.position,
            )
            for one in found
        ]


def _serve(plane: ControlPlane, claim: Claim) -> int:
    """Send a batch of a subscription, up to the first entry that is not taken. Gives the number of those that were."""
    begun = time.monotonic()
    taken, position, answer, attempted_at = 0, claim.position, None, plane.clock()
    try:
        secret = plane.vault.open(claim.sealed)
    except Sealed:
        answer = Answer(None, "the signing secret cannot be opened with the portal's keys")
    else:
        for entry in _entries(plane, claim):
            attempted_at = plane.clock()
            answer = _send(claim, secret, entry, attempted_at)
            if not answer.accepted:
                break
            taken, position = taken + 1, entry.number
            if time.monotonic() - begun > SENDING_SECONDS:
                break
    _note(plane, claim, position, answer, attempted_at)
    return taken


def _entries(plane: ControlPlane, claim: Claim) -> Sequence[AuditEntry]:
    with plane.read(System(claim.region)) as tx:
        wanted = select(AuditEntry).where(AuditEntry.region == claim.region, AuditEntry.number > claim.position)
        if claim.portal_id is not None:
            wanted = wanted.where(AuditEntry.portal_id == claim.portal_id)
        return tx.session.scalars(wanted.order_by(AuditEntry.number).limit(BATCH)).all()


def _send(claim: Claim, secret: str, entry: AuditEntry, now: datetime) -> Answer:
    body = entry_view(entry).model_dump_json().encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "kong-app-auth",
        DELIVERY_HEADER: delivery_id(claim.destination_id, entry.number),
        HEADER: signature(secret, now, body),
    }
    return post(claim.endpoint, body, headers)


def _note(plane: ControlPlane, claim: Claim, position: int, answer: Answer | None, attempted_at: datetime) -> None:
    """Keep how far it has got, and give the lease back. What was changed or deleted meanwhile is left as it is now."""
    with plane.write(System(claim.region)) as tx:
        subscription = tx.session.get(AuditLogSubscription, claim.id)
        if subscription is None or subscription.lease != claim.lease:
            return
        subscription.lease = subscription.leased_until = None
        subscription.position = max(subscription.position, position)
        if answer is None:
            return
        subscription.last_attempt_at = attempted_at
        subscription.last_response_code = answer.code
        subscription.last_response_message = answer.message
        if answer.accepted:
            subscription.failures, subscription.next_attempt_at = 0, None
            return
        subscription.failures += 1
        subscription.next_attempt_at = tx.now + delay_after(subscription.failures, answer.retry_after)
        if subscription.failures >= MAX_FAILURES:
            subscription.off_since = tx.now
        told = {
            "destination": claim.destination_id,
            "host": urlsplit(claim.endpoint).hostname,
            "code": answer.code,
            "answer": answer.message,
            "failures": subscription.failures,
        }
        off = subscription.off_since is not None
    if off:
        _log.error("audit log webhook turned off", **told)
    else:
        _log.warning("audit log webhook failed", **told)
