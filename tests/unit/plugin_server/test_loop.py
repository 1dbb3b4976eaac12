"""The loop of a worker on a real listening socket, with plugins that ask, that wait and that block."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from plugin_server.channel import OpenConnection
from plugin_server.commands import Commands
from plugin_server.hosted import BLOCKED_FOR, Hosted
from plugin_server.instances import Instances, InstanceStore
from plugin_server.loop import MOST_FOLLOWERS, Loop
from plugin_server.plugin import LoadedPlugin
from plugin_server.wire.frames import EMPTY, frame
from tests.kong_side.client import KongConnection
from tests.servers.process import wait_until

METHOD = "kong.request.get_method"
PATH = "kong.request.get_path"
SET = "kong.response.set_header"


def text(value: str) -> bytes:
    return b"\x0a" + bytes((len(value),)) + value.encode()


ANSWERS = {METHOD: text("GET"), PATH: text("/x")}


class Plugin:
    """Does what the test wants."""

    access_does: Callable[[Any], None]

    def __init__(self, config: dict[str, object]) -> None:
        self.config = config

    def access(self, kong: Any) -> None:
        Plugin.access_does(kong)


def nothing(*_: object) -> None:
    """Wait for nothing, finish nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


@pytest.fixture
def listener(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        yield listener


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    Plugin.access_does = nothing
    store = InstanceStore(tmp_path / "instances")
    store.create()
    plugin = LoadedPlugin("probe", "1", 0, ("access",), [], Plugin, nothing, nothing)
    return Commands(plugin, Instances(store, lambda config: Hosted(Plugin(config), ("access",))))


class LookedAfter:
    """A loop and the thread that looks after it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.loop.look_after(monotonic())

    def __enter__(self) -> Loop:
        self.loop.start()
        self._thread.start()
        return self.loop

    def __exit__(self, *_: object) -> None:
        self.loop.drain()
        wait_until(self.loop.drained, "nothing is in hand")
        self._over.set()
        self._thread.join()


@pytest.fixture
def loop(listener: socket.socket, commands: Commands) -> Iterator[Loop]:
    with LookedAfter(Loop(listener.fileno(), commands, nothing, max_connections=64)) as loop:
        yield loop


def test_what_a_plugin_asks_first_is_asked_before_it_runs(path: Path, loop: Loop) -> None:
    ran: list[str] = []

    def asks(kong: Any) -> None:
        ran.append(kong.request.get_method())

    Plugin.access_does = asks
    with KongConnection(path) as kong:
        number = kong.start_instance()
        assert kong.event(number, ANSWERS).status == 200  # and learned
        kong.begin(number)
        assert kong.receive_frame() == METHOD.encode()
        assert kong.receive_frame() == b""
        assert ran == ["GET"]  # the second run has not begun
    wait_until(lambda: not loop.serving(), "the connection has ended")
    assert ran == ["GET"]


def test_one_thread_serves_all_whose_answers_are_asked_ahead(path: Path, loop: Loop) -> None:
    by: set[int] = set()

    def asks(kong: Any) -> None:
        kong.request.get_method()
        kong.request.get_path()
        by.add(threading.get_ident())

    Plugin.access_does = asks
    connections = [KongConnection(path) for _ in range(10)]
    number = connections[0].start_instance()
    for kong in connections:  # learned on new connections and on kept ones
        assert kong.event(number, ANSWERS).status == 200
        assert kong.event(number, ANSWERS).status == 200
    by.clear()
    begun = [kong.begin(number) for kong in connections]
    for kong, sequence in reversed([*zip(connections, begun, strict=True)]):
        assert kong.follow(sequence, ANSWERS).status == 200
    assert len(by) == 1
    for kong in connections:
        kong.close()


def test_an_answer_of_before_a_change_is_not_given_after_it(path: Path, loop: Loop) -> None:
    got: list[str] = []

    def asks(kong: Any) -> None:
        got.append(kong.request.get_path())
        kong.response.set_header("a", "b")
        got.append(kong.request.get_path())

    Plugin.access_does = asks
    with KongConnection(path) as kong:
        number = kong.start_instance()
        for _ in range(3):
            got.clear()
            outcome = kong.event(number, ANSWERS)
            assert outcome.methods == (PATH, SET, PATH)
            assert got == ["/x", "/x"]


def test_a_plugin_that_asks_otherwise_than_before_gets_the_right_answers(path: Path, loop: Loop) -> None:
    turn = iter(range(100))
    got: list[str] = []

    def asks(kong: Any) -> None:
        first, second = (kong.request.get_method, kong.request.get_path)[:: -1 if next(turn) % 3 else 1]
        got.append(first())
        if next(turn) % 2:
            got.append(second())

    Plugin.access_does = asks
    with KongConnection(path) as kong:
        number = kong.start_instance()
        for _ in range(20):
            got.clear()
            assert kong.event(number, ANSWERS).status == 200
            assert got in (["GET"], ["/x"], ["GET", "/x"], ["/x", "GET"])


def test_a_plugin_that_waits_for_kong_does_not_stop_the_others(path: Path, loop: Loop) -> None:
    asked: list[int] = []

    def asks(kong: Any) -> None:
        asked.append(1)
        if len(asked) == 1:
            kong.response.set_header("a", "b")
            kong.request.get_path()

    Plugin.access_does = asks
    with KongConnection(path) as waiting, KongConnection(path) as other:
        number = waiting.start_instance()
        sequence = waiting.begin(number)
        wait_until(lambda: asked, "it has begun")
        assert other.event(number, ANSWERS).status == 200
        assert waiting.follow(sequence, ANSWERS).status == 200


def test_plugins_that_block_stop_neither_the_others_nor_one_another(path: Path, loop: Loop) -> None:
    gate = threading.Event()
    inside: list[int] = []

    def blocks(kong: Any) -> None:
        inside.append(threading.get_ident())
        gate.wait(10)

    with KongConnection(path) as other:
        number = other.start_instance()
        Plugin.access_does = blocks
        blocked = [KongConnection(path) for _ in range(5)]
        begun = [kong.begin(number) for kong in blocked]
        wait_until(lambda: len(set(inside)) == 5, "each runs in a thread")
        assert other.start_instance() > 0
        gate.set()
        for kong, sequence in zip(blocked, begun, strict=True):
            assert kong.follow(sequence).status == 200
            kong.close()


def test_a_phase_that_no_longer_blocks_runs_in_the_loop_again(path: Path, loop: Loop) -> None:
    gate = threading.Event()
    by: list[int] = []

    def blocks_once(kong: Any) -> None:
        gate.wait(10)
        by.append(threading.get_ident())

    Plugin.access_does = blocks_once
    with KongConnection(path) as kong, KongConnection(path) as other:
        number = kong.start_instance()
        sequence = kong.begin(number)
        other.start_instance()  # answered once the lead has passed on
        gate.set()
        assert kong.follow(sequence).status == 200
        for _ in range(4 * BLOCKED_FOR):  # some may take longer on a busy machine
            assert kong.event(number).status == 200
        assert len(set(by[-10:])) == 1


def test_threads_that_are_no_longer_needed_end(path: Path, loop: Loop) -> None:
    gate = threading.Event()
    inside: list[int] = []

    def blocks(kong: Any) -> None:
        inside.append(1)
        gate.wait(10)

    Plugin.access_does = blocks
    connections = [KongConnection(path) for _ in range(3 * MOST_FOLLOWERS)]
    number = connections[0].start_instance()
    begun = [kong.begin(number) for kong in connections]
    wait_until(lambda: len(inside) == len(connections), "all run at once")
    assert loop.threads() > len(connections)
    gate.set()
    for kong, sequence in zip(connections, begun, strict=True):
        assert kong.follow(sequence).status == 200
        kong.close()
    wait_until(lambda: loop.threads() <= MOST_FOLLOWERS + 1, "they have ended")


def test_where_the_system_gives_no_more_threads_those_that_there_are_serve_on(
    path: Path, listener: socket.socket, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    start = threading.Thread.start

    def start_none(thread: threading.Thread) -> None:
        if thread.name == "connections":
            raise RuntimeError("can't start new thread")
        start(thread)

    def blocks(kong: Any) -> None:
        gate.wait(10)

    with LookedAfter(Loop(listener.fileno(), commands, nothing, max_connections=64)) as loop:
        monkeypatch.setattr(threading.Thread, "start", start_none)
        with KongConnection(path) as kong, KongConnection(path) as other:
            number = kong.start_instance()
            Plugin.access_does = blocks
            first = kong.begin(number)
            second = other.begin(number)  # waits, for there is nobody to serve it
            gate.set()
            assert kong.follow(first).status == 200
            assert other.follow(second).status == 200
        assert loop.threads() == 1


def test_a_worker_whose_leader_fails_ends_so_that_it_is_replaced(
    path: Path, listener: socket.socket, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []

    def fails(_: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(commands, "lost", fails)
    monkeypatch.setattr(os, "_exit", codes.append)
    Loop(listener.fileno(), commands, nothing, max_connections=64).start()
    with KongConnection(path) as kong:
        assert kong.start_instance() > 0
    wait_until(lambda: codes == [1], "it ends")


def test_more_connections_than_it_may_hold_wait_until_one_ends(
    path: Path, listener: socket.socket, commands: Commands
) -> None:
    with LookedAfter(Loop(listener.fileno(), commands, nothing, max_connections=2)) as loop:
        connections = [KongConnection(path) for _ in range(3)]
        number = connections[0].start_instance()
        assert connections[1].event(number).status == 200
        third = connections[2].begin(number)
        assert len(loop.serving()) == 2
        connections[0].close()
        assert connections[2].follow(third).status == 200
        for kong in connections:
            kong.close()


def test_a_connection_that_was_adopted_is_served_from_where_it_stood(loop: Loop) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(10)
        call = frame(b"\x08\x07\xfa\x01\x00")  # cmd_get_plugin_names, with sequence 7
        theirs.sendall(call[2:])
        loop.adopt(OpenConnection(ours.detach(), 1, EMPTY + call[:2]))
        assert b"probe" in theirs.recv(100)
