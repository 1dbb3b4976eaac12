"""HTTP through the gateway: what reaches the upstream, what comes back, and what a client may not send."""

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.servers.gateway import http_get, raw_request, raw_upstream
from tests.servers.process import free_port

if TYPE_CHECKING:
    from tests.integration.devgateway.conftest import Stage


@pytest.fixture
def open_stage(stage: "Stage") -> "Stage":
    """A gateway whose plugin server ends every event at once."""
    stage.start_server()
    return stage.start_gateway()


def seen(stage: "Stage", request: bytes) -> dict[str, Any]:
    status, _, body = raw_request(stage.gateway.proxy_url, request)
    assert status == 200, body
    document: dict[str, Any] = json.loads(body)
    return document


def values(document: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in document["headers"] if key.lower() == name.lower()]


def test_any_byte_of_a_header_reaches_the_upstream(open_stage: "Stage") -> None:
    every = bytes(byte for byte in range(0x80, 0x100))
    document = seen(open_stage, http_get(b"/", [(b"X-Bytes", every), (b"X-Utf", "é".encode())]))
    assert values(document, "x-bytes") == [every.decode("latin-1")]
    assert values(document, "x-utf") == ["é".encode().decode("latin-1")]


def test_any_byte_of_an_upstreams_header_reaches_the_client(open_stage: "Stage") -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Bytes: \x80\xff\xc3\xa9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    answer = head + b"Content-Length: 2\r\n\r\nok"
    port = open_stage.thread.enter(raw_upstream(answer))
    open_stage.load(open_stage.document(url=f"http://127.0.0.1:{port}"))
    status, headers, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert (status, body) == (200, b"ok")
    assert headers["x-bytes"] == ["\x80\xff\xc3\xa9"]
    assert headers["set-cookie"] == ["a=1", "b=2"]
    assert headers["via"] == ["1.1 kong/3.9.1"]
    assert len(headers["x-kong-request-id"][0]) == 32
    assert "content-type" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(http_get(b"/", [(b"X-Nul", b"a\x00b")]), 400, id="NUL in a header"),
        pytest.param(http_get(b"/a\x00b"), 400, id="NUL in the path"),
        pytest.param(http_get(b"/", [(b"X-Long", b"a" * 9000)]), 400, id="header over 8 KiB"),
        pytest.param(http_get(b"/", [(b"X-Long", b"a" * 1_000_000)]), 400, id="header of 1 MB"),
        pytest.param(http_get(b"/", [(b"X-%d" % n, b"a" * 4000) for n in range(10)]), 400, id="headers over 32 KiB"),
        pytest.param(http_get(b"/", [(b"X-%d" % n, b"1") for n in range(8000)]), 400, id="8000 headers"),
        pytest.param(http_get(b"/" + b"a" * 9000), 414, id="URI over 8 KiB"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", 400, id="a TLS hello"),
        pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, id="a line that is no header"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"TRACE / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 405, id="TRACE"),
        pytest.param(b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 400, id="another scheme"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="two framings",
        ),
    ],
)
def test_what_nginx_refuses_is_refused_without_a_traceback(
    open_stage: "Stage", request_bytes: bytes, status: int
) -> None:
    parts = urlsplit(open_stage.gateway.proxy_url)
    with socket.create_connection((parts.hostname, parts.port), 20) as client:
        received = b""
        try:
            client.sendall(request_bytes)
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionError:  # it was refused before all of it was sent
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.split()[1] == b"%d" % status
    assert set(json.loads(body)) == {"message", "request_id"}
    assert b"Traceback" not in received
    assert open_stage.upstream.requests == 0


def test_many_headers_within_the_limit_pass(open_stage: "Stage") -> None:
    document = seen(open_stage, http_get(b"/", [(b"x%d" % n, b"1") for n in range(2000)]))
    assert len(document["headers"]) >= 2000


def test_an_unknown_route_is_kongs_404(open_stage: "Stage") -> None:
    open_stage.load({"_format_version": "3.0"})
    status, headers, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert status == 404
    assert headers["server"] == ["kong/3.9.1"]
    assert headers["content-type"] == ["application/json; charset=utf-8"]
    request_id = headers["x-kong-request-id"][0]
    expected = f'{{\n  "message":"no Route matched with those values",\n  "request_id":"{request_id}"\n}}'
    assert body.decode() == expected


