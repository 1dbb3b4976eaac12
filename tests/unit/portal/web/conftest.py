from collections.abc import Generator
from pathlib import Path
from shutil import copyfile

import pytest

from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.vault import Vault
from tests.control_plane.clients import Clients
from tests.control_plane.inhabited import World, inhabited
from tests.control_plane.settings import Clock, control_plane, sqlite
from tests.unit.portal.web.people import People

VAULT_KEYS = (Vault.new_key(),)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A database with something of everything in it, and what that is: each test gets a copy."""
    directory = tmp_path_factory.mktemp("furnished")
    with control_plane(sqlite(directory), Clock(), vault_keys=VAULT_KEYS) as plane:
        world = inhabited(Clients(plane))
        with plane.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return directory / "portal.db", world


@pytest.fixture
def plane(furnished: tuple[Path, World], tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    copyfile(furnished[0], tmp_path / "portal.db")
    with control_plane(sqlite(tmp_path), clock, vault_keys=VAULT_KEYS) as made:
        yield made


@pytest.fixture
def people(clients: Clients, furnished: tuple[Path, World]) -> People:
    """A portal with something of everything in it, and who comes to its pages."""
    return People(clients, furnished[1])


@pytest.fixture(scope="module")
def shared(furnished: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory) -> Generator[People]:
    """The same for tests that change nothing: one for a module."""
    directory = tmp_path_factory.mktemp("shared")
    copyfile(furnished[0], directory / "portal.db")
    with control_plane(sqlite(directory), Clock(), vault_keys=VAULT_KEYS) as plane:
        yield People(Clients(plane), furnished[1])
