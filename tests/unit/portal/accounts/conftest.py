from collections.abc import Callable

import pytest

from kong_app_auth.portal.services import passwords
from tests.control_plane.clients import Client, Clients
from tests.control_plane.sites import Site


@pytest.fixture
def site_with(clients: Clients, operator: Client) -> Callable[..., Site]:
    return lambda **settings: Site(clients, operator, **settings)


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    return site_with(auto_approve_developers=True)


@pytest.fixture(autouse=True)
def _hash_of_nobody() -> None:
    passwords.matches(None, "")  # makes it, once
