"""The feed over TLS, with an authority of the operator's own: a real portal behind a front that speaks TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.sync.portal_feed.address import PortalAddress
from kong_app_auth.sync.portal_feed.client import FeedClient, PortalAway
from tests.control_plane.live import served
from tests.control_plane.settings import FEED_TOKEN, REGION, control_plane, sqlite
from tests.servers.tls import Certificates, make_certificates, tls_front


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a portal speaks TLS."""
    url = sqlite(tmp_path_factory.mktemp("portal"))
    with control_plane(url) as plane, served(plane) as base, tls_front(certificates, _port(base)) as front:
        yield front


def _port(base: str) -> int:
    return int(base.rsplit(":", 1)[1])


def _client(port: int, ca_file: Path | None) -> FeedClient:
    return FeedClient(PortalAddress(url=f"https://127.0.0.1:{port}", token=FEED_TOKEN, ca_file=ca_file), REGION)


def test_the_portal_is_known_by_the_operator_s_authority(port: int, certificates: Certificates) -> None:
    client = _client(port, certificates.authority)

    cursor, contents = client.snapshot()
    client.close()

    assert cursor
    assert contents.applications == {}


@pytest.mark.parametrize("trusts", ["the usual ones", "a stranger"])
def test_another_authority_s_portal_is_shown_no_token(port: int, certificates: Certificates, trusts: str) -> None:
    client = _client(port, None if trusts == "the usual ones" else certificates.stranger)

    with pytest.raises(PortalAway) as away:
        client.snapshot()
    client.close()

    assert FEED_TOKEN not in str(away.value)


def test_a_certificate_for_another_name_is_not_the_portal_s(tmp_path: Path) -> None:
    elsewhere = make_certificates(tmp_path, names="DNS:portal.example")
    with (
        control_plane(sqlite(tmp_path)) as plane,
        served(plane) as base,
        tls_front(elsewhere, _port(base)) as port,
    ):
        client = _client(port, elsewhere.authority)
        with pytest.raises(PortalAway):
            client.snapshot()
        client.close()
