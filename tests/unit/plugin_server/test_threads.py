"""The threads of a worker when the system gives no more of them, on a real listening socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_server.channel import IDLE_WAIT
from plugin_server.commands import Commands
from plugin_server.instances import Instances, InstanceStore
from plugin_server.listener import Doorway
from plugin_server.plugin import LoadedPlugin
from plugin_server.threads import Threads
from tests.kong_side.client import KongConnection
from tests.servers.process import wait_until


class Passes:
    def __init__(self, config: dict[str, object]) -> None:
        self.config = config

    def access(self, kong: object) -> None:
        """Let it pass."""


def nothing(*_: object) -> None:
    """Wait for nothing, finish nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


@pytest.fixture
def listener(path: Path) -> Iterator[Doorway]:
    with Doorway(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, IDLE_WAIT)
        yield listener


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    store = InstanceStore(tmp_path / "instances")
    store.create()
    plugin = LoadedPlugin("probe", "1", 0, ("access",), [], Passes, nothing, nothing)
    return Commands(plugin, Instances(store, Passes))


def test_those_that_there_are_serve_on(
    path: Path, listener: Doorway, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = Threads(listener, commands, nothing, max_connections=64)
    start = threading.Thread.start
    given: list[int] = []

    def start_a_few(thread: threading.Thread) -> None:
        if len(given) == 2:
            raise RuntimeError("can't start new thread")
        given.append(1)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_a_few)
    threads.start()
    try:
        for _ in range(3):
            connections = [KongConnection(path) for _ in range(3)]
            number = connections[0].start_instance()
            assert connections[0].event(number).status == 200
            assert connections[1].event(number).status == 200
            third = connections[2].begin(number)  # waits until one of the others ends
            connections[0].close()
            assert connections[2].follow(third).status == 200
            for kong in connections:
                kong.close()
        assert threads.count() == 2
    finally:
        threads.drain()
        wait_until(threads.drained, "no thread is left")
