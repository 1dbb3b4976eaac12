from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail.expiry import warn_of_expiring_keys
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.mail import Message
from tests.control_plane.scenes import Scene
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite

DAY = timedelta(days=1)


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock, expiry_warnings=(14 * DAY, 2 * DAY)) as made:
        yield made


def _key(plane: ControlPlane, days: int, status: str = "active") -> None:
    """A key that expires in so many days."""
    with plane.write(System(region=REGION)) as tx:
        scene = Scene(tx)
        scene.credential.expires_at = tx.now + days * DAY
        scene.credential.status = status


def _templates(plane: ControlPlane) -> list[str]:
    with plane.read(System(region=REGION)) as tx:
        return list(tx.session.scalars(select(Message.template).order_by(Message.created_at)))


def test_the_owner_is_told_once_for_each_threshold_and_once_at_the_end(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 30)
    told = []
    for day in range(33):
        told += [day] * warn_of_expiring_keys(plane)
        assert warn_of_expiring_keys(plane) == 0
        clock.forward(DAY)

    assert told == [16, 28, 30]
    assert _templates(plane) == ["api-key-expiring-soon", "api-key-expiring-soon", "api-key-expired"]


def test_thresholds_that_were_missed_together_are_told_of_once(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 30)
    clock.forward(29 * DAY)

    assert (warn_of_expiring_keys(plane), warn_of_expiring_keys(plane)) == (1, 0)


def test_a_key_of_few_days_is_not_warned_of_when_it_is_made(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 5)
    assert warn_of_expiring_keys(plane) == 0
    clock.forward(3 * DAY)
    assert warn_of_expiring_keys(plane) == 1


def test_a_revoked_key_is_not_warned_of(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 30, "revoked")
    clock.forward(20 * DAY)

    assert warn_of_expiring_keys(plane) == 0


def test_of_a_key_that_expired_long_ago_nobody_is_told(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 1)
    clock.forward(9 * DAY)

    assert warn_of_expiring_keys(plane) == 0


def test_a_key_that_is_good_for_longer_again_is_warned_of_again(plane: ControlPlane, clock: Clock) -> None:
    _key(plane, 30)
    clock.forward(20 * DAY)
    warn_of_expiring_keys(plane)
    with plane.write(System(region=REGION)) as tx:
        tx.session.scalars(select(Credential)).one().expires_at = tx.now + 60 * DAY
    assert warn_of_expiring_keys(plane) == 0
    clock.forward(50 * DAY)

    assert warn_of_expiring_keys(plane) == 1
