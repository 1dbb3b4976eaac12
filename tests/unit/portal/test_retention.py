from datetime import timedelta

import msgspec
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.retention import TOKEN_RETENTION, prune
from kong_app_auth.portal.services import one_time_tokens, rate_limits, sessions
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.base import Base, new_id
from kong_app_auth.portal.store.developers import Attempt, DeveloperSession, DeveloperToken
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.usage import NOBODY, Refusal, Usage
from tests.control_plane.scenes import Scene
from tests.control_plane.settings import REGION, Clock

DAY = timedelta(days=1)
ACTOR = System(region=REGION)


def _left(plane: ControlPlane) -> set[str]:
    kinds: tuple[type[Base], ...] = (Attempt, DeveloperSession, DeveloperToken, Message, Refusal, Usage)
    with plane.read(ACTOR) as tx:
        return {kind.__name__ for kind in kinds if tx.session.scalars(select(kind)).first() is not None}


def test_everything_is_kept_for_its_time_and_then_let_go(plane: ControlPlane, clock: Clock) -> None:
    with plane.write(ACTOR) as tx:
        dora = Scene(tx).dora
        sessions.begin(tx, dora, None)
        one_time_tokens.issue(tx, dora, "reset_password")
        rate_limits.check(tx, "x", "y", limit=1, window=DAY)
        tx.session.add_all(
            [
                Message(template="x", recipient="x", subject="x", text="", html=""),
                Usage(
                    region=REGION, minute=tx.now, application_id=NOBODY, api_id=NOBODY, outcome="allowed", requests=1
                ),
                Refusal(region=REGION, request_id=new_id(), at=tx.now, reason="x", status_code=401),
            ]
        )
    everything = {"Attempt", "DeveloperSession", "DeveloperToken", "Message", "Refusal", "Usage"}
    settings = plane.configuration
    lives = {
        "Attempt": DAY,
        "Refusal": settings.refusal_retention,
        "DeveloperSession": settings.refresh_lifetime,
        "Message": settings.mail_retention,
        "DeveloperToken": settings.token_lifetime + TOKEN_RETENTION,
        "Usage": settings.usage_retention,
    }
    begun = clock.now
    for name, life in lives.items():
        clock.now = begun + life - timedelta(seconds=1)
        prune(plane)
        assert _left(plane) == everything
        clock.now = begun + life
        assert prune(plane) == 1
        everything.remove(name)
        assert _left(plane) == everything


def test_the_audit_log_is_kept_for_ever_or_as_long_as_the_operator_says(plane: ControlPlane, clock: Clock) -> None:
    with plane.write(ACTOR) as tx:
        Scene(tx).dora.full_name = "Dora"
    with plane.read(ACTOR) as tx:
        entries = len(tx.session.scalars(select(AuditEntry)).all())
    clock.forward(1000 * DAY)
    prune(plane)
    plane.configuration = msgspec.structs.replace(plane.configuration, audit_retention=1001 * DAY)
    prune(plane)
    with plane.read(ACTOR) as tx:
        assert len(tx.session.scalars(select(AuditEntry)).all()) == entries > 0
    clock.forward(DAY)
    assert prune(plane) >= entries
    with plane.read(ACTOR) as tx:
        assert tx.session.scalars(select(AuditEntry)).all() == []
