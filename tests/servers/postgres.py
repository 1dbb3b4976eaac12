"""PostgreSQL: one server a session, a fresh database a test. Where none is installed, tests say so and are skipped."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.servers.process import PATIENCE, end, start, wait_until


def binaries() -> Path | None:
    """The directory of PostgreSQL's programs: the one in PATH, else the newest where Debian puts them."""
    in_path = shutil.which("initdb")
    if in_path is not None and shutil.which("postgres", path=str(Path(in_path).parent)):
        return Path(in_path).parent
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name.partition(".")[0]), default=None)


class PostgresServer:
    """One server, without TCP, that never waits for the disk.

    What was committed outlives a crash of it, though not of the machine.
    """

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self._programs = programs
        self._count = count()
        self._templates: dict[str, str] = {}
        # PostgreSQL does not run as root, and whom it runs as must be able to reach its files.
        owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = _account()
            owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(directory, account.pw_uid, account.pw_gid)
        self._owner = owner
        command = ["initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [programs / command[0], *command[1:]], capture_output=True, check=False, timeout=120, cwd="/", **owner
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stderr.decode()[-2000:]}")
        self._start()

    def _start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
            "autovacuum": "off",
            "jit": "off",
        }
        command = [self._programs / "postgres", "-D", self.data]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = self.directory.with_suffix(".log")
        self.process = start(command, log, cwd="/", **self._owner)
        wait_until(self._answers, f"postgres is up: {log}")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"postgres did not start:\n{self.directory.with_suffix('.log').read_text()[-2000:]}")
        with contextlib.suppress(psycopg.OperationalError):
            self._execute("SELECT 1")
            return True
        return False

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def url(self, name: str = "postgres") -> str:
        """The URL of a database, as the portal takes it."""
        return f"postgresql://postgres@/{name}?host={self.directory}"

    @contextlib.contextmanager
    def database(self, prepare: Callable[[str], None] | None = None) -> Iterator[str]:
        """Give the URL of a fresh database; it is gone at the end, whoever is connected to it.

        `prepare` fills a template, by its URL, once a server; every further database is a copy of it.
        """
        name = f"test_{next(self._count)}"
        template = "template0" if prepare is None else self._template(prepare)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self.url(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _template(self, prepare: Callable[[str], None]) -> str:
        key = f"{prepare.__module__}.{prepare.__qualname__}"
        if key not in self._templates:
            name = f"template_{next(self._count)}"
            self._execute("CREATE DATABASE {} TEMPLATE template0", name)
            prepare(self.url(name))
            self._templates[key] = name
        return self._templates[key]

    def _execute(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=int(PATIENCE)) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def kill(self) -> None:
        """End it as a crash of the server would: every connection breaks."""
        end(self.process, signal.SIGQUIT)

    def restart(self) -> None:
        """Start it again, where it was."""
        self.kill()
        self._start()


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres nor nobody")


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start one server, or skip the test."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="kaa-pg-") as directory:
        Path(directory).chmod(0o711)
        inner = Path(directory) / "pg"
        inner.mkdir(mode=0o700)
        server = PostgresServer(inner, programs)
        try:
            yield server
        finally:
            # SIGQUIT ends its children too, and gives back its shared memory.
            end(server.process, signal.SIGQUIT)
