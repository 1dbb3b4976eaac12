"""How all gateways of a region stand together, as the portal is told."""

import threading
from typing import Final

import msgspec

from kong_app_auth.sync.kong.failures import Code, Failure
from kong_app_auth.sync.kong.gateways import Gateway
from kong_app_auth.sync.kong.outcome import Outcome, Pass, State
from kong_app_auth.sync.kong.wanted import Wanted

LONGEST_MESSAGE: Final = 512
MOST_BYTES: Final = 1024 * 1024
"""What the portal takes."""
NOT_FOUND: Final = Failure(Code.IMPLEMENTATION_NOT_FOUND, "no gateway of the region has this Gateway Service")

_WORST_FIRST: Final = (State.FAILED, State.PENDING, State.BLOCKED, State.ENFORCED)


class GatewayState(msgspec.Struct, frozen=True):
    """A gateway for the portal.

    `checked_at`: when it was last looked at to the end, as Unix time; `drift`: what was put back since the daemon
    started.
    """

    name: str
    mode: str
    on_unlink: str
    error: str | None
    checked_at: int | None
    drift: int


class ServiceError(msgspec.Struct, frozen=True):
    """Why a service is not as it should be."""

    code: str
    message: str
    gateway: str


class ServiceState(msgspec.Struct, frozen=True):
    """A Gateway Service for the portal."""

    id: str
    state: str
    error: ServiceError | None = None


class States(msgspec.Struct, frozen=True):
    """Everything that the portal is told."""

    gateways: list[GatewayState]
    services: list[ServiceState]

    def encode(self) -> bytes:
        """Give the body of the report. Where it would be too long, services without an error are left out."""
        body = msgspec.json.encode(self)
        if len(body) > MOST_BYTES:
            services = [one for one in self.services if one.error is not None]
            while len(body := msgspec.json.encode(States(self.gateways, services))) > MOST_BYTES:
                services = services[: len(services) // 2]
        return body


class _Seen(msgspec.Struct):
    found: Pass
    wanted: Wanted
    checked_at: int | None
    drift: int = 0


class Board:
    """What the gateways' threads found last. `news` is set where that is something else than before."""

    def __init__(self, gateways: tuple[Gateway, ...], news: threading.Event) -> None:
        self._gateways = gateways
        self._news = news
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def put(self, gateway: str, wanted: Wanted, found: Pass, at: int) -> None:
        """Note what a look at a gateway at a time (Unix) came to."""
        with self._lock:
            before = self._seen.get(gateway)
            drift = len(found.put_back) + (before.drift if before is not None else 0)
            checked_at = at if found.failure is None else None if before is None else before.checked_at
            self._seen[gateway] = _Seen(found, wanted, checked_at, drift)
            same = before is not None and (before.found.services, before.found.failure, before.drift) == (
                found.services,
                found.failure,
                drift,
            )
        if not same:
            self._news.set()

    def states(self, wanted: Wanted) -> States:
        """Draw everything together. Services that are neither wanted nor blocked are left out."""
        with self._lock:
            seen = dict(self._seen)
        gateways = [
            GatewayState(
                one.name,
                one.mode.value,
                one.on_unlink.value,
                None if last.found.failure is None else last.found.failure.code.value,
                last.checked_at,
                last.drift,
            )
            for one in self._gateways
            if (last := seen.get(one.name)) is not None
        ]
        ids = set(wanted.enforced).union(*(last.found.services for last in seen.values()))
        whole = len(seen) == len(self._gateways)
        return States(gateways, [_drawn_together(each, seen, whole=whole) for each in sorted(ids)])


def _drawn_together(service_id: str, seen: dict[str, _Seen], *, whole: bool) -> ServiceState:
    """One service in all gateways: the worst of it counts, and a gateway without it does not."""
    found: list[tuple[State, Failure | None, str]] = []
    for name, last in seen.items():
        outcome = last.found.services.get(service_id)
        if outcome is None:
            outcome = Outcome(State.PENDING) if last.found.failure is not None else Outcome(State.ABSENT)
            if service_id not in last.wanted.enforced:
                # It was looked at before this service was wanted.
                outcome = Outcome(State.PENDING)
        state, failure = outcome.state, outcome.failure
        if state is State.PENDING and last.found.failure is not None:
            state, failure = State.FAILED, last.found.failure
        if state is not State.ABSENT:
            found.append((state, failure, name))
    if not found:
        gateway = next(iter(seen), "")
        return _state(service_id, State.FAILED, NOT_FOUND, gateway) if whole else _state(service_id, State.PENDING)
    state, failure, name = min(found, key=lambda one: _WORST_FIRST.index(one[0]))
    return _state(service_id, state, failure, name)


def _state(service_id: str, state: State, failure: Failure | None = None, gateway: str = "") -> ServiceState:
    error = None
    if failure is not None:
        error = ServiceError(failure.code.value, failure.message[:LONGEST_MESSAGE], gateway)
    return ServiceState(service_id, state.value, error)
