"""A certified provider for the whole session; a place of each type for each test."""

from collections.abc import Iterator

import pytest

from kong_app_auth.oidc.outgoing import Outgoing
from tests.integration.oidc.dcr.places import PLACES, Place
from tests.servers.identity_provider import IdentityProvider, identity_provider


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    """It is never taken down: faults are made in front of it."""
    with identity_provider(tmp_path_factory.mktemp("certified")) as started:
        yield started


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, certified: IdentityProvider) -> Iterator[Place]:
    with PLACES[request.param](certified) as made:
        yield made


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    client = Outgoing(allow_http_loopback=True)
    yield client
    client.close()
