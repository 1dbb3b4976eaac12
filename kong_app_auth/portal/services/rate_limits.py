"""Rate limits: how often something may be tried in a stretch of time, by whom.

An attempt is counted before its work is done, in a transaction of its own: what fails afterwards has counted too. What
is refused here is not counted, so a limit frees itself as the oldest attempts leave the window.
"""

import hashlib
import hmac
import math
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import delete, select

from kong_app_auth.portal.errors import TooManyRequests
from kong_app_auth.portal.store.developers import Attempt
from kong_app_auth.portal.transaction import Transaction

LONGEST_WINDOW: Final = timedelta(days=1)
"""No limit looks further back: older attempts are pruned."""


class Limit(msgspec.Struct, frozen=True):
    """At most `limit` attempts of a kind in `window`, for one subject: an address, an account, both."""

    kind: str
    subject: str
    limit: int
    window: timedelta


def check(tx: Transaction, kind: str, subject: str, *, limit: int, window: timedelta) -> None:
    """Count an attempt of `subject`, or raise TooManyRequests where `limit` were made in the last `window`.

    Needs a transaction that writes, and that is committed whatever becomes of the attempt.
    """
    count(tx, Limit(kind, subject, limit, window))


def count(tx: Transaction, *limits: Limit) -> None:
    """Count an attempt under every limit, or under none where one is used up. Raises TooManyRequests."""
    look(tx, *limits)
    tx.session.add_all([Attempt(kind=one.kind, subject=_subject(tx, one.kind, one.subject)) for one in limits])
    tx.session.flush()


def look(tx: Transaction, *limits: Limit) -> None:
    """Raise TooManyRequests where a limit is used up. Nothing is counted: a transaction that reads will do."""
    waits = [_wait(tx, one) for one in limits]
    longest = max(waits, default=0)
    if longest > 0:
        raise TooManyRequests(longest)


def forget(tx: Transaction, kind: str, subject: str) -> None:
    """Forget the attempts of `subject`: it has shown that it may."""
    own = (Attempt.kind == kind, Attempt.subject == _subject(tx, kind, subject))
    tx.session.execute(delete(Attempt).where(*own))


def _wait(tx: Transaction, one: Limit) -> int:
    """Whole seconds until another attempt is free; 0 for now."""
    last = tx.session.scalars(
        select(Attempt.created_at)
        .where(
            Attempt.kind == one.kind,
            Attempt.subject == _subject(tx, one.kind, one.subject),
            Attempt.created_at > tx.now - one.window,
        )
        .order_by(Attempt.created_at.desc())
        .limit(one.limit)
    ).all()
    if len(last) < one.limit:
        return 0
    free = last[-1] + one.window if last else tx.now + one.window
    return max(1, math.ceil((free - tx.now).total_seconds()))


def _subject(tx: Transaction, kind: str, subject: str) -> str:
    """Say who it is without keeping it: keyed, because all addresses of a network can be tried in no time."""
    key = tx.configuration.vault_keys[0].encode()
    return hmac.digest(key, f"{kind}\0{subject}".encode("utf-8", "replace"), hashlib.sha256).hex()
