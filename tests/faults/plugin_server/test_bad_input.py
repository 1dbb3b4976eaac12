"""Whatever is written to the socket: that connection ends or waits, and the server goes on with all it had."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import frame
from tests.kong_side.client import KongConnection, ServerClosedError, ask_once, event_call, start_once
from tests.kong_side.server import PluginServer, descriptors, plugin_server, resident, threads
from tests.servers.process import wait_until

REFUSED_EVENTS = int(os.environ.get("REFUSED_EVENTS", "60000"))
"""How many the test of memory sends; promise 6 is of a million."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginServer]:
    with plugin_server(tmp_path_factory.mktemp("server") / "x") as server:
        yield server


@pytest.fixture(autouse=True)
def unharmed(server: PluginServer) -> Iterator[None]:
    """After each test: the same workers, no descriptor more, hardly a thread more, and a good answer."""
    number = start_once(server.socket, {"do": "deny"})
    workers = server.workers()
    server.answering(start_once(server.socket, {"do": "pid"}), 2)
    before = {pid: descriptors(pid) for pid in workers}
    yield
    assert ask_once(server.socket, number).status == 401
    assert server.workers() == workers
    wait_until(lambda: all(descriptors(pid) <= before[pid] for pid in workers), "no descriptor is left")


def closes(server: PluginServer, data: bytes) -> None:
    """Write bytes, end the stream, and wait until the server has closed it, with nothing said."""
    with KongConnection(server.socket) as kong:
        with suppress(ConnectionError):
            kong.sock.sendall(data)
            kong.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(ServerClosedError):
            kong.receive_frame()


def test_truncated_frames(server: PluginServer) -> None:
    whole = frame(event_call(start_once(server.socket)))
    for length in range(len(whole)):
        closes(server, whole[:length])


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 32 * 1024 * 1024 + 1])
def test_a_length_beyond_all_measure_ends_the_connection_at_once(server: PluginServer, length: int) -> None:
    memory = sum(resident(pid) for pid in server.workers())
    with KongConnection(server.socket) as kong:  # the stream is not ended: the length alone does it
        kong.sock.sendall(length.to_bytes(4, "little") + b"x")
        with pytest.raises(ServerClosedError):
            kong.receive_frame()
    assert sum(resident(pid) for pid in server.workers()) < memory + 16 * 1024 * 1024


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        pb.RpcCall(sequence=1).SerializeToString(),
        b"\xaa\x02\x00\x08\x01",  # field 37, a command of some later Kong
        b"\x08\x01\xa2\x02\xff",
        b"\xff" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(100_000),
    ],
)
def test_frames_that_are_no_call(server: PluginServer, payload: bytes) -> None:
    closes(server, frame(payload))


def test_random_garbage(server: PluginServer) -> None:
    chance = random.Random(20261123)
    event = frame(event_call(start_once(server.socket)))
    for _ in range(300):
        kind = chance.randrange(3)
        if kind == 0:
            data = chance.randbytes(chance.randrange(1, 300))
        elif kind == 1:
            data = frame(chance.randbytes(chance.randrange(1, 300)))
        else:  # a good event with some bytes that are not
            spoilt = bytearray(event)
            for _ in range(chance.randrange(1, 4)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            data = bytes(spoilt)
        with KongConnection(server.socket) as kong, suppress(ConnectionError, ServerClosedError):
            kong.sock.sendall(data)
            kong.sock.shutdown(socket.SHUT_WR)
            while True:
                kong.receive_frame()


def test_more_than_one_call_at_a_time_ends_the_connection(server: PluginServer) -> None:
    """Kong never sends ahead; who does is not Kong."""
    closes(server, 3 * frame(event_call(start_once(server.socket))))


def test_half_a_frame_waits_and_holds_nobody_up(server: PluginServer) -> None:
    number = start_once(server.socket)
    half = frame(event_call(number))
    slow = [KongConnection(server.socket) for _ in range(20)]
    try:
        for length, kong in enumerate(slow):
            kong.sock.sendall(half[: 1 + length % (len(half) - 1)])
        assert all(ask_once(server.socket, number).status == 200 for _ in range(10))
        for length, kong in enumerate(slow):
            kong.sock.sendall(half[1 + length % (len(half) - 1) :])
            assert kong.receive_frame() == b""
    finally:
        for kong in slow:
            kong.close()


def test_connections_that_are_opened_and_never_used(server: PluginServer) -> None:
    unused = [KongConnection(server.socket) for _ in range(100)]
    try:
        number = start_once(server.socket)
        assert all(ask_once(server.socket, number).status == 200 for _ in range(10))
    finally:
        for kong in unused:
            kong.close()


def test_kong_gone_in_the_middle_of_an_event(server: PluginServer) -> None:
    for do in ("echo", "allow", "owe", "deny", "deny_with_calls_before"):
        number = start_once(server.socket, {"do": do, "calls": 500})
        for _ in range(10):
            with KongConnection(server.socket) as kong:
                kong.begin(number)


def test_threads_are_used_again(server: PluginServer) -> None:
    """New connections, one after another, need a few threads; many at once need as many, and the next many no more."""
    number = start_once(server.socket, {"do": "deny"})
    before = {pid: threads(pid) for pid in server.workers()}
    for _ in range(500):
        assert ask_once(server.socket, number).status == 401
    assert all(threads(pid) <= count + 4 for pid, count in before.items())
    for _ in range(3):
        many = [KongConnection(server.socket) for _ in range(120)]
        for kong in many:
            kong.begin(number)
        for kong in many:
            assert kong.receive_frame() == b"kong.response.exit"
            kong.close()
    assert all(threads(pid) <= 130 for pid in before)


def test_no_connection_beyond_the_limit_is_lost(tmp_path: Path) -> None:
    with plugin_server(tmp_path / "x", workers=1, max_connections=3) as server:
        number = start_once(server.socket)
        kept = [KongConnection(server.socket) for _ in range(3)]
        for kong in kept:
            assert kong.event(number).status == 200
        with KongConnection(server.socket) as waits:
            waits.begin(number)
            assert all(kong.event(number).status == 200 for kong in kept)
            kept.pop().close()
            assert waits.receive_frame() == b""  # served as soon as there is room
        for kong in kept:
            kong.close()


def test_refused_events_leave_the_memory_flat(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "deny"})
    call = frame(event_call(number))

    def refuse(times: int) -> None:
        for _ in range(times):
            with socket.socket(socket.AF_UNIX) as kong:
                kong.connect(str(server.socket))
                kong.sendall(call)
                assert kong.recv(65536)

    refuse(3000)
    before = {pid: resident(pid) for pid in server.workers()}
    refuse(REFUSED_EVENTS)
    grown = {pid: resident(pid) - size for pid, size in before.items()}
    assert all(growth < 1_000_000 for growth in grown.values()), grown
