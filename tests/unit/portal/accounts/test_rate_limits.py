from datetime import timedelta

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import TooManyRequests
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import rate_limits
from kong_app_auth.portal.store.developers import Attempt
from tests.control_plane.settings import REGION, Clock

MINUTE = timedelta(minutes=1)


def _attempt(plane: ControlPlane, subject: str = "10.0.0.1", kind: str = "try") -> None:
    with plane.write(System(region=REGION)) as tx:
        rate_limits.check(tx, kind, subject, limit=2, window=MINUTE)


def test_the_third_of_two_is_refused_and_says_when_to_come_back(plane: ControlPlane, clock: Clock) -> None:
    _attempt(plane)
    clock.forward(timedelta(seconds=20))
    _attempt(plane)
    clock.forward(timedelta(seconds=10.5))
    with pytest.raises(TooManyRequests) as caught:
        _attempt(plane)
    assert caught.value.retry_after == 30
    clock.forward(timedelta(seconds=30))
    _attempt(plane)
    with pytest.raises(TooManyRequests):
        _attempt(plane)


def test_others_and_other_kinds_have_counts_of_their_own(plane: ControlPlane) -> None:
    for _ in range(2):
        _attempt(plane)
    _attempt(plane, subject="10.0.0.2")
    _attempt(plane, kind="another")


def test_what_is_refused_by_one_limit_counts_under_none(plane: ControlPlane) -> None:
    _attempt(plane, "full")
    _attempt(plane, "full")
    limits = [rate_limits.Limit("try", subject, 2, MINUTE) for subject in ("free", "full")]
    with pytest.raises(TooManyRequests), plane.write(System(region=REGION)) as tx:
        rate_limits.count(tx, *limits)
    _attempt(plane, "free")
    _attempt(plane, "free")


def test_forgotten_attempts_are_free_again(plane: ControlPlane) -> None:
    for _ in range(2):
        _attempt(plane)
    with plane.write(System(region=REGION)) as tx:
        rate_limits.forget(tx, "try", "10.0.0.1")
    _attempt(plane)


def test_who_was_counted_is_not_to_be_read_nor_to_be_guessed(plane: ControlPlane, clock: Clock) -> None:
    import hashlib

    _attempt(plane)
    with plane.read(System(region=REGION)) as tx:
        kept = tx.session.scalars(select(Attempt)).one()
    assert kept.subject not in {hashlib.sha256(text.encode()).hexdigest() for text in ("10.0.0.1", "try\x0010.0.0.1")}
    assert len(kept.subject) == 64
