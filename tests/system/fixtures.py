"""Fixtures of the tests of the whole data path; each `conftest.py` of theirs takes them over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.data_path import DataPath
from tests.system.data_path import data_path as running
from tests.system.gateways import Kong

__all__ = ["data_path", "kong", "needs_kong", "shared_data_path"]


@pytest.fixture(scope="session")
def kong(request: pytest.FixtureRequest) -> Kong | None:
    """The Kong of the options; None: the development gateway is to be used."""
    options = request.config.option
    given = (options.kong_proxy, options.kong_admin, options.kong_socket)
    if not any(given):
        return None
    if not all(given):
        pytest.exit("--kong-proxy, --kong-admin and --kong-socket belong together (docs/testing.md)", 2)
    return Kong(options.kong_proxy, options.kong_admin, Path(options.kong_socket), options.kong_upstream_host)


@pytest.fixture
def needs_kong(kong: Kong | None) -> None:
    """Skip a test of what only Kong has."""
    if kong is None:
        pytest.skip("needs a real Kong: --kong-proxy, --kong-admin, --kong-socket (docs/testing.md)")


@pytest.fixture(scope="package")
def shared_data_path(kong: Kong | None) -> Iterator[DataPath]:
    """The data path of the tests of a directory."""
    with running(kong) as path:
        yield path


@pytest.fixture
def data_path(shared_data_path: DataPath) -> Iterator[DataPath]:
    """The data path, well before the test and made well after it; what reached the upstream is counted anew."""
    shared_data_path.upstream.counts.clear()
    yield shared_data_path
    shared_data_path.heal()
