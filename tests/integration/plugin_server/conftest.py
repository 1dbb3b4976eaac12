"""One server for all tests of a module that do it no harm."""

from collections.abc import Iterator

import pytest

from tests.kong_side.server import PluginServer, plugin_server
from tests.servers.process import free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginServer]:
    """Two workers, a deadline of 0.3 s, metrics."""
    directory = tmp_path_factory.mktemp("server")
    with plugin_server(directory / "x", deadline=0.3, metrics_address=f"127.0.0.1:{free_port()}") as server:
        yield server
