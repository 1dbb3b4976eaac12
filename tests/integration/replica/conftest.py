from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.connection import Client, connect
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Writer
from kong_app_auth.replica.follower import Follower
from tests.servers.process import wait_until
from tests.servers.replica import Reader, reader_process

BLOCK_MS = 20


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A worker's process, which reads whatever replica it is asked about."""
    with reader_process() as process:
        yield process


class Region:
    """A writer of the region `eu`, and what it has written."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.writer = Writer(client, "eu", lease_seconds=60)
        self.contents = Contents()
        assert self.writer.acquire()

    def begin(self, contents: Contents) -> Position:
        """Begin a new epoch with these contents."""
        assert isinstance(self.writer.begin_epoch(), Position)
        self.contents = Contents()
        self.write(contents)
        position = self.writer.complete()
        assert isinstance(position, Position)
        return position

    def become(self, contents: Contents) -> Position:
        """Write what has to change."""
        self.write(contents)
        found = self.writer.read()
        assert found is not None
        assert found[1] == contents
        return found[0]

    def write(self, contents: Contents) -> None:
        """Write what has to change, and do not look at it."""
        for batch in in_batches(diff(self.contents, contents)):
            assert isinstance(self.writer.write(batch), Position)
        self.contents = contents

    def heartbeat(self) -> None:
        assert self.writer.heartbeat() is None


@pytest.fixture
def open_client() -> Iterator[Callable[..., Client]]:
    """Clients of servers or URLs, closed in the end."""
    opened: list[Client] = []

    def of(server: Any, **options: Any) -> Client:
        opened.append(connect(server if isinstance(server, str) else server.url, **options))
        return opened[-1]

    yield of
    for client in opened:
        client.close()


@pytest.fixture
def region_of(open_client: Callable[..., Client]) -> Callable[..., Region]:
    return lambda server, **options: Region(open_client(server, **options))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "replica"


@pytest.fixture
def follower_of(directory: Path) -> Iterator[Callable[..., Follower]]:
    """Followers of a server or URL into the test's directory, closed in the end."""
    followers: list[Follower] = []

    def of(server: Any, **options: Any) -> Follower:
        url = server if isinstance(server, str) else server.url
        followers.append(Follower(lambda: connect(url, **options), "eu", directory))
        return followers[-1]

    yield of
    for follower in followers:
        follower.close()


def step_until(follower: Follower, condition: Callable[[], object], what: str = "") -> None:
    """Let the follower do its steps until the condition holds."""

    def stepped() -> object:
        follower.step(BLOCK_MS)
        return condition()

    wait_until(stepped, what)
