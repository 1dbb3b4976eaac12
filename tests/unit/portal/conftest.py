from collections.abc import Generator
from pathlib import Path

import pytest

from kong_app_auth.portal.plane import ControlPlane
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import Clock, control_plane, sqlite


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock) as made:
        yield made


@pytest.fixture
def clients(plane: ControlPlane) -> Clients:
    return Clients(plane)


@pytest.fixture
def operator(clients: Clients) -> Client:
    return clients.operator()
