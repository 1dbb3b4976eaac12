"""A connection is a descriptor: the limit is raised where it can be, and where it cannot nothing but room is lost."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kong_side.client import KongConnection, ServerClosedError, ask_once, start_once
from tests.kong_side.server import PluginServer
from tests.servers.process import wait_until


def limited(kind: str, number: int) -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit -{kind}n {number} && exec "$@"', "sh")


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[PluginServer]:
    server = PluginServer(tmp_path / "x", workers=1, max_connections=150)
    try:
        yield server
    finally:
        server.clean_up()


def test_as_many_connections_as_the_settings_say_whatever_the_soft_limit(unstarted: PluginServer) -> None:
    unstarted.prefix = limited("S", 64)
    server = unstarted.start()
    number = start_once(server.socket)
    with ExitStack() as stack:
        connections = [stack.enter_context(KongConnection(server.socket)) for _ in range(140)]
        assert all(kong.event(number).status == 200 for kong in connections)
        server.reload()
        assert all(kong.event(number).status == 200 for kong in connections)
    assert not server.events("fewer descriptors than connections may need")


def test_a_worker_without_descriptors_goes_on_with_what_it_has(unstarted: PluginServer) -> None:
    unstarted.prefix = limited("", 40)
    server = unstarted.start()
    assert server.events("fewer descriptors than connections may need")
    number = start_once(server.socket, {"do": "pid"})
    with ExitStack() as stack:
        connections = [stack.enter_context(KongConnection(server.socket)) for _ in range(60)]
        sequences = [kong.begin(number) for kong in connections]
        wait_until(lambda: server.events("cannot accept connections"), "the worker is at its limit")
        first = connections[0].follow(sequences[0])  # in time, though others wait
        assert first.status == 200
        server.reload()
        for kong in connections[:20]:
            kong.close()
        answered = 1
        for kong, sequence in list(zip(connections, sequences, strict=True))[20:]:
            try:
                answered += kong.follow(sequence).status in {200, 500}
            except ServerClosedError:
                continue  # it was one too many, and Kong starts anew
            kong.close()  # which makes room for one that still waits to be let in
        assert answered > 20
    assert ask_once(server.socket, number).status == 200
    assert not server.events("worker ended and is replaced")
    assert not server.events("worker hangs and is killed")
