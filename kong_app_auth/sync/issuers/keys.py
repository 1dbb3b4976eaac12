"""Fetches issuers' keys, each issuer for itself: one that hangs holds up nobody."""

import random
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from kong_app_auth.domain.records import Issuer
from kong_app_auth.oidc.issuers import IssuerFailed, discover, fetch_keys
from kong_app_auth.oidc.outgoing import Outgoing

REGULARLY: Final = (270.0, 330.0)
"""Seconds between two fetches, at random between these."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds after a failure: the first, and the limit that doubling reaches."""
REFRESH_EVERY: Final = 10.0
"""Seconds between two fetches of an issuer because a token named a key that its set lacks."""
MOST_AT_ONCE: Final = 8
_TICK: Final = 0.05

_log = structlog.get_logger()


class _State(msgspec.Struct):
    """Where it stands with one issuer; times by the monotonic clock."""

    issuer: Issuer | None = None
    due: float = 0.0
    wait: float = 0.0
    refreshed: float = -REFRESH_EVERY
    asked_again: bool = False
    in_hand: bool = False
    trouble: str | None = None


class IssuerKeys:
    """What the issuers in use say of themselves. `news` is set when one of them says something else than before."""

    def __init__(self, outgoing: Outgoing, registry: CollectorRegistry, news: threading.Event) -> None:
        self._outgoing = outgoing
        self._news = news
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        labels = ["issuer"]
        self._keys = Gauge("app_auth_sync_issuer_keys", "Keys that an issuer has.", labels, registry=registry)
        self._fetched = Gauge(
            "app_auth_sync_issuer_fetched_timestamp_seconds",
            "When an issuer's keys were last fetched, as Unix time.",
            labels,
            registry=registry,
        )
        self._failures = Counter(
            "app_auth_sync_issuer_failures", "Fetches of an issuer's keys that failed.", labels, registry=registry
        )

    @contextmanager
    def running(self) -> Generator[None]:
        """Fetch while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="issuers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._outgoing.close()

    def use(self, issuer_ids: Iterable[str]) -> None:
        """Name the issuers in use; the keys of others are forgotten."""
        wanted = set(issuer_ids)
        with self._lock:
            for gone in self._states.keys() - wanted:
                del self._states[gone]
                for metric in (self._keys, self._fetched, self._failures):
                    with suppress(KeyError):
                        metric.remove(gone)
            for new in wanted - self._states.keys():
                self._states[new] = _State()

    def known(self) -> dict[str, Issuer]:
        """Give what has been fetched of the issuers in use."""
        with self._lock:
            return {one: state.issuer for one, state in self._states.items() if state.issuer is not None}

    def refresh(self, issuer_id: str) -> None:
        """Fetch an issuer's keys now, for a token names one that is not known; not more often than REFRESH_EVERY."""
        with self._lock:
            state = self._states.get(issuer_id)
            if state is not None:
                state.asked_again = True

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(_TICK):
            for issuer_id in self._due(time.monotonic()):
                threading.Thread(target=self._fetch, args=(issuer_id,), name="issuer", daemon=True).start()

    def _due(self, now: float) -> list[str]:
        """Take those that are to be fetched now."""
        with self._lock:
            room = MOST_AT_ONCE - sum(state.in_hand for state in self._states.values())
            found: list[str] = []
            for issuer_id, state in self._states.items():
                again = state.asked_again and now - state.refreshed >= REFRESH_EVERY
                if len(found) < room and not state.in_hand and (again or now >= state.due):
                    if again:
                        state.refreshed, state.asked_again = now, False
                    state.in_hand = True
                    found.append(issuer_id)
            return found

    def _fetch(self, issuer_id: str) -> None:
        found: Issuer | str
        try:
            about = discover(self._outgoing, issuer_id)
            keys = fetch_keys(self._outgoing, about.jwks_uri).keys
            endpoints = about.token_endpoint, about.introspection_endpoint
            found = Issuer(issuer_id, about.issuer, keys, *endpoints, fetched_at=int(time.time()))
        except IssuerFailed as failed:
            found = failed.detail
        except Exception as error:  # noqa: BLE001  one issuer's oddities never end the fetching
            found = type(error).__name__
        with self._lock:
            state = self._states.get(issuer_id)
            if state is not None:
                state.in_hand = False
                self._take(issuer_id, state, found)

    def _take(self, issuer_id: str, state: _State, found: Issuer | str) -> None:
        now = time.monotonic()
        if isinstance(found, str):
            self._failures.labels(issuer_id).inc()
            state.wait = min(max(2 * state.wait, FIRST_WAIT), LONGEST_WAIT)
            state.due = now + state.wait
            if state.trouble != found:
                _log.warning("keys of an issuer cannot be fetched", issuer=issuer_id, problem=found)
            state.trouble = found
            return
        state.wait = 0.0
        state.due = now + random.Random().uniform(*REGULARLY)  # noqa: S311  no secret hangs on it
        if state.trouble is not None:
            _log.info("keys of an issuer are fetched again", issuer=issuer_id)
        state.trouble = None
        self._keys.labels(issuer_id).set(len(found.keys))
        self._fetched.labels(issuer_id).set(found.fetched_at)
        before = state.issuer
        if before is None or msgspec.structs.replace(found, fetched_at=before.fetched_at) != before:
            state.issuer = found
            _log.info("keys of an issuer", issuer=issuer_id, keys=len(found.keys))
            self._news.set()
