"""What the supervisor, the zygote and the workers say to one another, with file descriptors where they go along.

A message is one packet of JSON on a SOCK_SEQPACKET pair: whole or not at all, and its end is the other process's end.
"""

import array
import os
import socket
from typing import TypeAlias

import msgspec

from plugin_server.metrics import Definition
from plugin_server.settings import ServerSettings

_MAX_PACKET = 160 * 1024
_MAX_FDS = 4


class Load(msgspec.Struct, frozen=True, tag=True):
    """To a zygote, with the listening socket: load the plugin."""

    settings: ServerSettings


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """From a zygote: it is loaded."""

    plugin: str
    version: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """From a zygote: it cannot be loaded."""

    error: str


class Fork(msgspec.Struct, frozen=True, tag=True):
    """To a zygote, with the worker's end of a link: make a worker."""

    worker: int


class Forked(msgspec.Struct, frozen=True, tag=True):
    """From a zygote: the worker was made."""

    worker: int
    pid: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it waits for connections, and counts these things."""

    definitions: list[Definition]


class Beat(msgspec.Struct, frozen=True, tag=True):
    """From a worker, twice a second: a sign of life. `counts` holds pairs of key and number since the worker began."""

    counts: list[tuple[list[str], float]]
    connections: int
    waiting_for: str | None


class Connection(msgspec.Struct, frozen=True, tag=True):
    """An open connection that changes hands, with its socket (see `channel.OpenConnection`)."""

    owed: int
    ahead: bytes


class Drain(msgspec.Struct, frozen=True, tag=True):
    """To a worker: hand your connections over and end."""


class Drained(msgspec.Struct, frozen=True, tag=True):
    """From a worker: the last word, with its last counts."""

    counts: list[tuple[list[str], float]]


Message: TypeAlias = Load | Loaded | Failed | Fork | Forked | Ready | Beat | Connection | Drain | Drained

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Link:
    """One end of a pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def pair(cls) -> tuple["Link", "Link"]:
        """Make both ends."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (one, other):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _MAX_PACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """The descriptor, for selectors."""
        return self.sock.fileno()

    def send(self, message: Message, *fds: int, wait: bool = True) -> bool:
        """Send a message; False when the other end is gone, or when it is full and this must not wait."""
        data = msgspec.json.encode(message)
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.sock.sendmsg([data], extra, 0 if wait else socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            return False
        return True

    def receive(self) -> tuple[Message, list[int]] | None:
        """Take the next message with its descriptors; None when the other end is gone.

        Raises msgspec.DecodeError for one that cannot be read, such as one that is too long. A process that may open no
        more descriptors gets the message without them.
        """
        space = socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize)
        try:
            data, extra, _, _ = self.sock.recvmsg(_MAX_PACKET, space, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return None
        if not data:
            return None
        fds = array.array("i")
        for level, kind, content in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        try:
            return _decoder.decode(data), list(fds)
        except msgspec.DecodeError:
            for fd in fds:
                os.close(fd)
            raise

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


def counts_for_sending(counts: dict[tuple[str, ...], float]) -> list[tuple[list[str], float]]:
    """Put a snapshot of the metrics into the form of a message."""
    return [(list(key), value) for key, value in counts.items()]
