"""A portal as a process of its own, on a database that has our schema already.

Run as a program: URL of the database, `host:port`, and the file of its log lines.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from alembic import command

from kong_app_auth.portal.store.database import Database
from kong_app_auth.portal.store.records import METADATA
from kong_app_auth.portal.store.schema import configuration
from tests.control_plane.settings import FEED_TOKEN, REGION
from tests.servers.process import end, free_port, start, wait_until

ROOT = Path(__file__).parents[2]
VAULT_KEY = "tk1uTl9lHkYJ0jZ1n5M2c9M7t8C4mB7s0QyQm1c3x1A="


def prepare(url: str) -> None:
    """Give an empty database today's schema, marked as migrated."""
    database = Database(url)
    try:
        METADATA.create_all(database.engine)
        with database.writing() as connection:
            command.stamp(configuration(connection), "head")
    finally:
        database.close()


class Portal:
    """A running portal."""

    def __init__(self, url: str, directory: Path, name: str = "portal", port: int | None = None) -> None:
        self.database_url = url
        self.port = port or free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"{name}.log"
        self.start()

    def start(self) -> None:
        self.process = start(
            [sys.executable, Path(__file__), self.database_url, f"127.0.0.1:{self.port}"],
            self.log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        wait_until(self._ready, f"the portal answers: {self.log}")

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the portal did not start:\n{self.log.read_text()[-3000:]}")
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.base}/internal/v1/ready", timeout=5).status_code == 200
        return False

    def kill(self) -> None:
        end(self.process)

    def feed(self, path: str, token: str = FEED_TOKEN, **options: Any) -> requests.Response:
        return requests.get(
            f"{self.base}/internal/v1/regions/{REGION}/{path}",
            headers={"Authorization": f"Bearer {token}"},
            **{"timeout": 40, **options},
        )


@contextlib.contextmanager
def portal(url: str, directory: Path, name: str = "portal") -> Iterator[Portal]:
    """Start a portal on a prepared database."""
    running = Portal(url, directory, name)
    try:
        yield running
    finally:
        end(running.process)


if __name__ == "__main__":
    import structlog

    from kong_app_auth.portal.configuration import Configuration
    from kong_app_auth.portal.process import run_portal

    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])
    sys.exit(
        run_portal(
            sys.argv[1],
            Configuration(
                regions=(REGION, "us"),
                public_url="http://portal.test",
                vault_keys=(VAULT_KEY,),
                feed_tokens={REGION: FEED_TOKEN, "us": FEED_TOKEN + "-us"},
            ),
            sys.argv[2],
        )
    )
