"""How far a gateway's copy of the registry may be trusted, by the time since it last heard from the region."""

from enum import Enum

OUT_OF_TOUCH_AFTER = 5.0
"""Seconds without a heartbeat (one comes each second) after which an unknown credential may be one not yet heard of."""


class Freshness(Enum):
    """What the age of the copy allows."""

    IN_TOUCH = "in touch"
    OUT_OF_TOUCH = "out of touch"
    UNAVAILABLE = "unavailable"


def freshness(last_heard: float, now: float, max_staleness: float) -> Freshness:
    """Judge a copy last heard of at `last_heard` (Unix time in seconds; 0: never).

    A time in the future is as far from now as one in the past: a clock was changed, and neither can be believed.
    """
    age = abs(now - last_heard)
    if age > max_staleness or last_heard <= 0:
        return Freshness.UNAVAILABLE
    return Freshness.OUT_OF_TOUCH if age > OUT_OF_TOUCH_AFTER else Freshness.IN_TOUCH
