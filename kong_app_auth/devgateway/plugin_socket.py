"""Connections to a plugin server's Unix socket, and the pool that keeps them alive.

One worker of Kong keeps up to 30 idle connections a socket, takes the last one put back first, and writes on it
unchecked: a server that closes a pooled connection can lose a request (surprise 16).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from kong_app_auth.devgateway.outcomes import CallFailed, LuaError

Message_co = TypeVar("Message_co", covariant=True)


class Decoder(Protocol[Message_co]):
    """Cuts the server's bytes into messages."""

    def feed(self, data: bytes) -> Iterable[Message_co]:
        """Take bytes; give the messages that are complete now. Raise ValueError if there can be none."""
        ...


class PluginConnection(asyncio.Protocol):
    """One connection. It carries one call at a time."""

    def __init__(self, decoder: "Decoder[object]", on_lost: Callable[["PluginConnection"], None]) -> None:
        self._decoder = decoder
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._messages: deque[object] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: str | None = None
        self._loop = asyncio.get_running_loop()
        self.idle = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether, as far as is known, the server has not closed it."""
        return self._failure is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Decode, and wake the call that waits. Bytes on an idle connection end it, as in Kong's pool."""
        if self.idle:
            self.close()
            return
        try:
            self._messages.extend(self._decoder.feed(data))
        except ValueError as error:
            self._fail(str(error))
            self.close()
            return
        if self._messages:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why, in Kong's words."""
        if isinstance(exc, BrokenPipeError):
            self._fail("broken pipe")
        elif isinstance(exc, ConnectionResetError):
            self._fail("connection reset by peer")
        else:
            self._fail("closed")
        self._on_lost(self)

    def write(self, data: bytes) -> None:
        """Send without waiting; a lost connection shows at the next `read`. Raise LuaError if that is known by now."""
        if self._transport is None or self._failure is not None:
            raise LuaError("broken pipe")
        self._transport.write(data)

    async def read(self, timeout: float) -> object:  # noqa: ASYNC109  # a timer of our own costs a fifth of asyncio.timeout
        """Give the next message. Raise CallFailed "closed", "connection reset by peer" or "timeout" (after `timeout`
        seconds), and LuaError where Kong asserts that a write succeeded.
        """
        if not self._messages:
            if self._failure is None:
                waiter = self._waiter = self._loop.create_future()
                timer = self._loop.call_later(timeout, self._timed_out, waiter)
                try:
                    await waiter
                finally:
                    timer.cancel()
                    self._waiter = None
            if not self._messages:
                if self._failure is None:
                    raise CallFailed("timeout")
                if self._failure == "broken pipe":
                    raise LuaError("broken pipe")
                raise CallFailed(self._failure)
        return self._messages.popleft()

    @property
    def pending(self) -> bool:
        """Whether the next `read` will not wait."""
        return bool(self._messages)

    def clean(self) -> bool:
        """Say whether nothing unread is left, so that another call may use the connection."""
        return self._failure is None and not self._messages

    def close(self) -> None:
        """Close it at once."""
        self._fail("closed")
        if self._transport is not None:
            self._transport.abort()

    def _timed_out(self, waiter: "asyncio.Future[None]") -> None:
        if not waiter.done():
            waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = reason
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ConnectionPool:
    """Idle connections to one socket: last in, first out."""

    def __init__(self, path: str, decoder: "Callable[[], Decoder[object]]", size: int, idle: float) -> None:
        self._path = path
        self._decoder = decoder
        self._size = size
        self._idle_limit = idle
        self._idle: list[PluginConnection] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def take(self) -> PluginConnection:
        """Give a pooled connection or a new one. Raise CallFailed where nobody listens."""
        while self._idle:
            connection = self._idle.pop()
            connection.idle = False
            if connection.usable:
                return connection
        try:
            _, connection = await self._loop.create_unix_connection(
                lambda: PluginConnection(self._decoder(), self._lost), self._path
            )
        except FileNotFoundError:
            raise CallFailed("no such file or directory") from None
        except ConnectionRefusedError:
            raise CallFailed("connection refused") from None
        except OSError as error:
            raise CallFailed((error.strerror or "connection failed").lower()) from None
        return connection

    def give_back(self, connection: PluginConnection) -> None:
        """Put a connection back after a call; drop it if it is not clean, and the oldest if there are too many."""
        if not connection.clean():
            connection.close()
            return
        connection.idle = True
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if len(self._idle) > self._size:
            oldest = self._idle.pop(0)
            oldest.close()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._idle_limit, self._sweep)

    def close(self) -> None:
        """Close what is idle."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _lost(self, connection: PluginConnection) -> None:
        if connection.idle and connection in self._idle:
            self._idle.remove(connection)

    def _sweep(self) -> None:
        self._sweeper = None
        limit = self._loop.time() - self._idle_limit
        while self._idle and self._idle[0].idle_since <= limit:
            self._idle.pop(0).close()
        if self._idle:
            self._sweeper = self._loop.call_at(self._idle[0].idle_since + self._idle_limit, self._sweep)
