"""Follows a region: keeps this node's copy of the registry in step with Redis, for as long as it runs.

The copy is changed only by batches that follow it without a gap, and replaced only by a whole one. What was revoked
must stay revoked, so a registry that is behind ours (restored from a dump, or a replica that became the primary) or of
another epoch is not taken before a writer has spoken in it: a writer does so only after it has looked at what is there.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from kong_app_auth.registry.connection import CLIENT_ERRORS, Client, StreamEntry, server_time
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import NewerSchema, Position
from kong_app_auth.registry.reading import Entry, Meta, batches_after, decode_entry, read_meta, scan
from kong_app_auth.registry.records import CorruptRecord, raw_of_field
from kong_app_auth.replica.reporting import Reporting
from kong_app_auth.replica.store import DEFAULT_MAP_SIZE, DirectoryHeld, Store, StoreFailed
from kong_app_auth.reports.records import MAX_AGE, Standing

__all__ = ["Follower", "NewerSchema"]

BLOCK_MS: Final = 1000
"""How long one read waits for news; heartbeats come every second."""

_ENTRIES_AT_ONCE: Final = 20
_POLL_SECONDS: Final = 0.1
_BACKOFF: Final = (0.1, 2.0)
_CHECK_EVERY: Final = 1.0
_CLOCK_TOLERANCE: Final = 1.0
"""Seconds that a server's clock may go back between an entry and the question for the time."""

_log = structlog.get_logger()


