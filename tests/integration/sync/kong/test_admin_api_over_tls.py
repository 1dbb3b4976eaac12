"""An Admin API over TLS, with an authority of the operator's own, which wants a client certificate."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.failures import Code, KongFailed
from tests.servers.faulty_admin import FaultyAdmin, faulty_admin
from tests.servers.managed_kong import ManagedKong
from tests.servers.tls import Certificates, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def front(kong: ManagedKong, certificates: Certificates) -> Iterator[FaultyAdmin]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates.certificate, certificates.key)
    with faulty_admin(kong.admin_url, context) as front:
        yield front


def failure(access: Access) -> Code | None:
    api = AdminApi(access)
    try:
        api.plugins()
    except KongFailed as failed:
        return failed.failure.code
    finally:
        api.close()
    return None


def test_both_sides_are_known_to_each_other(front: FaultyAdmin, certificates: Certificates, tmp_path: Path) -> None:
    ours = {"client_cert": certificates.certificate, "client_key": certificates.key, "token": "a token"}
    assert failure(Access(url=front.url, ca_file=certificates.authority, **ours)) is None  # type: ignore[arg-type]
    both = tmp_path / "both.pem"
    both.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    assert failure(Access(url=front.url, ca_file=certificates.authority, client_cert=both)) is None
    seen = len(front.requests)
    # A stranger is shown nothing, and without a certificate nobody is let in.
    assert failure(Access(url=front.url, ca_file=certificates.stranger, **ours)) is Code.NO_RESPONSE  # type: ignore[arg-type]
    assert failure(Access(url=front.url, **ours)) is Code.NO_RESPONSE  # type: ignore[arg-type]
    assert failure(Access(url=front.url, ca_file=certificates.authority)) is Code.NO_RESPONSE
    assert len(front.requests) == seen


def test_a_node_is_connected_to_by_its_address_and_known_by_its_name(kong: ManagedKong, tmp_path: Path) -> None:
    named = make_certificates(tmp_path, names="DNS:kong-admin.internal")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(named.certificate, named.key)
    with faulty_admin(kong.admin_url, context) as front:
        assert failure(Access(url=front.url, host="kong-admin.internal", ca_file=named.authority)) is None
        assert failure(Access(url=front.url, host="other.internal", ca_file=named.authority)) is Code.NO_RESPONSE
        assert failure(Access(url=front.url, ca_file=named.authority)) is Code.NO_RESPONSE
