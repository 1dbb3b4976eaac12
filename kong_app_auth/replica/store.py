"""The follower's side of the replica: batches into the LMDB file that is in force, fresh copies into the next one.

Whatever goes wrong with the file or the disk is one StoreFailed; `discard` then takes the copy out of force at once.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import lmdb
import structlog

from kong_app_auth.registry.changes import Edit
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import DIGEST_BYTES, MAX_ID_BYTES, CorruptRecord
from kong_app_auth.replica.layout import (
    MAX_DATABASES,
    MAX_READERS,
    META,
    STATE_KEY,
    State,
    data_file,
    decode_state,
    encode_state,
    generation_of,
    suspect_file,
)
from kong_app_auth.replica.spool import PREFIX, Spool
from kong_app_auth.replica.status import StatusPage

DEFAULT_MAP_SIZE: Final = 4 * 1024**3
"""Bytes that one copy may grow to. The file takes only what is in it."""

_LOCK_FILE: Final = "follower.lock"
_CHECK_SECONDS: Final = 120.0

_log = structlog.get_logger()


class StoreFailed(Exception):  # noqa: N818 – says what happened
    """The file is damaged, the disk is full, or the copy has outgrown its map."""


class DirectoryHeld(Exception):  # noqa: N818 – says what it is
    """Another follower keeps the copy in this directory."""


@contextlib.contextmanager
def _failures() -> Generator[None]:
    try:
        yield
    except (lmdb.Error, OSError) as error:
        raise StoreFailed(f"{type(error).__name__}: {error}") from error


class _File:
    """One LMDB file, opened for writing."""

    def __init__(self, path: Path, map_size: int, *, durable: bool) -> None:
        # A batch that readers could see must not be lost to a power cut while `status` says that it was heard of: a key
        # would come back from the dead. So commits are synced, the meta page too. A file under construction is seen by
        # nobody, and is synced once, when it is whole. No writemap: with it a full disk is a signal and not an error.
        self.path = path
        self._environment = lmdb.open(
            str(path),
            map_size=map_size,
            subdir=False,
            mode=0o600,
            sync=durable,
            metasync=durable,
            max_dbs=MAX_DATABASES,
            max_readers=MAX_READERS,
        )
        try:
            self._meta = self._environment.open_db(META)
            self._tables = {table: self._environment.open_db(table.value.encode()) for table in Table}
            self._inode = path.stat().st_ino
            with self._environment.begin() as transaction:
                self.state = decode_state(transaction.get(STATE_KEY, db=self._meta))
                self._page_size = transaction.stat(self._meta)["psize"]
            self._length = self._length_now()
        except BaseException:
            self._environment.close()
            raise

    def append(self, table: Table, records: list[tuple[bytes, bytes]]) -> None:
        """Add records whose keys come after all that are there: pages are packed full."""
        with self._environment.begin(write=True) as transaction, transaction.cursor(self._tables[table]) as cursor:
            _, added = cursor.putmulti(records, append=True)
        if added != len(records):
            raise StoreFailed("records out of order")

    def apply(self, state: State, edits: list[Edit]) -> None:
        """Make the changes and note the new position, in one transaction."""
        with self._environment.begin(write=True) as transaction:
            for edit in edits:
                if edit.value is None:
                    transaction.delete(edit.id, db=self._tables[edit.table])
                else:
                    transaction.put(edit.id, edit.value, db=self._tables[edit.table])
            transaction.put(STATE_KEY, encode_state(state), db=self._meta)
        self.state = state
        self._length = self._length_now()

    def free_dead_readers(self) -> None:
        """Free the slots of workers that were killed while they read: the pages they saw could never be used again."""
        self._environment.reader_check()

    def sound(self) -> bool:
        """Say whether the file is still there, and as long as it has to be.

        The map is not touched: where the file was cut off, that would end the process.
        """
        try:
            found = self.path.stat()
        except OSError:
            return False
        return found.st_ino == self._inode and found.st_size >= self._length

    def _length_now(self) -> int:
        return (self._environment.info()["last_pgno"] + 1) * self._page_size

    def close(self, *, sync: bool = False) -> None:
        try:
            if sync:
                self._environment.sync(True)
        finally:
            self._environment.close()


class FreshCopy:
    """A copy that nobody sees yet. `close` it in any case; what was not put in force is removed."""

    def __init__(self, directory: Path, region: str, generation: int, map_size: int) -> None:
        self.generation = generation
        self._directory = directory
        self._region = region
        self._map_size = map_size
        with _failures():
            self._spool = Spool(directory)
        self._file: _File | None = None

    def add(self, table: Table, key: bytes, value: bytes) -> None:
        """Take a record as it was read from Redis. Raises CorruptRecord for a key that can be none."""
        _check_key(table, key)
        with _failures():
            self._spool.add(table, key, value)

    def build(self, position: Position, on_alive: Callable[[], None]) -> None:
        """Write what was taken into the file; it was begun to be read at `position`."""
        with _failures():
            self._file = _File(data_file(self._directory, self.generation), self._map_size, durable=False)
            for table, records in self._spool.sorted():
                self._file.append(table, records)
                on_alive()
        self.apply(position, [])

    def apply(self, position: Position, edits: list[Edit]) -> None:
        """Add a batch that was written while the tables were read."""
        if self._file is None:
            raise RuntimeError("there is no copy yet to apply a batch to")
        for edit in edits:
            _check_key(edit.table, edit.id)
        with _failures():
            self._file.apply(State.of(self._region, position), edits)

    def finish(self) -> None:
        """Bring the file to the disk, whole."""
        if self._file is None:
            raise RuntimeError("there is no copy yet to finish")
        with _failures():
            file, self._file = self._file, None
            file.close(sync=True)
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def close(self) -> None:
        """Let go of everything."""
        self._spool.close()
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(lmdb.Error):
                file.close()
            _remove(self._directory, keep=lambda generation: generation != self.generation)


class Store:
    """The replica in `directory`, for the one process that may write it. Nothing is opened before `open`."""

    def __init__(self, directory: Path | str, region: str, map_size: int = DEFAULT_MAP_SIZE) -> None:
        self._directory = Path(directory)
        self._region = region
        self._map_size = map_size
        self._lock: int | None = None
        self._status: StatusPage | None = None
        self._file: _File | None = None
        self._last_generation = 0

    @property
    def is_open(self) -> bool:
        """Whether `open` succeeded and `close` was not called."""
        return self._status is not None

    @property
    def position(self) -> Position | None:
        """Where the copy stands that is in force; None where none is."""
        return None if self._file is None or self._file.state is None else self._file.state.position

    @property
    def last_heard(self) -> float:
        """Unix time of the last news that readers were told of."""
        return 0.0 if self._status is None else self._status.last_heard

    def open(self, on_alive: Callable[[], None] = lambda: None) -> None:
        """Take the directory, and the copy in it if it is whole and of this region.

        Raises DirectoryHeld where another follower has it, StoreFailed where it cannot be used at all.
        """
        with _failures():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            try:
                self._status = StatusPage(self._directory)
            except OSError:
                self.close()
                raise
            # Numbers of generations go on even where `status` was lost: no reader shall mistake a new file for an old.
            self._last_generation = max(self._status.generation, *self._generations(), 0)
        generation = self._status.generation
        if self._status.trusted:
            path = data_file(self._directory, generation)
            failure = self._open_file(path, on_alive)
            if failure:
                self.discard(failure)
            else:
                self._status.end_change()  # the one that was following may have died in the middle of one
        self._clean_up()

    def apply(self, position: Position, edits: list[Edit]) -> None:
        """Apply a batch in one transaction. Raises StoreFailed, and CorruptRecord for a key that can be none."""
        if self._file is None or self._status is None:
            raise RuntimeError("there is no copy to apply a batch to")
        for edit in edits:
            _check_key(edit.table, edit.id)
        self._status.begin_change()
        with _failures():
            self._file.apply(State.of(self._region, position), edits)
        self._status.end_change()

    def heard(self, at: float, now: float) -> None:
        """Tell the readers that the copy was up to date at `at`. Older news does not replace newer."""
        if self._status is not None and self._file is not None and not at < self._status.last_heard <= now:
            self._status.heard(at)

    def fresh_copy(self) -> FreshCopy:
        """Begin a copy that replaces the one in force."""
        self._last_generation += 1
        return FreshCopy(self._directory, self._region, self._last_generation, self._map_size)

    def put_in_force(self, copy: FreshCopy) -> None:
        """Have all readers use the fresh copy from now on, and remove the one before."""
        if self._status is None:
            raise RuntimeError("the store is not open")
        copy.finish()
        with _failures():
            file = _File(data_file(self._directory, copy.generation), self._map_size, durable=True)
            self._close_file()
            self._file = file
            self._status.put_in_force(copy.generation)
            self._status.end_change()
        self._clean_up()

    def check(self) -> None:
        """See that the copy in force can still be used. Raises StoreFailed."""
        if self._status is None:
            raise RuntimeError("the store is not open")
        if not self._status.in_place():
            raise StoreFailed("the status page was removed")
        if self._file is None:
            return
        with _failures():
            if not self._file.sound():
                raise StoreFailed("the file was removed, replaced or cut off")
            self._file.free_dead_readers()
        if suspect_file(self._directory, self._status.generation).exists():
            raise StoreFailed("a reader could not read the file")

    def discard(self, why: str) -> None:
        """Take the copy out of force at once and remove it: no reader trusts anything until there is a fresh one."""
        if self._status is None:
            return
        if self._status.trusted:
            _log.error("replica discarded", reason=why, generation=self._status.generation)
        self._status.distrust()
        self._close_file()
        if not self._status.in_place():
            status, self._status = self._status, None
            status.close()
            with _failures():
                self._status = StatusPage(self._directory)
        self._clean_up()

    def close(self) -> None:
        """Let go of the directory; the copy stays in force for its readers."""
        self._close_file()
        if self._status is not None:
            self._status.close()
            self._status = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        lock = os.open(self._directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise DirectoryHeld(str(self._directory)) from None
        self._lock = lock

    def _open_file(self, path: Path, on_alive: Callable[[], None]) -> str:
        """Open the file in force; an empty text says that it is good, else what is wrong with it."""
        if not _reads_through(path, on_alive):
            return "the file is missing or damaged"
        try:
            file = _File(path, self._map_size, durable=True)
        except (lmdb.Error, OSError) as error:
            return f"{type(error).__name__}: {error}"
        if file.state is None or file.state.region != self._region:
            file.close()
            return "the file is of another layout or another region"
        self._file = file
        return ""

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(lmdb.Error):
                file.close()

    def _generations(self) -> list[int]:
        names = (entry.name for entry in self._directory.iterdir())
        return [generation for name in names if (generation := generation_of(name)) is not None]

    def _clean_up(self) -> None:
        """Remove all that is not in force, also what a follower that was killed left behind."""
        status = self._status
        in_force = status.generation if status is not None and status.trusted else None
        _remove(self._directory, keep=lambda generation: generation == in_force)


def _remove(directory: Path, keep: Callable[[int], bool]) -> None:
    with contextlib.suppress(OSError):
        for entry in list(directory.iterdir()):
            generation = generation_of(entry.name)
            if entry.name.startswith(PREFIX):
                shutil.rmtree(entry, ignore_errors=True)
            elif generation is not None and not keep(generation):
                entry.unlink(missing_ok=True)


def _check_key(table: Table, key: bytes) -> None:
    if not 0 < len(key) <= MAX_ID_BYTES or (table is Table.CREDENTIALS and len(key) != DIGEST_BYTES):
        raise CorruptRecord(table)


def _reads_through(path: Path, on_alive: Callable[[], None]) -> bool:
    command: list[Any] = [sys.executable, "-m", "kong_app_auth.replica.check", str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        deadline = time.monotonic() + _CHECK_SECONDS
        while time.monotonic() < deadline:
            on_alive()
            try:
                return child.wait(0.05) == 0
            except subprocess.TimeoutExpired:
                continue
        child.kill()
        return False
