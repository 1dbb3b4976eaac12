from collections.abc import Generator

import pytest

from kong_app_auth.portal.plane import ControlPlane
from tests.control_plane.clients import Clients
from tests.control_plane.inhabited import World, inhabited
from tests.control_plane.settings import Clock, control_plane, sqlite
from tests.unit.portal.web.people import People


@pytest.fixture
def people(clients: Clients) -> People:
    """A portal with something of everything in it, and who comes to its pages."""
    return People(clients, inhabited(clients))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[People]:
    """The same for tests that change nothing: made once for a module."""
    with control_plane(sqlite(tmp_path_factory.mktemp("shared")), Clock()) as plane:
        clients = Clients(plane)
        yield People(clients, inhabited(clients))


@pytest.fixture
def world(people: People) -> World:
    return people.world


@pytest.fixture
def shared_plane(shared: People) -> ControlPlane:
    return shared.clients.plane
