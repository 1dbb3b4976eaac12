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
from plugin_server.wire.frames import EMPTY, ProtocolError, frame

EXIT = frame(b"kong.response.exit") + frame(b"\x08\xf7\x03")
CAST = frame(b"kong.log.info") + frame(b"x")
ASK = frame(b"kong.request.get_path") + EMPTY


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, kong = socket.socketpair()
    kong.settimeout(10)
    channel = Channel()
    channel.open(OpenConnection(ours))
    channel.notice_idleness()
    with ours, kong:
        yield channel, kong


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
    assert channel.state() == OpenConnection(channel.sock, owed=2)


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
        # Each read waits a moment only, so that it is given up and the connection can be handed over.
        ours.setblocking(False)
        channel = Channel()
        channel.open(OpenConnection(ours, owed))
        stream = EMPTY * owed + frame(payload)
        while stream:
            size = min(cuts.pop() if cuts else len(stream), len(stream))
            piece, stream = stream[:size], stream[size:]
            kong.sendall(piece)
            if stream:
                with pytest.raises(BlockingIOError):
                    channel.next_command()
                if moved:
                    state = channel.state()
                    channel = Channel()
                    channel.open(OpenConnection(ours, state.owed, state.ahead))
        assert channel.next_command() == payload
        assert channel.state() == OpenConnection(ours)


def test_an_owed_reply_that_is_not_empty_ends_the_connection(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.cast(CAST)
    channel.finish(EMPTY)
    kong.sendall(frame(b"abcd") + EMPTY)
    with pytest.raises(ProtocolError):
        channel.next_command()


@pytest.mark.parametrize("data", [(2**32 - 1).to_bytes(4, "little"), frame(b"a") + b"b"])
def test_frames_that_kong_would_not_send(ends: tuple[Channel, socket.socket], data: bytes) -> None:
    channel, kong = ends
    kong.sendall(data)
    with pytest.raises(ProtocolError):
        channel.next_command()


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
    began = channel.began = monotonic()
    channel.cast(CAST)
    assert channel.cut_short(began, EXIT)
    assert not channel.cut_short(began, EXIT)
    with pytest.raises(EventEndedError):
        channel.cast(CAST)
    channel.finish(EMPTY)
    assert all_of(kong) == EXIT


def test_an_event_that_has_ended_is_not_cut_short(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    began = channel.began = monotonic()
    channel.finish(EMPTY)
    assert not channel.cut_short(began, EXIT)
    channel.began = monotonic()
    assert not channel.cut_short(began, EXIT)
    assert all_of(kong) == EMPTY


def test_where_kong_does_not_read_the_connection_is_shut_down(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    began = channel.began = monotonic()
    with channel.lock:  # its thread is in a send that does not end
        assert channel.cut_short(began, EXIT)
    assert channel.over
    assert kong.recv(10) == b""


def test_where_kong_has_gone_it_is_no_error_of_the_one_who_watches(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    kong.close()
    began = channel.began = monotonic()
    assert channel.cut_short(began, EXIT)
    channel.open(OpenConnection(channel.sock))
    channel.sock.close()
    began = channel.began = monotonic()
    with channel.lock:
        assert channel.cut_short(began, EXIT)


def test_a_connection_that_kong_has_closed_is_told_from_a_plugins_own_oserror(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, kong = ends
    kong.close()
    for call in (channel.next_command, lambda: channel.ask(ASK), lambda: channel.finish(EMPTY)):
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


def fresh(ours: socket.socket) -> Channel:
    channel = Channel()
    channel.open(OpenConnection(ours))
    return channel


def test_on_a_fresh_connection_what_is_expected_is_asked_along() -> None:
    ours, kong = socket.socketpair()
    with ours, kong:
        channel = fresh(ours)
        channel.expect(GET_VAR)
        kong.sendall(frame(b"path") + frame(b"var"))
        assert channel.ask(ASK) == b"path"
        assert channel.ask(GET_VAR) == b"var"
        assert all_of(kong) == ASK + GET_VAR


def test_what_was_expected_for_one_event_is_no_answer_in_the_next() -> None:
    ours, kong = socket.socketpair()
    with ours, kong:
        channel = fresh(ours)
        channel.expect(GET_VAR)
        kong.sendall(frame(b"path") + frame(b"id of the first"))
        channel.ask(ASK)
        channel.finish(EMPTY)
        channel.notice_idleness()
        kong.sendall(frame(b"id of the second"))
        assert channel.ask(GET_VAR) == b"id of the second"


def test_on_a_connection_that_is_kept_nothing_is_asked_ahead(ends: tuple[Channel, socket.socket]) -> None:
    channel, kong = ends
    channel.expect(GET_VAR)
    kong.sendall(frame(b"path"))
    assert channel.ask(ASK) == b"path"
    assert all_of(kong) == ASK


def test_both_answers_may_come_in_pieces_and_with_owed_replies() -> None:
    ours, kong = socket.socketpair()
    with ours, kong:
        channel = fresh(ours)
        channel.expect(GET_VAR)
        channel.cast(CAST)
        stream = EMPTY + frame(b"path") + frame(b"var")
        sender = threading.Thread(target=lambda: [kong.sendall(stream[i : i + 1]) for i in range(len(stream))])
        sender.start()
        assert channel.ask(ASK) == b"path"
        assert channel.ask(GET_VAR) == b"var"
        sender.join()
