"""A sample upstream: it answers every request with what reached it, as JSON."""

import json
from types import TracebackType

from aiohttp import web

_MAX_BODY = 1024 * 1024


class SampleUpstream:
    """An HTTP server on `host` and `port` (0: any free one), to be used as an async context manager.

    The answer is `{"method", "path", "query", "headers": [[name, value], …], "body"}`, with the first MiB of the body.
    Bytes over 0x7f stand as the Latin-1 characters of the same number.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.requests = 0
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> "SampleUpstream":
        server = web.Server(self._answer, access_log=None, max_field_size=64 * 1024, max_headers=8 * 1024)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=1024)
        await site.start()
        address = self._runner.addresses[0]
        self.port = int(address[1])
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests += 1
        body = b""
        while request.body_exists and len(body) < _MAX_BODY and not request.content.at_eof():
            body += await request.content.read(_MAX_BODY - len(body))
        path, _, query = request.raw_path.partition("?")
        seen = {
            "method": request.method,
            "path": path,
            "query": query,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.raw_headers],
            "body": body.decode("latin-1"),
        }
        return web.Response(body=json.dumps(seen).encode(), content_type="application/json")
