"""All gateways of a region: learns from the daemon what is wanted, and has a thread for each gateway bring it about."""

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.connection import Client
from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.kong.gateway_thread import CHECK_EVERY, GatewayThread
from kong_app_auth.sync.kong.gateways import Gateway
from kong_app_auth.sync.kong.keeping import keeping
from kong_app_auth.sync.kong.metrics import KongMetrics
from kong_app_auth.sync.kong.nodes import Nodes
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.kong.portal import Reporting, StatesPortal
from kong_app_auth.sync.kong.states import Board, States
from kong_app_auth.sync.kong.wanted import Wanted, concerns, wanted_of

LEADS_FOR: Final = 5.0
"""Seconds after its last turn in which the daemon counts as the one that leads; a long write keeps it away."""
ENDS_WITHIN: Final = 5.0
"""Seconds that the end waits for a thread: one that waits for an Admin API that hangs ends with the process."""

_log = structlog.get_logger()


class ManagedGateways:
    """A companion and a learner of the daemon, see `sync.daemon`. `portal`: who is told how the gateways stand."""

    def __init__(
        self,
        gateways: tuple[Gateway, ...],
        region: str,
        registry: CollectorRegistry,
        portal: StatesPortal | None = None,
        *,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self._metrics = KongMetrics(registry)
        self._news = threading.Event()
        self._board = Board(gateways, self._news)
        self._wanted: Wanted | None = None
        self._led_at = -LEADS_FOR
        self._threads = [
            GatewayThread(
                one.name,
                keeping(one, region, Nodes(one), check_every),
                self._asked_for,
                self._passed,
                self._metrics.left,
                check_every=check_every,
            )
            for one in gateways
        ]
        self._reporting = None if portal is None else Reporting(portal, self._states, self._news)

    @contextmanager
    def running(self) -> Generator[None]:
        """Keep the gateways while the block runs."""
        stop = threading.Event()
        jobs = [one.run for one in self._threads] + ([self._reporting.run] if self._reporting else [])
        threads = [threading.Thread(target=job, args=(stop,), name="kong", daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            self._news.set()
            self._wake()
            for thread in threads:
                thread.join(ENDS_WITHIN)

    def learn(self, contents: Contents, changes: Sequence[Change] | None) -> None:
        """Hear what is in the registry now. `changes`: what was other before; None where that is not known."""
        if changes is not None and self._wanted is not None and not concerns(changes):
            return
        wanted = wanted_of(contents)
        if wanted != self._wanted:
            self._wanted = wanted
            _log.info("plugins wanted", services=len(wanted.enforced), linked=len(wanted.linked))
            self._wake()

    def tick(self, client: Client) -> None:  # noqa: ARG002  its turn is all that counts
        """Hear that this daemon leads."""
        before, self._led_at = self._led_at, time.monotonic()
        if self._led_at - before >= LEADS_FOR:
            self._wake()

    def _wake(self) -> None:
        for thread in self._threads:
            thread.wake()

    def _asked_for(self) -> Wanted | None:
        return self._wanted if time.monotonic() - self._led_at < LEADS_FOR else None

    def _passed(self, gateway: str, wanted: Wanted, found: Pass) -> None:
        self._metrics.passed(gateway, found)
        self._board.put(gateway, wanted, found, int(time.time()))

    def _states(self) -> States | None:
        wanted = self._asked_for()
        return None if wanted is None else self._board.states(wanted)
