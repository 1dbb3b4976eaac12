"""One request on its way through the gateway: what the PDK may read and change of it."""

from collections.abc import Awaitable, Callable

from aiohttp.typedefs import RawHeaders

from kong_app_auth.devgateway.entities import Entity
from kong_app_auth.devgateway.uri import collect
from kong_app_auth.devgateway.values import LuaValue

_MAX_FOR_PLUGINS = 8 * 1024
"""Bytes of a body that nginx keeps in memory (`client_body_buffer_size`) and plugins can read."""

ReadBody = Callable[[int], Awaitable[bytes]]


class Exchange:
    """The state of one request.

    `headers` are lines of (name in lower case, name as sent, value): what the client sent, with what plugins made of
    it; in the end the upstream gets them, as in nginx, and `raw_query` too. `target` stays as it came.
    """

    __slots__ = (
        "body",
        "client_ip",
        "client_port",
        "consumer",
        "credential",
        "headers",
        "kong_request_id",
        "method",
        "raw_query",
        "request_id",
        "response_headers",
        "route",
        "server_port",
        "service",
        "shared",
        "started",
        "target",
        "upstream_method",
        "upstream_path",
        "version",
    )

    def __init__(
        self,
        *,
        method: bytes,
        target: bytes,
        version: float,
        raw_headers: RawHeaders,
        client: tuple[str, int],
        server_port: int,
        request_id: str,
        kong_request_id: str,
        started: float,
        body: ReadBody | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = [(name.lower(), name, value) for name, value in raw_headers]
        self.client_ip, self.client_port = client
        self.server_port = server_port
        self.request_id = request_id
        self.kong_request_id = kong_request_id
        self.started = started
        self.body = body
        self.raw_query = target.partition(b"?")[2]
        self.upstream_method = method
        self.upstream_path: bytes | None = None
        self.route: Entity | None = None
        self.service: Entity | None = None
        self.consumer: dict[bytes, LuaValue] | None = None
        self.credential: dict[bytes, LuaValue] | None = None
        self.shared: dict[bytes, LuaValue] = {}
        self.response_headers: list[tuple[bytes, bytes]] = []

    @property
    def raw_path(self) -> bytes:
        """The path as it came, without the query."""
        return self.target.partition(b"?")[0]

    @property
    def host(self) -> bytes:
        """The host that was asked for, in lower case and without a port."""
        host = (self.header(b"host") or b"").lower()
        if host.startswith(b"["):
            return host.partition(b"]")[0] + b"]"
        return host.partition(b":")[0]

    def header(self, name: bytes) -> bytes | None:
        """Give the first value of the header `name` (in lower case)."""
        for lower, _, value in self.headers:
            if lower == name:
                return value
        return None

    def header_table(self, limit: int) -> dict[bytes, LuaValue]:
        """Read at most `limit` header lines as `ngx.req.get_headers` does."""
        found: dict[bytes, LuaValue] = {}
        for lower, _, value in self.headers[:limit]:
            collect(found, lower, value)
        return found

    def clear_header(self, name: bytes) -> None:
        """Take every line of the header `name` away."""
        lower = name.lower()
        self.headers = [line for line in self.headers if line[0] != lower]

    def set_header(self, name: bytes, values: list[bytes]) -> None:
        """Put `values` in the place of what the header `name` was."""
        self.clear_header(name)
        lower = name.lower()
        self.headers.extend((lower, name, value) for value in values)

    async def read_body(self) -> bytes | None:
        """Read the body, or give None where it is too long for nginx to hold in memory."""
        if self.body is None:
            return b""
        body = await self.body(_MAX_FOR_PLUGINS + 1)
        return body if len(body) <= _MAX_FOR_PLUGINS else None
