"""Options of the whole suite."""

from pathlib import Path

import pytest
from hypothesis import settings

# The machine may be busy with something else for longer than hypothesis' deadline for one example.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


LONG = (
    "integration/portal/contract/",
    "integration/demo/",
    "integration/docs/test_commands.py",
    "browser/",
    "faults/system/",
    "packaging/test_image.py",
    "integration/portal/test_feed.py",
    "integration/bench/",
    "integration/portal/scenario/",
)
"""Files that take long: begun first, so that no worker is alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    items.sort(key=lambda item: not item.path.relative_to(root).as_posix().startswith(LONG))


def pytest_addoption(parser: pytest.Parser) -> None:
    kong = parser.getgroup("kong", "a real Kong instead of the development gateway (docs/testing.md)")
    kong.addoption("--kong-proxy", metavar="URL", help="where it proxies, such as http://127.0.0.1:8000")
    kong.addoption("--kong-admin", metavar="URL", help="its Admin API, such as http://127.0.0.1:8001")
    kong.addoption("--kong-socket", metavar="PATH", help="pluginserver_app_auth_socket of that Kong's kong.conf")
    kong.addoption(
        "--kong-upstream-host", metavar="HOST", default="127.0.0.1", help="the name by which it reaches this machine"
    )
    size = parser.getgroup("size", "how long the long tests are")
    size.addoption("--refused-requests", type=int, default=10_000, help="refused requests of the memory test")
    size.addoption("--revocations", type=int, default=20, help="revocations of the test of promise 3")
    size.addoption("--snapshot-credentials", type=int, default=20_000, help="keys in the snapshot of the feed's test")
