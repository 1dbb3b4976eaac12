"""The daemon of a region: what its source says is brought into the registry, by one of the daemons that run."""

import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

import structlog

from kong_app_auth.registry.changes import Change, in_batches
from kong_app_auth.registry.connection import CLIENT_ERRORS, Client
from kong_app_auth.registry.contents import Contents, amend, diff
from kong_app_auth.registry.feed import NewerFeed
from kong_app_auth.registry.position import NewerSchema, Position
from kong_app_auth.registry.writer import Refused, Writer
from kong_app_auth.sync.contact import Contact
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.issuers.in_use import keep_issuers
from kong_app_auth.sync.leadership import Leadership
from kong_app_auth.sync.metrics import SyncMetrics

LOOK_EVERY = 0.1
"""Seconds between two looks at the source."""
TRY_EVERY = 1.0
"""Seconds between two attempts of a standby to take the lease."""

_log = structlog.get_logger()


class Source(Protocol):
    """Where the wanted contents come from."""

    def look(self) -> Contents | list[Change] | Refusal | None:
        """Give new contents, changes in those given before, or why new ones are refused.

        None: nothing has changed since the last call. Contents that were given are the daemon's own from then on.
        Raises NewerFeed where the source is of a newer version of this program.
        """
        ...


class Companion(Protocol):
    """Something else that the daemon which writes does with Redis, such as reading the reports of gateways."""

    def tick(self, client: Client) -> None:
        """Do what is due, with the daemon's own client, in its own thread.

        Called ten times a second and more while this daemon leads, after its writing; so it must be quick, and what
        takes longer than a few milliseconds (HTTP) belongs into a thread of its own. May raise CLIENT_ERRORS.
        """
        ...


class Learner(Protocol):
    """Something that follows what is in the registry, beside the gateways' replicas."""

    def learn(self, contents: Contents, changes: Sequence[Change] | None) -> None:
        """Hear what is in the registry now; `changes` lead there from what was heard before, None: anything may have.

        Called in the daemon's own thread while it leads, after a look into the registry and after each writing; so it
        must be quick, and keep nothing of `contents`, which the daemon goes on to change.
        """
        ...


class Ending(Enum):
    """Why a daemon ended."""

    STOPPED = "it was told to"
    NEWER_SCHEMA = "the registry was written by a newer version"
    NEWER_FEED = "the portal is of a newer version"