def test_forwarding_headers_are_kongs(open_stage: "Stage") -> None:
    spoofed = [(b"Host", b"Api.Test:99"), (b"X-Forwarded-For", b"1.2.3.4"), (b"X-Real-IP", b"1.2.3.4")]
    document = seen(open_stage, http_get(b"/a?b=c", [*spoofed, (b"X-Hop", b"1"), (b"TE", b"gzip")]))
    assert values(document, "x-forwarded-for") == ["1.2.3.4, 127.0.0.1"]
    assert values(document, "x-real-ip") == ["127.0.0.1"]
    assert values(document, "x-forwarded-host") == ["api.test"]
    assert values(document, "x-forwarded-path") == ["/a"]
    assert values(document, "host") == [open_stage.upstream.url.removeprefix("http://")]
    assert values(document, "te") == []
    assert len(values(document, "x-kong-request-id")[0]) == 32


def test_headers_named_by_connection_stay_behind(open_stage: "Stage") -> None:
    request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Stay: 1\r\n\r\n"
    document = seen(open_stage, request)
    assert values(document, "x-hop") == []
    assert values(document, "x-stay") == ["1"]


def test_paths_are_stripped_joined_and_kept_escaped(open_stage: "Stage") -> None:
    routes = [
        {"name": "strip", "paths": ["/strip"]},
        {"name": "keep", "paths": ["/keep"], "strip_path": False, "preserve_host": True},
    ]
    open_stage.load(open_stage.document(url=f"{open_stage.upstream.url}/base", routes=routes))
    for sent, expected in (
        (b"/strip", "/base"),
        (b"/strip/a%20b%2Fc", "/base/a%20b%2Fc"),
        (b"/strip//a/../b", "/base/b"),
        (b"/keep/a", "/base/keep/a"),
    ):
        assert seen(open_stage, http_get(sent))["path"] == expected
    assert values(seen(open_stage, http_get(b"/keep", [(b"Host", b"mine")])), "host") == ["mine"]
    assert values(seen(open_stage, http_get(b"/strip/x")), "x-forwarded-prefix") == ["/strip"]


def test_bodies_pass_both_ways(open_stage: "Stage") -> None:
    body = b"0123456789" * 50_000
    head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1000], body[1000:])) + b"0\r\n\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    for request in (whole, chunked):
        document = seen(open_stage, request)
        assert document["body"].encode() == body
        assert document["method"] == "POST"


def test_a_client_that_waits_for_100_continue_gets_it(open_stage: "Stage") -> None:
    parts = urlsplit(open_stage.gateway.proxy_url)
    with socket.create_connection((parts.hostname, parts.port), 20) as client:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
        client.sendall(head)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200")
    assert b'"body": "ok"' in received


def test_a_head_request_has_no_body_and_the_connection_lives_on(open_stage: "Stage") -> None:
    request = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    parts = urlsplit(open_stage.gateway.proxy_url)
    with socket.create_connection((parts.hostname, parts.port), 20) as client:
        client.sendall(request)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(b'{"method"') == 1


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (None, 502, "An invalid response was received from the upstream server"),
        (b"garbage\r\n\r\n", 502, "An invalid response was received from the upstream server"),
        (b"", 502, "An invalid response was received from the upstream server"),
    ],
    ids=["nobody listens", "garbage", "hangs up"],
)
def test_a_broken_upstream_is_kongs_502(open_stage: "Stage", answer: bytes | None, status: int, message: str) -> None:
    port = free_port() if answer is None else open_stage.thread.enter(raw_upstream(answer))
    open_stage.load(open_stage.document(url=f"http://127.0.0.1:{port}"))
    got, _, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert got == status
    assert json.loads(body)["message"] == message


def test_an_upstream_without_an_address_is_503(open_stage: "Stage") -> None:
    open_stage.load(open_stage.document(url="http://nowhere.invalid"))
    status, _, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert status == 503
    assert json.loads(body)["message"] == "name resolution failed"


def test_a_silent_upstream_is_504(open_stage: "Stage") -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        open_stage.load(open_stage.document(url=url, read_timeout=100))
        status, _, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert status == 504
    assert json.loads(body)["message"] == "The upstream server is timing out"


def test_an_answer_that_breaks_off_ends_the_clients_connection(open_stage: "Stage") -> None:
    port = open_stage.thread.enter(raw_upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    open_stage.load(open_stage.document(url=f"http://127.0.0.1:{port}"))
    status, headers, body = raw_request(open_stage.gateway.proxy_url, http_get())
    assert (status, headers["content-length"]) == (200, ["100"])
    assert body in {b"half", b""}
