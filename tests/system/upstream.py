"""An upstream that counts what reaches it. Strict about nothing: whatever is let through is counted."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator

TAG = b"x-tag"
"""The header by which a test tells its requests apart."""


class CountingUpstream:
    """Answers every request with what it saw: `{"method", "target", "headers": [[name, value], …], "body"}`.

    A request with a tag is answered with few bytes. `counts` has the requests by tag (`""`: without one).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.port = 0
        self.open: set[asyncio.Transport] = set()

    @contextlib.asynccontextmanager
    async def serve(self, host: str) -> AsyncGenerator["CountingUpstream"]:
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for transport in self.open.copy():
                transport.abort()
            await asyncio.sleep(0)  # the loop closes them in its next turn

    def reached_by(self, *tags: str) -> dict[str, int]:
        """How many requests of each of these tags got here, without the zeros."""
        return {tag: self.counts[tag] for tag in tags if self.counts[tag]}


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: CountingUpstream) -> None:
        self._upstream = upstream
        self._data = b""
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream.open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._take_one():
            self._counted = False

    def _take_one(self) -> bool:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return False
        request, *lines = head.split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        known = {name.lower(): value for name, value in headers}
        tag = known.get(TAG, b"").decode("latin-1")
        if not self._counted:
            self._counted = True
            self._upstream.counts[tag] += 1
        if known.get(b"transfer-encoding") == b"chunked":
            body, found, rest = rest.partition(b"0\r\n\r\n")
            if not found:
                return False
        else:
            length = int(known.get(b"content-length", b"0"))
            if len(rest) < length:
                return False
            body, rest = rest[:length], rest[length:]
        self._data = rest
        self._answer(b"{}" if tag else _seen(request, headers, body))
        return True

    def _answer(self, body: bytes) -> None:
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Upstream: counting\r\nContent-Length: %d\r\n\r\n"
        )
        self._transport.write(head % len(body) + body)


def _seen(request: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    method, _, target = request.decode("latin-1").rpartition(" ")[0].partition(" ")
    seen = {
        "method": method,
        "target": target,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers],
        "body": body.decode("latin-1"),
    }
    return json.dumps(seen).encode()
