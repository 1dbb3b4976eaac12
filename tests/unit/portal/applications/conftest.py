"""The tests in here share a control plane: each has portals of its own in it, and statements are compiled once."""

from collections.abc import Generator

import pytest

from kong_app_auth.portal.plane import ControlPlane
from tests.control_plane.clients import Clients
from tests.control_plane.settings import Clock, control_plane, sqlite


@pytest.fixture(scope="package")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Generator[ControlPlane]:
    with control_plane(sqlite(tmp_path_factory.mktemp("portal")), clock) as made:
        yield made


@pytest.fixture(scope="package")
def clients(plane: ControlPlane) -> Clients:
    return Clients(plane)
