"""The guarded client against real servers that behave badly."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.oidc import outgoing as outgoing_module
from kong_app_auth.oidc.outgoing import Answer, ForbiddenAddress, Outgoing, Unreachable
from tests.servers.issuer import HUNDRED_MB, IssuerServer, issuer_server
from tests.servers.process import free_port, wait_until
from tests.servers.tls import Certificates, make_certificates

PATIENT = 20.0
SHORT = 0.3
"""Seconds for a request. A server that hangs or drips goes on for much longer, and then breaks the connection."""


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with issuer_server() as started:
        yield started


@pytest.fixture
def client() -> Iterator[Outgoing]:
    made = Outgoing(allow_http_loopback=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def get(client: Outgoing, url: str, method: str = "GET", **more: Any) -> Answer:
    return client.request(method, url, **{"timeout": PATIENT, "max_bytes": 1000, **more})


def test_an_answer(server: IssuerServer, client: Outgoing) -> None:
    server.answer("/token?x=1", {"a": 1}, status=201, headers={"X-One": "1", "Cache-Control": "no-store"})
    answer = client.request(
        "POST", server.url("/token?x=1"), body=b"a=b", headers={"X-Two": "2"}, timeout=PATIENT, max_bytes=100
    )
    assert (answer.status, answer.body) == (201, b'{"a": 1}')
    assert (answer.headers["x-one"], answer.headers["cache-control"]) == ("1", "no-store")
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.headers["x-two"]) == ("POST", b"a=b", "2")
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"


def test_a_redirect_is_an_answer_and_is_not_followed(server: IssuerServer, client: Outgoing) -> None:
    server.answer("/a", status=302, headers={"Location": server.url("/b")})
    assert get(client, server.url("/a")).status == 302
    assert server.times("/b") == 0


def test_the_environment_gives_neither_proxy_nor_password(
    server: IssuerServer, client: Outgoing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    server.answer("/a", {})
    assert get(client, server.url("/a")).status == 200
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("conduct", ["hang", "drip", "drip_head"])
def test_time_has_an_end(server: IssuerServer, client: Outgoing, conduct: str) -> None:
    server.answer("/a", **{conduct: True})
    with pytest.raises(Unreachable) as failed:
        get(client, server.url("/a"), timeout=SHORT, max_bytes=10_000_000)
    assert failed.value.detail == "it does not answer in time"
    assert failed.value.may_have_arrived


def test_a_server_that_drips_by_tls_is_left_too(certificates: Certificates) -> None:
    client = Outgoing(allow_private=True, ca_file=certificates.authority)
    with issuer_server(certificates) as server:
        server.answer("/a", drip=True)
        with pytest.raises(Unreachable, match="in time"):
            get(client, server.url("/a"), timeout=SHORT, max_bytes=10_000_000)


def test_a_server_that_never_agrees_on_tls(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Outgoing(allow_private=True, ca_file=certificates.authority)
        with pytest.raises(Unreachable) as failed:
            get(client, f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=SHORT)
    assert (failed.value.detail, failed.value.may_have_arrived) == ("it does not answer in time", False)


def test_a_name_that_takes_for_ever_to_resolve() -> None:
    answered = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        answered.wait(PATIENT)
        return []

    client = Outgoing(resolve=resolve)
    try:
        with pytest.raises(Unreachable, match="resolved in time"):
            get(client, "https://idp.example/", timeout=SHORT)
        for _ in range(outgoing_module.MAX_LOOKUPS - 1):
            with pytest.raises(Unreachable, match="resolved in time"):
                get(client, "https://idp.example/", timeout=0.001)
        with pytest.raises(Unreachable, match="too many names"):
            get(client, "https://idp.example/", timeout=SHORT)
    finally:
        answered.set()


def test_a_hundred_megabytes_are_not_read(server: IssuerServer, client: Outgoing) -> None:
    server.answer("/announced", endless=HUNDRED_MB)
    server.answer("/untold", endless=HUNDRED_MB, headers={"Transfer-Encoding": "chunked", "Connection": "close"})
    with pytest.raises(Unreachable, match="longer than 1000 bytes"):
        get(client, server.url("/announced"))
    with pytest.raises(Unreachable):  # what it sends is no chunk
        get(client, server.url("/untold"))
    assert server.sent < HUNDRED_MB // 2


@pytest.mark.parametrize(("size", "good"), [(1000, True), (1001, False)], ids=["as long as allowed", "a byte longer"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_has_a_limit(server: IssuerServer, client: Outgoing, size: int, good: bool, chunked: bool) -> None:
    body = b"x" * size
    if chunked:
        framed = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        server.answer("/a", framed, headers={"Transfer-Encoding": "chunked"})
    else:
        server.answer("/a", body)
    if good:
        assert get(client, server.url("/a")).body == body
    else:
        with pytest.raises(Unreachable, match="longer than"):
            get(client, server.url("/a"))


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"Content-Encoding": "gzip"}, "compressed"),
        ({"Content-Encoding": "br"}, "compressed"),
        ({"Transfer-Encoding": "gzip, chunked"}, "not asked for"),
    ],
    ids=["gzip", "br", "transfer"],
)
def test_what_was_not_asked_for_is_no_answer(
    server: IssuerServer, client: Outgoing, headers: dict[str, str], problem: str
) -> None:
    server.answer("/a", b"\x1f\x8b", headers={**headers, "Connection": "close"})
    with pytest.raises(Unreachable, match=problem):
        get(client, server.url("/a"))


def test_an_answer_that_is_cut_off_is_none(server: IssuerServer, client: Outgoing) -> None:
    server.answer("/a", b'{"keys": []', announce=100)
    with pytest.raises(Unreachable, match="cut off"):
        get(client, server.url("/a"))


@pytest.mark.parametrize(
    "said", [b"", b"\x00\xff\x00\n\n", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 twohundred OK\r\n\r\n"]
)
def test_what_does_not_speak_http(client: Outgoing, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(said)

        answering = pool.submit(answer)
        with pytest.raises(Unreachable) as failed:
            get(client, f"http://127.0.0.1:{listener.getsockname()[1]}/secret?token=secret")
        answering.result()
    assert failed.value.may_have_arrived
    assert "secret" not in str(failed.value)


def test_nobody_there(client: Outgoing) -> None:
    with pytest.raises(Unreachable) as failed:
        get(client, f"http://127.0.0.1:{free_port()}/")
    assert (failed.value.detail, failed.value.may_have_arrived) == ("it refuses the connection", False)


def test_headers_cannot_be_smuggled_in(server: IssuerServer, client: Outgoing) -> None:
    with pytest.raises(Unreachable):
        get(client, server.url("/a"), headers={"X": "1\r\nY: 2"})
    assert server.asked == []


class TestTls:
    def test_the_name_is_shown_and_checked_though_the_address_was_looked_up(self, certificates: Certificates) -> None:
        asked: list[str] = []

        def resolve(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        client = Outgoing(allow_private=True, ca_file=certificates.authority, resolve=resolve)
        with issuer_server(certificates) as server:
            server.answer("/a", {})
            assert get(client, server.url("/a")).status == 200
            assert server.asked[0].headers["host"] == f"localhost:{server.port}"
            with pytest.raises(Unreachable) as failed:
                get(client, f"https://idp.example:{server.port}/a")
        assert failed.value.detail == "its certificate cannot be trusted"
        assert asked == ["localhost", "idp.example"]
        client.close()

    @pytest.mark.parametrize("authorities", ["stranger", "the system's"])
    def test_a_certificate_of_another_authority_is_not_trusted(
        self, certificates: Certificates, authorities: str
    ) -> None:
        file = certificates.stranger if authorities == "stranger" else None
        with issuer_server(certificates) as server, pytest.raises(Unreachable, match="cannot be trusted"):
            get(Outgoing(allow_private=True, ca_file=file), server.url("/a"))

    def test_a_server_of_old_versions_is_not_spoken_to(self, certificates: Certificates) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

            def answer() -> None:
                accepted, _ = listener.accept()
                with accepted, pytest.raises(OSError):
                    context.wrap_socket(accepted, server_side=True)

            answering = pool.submit(answer)
            with pytest.raises(Unreachable):
                get(
                    Outgoing(allow_private=True, ca_file=certificates.authority),
                    f"https://127.0.0.1:{listener.getsockname()[1]}/",
                )
            answering.result()


class TestRebinding:
    """The name of a provider that leads elsewhere the second time it is asked for."""

    def test_the_address_that_was_checked_is_the_one_that_is_connected_to(self, server: IssuerServer) -> None:
        answers = [["127.0.0.1"], ["169.254.169.254"]]
        client = Outgoing(allow_http_loopback=True, resolve=lambda _host, _port: answers.pop(0))
        server.answer("/a", {})
        assert get(client, f"http://localhost:{server.port}/a").status == 200
        assert len(answers) == 1, "it was resolved once"
        client.close()

    def test_a_new_connection_is_checked_anew(self, server: IssuerServer) -> None:
        answers = [["127.0.0.1"], ["10.0.0.1"]]
        client = Outgoing(allow_http_loopback=True, resolve=lambda _host, _port: answers.pop(0))
        server.answer("/a", {}, close_after=True, headers={"Connection": "close"})
        assert get(client, f"http://localhost:{server.port}/a").status == 200
        with pytest.raises(ForbiddenAddress):
            get(client, f"http://localhost:{server.port}/a")

    def test_of_several_addresses_only_permitted_ones_are_tried(self, server: IssuerServer) -> None:
        client = Outgoing(allow_http_loopback=True, resolve=lambda _host, _port: ["10.0.0.1", "127.0.0.1"])
        server.answer("/a", {})
        assert get(client, f"http://localhost:{server.port}/a").status == 200
        client.close()

    def test_the_next_address_is_tried_where_one_does_not_answer(self, server: IssuerServer) -> None:
        client = Outgoing(allow_http_loopback=True, resolve=lambda _host, _port: ["::1", "127.0.0.1"])
        server.answer("/a", {})
        assert get(client, f"http://localhost:{server.port}/a").status == 200
        client.close()


class TestKeptConnections:
    def test_one_after_the_other_uses_one_connection(self, server: IssuerServer, client: Outgoing) -> None:
        server.answer("/a", {})
        for _ in range(5):
            get(client, server.url("/a"))
        assert server.connections == 1

    def test_one_that_the_server_closed_is_not_used(self, server: IssuerServer, client: Outgoing) -> None:
        server.answer("/a", {}, close_after=True)
        for _ in range(3):
            get(client, server.url("/a"))
            wait_until(lambda: not client._idle._kept[0][2].is_quiet(), "the end of the connection has come")
        assert server.connections == 3

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_only_what_may_be_asked_twice_is_asked_again(
        self, server: IssuerServer, client: Outgoing, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        """The end of a connection may come just when the next request is sent."""
        server.answer("/a", {}, close_after=True)
        get(client, server.url("/a"))
        (_, _, connection), *_ = client._idle._kept
        wait_until(lambda: not connection.is_quiet(), "the end of the connection has come")
        monkeypatch.setattr(type(connection), "is_quiet", lambda _self: True)
        if method == "GET":
            assert get(client, server.url("/a"), method).status == 200
            assert server.times("/a") == 2
        else:
            with pytest.raises(Unreachable) as failed:
                get(client, server.url("/a"), method)
            assert failed.value.may_have_arrived
            assert server.times("/a") == 1

    def test_one_is_not_kept_for_long(
        self, server: IssuerServer, client: Outgoing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.answer("/a", {})
        get(client, server.url("/a"))
        monkeypatch.setattr(outgoing_module, "IDLE_SECONDS", 0.0)
        get(client, server.url("/a"))
        assert server.connections == 2

    def test_what_nobody_asked_for_spoils_a_connection(self, client: Outgoing) -> None:
        """Bytes after an answer would be the answer to the next request."""
        accepted: list[socket.socket] = []
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

        def serve(listener: socket.socket) -> None:
            for body in (b"", b""):
                one, _ = listener.accept()
                accepted.append(one)
                one.recv(65536)
                one.sendall(answer + body)

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            serving = pool.submit(serve, listener)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            assert get(client, url).body == b"{}"
            accepted[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            wait_until(lambda: not client._idle._kept[0][2].is_quiet(), "it has come")
            assert get(client, url).body == b"{}"
            serving.result()
        for one in accepted:
            one.close()

    def test_threads_share_them_and_only_some_are_kept(self, server: IssuerServer, client: Outgoing) -> None:
        server.answer("/a", {})
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: get(client, server.url("/a")).status, range(240)))
        assert answers == [200] * 240
        assert len(client._idle._kept) <= outgoing_module.MAX_IDLE_OF_ORIGIN
        by_connection = [[one for one in server.asked if one.connection == n] for n in range(1, server.connections + 1)]
        assert sum(map(len, by_connection)) == 240
        client.close()
        assert client._idle._kept == []
