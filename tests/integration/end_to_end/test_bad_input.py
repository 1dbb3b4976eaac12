"""Whatever a client sends: 4xx, never a traceback, a hang or a lost worker, and everybody else is served on."""

import contextlib
import socket
from collections.abc import Iterator

import msgspec
import pytest

from tests.servers.process import PATIENCE
from tests.system.client import ClosedError, request
from tests.system.data_path import DataPath

KEY = b"@KEY@"
"""Stands for a good key in the requests below."""
TAG = ("X-Tag", "bad")
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module", autouse=True)
def processes_live_on(shared_data_path: DataPath) -> Iterator[None]:
    """The same processes serve before and after all of it, and none has raised."""
    before = shared_data_path.pids()
    logged = {name: len(shared_data_path.log(name)) for name in ("plugin-server", "gateway")}
    yield
    assert shared_data_path.pids() == before
    log = "".join(shared_data_path.log(name)[length:] for name, length in logged.items())
    for bad in ("Traceback", "plugin raised", "internal_error", "connection ended", "event took too long"):
        assert bad not in log, log[max(0, log.index(bad) - 500) :][:1500]


class Bad(msgspec.Struct, frozen=True):
    """Bytes that a client sends. `closed`: the gateway may also hang up on it without an answer.

    `also`: a 5xx that the HTTP layer may answer by its standard.
    """

    name: str
    raw: bytes
    closed: bool = False
    also: int = 0

    def __str__(self) -> str:
        return self.name


def key(value: bytes) -> bytes:
    """A request with this as its key."""
    return request("/weather", [("apikey", value), TAG])


