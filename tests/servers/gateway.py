"""The development gateway and the sample upstream in this process, on an event loop of their own; a raw HTTP client."""

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar
from urllib.parse import urlsplit

from kong_app_auth.devgateway import DevGateway, GatewaySettings, SampleUpstream
from tests.servers.process import PATIENCE

T = TypeVar("T")


class EventLoopThread:
    """An event loop in a thread. What is entered in it is left, in the reverse order, when the thread ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "EventLoopThread":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(PATIENCE)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._stack.enter_async_context(context), self._loop).result(PATIENCE)


@contextlib.contextmanager
def development_gateway(settings: GatewaySettings) -> Iterator[DevGateway]:
    """A gateway that runs for the length of the block."""
    with EventLoopThread() as thread:
        yield thread.enter(DevGateway(settings))


@contextlib.contextmanager
def sample_upstream() -> Iterator[SampleUpstream]:
    """An upstream that echoes, for the length of the block."""
    with EventLoopThread() as thread:
        yield thread.enter(SampleUpstream())


@contextlib.asynccontextmanager
async def raw_upstream(answer: bytes) -> AsyncIterator[int]:
    """A server on the port it yields that answers every connection's first request with these bytes, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def raw_request(url: str, request: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    """Send these very bytes and read until the server hangs up: status, headers by lower-case name, body."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), PATIENCE) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    return int(lines[0].split()[1]), headers, body


def keep_alive_request(url: str, request: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    """The answer to a request that, like curl's, does not ask the server to hang up."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        headers: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            headers.setdefault(name.lower(), []).append(value)
        body = response.read()
        response.close()
        return response.status, headers, body


def http_get(target: bytes = b"/", headers: Mapping[bytes, bytes] | list[tuple[bytes, bytes]] | None = None) -> bytes:
    """A GET request of exactly these bytes, after which the server is to hang up."""
    lines = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
    if not any(name.lower() == b"host" for name, _ in lines):
        lines.insert(0, (b"Host", b"127.0.0.1"))
    lines.append((b"Connection", b"close"))
    return b"GET " + target + b" HTTP/1.1\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in lines) + b"\r\n"
