"""How the services of a gateway stand after a look at it."""

from collections.abc import Mapping
from enum import Enum

import msgspec

from kong_app_auth.sync.kong.failures import Failure


class State(Enum):
    """How a Gateway Service stands. `ABSENT`: this gateway has no such service, another may."""

    ENFORCED = "enforced"
    BLOCKED = "blocked"
    PENDING = "pending"
    FAILED = "failed"
    ABSENT = "absent"


class Outcome(msgspec.Struct, frozen=True):
    """How one service stands; `failure` where that is not as it should be."""

    state: State
    failure: Failure | None = None


class Pass(msgspec.Struct, frozen=True):
    """What a look at a gateway came to.

    `services`: those that are wanted or blocked there. `failure`: why it could not be looked at, or not to the end.
    `changed`: what was done. `put_back`: what of that undid something done by hand, as log lines.
    """

    services: Mapping[str, Outcome] = {}
    failure: Failure | None = None
    changed: int = 0
    put_back: tuple[str, ...] = ()