class Daemon:
    """Brings `source` into the registry of `region`.

    `connect` makes a client and may raise CLIENT_ERRORS; it is called until it succeeds, and then once. `companions`
    take their turn while this daemon leads, and `learners` hear what it writes. A source that does not want to be asked
    in vain sets `wake` when it has something new.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        source: Source,
        region: str,
        metrics: SyncMetrics,
        *,
        companions: Sequence[Companion] = (),
        learners: Sequence[Learner] = (),
        wake: threading.Event | None = None,
    ) -> None:
        self._connect = connect
        self._source = source
        self._region = region
        self._metrics = metrics
        self._companions = companions
        self._learners = learners
        self._wake = wake or threading.Event()
        self._contact = Contact(metrics)
        self._client: Client | None = None
        self._leadership: Leadership | None = None
        self._next_try = 0.0
        self._said_standby = False
        self._wanted: Contents | None = None
        self._looked_into = False
        self._known: Contents | None = None
        self._due: list[Change] = []

    def run(self, stop: threading.Event) -> Ending:
        """Work until `stop` is set or the registry is not ours to read; then the lease is released."""
        done = threading.Event()
        heart = threading.Thread(target=self._beat, args=(done,), name="heartbeat", daemon=True)
        heart.start()
        try:
            return self._loop(stop)
        finally:
            done.set()
            heart.join()
            self._leave()

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(0.05):
            leadership = self._leadership
            if leadership is not None:
                leadership.beat_if_due()

    def _loop(self, stop: threading.Event) -> Ending:
        while not stop.is_set():
            wait = LOOK_EVERY
            try:
                self._look()
                self._work(stop)
            except CLIENT_ERRORS as error:
                # A write that failed may have been done: only the registry itself can tell.
                self._forget()
                self._next_try = 0.0
                wait = self._contact.failed(error)
            except NewerSchema as newer:
                _log.error("the registry was written by a newer version, stopping", problem=str(newer))
                return Ending.NEWER_SCHEMA
            except NewerFeed as newer:
                _log.error("the portal is of a newer version, stopping", problem=str(newer))
                return Ending.NEWER_FEED
            self._pause(stop, wait)
        return Ending.STOPPED

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0 and not self._wake.wait(min(left, 0.1)):
            pass
        self._wake.clear()

    def _look(self) -> None:
        found = self._source.look()
        if found is None:
            return
        if isinstance(found, list):
            self._amend(found)
            return
        if isinstance(found, Refusal):
            self._metrics.refused_edits.inc()
            self._metrics.source_good.set(0)
            in_force = "the last good state" if self._wanted is not None else "what is in the registry"
            for complaint in found.complaints:
                _log.error(
                    "source refused",
                    file=complaint.file,
                    line=complaint.line,
                    column=complaint.column,
                    path=complaint.path,
                    problem=complaint.message,
                )
            total = len(found.complaints) + found.more
            _log.error("source refused as a whole", complaints=total, stays_in_force=in_force)
            return
        self._metrics.source_good.set(1)
        self._wanted = found
        _log.info(
            "source accepted",
            apis=len(found.apis),
            applications=len(found.applications),
            credentials=len(found.credentials),
        )

    def _amend(self, changes: list[Change]) -> None:
        """Make changes in what is wanted. Where that is in force, they are all that is left to be written."""
        wanted = self._wanted
        if wanted is None:
            raise TypeError("a source gives contents first, and changes in them then")
        if self._known is wanted:
            self._due += amend(wanted, changes)
        wanted.apply(changes)

    def _work(self, stop: threading.Event) -> None:
        leadership = self._leadership
        if leadership is None:
            self._client = self._connect()
            leadership = self._leadership = Leadership(Writer(self._client, self._region), self._contact, self._metrics)
        if not leadership.leading:
            self._forget()
            if not self._try_to_lead(leadership):
                return
        if not self._looked_into:
            self._look_into_registry(leadership)
        if self._wanted is not None and (self._due or self._known is not self._wanted):
            self._bring(leadership, self._wanted, stop)
        if leadership.leading and self._client is not None:
            for companion in self._companions:
                companion.tick(self._client)

    def _try_to_lead(self, leadership: Leadership) -> bool:
        now = time.monotonic()
        if now < self._next_try:
            return False
        self._next_try = now + TRY_EVERY
        if not leadership.acquire():
            self._contact.worked()
            if not self._said_standby:
                _log.info("standing by, another daemon writes", region=self._region)
            self._said_standby = True
            return False
        self._next_try = 0.0
        self._said_standby = False
        _log.info("leading: this daemon writes", region=self._region)
        return True

    def _look_into_registry(self, leadership: Leadership) -> None:
        found = leadership.read()
        self._contact.worked()
        self._looked_into = True
        if found is not None:
            position, self._known = found
            self._metrics.seq.set(position.seq)
            self._teach(self._known, None)
        elif self._wanted is None:
            _log.warning("the registry is empty and there is no good source to fill it from", region=self._region)

    def _bring(self, leadership: Leadership, wanted: Contents, stop: threading.Event) -> None:
        """Write what is missing.

        A stop in the middle does no harm: every prefix of a diff is safe. After a refusal nothing more is written;
        the next round takes the lease again, reads again and compares again.
        """
        known = self._known
        if known is not None and known is not wanted:
            keep_issuers(known, wanted)
        changes = self._due if known is wanted else diff(known or Contents(), wanted)
        # Until the last batch is in, what is known of the registry is not true.
        self._forget()
        if known is None and isinstance(leadership.begin_epoch(), Refused):
            return
        at: Position | None = None
        for batch in in_batches(changes):
            if stop.is_set():
                return
            answer = leadership.write(batch)
            if isinstance(answer, Refused):
                return
            at = answer
            self._written(at, len(batch))
        if known is None:
            answer = leadership.complete()
            if isinstance(answer, Refused):
                return
            at = answer
            self._written(at, 0)
        self._known, self._looked_into = wanted, True
        self._teach(wanted, None if known is None else changes)
        if at is not None:
            _log.info(
                "registry written",
                region=self._region,
                changes=len(changes),
                seq=at.seq,
                new_epoch=known is None,
            )

    def _teach(self, contents: Contents, changes: Sequence[Change] | None) -> None:
        for learner in self._learners:
            learner.learn(contents, changes)

    def _written(self, position: Position, changes: int) -> None:
        self._contact.worked()
        self._metrics.succeeded()
        self._metrics.seq.set(position.seq)
        self._metrics.changes.inc(changes)

    def _forget(self) -> None:
        self._known, self._looked_into, self._due = None, False, []

    def _leave(self) -> None:
        try:
            if self._leadership is not None:
                self._leadership.release()
            if self._client is not None:
                self._client.close()
        except CLIENT_ERRORS:
            _log.info("the lease could not be released, it will run out", region=self._region)
