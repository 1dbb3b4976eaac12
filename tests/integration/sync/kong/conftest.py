"""Kongs with a database: the development gateway, or with --kong-admin a real one."""

from collections.abc import Iterator

import pytest

from kong_app_auth.sync.kong.entities import tags_of
from tests.servers.managed_kong import REGION, ManagedKong, managed_kong, service_id

SERVICES = 8


@pytest.fixture(scope="session")
def kong_of_session(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ManagedKong]:
    url: str | None = request.config.getoption("--kong-admin")
    if url is None:
        with managed_kong(tmp_path_factory.mktemp("kong")) as (_, kong):
            yield kong
        return
    kong = ManagedKong(url)
    if kong("GET", "/")["configuration"]["database"] == "off":
        kong.close()
        pytest.skip("this real Kong has no database")
    try:
        yield kong
        _clean(kong)
    finally:
        kong.close()


@pytest.fixture
def kong(kong_of_session: ManagedKong) -> ManagedKong:
    """A Kong with `SERVICES` services, from 0 on, which carry nothing."""
    _clean(kong_of_session)
    kong_of_session.make_services(*range(SERVICES))
    return kong_of_session


def _clean(kong: ManagedKong) -> None:
    """Take away what tests made, and nothing else: it may be somebody's Kong."""
    ours = {service_id(number) for number in range(SERVICES)}
    for one in kong.plugins():
        on = one["service"]["id"] if one["service"] else None
        if on in ours or set(tags_of(REGION)) <= set(one["tags"] or ()):
            kong("DELETE", f"/plugins/{one['id']}")
    for one in ours:
        kong("DELETE", f"/routes/{one}")
        kong("DELETE", f"/services/{one}")
