"""Instances: one for each configuration that Kong has started, known by a number.

Kong's workers keep the numbers in memory, longer than any process of ours lives. So a number is given once: it is kept
with its configuration in a small database beside the socket, which every worker reads and which survives a restart of
the server. Every start gets a number of its own: when a configuration changes Kong starts the new one before it closes
the old one, and that late close must not meet the new one.
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

LARGEST_ID = 2**31 - 1
UNRECORDED = LARGEST_ID
"""The number given while the database cannot be written. Its events are refused until it can; then it is unknown."""
MAX_KEPT = 50_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    config BLOB NOT NULL,
    started_at INTEGER NOT NULL
);
"""


class Recorded(msgspec.Struct, frozen=True):
    """What is kept of an instance. `started_at` is Unix time in seconds, `config` the JSON from Kong."""

    plugin: str
    config: bytes
    started_at: int


class InstanceStore:
    """The database of instances. Opens it for each use: starts are rare, and processes fork."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """Make the database where there is none; one that cannot be read is made anew.

        A new one begins at a random number: should the old one be lost while Kong lives, its numbers are then unlikely
        to mean something else, and what is unknown Kong starts again.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._create()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._path.unlink(missing_ok=True)
            self._create()

    def _create(self) -> None:
        with self._open() as db:
            db.executescript(_SCHEMA)
            if db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'instance'").fetchone() is None:
                first = secrets.randbelow(LARGEST_ID // 2)
                db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('instance', ?)", (first,))

    def add(self, instance: Recorded) -> int:
        """Keep an instance under a new number. Raises sqlite3.Error, as for a full disk."""
        with self._open() as db:
            row = db.execute(
                "INSERT INTO instance (plugin, config, started_at) VALUES (?, ?, ?)",
                (instance.plugin, instance.config, instance.started_at),
            )
            number = row.lastrowid
            if number is None or number >= UNRECORDED:
                raise sqlite3.OperationalError("the instance numbers are used up")
            # Kong's workers that were killed never close theirs. To forget one in use costs a new start, no more.
            db.execute("DELETE FROM instance WHERE id <= ?", (number - MAX_KEPT,))
            return number

    def get(self, number: int) -> Recorded | None:
        """Look an instance up; None if it was never started, or is closed."""
        with self._open() as db:
            row = db.execute("SELECT plugin, config, started_at FROM instance WHERE id = ?", (number,)).fetchone()
        return Recorded(*row) if row else None

    def remove(self, number: int) -> None:
        """Forget a closed instance. Its number is not given again."""
        with self._open() as db:
            db.execute("DELETE FROM instance WHERE id = ?", (number,))

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=2.0)
        try:
            with db:
                yield db
        finally:
            db.close()


class BrokenInstance(msgspec.Struct, frozen=True):
    """Stands for a plugin whose constructor raised: started, so that Kong does not stall, and refused at each event."""

    error: str


class Instances:
    """The instances of one worker process: plugin objects by number, made when a number is first met.

    Numbers with the same configuration share one object; only the members that tell Kong's own bookkeeping
    (`__seq__`, which rises with each reload) may differ.
    """

    def __init__(self, store: InstanceStore, create: Callable[[dict[str, Any]], Any]) -> None:
        self._store = store
        self._create = create
        self._by_number: dict[int, Any] = {}
        self._by_config: dict[bytes, Any] = {}
        self._lock = threading.Lock()

    def start(self, plugin: str, config: bytes, now: int) -> int:
        """Start an instance and give its number; always succeeds (surprise 14), if need be as UNRECORDED."""
        try:
            return self._store.add(Recorded(plugin, config, now))
        except sqlite3.Error:
            return UNRECORDED

    def find(self, number: int) -> Any:
        """Give the plugin object (or BrokenInstance) of a number; None if the number is unknown."""
        found = self._by_number.get(number)
        return found if found is not None else self._load(number)

    def close(self, number: int) -> Recorded | None:
        """Forget an instance; give what it was."""
        with self._lock:
            self._by_number.pop(number, None)
        try:
            recorded = self._store.get(number)
            self._store.remove(number)
        except sqlite3.Error:
            return None
        return recorded

    def status(self, number: int) -> Recorded | None:
        """Give what is kept of an instance."""
        try:
            return self._store.get(number)
        except sqlite3.Error:
            return None

    def _load(self, number: int) -> Any:
        try:
            recorded = self._store.get(number)
            if recorded is None and number == UNRECORDED:
                # If the database can be written again the number is unknown, and Kong starts the instance anew.
                self._store.remove(self._store.add(Recorded("", b"{}", 0)))
        except sqlite3.Error as error:
            return BrokenInstance(f"the instance database cannot be used: {error}")
        if recorded is None:
            return None
        with self._lock:
            plugin = self._plugin_for(recorded.config)
            if len(self._by_number) >= MAX_KEPT:
                self._by_number.clear()
                self._by_config.clear()
            self._by_number[number] = plugin
        return plugin

    def _plugin_for(self, config: bytes) -> Any:
        try:
            fields = msgspec.json.decode(config, type=dict[str, Any])
            own = {name: value for name, value in fields.items() if name != "__seq__"}
            digest = sha256(msgspec.json.encode(own, order="deterministic")).digest()
        except (ValueError, RecursionError):  # not JSON, no object, not UTF-8, nested too deep
            return BrokenInstance("the configuration is not a JSON object")
        plugin = self._by_config.get(digest)
        if plugin is None:
            try:
                plugin = self._create(fields)
            except BaseException as error:  # noqa: BLE001  whatever a constructor raises, sys.exit() too
                plugin = BrokenInstance(f"{type(error).__name__}: {error}")
            self._by_config[digest] = plugin
        return plugin


def store_path(socket_path: Path) -> Path:
    """Where the database is kept: beside the socket, for both must outlive the server and mean nothing after Kong."""
    return Path(os.fspath(socket_path) + ".instances")
