from collections.abc import Callable, Generator

import pytest
from argon2 import PasswordHasher

from kong_app_auth.portal.services import passwords
from tests.control_plane.clients import Client, Clients
from tests.control_plane.sites import Site


@pytest.fixture
def site_with(clients: Clients, operator: Client) -> Callable[..., Site]:
    return lambda **settings: Site(clients, operator, **settings)


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    return site_with(auto_approve_developers=True)


@pytest.fixture(autouse=True, scope="module")
def _quick_hashes() -> Generator[None]:
    """Argon2 with less work than is due: what is tested here is what is done with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        patch.setattr(passwords, "_nobodys", lambda: NOBODYS)
        yield


NOBODYS = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("nobody's")
