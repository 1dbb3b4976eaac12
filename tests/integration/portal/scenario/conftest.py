"""A portal and the whole data path behind it, once for this directory."""

from collections.abc import Iterator

import pytest

from tests.system.fixtures import kong
from tests.system.gateways import Kong
from tests.system.portal_path import PortalPath, portal_path

__all__ = ["kong"]


@pytest.fixture(scope="package")
def path(kong: Kong | None) -> Iterator[PortalPath]:
    with portal_path(kong) as running:
        yield running
