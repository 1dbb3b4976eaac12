"""Clients that call again and again, each on a connection that it keeps alive, while a test breaks something."""

import contextlib
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from tests.servers.process import PATIENCE, wait_until
from tests.system.client import ClosedError, Connection

FAILED = ("closed", "timeout", "refused")
"""Outcomes that are no answer: the connection ended before it, it did not come in time, nobody listens."""


class Caller(msgspec.Struct, frozen=True):
    """A kind of client: what it sends, in turn, and how many of it there are. `tag` is what is counted under."""

    tag: str
    requests: Sequence[bytes]
    clients: int = 1


class Event(msgspec.Struct, frozen=True):
    """An outcome that was not 200 or a refusal: when (monotonic seconds), whose and what, with the reason code."""

    at: float
    tag: str
    outcome: str
    reason: str | None


class Load:
    """Runs the callers from `with` to its end. `outcomes` counts by tag and outcome: a status or one of FAILED.

    `pause` is the time in seconds that a client rests after each answer, so that a test leaves some of the machine to
    what it tests. `timeout` is how long a client waits for one answer.
    """

    def __init__(
        self, address: tuple[str, int], callers: Sequence[Caller], *, pause: float = 0.002, timeout: float = 5.0
    ) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.events: list[Event] = []
        self.slowest = 0.0
        self._address = address
        self._pause = pause
        self._timeout = timeout
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads = [
            threading.Thread(target=self._run, args=(caller.tag, itertools.cycle(caller.requests)), daemon=True)
            for caller in callers
            for _ in range(caller.clients)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after what is in hand; what hangs is given up."""
        self._stop.set()
        for thread in self._threads:
            thread.join(1.0)
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def count(self, tag: str, *outcomes: str) -> int:
        """How many requests of this tag have ended so; without `outcomes`, in any way."""
        return sum(
            n for (t, outcome), n in self.outcomes.copy().items() if t == tag and (not outcomes or outcome in outcomes)
        )

    def failures(self, tag: str) -> dict[str, int]:
        """What else than 200 the requests of this tag ended in."""
        return {outcome: n for (t, outcome), n in self.outcomes.copy().items() if t == tag and outcome != "200"}

    def more(self, tag: str, number: int, *outcomes: str, patience: float = PATIENCE) -> None:
        """Wait until so many more requests of this tag have ended (so)."""
        goal = self.count(tag, *outcomes) + number
        wait_until(lambda: self.count(tag, *outcomes) >= goal, f"{number} more {tag} {outcomes}", patience)

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Look on for so long, or until something is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            time.sleep(0.01)

    def _run(self, tag: str, requests: Iterator[bytes]) -> None:
        connection: Connection | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            reason = None
            try:
                if connection is None:
                    connection = self._connect()
                answer = connection.ask(next(requests))
                outcome, reason = str(answer.status), answer.reason
                if answer.last:
                    self._close(connection)
                    connection = None
            except ConnectionRefusedError:
                outcome = "refused"
            except (ClosedError, ConnectionError):
                outcome = "closed"
            except TimeoutError:
                outcome = "timeout"
            if outcome in FAILED:
                self._close(connection)
                connection = None
            self._note(tag, outcome, reason, began)
            time.sleep(self._pause)
        self._close(connection)

    def _note(self, tag: str, outcome: str, reason: str | None, began: float) -> None:
        now = time.monotonic()
        with self._lock:
            if self._stop.is_set() and outcome in FAILED:
                return  # we gave up, not the gateway
            self.outcomes[tag, outcome] += 1
            self.slowest = max(self.slowest, now - began)
            if outcome in FAILED or outcome.startswith("5"):
                self.events.append(Event(now, tag, outcome, reason))

    def _connect(self) -> Connection:
        connection = Connection(self._address, self._timeout)
        with self._lock:
            self._sockets.add(connection.socket)
        return connection

    def _close(self, connection: Connection | None) -> None:
        if connection is not None:
            with self._lock:
                self._sockets.discard(connection.socket)
            connection.socket.close()
