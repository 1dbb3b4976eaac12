"""A connection, as its thread sees it, at one end of a socket pair with Kong's end in the test's hand."""

import resource
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_server.channel import Channel, ConnectionLostError, EventEndedError, OpenConnection
from plugin_server.control import Connection, Drain, Link
from plugin_server.generation import WorkerHandle
from plugin_server.hosted import Event, Handler
from plugin_server.wire.frames import EMPTY, ProtocolError, frame
from tests.servers.process import wait_until

EXIT = frame(b"kong.response.exit") + frame(b"\x08\xf7\x03")
CAST = frame(b"kong.log.info") + frame(b"x")
ASK = frame(b"kong.request.get_path") + EMPTY


class GaveWay:
    """Stands for the loop: counts how often the lead was passed on."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, channel: Channel) -> None:
        self.times += 1


def channel_on(ours: socket.socket, owed: int = 0, ahead: bytes = b"") -> Channel:
    ours.setblocking(False)
    channel = Channel(GaveWay())
    channel.open(OpenConnection(ours.fileno(), owed, ahead))
    return channel


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, kong = socket.socketpair()
    kong.settimeout(10)
    with ours, kong:
        yield channel_on(ours), kong


def next_command(channel: Channel) -> bytes | None:
    data = channel.read()
    return None if data is None else channel.command_in(data)


def begin(channel: Channel, *calls: bytes) -> float:
    handler = Handler("access", print)
    event = Event(handler, 1, EMPTY, handler.kept, calls, monotonic())
    channel.begin(event)
    return event.began


def all_of(kong: socket.socket) -> bytes:
    kong.setblocking(False)
    return kong.recv(1 << 20)


def test_calls_that_return_nothing_leave_with_the_next_thing_in_one_send(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.cast(CAST)
    channel.cast(CAST)
    with pytest.raises(BlockingIOError):
        all_of(kong)
    channel.finish(EMPTY)
    assert all_of(kong) == CAST + CAST + EMPTY
    assert channel.state() == OpenConnection(channel.fd, owed=2)


def test_what_is_owed_is_read_before_an_answer(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.cast(CAST)
    kong.sendall(EMPTY + frame(b"\x0a\x02/x"))
    assert channel.ask(ASK) == b"\x0a\x02/x"
    assert all_of(kong) == CAST + ASK
    assert channel.owed == 0


@given(
    st.integers(0, 6),
    st.binary(min_size=1, max_size=40),
    st.lists(st.integers(1, 20), max_size=8),
    st.booleans(),
)
def test_a_connection_goes_on_elsewhere_wherever_it_stood(
    owed: int, payload: bytes, cuts: list[int], moved: bool
) -> None:
    """Owed replies and the next frame arrive in pieces, and another process may take over between any two."""
    ours, kong = socket.socketpair()
    with ours, kong:
        channel = channel_on(ours, owed)
        stream = EMPTY * owed + frame(payload)
        while stream:
            size = min(cuts.pop() if cuts else len(stream), len(stream))
            piece, stream = stream[:size], stream[size:]
            kong.sendall(piece)
            command = next_command(channel)
            assert command == (None if stream else payload)
            if moved and stream:
                state = channel.state()
                channel = channel_on(ours, state.owed, state.ahead)
        assert channel.state() == OpenConnection(ours.fileno())
        assert next_command(channel) is None


def test_an_owed_reply_that_is_not_empty_ends_the_connection(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.cast(CAST)
    channel.finish(EMPTY)
    kong.sendall(frame(b"abcd") + EMPTY)
    with pytest.raises(ProtocolError):
        next_command(channel)


@pytest.mark.parametrize("data", [(2**32 - 1).to_bytes(4, "little"), frame(b"a") + b"b"])
def test_frames_that_kong_would_not_send(ends: tuple[Channel, socket.socket], data: bytes) -> None:
    channel, kong = ends
    kong.sendall(data)
    with pytest.raises(ProtocolError):
        next_command(channel)


def test_nothing_is_sent_after_an_exit(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.cast(CAST)
    channel.exit(EXIT)
    for call in (lambda: channel.cast(CAST), lambda: channel.ask(ASK)):
        with pytest.raises(EventEndedError):
            call()
    channel.finish(EMPTY)
    assert all_of(kong) == CAST + EXIT


def test_an_event_that_is_cut_short_ends_once(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    began = begin(channel)
    channel.cast(CAST)
    assert channel.cut_short(began, EXIT)
    assert not channel.cut_short(began, EXIT)
    with pytest.raises(EventEndedError):
        channel.cast(CAST)
    channel.finish(EMPTY)
    assert all_of(kong) == EXIT


def test_an_event_that_has_ended_is_not_cut_short(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    began = begin(channel)
    channel.finish(EMPTY)
    assert not channel.cut_short(began, EXIT)
    begin(channel)
    assert not channel.cut_short(began, EXIT)
    assert all_of(kong) == EMPTY


def test_where_kong_does_not_read_the_thread_gives_the_connection_up(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    began = begin(channel)
    raised: list[type[BaseException]] = []

    def send() -> None:
        try:
            channel.finish(b"x" * (1 << 22))
        except ConnectionLostError as error:
            raised.append(type(error))

    thread = threading.Thread(target=send)
    thread.start()
    wait_until(channel.lock.locked, "it sends")
    assert channel.cut_short(began, EXIT)
    thread.join(10)
    assert raised == [ConnectionLostError]
    assert channel.give_way.times > 0  # type: ignore[attr-defined]
    assert EXIT not in all_of(kong)


def test_what_the_socket_does_not_take_at_once_is_sent_as_kong_reads(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    data = bytes(range(256)) * (1 << 14)
    begin(channel)
    thread = threading.Thread(target=lambda: channel.finish(data))
    thread.start()
    got = bytearray()
    while len(got) < len(data):
        got += kong.recv(1 << 20)
    thread.join(10)
    assert got == data


def test_where_kong_has_gone_it_is_no_error_of_the_one_who_watches(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    kong.close()
    assert channel.cut_short(begin(channel), EXIT)


def test_a_connection_that_kong_has_closed_is_told_from_a_plugins_own_oserror(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, kong = ends
    kong.close()
    for call in (channel.read, lambda: channel.ask(ASK), lambda: channel.finish(EMPTY)):
        with pytest.raises(ConnectionLostError):
            call()


def test_a_worker_whose_link_is_full_is_told_to_drain_later() -> None:
    ours, theirs = Link.pair()
    handle = WorkerHandle(1, ours, 0.0)
    try:
        filled = 0
        while ours.send(Drain(), wait=False):
            filled += 1
        handle.drain(5.0)
        for _ in range(filled):
            assert theirs.receive() is not None
        handle.drain(6.0)
        assert theirs.receive() == (Drain(), [])
        handle.drain(7.0)
        assert handle.draining_since == 5.0
        assert not theirs.send(Drain(), wait=False) or ours.receive()
        ours.close()
        assert theirs.receive() is None  # and it was told once
    finally:
        handle.close()
        theirs.close()


def test_a_process_that_may_open_no_more_descriptors_gets_a_connection_without_its_socket() -> None:
    ours, theirs = Link.pair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        ours.send(Connection(2, b"x"), ours.fileno())
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        assert theirs.receive() == (Connection(2, b"x"), [])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        ours.close()
        theirs.close()


GET_VAR = frame(b"kong.nginx.get_var") + frame(b"\x0a\x01v")


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(1, 20), max_size=8))
def test_what_was_asked_ahead_may_come_in_pieces(first: bytes, second: bytes, cuts: list[int]) -> None:
    ours, kong = socket.socketpair()
    with ours, kong:
        channel = channel_on(ours)
        calls = (ASK, GET_VAR)
        begin(channel, *calls)
        channel.ask_ahead(ASK + GET_VAR)
        assert all_of(kong) == ASK + GET_VAR
        stream = frame(first) + frame(second)
        while stream:
            size = min(cuts.pop() if cuts else len(stream), len(stream))
            piece, stream = stream[:size], stream[size:]
            kong.sendall(piece)
            data = channel.read()
            assert data
            assert channel.answered(calls, data) is (not stream)
        assert (channel.ask(GET_VAR), channel.ask(ASK)) == (second, first)
        assert channel.asked == [GET_VAR, ASK]
        assert not channel.give_way.times  # type: ignore[attr-defined]


def test_more_answers_than_questions_end_the_connection(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    begin(channel, ASK)
    with pytest.raises(ProtocolError):
        channel.answered((ASK,), frame(b"path") + b"x")
    with pytest.raises(ProtocolError):
        channel.answered((ASK,), (2**32 - 1).to_bytes(4, "little"))


def test_answers_hold_until_the_plugin_changes_something(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    begin(channel, ASK)
    channel.answered((ASK,), frame(b"before"))
    assert channel.ask(ASK) == b"before"
    channel.cast(CAST)
    kong.sendall(EMPTY + frame(b"after"))
    assert channel.ask(ASK) == b"after"
    kong.sendall(frame(b"later"))
    assert channel.ask(ASK) == b"later"  # nothing is kept now, and yet it was changed
    assert channel.asked == [ASK]


def test_answers_are_for_one_event_only(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    begin(channel, ASK)
    channel.answered((ASK,), frame(b"of the first"))
    channel.finish(EMPTY)
    begin(channel)
    kong.sendall(frame(b"of the second"))
    assert channel.ask(ASK) == b"of the second"


def test_an_answer_at_hand_is_not_given_once_time_is_up(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    began = begin(channel, ASK)
    channel.answered((ASK,), frame(b"path"))
    assert channel.cut_short(began, EXIT)
    with pytest.raises(EventEndedError):
        channel.ask(ASK)
