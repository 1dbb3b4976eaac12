"""A control plane with a clock that tests can turn."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.database import Database
from kong_app_auth.portal.store.records import METADATA
from kong_app_auth.portal.vault import Vault

REGION = "eu"
FEED_TOKEN = "feed-token-of-the-tests"


class Clock:
    """Stands still at a whole second, until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


@contextmanager
def control_plane(url: str, clock: Any = None, **configuration: Any) -> Generator[ControlPlane]:
    """A control plane on a database at `url`, which is empty or has our schema already."""
    database = Database(url)
    try:
        METADATA.create_all(database.engine)
        given: dict[str, Any] = {
            "regions": (REGION, "us"),
            "public_url": "http://portal.test",
            "vault_keys": (Vault.new_key(),),
            "feed_tokens": {REGION: FEED_TOKEN, "us": FEED_TOKEN + "-us"},
            **configuration,
        }
        plane = ControlPlane(database, Configuration(**given), clock or Clock())
        try:
            yield plane
        finally:
            plane.close()
    finally:
        database.close()


def sqlite(directory: Path) -> str:
    return f"sqlite:///{directory / 'portal.db'}"
