"""The database: how it is opened, and how a transaction begins in it.

Writers of one region go one after the other: SQLite has one writer at a time anyway (BEGIN IMMEDIATE), and PostgreSQL
is asked for a lock of the region. So every rule that looks before it writes (at most twenty keys, one API a service)
holds without further thought, no update is lost, and the numbers of the feed are given in the order of the commits.
See docs/decisions/0015-one-writer-a-region.md.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

Mode = Literal["read", "snapshot", "write"]
"""read: each statement sees what is committed. snapshot: all see the same moment. write: one writer of the region."""

_BUSY_MS = 15_000
_MODE = "portal_mode"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:region, 7412))")


class WrongUrl(ValueError):  # noqa: N818
    """The database's URL is no such thing. The text never holds a password."""


def parse(url: str) -> URL:
    """Read the URL of a database: `sqlite:///file` or `postgresql://…`. Raises WrongUrl."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise WrongUrl("the database's URL cannot be read") from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise WrongUrl("the database is SQLite (sqlite:///file) or PostgreSQL (postgresql://user@host/name)")
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise WrongUrl("an SQLite database needs a file: sqlite:///portal.db")
    return parsed


class Database:
    """An open database. `pool` is the most connections at a time."""

    def __init__(self, url: str, *, pool: int = 10) -> None:
        parsed = parse(url)
        options: dict[str, Any] = {"pool_size": pool, "max_overflow": pool, "pool_pre_ping": True}
        if parsed.get_backend_name() == "sqlite":
            options = {"connect_args": {"timeout": _BUSY_MS / 1000}, "pool_size": pool, "max_overflow": pool}
            Path(parsed.database or "").expanduser().resolve().parent.mkdir(parents=True, exist_ok=True)
        try:
            self.engine: Engine = create_engine(parsed, hide_parameters=True, **options)
        except NoSuchModuleError:
            raise WrongUrl("the driver of this database is not installed") from None
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        # An engine with options is this one with its options: they share the connections.
        self._engines = {mode: self.engine.execution_options(**self._options(mode)) for mode in get_args(Mode)}

    def _options(self, mode: Mode) -> dict[str, Any]:
        if self.is_sqlite:
            return {_MODE: mode}
        # Said of each, for a server may be set to another level than PostgreSQL's own READ COMMITTED.
        return {"isolation_level": "REPEATABLE READ" if mode == "snapshot" else "READ COMMITTED"}

    def session(self, mode: Mode, region: str) -> Session:
        """Open a session whose transaction begins now; for `write` it waits for the other writers of `region`."""
        session = Session(self._engines[mode], expire_on_commit=False)
        if mode == "write" and not self.is_sqlite:
            try:
                session.execute(_LOCK, {"region": region})
            except BaseException:
                session.close()
                raise
        return session

    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that writes, for the schema; it commits at the end of the block."""
        return self._engines["write"].begin()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We begin transactions ourselves: the driver would begin them late, and never as a writer.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