class Follower:
    """Keeps the copy of `region` in `directory`.

    `connect` makes a client (see `registry.connection.connect`) and is called again after every failure. `on_alive` is
    called at every step: at the latest after the client's time-out for an answer, and between the pieces of a fresh
    copy.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        region: str,
        directory: Path | str,
        *,
        on_alive: Callable[[], None] | None = None,
        map_size: int = DEFAULT_MAP_SIZE,
    ) -> None:
        self._connect = connect
        self._keys = Keys(region)
        self._store = Store(directory, region, map_size)
        self._reporting = Reporting(connect, region, directory, standing=self._standing)
        self._alive = on_alive or (lambda: None)
        self._stop = threading.Event()
        self._client: Client | None = None
        self._cursor: str | None = None
        self._must_copy = False
        self._doubted: tuple[Position, bytes] | None = None
        self._checked = 0.0
        self._told: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set. Raises NewerSchema: then the copy is left to age, until nobody trusts it."""
        self._stop = stop
        shortest, longest = _BACKOFF
        wait = shortest
        try:
            while not stop.is_set():
                if self.step(BLOCK_MS):
                    wait = shortest
                else:
                    stop.wait(wait)
                    wait = min(2 * wait, longest)
                if self._store.is_open:  # the directory is ours, and its socket too
                    self._reporting.start()
        finally:
            self.close()

    def step(self, block_ms: int) -> bool:
        """Do one thing: open, connect, copy, or wait for entries at most `block_ms` and apply them.

        False where it could not be done and is to be tried again after a while. Raises NewerSchema.
        """
        self._alive()
        try:
            if not self._store.is_open:
                self._store.open(self._alive)
            self._check()
            if self._client is None:
                self._client = self._connect()
            if self._cursor is None:
                return self._begin(self._client)
            self._follow(self._client, self._cursor, block_ms)
            return True
        except DirectoryHeld:
            self._say("another follower keeps this copy")
        except StoreFailed as failure:
            self._discard(str(failure))
        except CLIENT_ERRORS as error:
            self._disconnect()
            self._say("registry is out of reach", error=f"{type(error).__name__}: {error}")
        except NewerSchema as newer:
            _log.error("registry is of a newer version; following it no longer", error=str(newer))
            raise
        return False

    def close(self) -> None:
        """Let go of Redis and of the directory; the copy stays for its readers."""
        self._reporting.stop()
        self._disconnect()
        self._store.close()

    def _standing(self) -> Standing:
        """Say how far the copy is."""
        here, heard = self._store.position, self._store.last_heard
        age = int(max(0.0, time.time() - heard)) if heard > 0.0 else MAX_AGE
        return Standing(None if here is None else here.epoch, None if here is None else here.seq, min(age, MAX_AGE))

    def _begin(self, client: Client) -> bool:
        """Find out where the registry stands, and either follow it from where the copy stands or take a fresh one."""
        try:
            meta = read_meta(client, self._keys)
        except CorruptRecord as corrupt:
            self._say("registry is corrupt", error=str(corrupt))
            return False
        if meta is None:
            self._say("registry is empty or being filled; keeping the copy", has_copy=self._store.position is not None)
            return False
        here = self._store.position
        if here is not None and not self._must_copy:
            if self._leads_on(client, here, meta):
                self._cursor = f"{here.seq}-0"
                self._doubted = None
                self._told.clear()
                _log.info("following the registry", region=self._keys.region, seq=here.seq)
                return True
            behind = here.epoch != meta.position.epoch or meta.position.seq < here.seq
            if behind and not self._spoken_for(client, meta):
                self._say("registry is not the one of this copy; waiting for its writer")
                return False
        return self._copy(client, meta)

    def _leads_on(self, client: Client, here: Position, meta: Meta) -> bool:
        if here.epoch != meta.position.epoch or meta.position.seq < here.seq:
            return False
        if meta.position.seq == here.seq:
            return meta.position == here
        try:
            return next(batches_after(client, self._keys, here, meta.position), None) is not None
        except CorruptRecord:
            return False

    def _spoken_for(self, client: Client, meta: Meta) -> bool:
        """Say whether a writer has written, or sent a heartbeat, since this registry was first seen."""
        last = client.xrevrange(self._keys.changes, count=1)
        seen = (meta.position, last[0][0] if last else b"")
        if self._doubted is None:
            self._doubted = seen
        return self._doubted != seen

    def _copy(self, client: Client, meta: Meta) -> bool:
        """Take a fresh copy. False where the registry changed so that another attempt is needed."""
        started = time.monotonic()
        self._say("taking a fresh copy", level="info", seq=meta.position.seq)
        records = skipped = 0
        copy = self._store.fresh_copy()
        try:
            for table in Table:
                for piece in scan(client, self._keys, table):
                    self._alive()
                    if self._stop.is_set():
                        return False
                    for field, value in piece.items():
                        try:
                            copy.add(table, raw_of_field(table, field), value)
                        except CorruptRecord:
                            skipped += 1  # it grants nothing, so leaving it out is safe
                    records += len(piece)
            copy.build(meta.position, self._alive)
            end = read_meta(client, self._keys)
            position = meta.position
            if end is not None:
                for entry in batches_after(client, self._keys, position, end.position):
                    self._alive()
                    copy.apply(entry.position, entry.edits())
                    position = entry.position
            if end is None or position != end.position:
                self._say("registry changed under the copy; taking another")
                return False
            self._store.put_in_force(copy)
        except CorruptRecord as corrupt:
            self._say("registry is corrupt", error=str(corrupt))
            return False
        finally:
            copy.close()
        if skipped:
            _log.error("registry holds records with impossible keys", number=skipped)
        self._must_copy = False
        self._doubted = None
        self._cursor = f"{position.seq}-0"
        self._told.clear()
        seconds = round(time.monotonic() - started, 3)
        _log.info("fresh copy in force", region=self._keys.region, seq=position.seq, records=records, seconds=seconds)
        return True

    def _follow(self, client: Client, cursor: str, block_ms: int) -> None:
        answer = client.xread({self._keys.changes: cursor}, count=_ENTRIES_AT_ONCE, block=block_ms)
        if not answer:
            self._look_around(client)
            return
        newest = 0.0
        for raw in answer[0][1]:
            entry = self._take(raw)
            if entry is None:
                # Entries are missing, or this is another registry than ours; and a writer is at work in it.
                self._cursor = None
                self._must_copy = True
                return
            self._cursor = entry.id
            newest = entry.at
        self._heard(client, newest)

    def _take(self, raw: StreamEntry) -> Entry | None:
        """Apply an entry. None where it does not follow the copy."""
        here = self._store.position
        try:
            entry = decode_entry(raw)
            if here is None or (entry.data is None and entry.position != here):
                return None
            if entry.data is not None:
                if not entry.follows(here):
                    return None
                self._store.apply(entry.position, entry.edits())
        except CorruptRecord as corrupt:
            _log.error("registry is corrupt", error=str(corrupt))
            return None
        return entry

    def _look_around(self, client: Client) -> None:
        """Nothing came. See whether this is still the registry that is followed: a flushed one is silent for ever."""
        try:
            meta = read_meta(client, self._keys)
        except CorruptRecord:
            meta = None
        if meta is None or meta.position != self._store.position:
            self._cursor = None

    def _heard(self, client: Client, written_at: float) -> None:
        """Note the age of the newest entry, by the clock of the server that wrote it: no two clocks are compared."""
        now = time.time()
        age = server_time(client, self._keys.meta) - written_at
        if age >= -_CLOCK_TOLERANCE:
            self._store.heard(now - max(age, 0.0), now)

    def _check(self) -> None:
        now = time.monotonic()
        if now - self._checked >= _CHECK_EVERY:
            self._checked = now
            self._store.check()

    def _discard(self, why: str) -> None:
        self._cursor = None
        self._say("replica cannot be kept", error=why)
        try:
            self._store.discard(why)
        except StoreFailed as failure:
            self._say("replica directory cannot be used", error=str(failure))
            self._store.close()

    def _disconnect(self) -> None:
        self._cursor = None
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _say(self, event: str, level: str = "warning", **context: object) -> None:
        """Log what stands in the way, once until all is well again: what is tried again and again is not told again."""
        if event not in self._told:
            self._told.add(event)
            getattr(_log, level)(event, region=self._keys.region, **context)