def headed(method: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """A request whose further header lines are just these."""
    head = (method + b" /weather HTTP/1.1", b"Host: gateway.test", b"X-Tag: bad", *lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


BAD = [
    Bad(
        "5000 headers", request("/weather", [("apikey", KEY), TAG, *((f"{n}", "x") for n in range(5000))]), closed=True
    ),
    Bad("1200 headers", request("/weather", [("apikey", KEY), TAG, *((f"h{n}", "x") for n in range(1200))])),
    Bad("1200 times one header", request("/weather", [("apikey", KEY), TAG, *([("h", "x")] * 1200)])),
    Bad("1 MB header", request("/weather", [("apikey", KEY), TAG, ("h", b"x" * 2**20)]), closed=True),
    Bad("1 MB key", key(b"x" * 2**20), closed=True),
    Bad("7 kB key", key(b"x" * 7000)),
    Bad("1 MB header name", request("/weather", [("apikey", KEY), TAG, (b"x" * 2**20, "h")]), closed=True),
    Bad("1 MB query", request(b"/weather?" + b"x" * 2**20, [("apikey", KEY), TAG]), closed=True),
    Bad("7 kB query without a key", request(b"/query?" + b"x" * 7000, [TAG])),
    Bad("1000 query arguments", request("/query?" + "&".join(f"a{n}" for n in range(1000)), [TAG])),
    Bad("invalid UTF-8 in the key", key(b"\xff\xfe" * 20)),
    Bad("invalid UTF-8 after a good key", key(KEY + b"\xff")),
    Bad("invalid UTF-8 in a header", request("/weather", [TAG, ("h", b"\xc3\x28\xff")])),
    Bad("invalid UTF-8 in a header's name", request("/weather", [TAG, (b"h\xff", b"x")])),
    Bad("invalid UTF-8 in the path", request(b"/weather/\xff\xfe", [TAG])),
    Bad("invalid UTF-8 in the query", request(b"/query?apikey=\xff\xfe%ff" + b"x" * 30, [TAG])),
    Bad("NUL in the key", key(KEY + b"\x00"), closed=True),
    Bad("NUL in a header", request("/weather", [TAG, ("h", b"a\x00b")]), closed=True),
    Bad("NUL in the path", request(b"/weather/\x00", [TAG]), closed=True),
    Bad("encoded NUL in the path", request(b"/weather/%00", [TAG])),
    Bad("encoded NUL after a good key in the query", request(b"/query?apikey=" + KEY + b"%00", [TAG])),
    Bad("NUL bytes only", b"\x00" * 2000 + b"\r\n\r\n", closed=True),
    Bad("key twice", request("/weather", [("apikey", KEY), ("apikey", KEY), TAG])),
    Bad("key twice in two cases", request("/weather", [("apikey", KEY), ("ApiKey", KEY), TAG])),
    Bad("key as a list", key(KEY + b", " + KEY)),
    Bad("empty key", key(b"")),
    Bad("two empty keys", request("/weather", [("apikey", ""), ("apikey", ""), TAG])),
    Bad("key of blanks", key(b"   \t ")),
    Bad("blank in the key", key(KEY[:3] + b" " + KEY[3:])),
    Bad("quoted key", key(b'"' + KEY + b'"')),
    Bad("key in other case", key(b"@UPPER@")),
    Bad("folded header", headed(b"GET", b"apikey: a", b" " + KEY), closed=True),
    Bad("blank before the colon", headed(b"GET", b"apikey : " + KEY), closed=True),
    Bad("key in the query where that is off", request(b"/weather?apikey=" + KEY, [TAG])),
    Bad("key as an array in the query", request(b"/query?apikey[]=" + KEY, [TAG])),
    Bad("bare key in the query", request(b"/query?apikey", [TAG])),
    Bad("key twice in the query", request(b"/query?apikey=" + KEY + b"&apikey=" + KEY, [TAG])),
    Bad("key in the body", request("/weather", [TAG], method="POST", body=b"apikey=" + KEY)),
    Bad("1 MB body", request("/weather", [TAG], method="POST", body=b"x" * 2**20), closed=True),
    Bad("key as a cookie", request("/weather", [("Cookie", b"apikey=" + KEY), TAG])),
    Bad("key as a bearer token", request("/weather", [("Authorization", b"Bearer " + KEY), TAG])),
    Bad("no version", b"GET /weather\r\n\r\n", closed=True),
    Bad("version 9", b"GET /weather HTTP/9.9\r\nHost: x\r\nX-Tag: bad\r\n\r\n", closed=True, also=505),
    Bad("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", closed=True),
    Bad("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 600, closed=True),
    Bad("no host", b"GET /weather HTTP/1.1\r\nX-Tag: bad\r\n\r\n"),
    Bad("unknown method", request("/weather", [TAG], method="FROBNICATE"), closed=True),
    Bad("length and chunks", headed(b"POST", b"Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"), closed=True),
    Bad("two lengths", headed(b"POST", b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"), closed=True),
    Bad("negative length", headed(b"POST", b"Content-Length: -1"), closed=True),
    Bad("chunk of nonsense", headed(b"POST", CHUNKED, body=b"zz\r\n"), closed=True),
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_request_gets_4xx_and_does_not_reach_the_upstream(data_path: DataPath, bad: Bad) -> None:
    good = data_path.scene.keys["dashboard"].encode()
    raw = bad.raw.replace(KEY, good).replace(b"@UPPER@", good.upper())
    try:
        status = data_path.send(raw).status
    except ClosedError:
        status = 0
    assert 400 <= status < 500 or status == bad.also or (bad.closed and not status)
    assert data_path.upstream.reached_by("bad") == {}
    assert data_path.status("dashboard") == 200


@pytest.mark.parametrize("value", [b"@", b" @", b"@   "], ids=["plain", "blank before", "blanks behind"])
def test_blanks_around_a_good_key_do_not_matter(data_path: DataPath, value: bytes) -> None:
    good = data_path.scene.keys["dashboard"].encode()
    assert data_path.send(request(headers=[("apikey", value.replace(b"@", good))])).status == 200


def test_odd_bytes_beside_a_good_key_do_not_matter(data_path: DataPath) -> None:
    odd = [(f"h{n}", bytes([n])) for n in range(0x80, 0x100)]
    answer = data_path.send(request("/weather/%C3%BC?%ff=%fe", [("apikey", data_path.scene.keys["dashboard"]), *odd]))
    assert answer.status == 200
    assert ("h255", "\xff") in answer.seen()


def test_pipelined_requests_are_each_judged_by_themselves(data_path: DataPath) -> None:
    keys = ["dashboard", None, "leaked", "dashboard", "pending", "unknown", "dashboard", "mistyped"] * 5
    named = [[("apikey", data_path.scene.keys[key])] if key else [] for key in keys]
    with data_path.connect() as connection:
        connection.socket.sendall(b"".join(request(headers=headers) for headers in named))
        statuses = [connection.read().status for _ in keys]
    assert statuses == [200, 401, 401, 200, 403, 401, 200, 401] * 5


def test_half_requests_leave_nothing_behind(data_path: DataPath) -> None:
    whole = request(headers=[("apikey", data_path.scene.keys["dashboard"]), ("X-Tag", "half")])
    for end in range(0, len(whole) - 2, 7):
        with data_path.connect() as connection:
            connection.socket.sendall(whole[:end])
    assert data_path.status("dashboard") == 200
    assert data_path.upstream.reached_by("half") == {}


def test_client_that_leaves_before_its_answer_does_not_matter(data_path: DataPath) -> None:
    raw = request(headers=[("apikey", data_path.scene.keys["leaked"]), ("X-Tag", "left")])
    for _ in range(50):
        with data_path.connect() as connection:
            connection.socket.sendall(raw)
            # A reset, not a farewell.
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert data_path.status("dashboard") == 200
    assert data_path.upstream.reached_by("left") == {}


def test_slow_clients_do_not_keep_others_waiting(data_path: DataPath) -> None:
    raw = request(headers=[("apikey", data_path.scene.keys["leaked"])])
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(data_path.connect()) for _ in range(100)]
        for connection in slow:
            connection.socket.sendall(raw[:-2])
        assert [data_path.status("dashboard") for _ in range(10)] == [200] * 10
        for connection in slow:
            connection.socket.settimeout(PATIENCE)
            assert connection.ask(raw[-2:]).status == 401
