"""A request through the gateway: route, plugins, upstream, answer."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from kong_app_auth.devgateway import answers
from kong_app_auth.devgateway.entities import Entity, strings
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.http_server import MAX_HEADER_BYTES
from kong_app_auth.devgateway.outcomes import ExitRequest, LuaError
from kong_app_auth.devgateway.pdk import response_lines
from kong_app_auth.devgateway.plugins import PluginPlan
from kong_app_auth.devgateway.raw_http import RawHeaderRequest, multidict, raw, text
from kong_app_auth.devgateway.router import Match, Router
from kong_app_auth.devgateway.uri import escape, normalize

_log = structlog.get_logger()
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_SET_BY_KONG = frozenset(
    (
        b"host",
        b"expect",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-path",
        b"x-forwarded-prefix",
        b"x-real-ip",
        b"x-kong-request-id",
        b"via",
    )
)
_NOT_IN_A_QUERY = re.compile(rb"[\x00-\x20\x7f#]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_AUTO = frozenset(("User-Agent", "Accept", "Accept-Encoding", "Content-Type"))


class Snapshot:
    """One configuration, ready for requests."""

    def __init__(self, router: Router, plan: PluginPlan) -> None:
        self.router = router
        self.plan = plan


class _Body:
    """The client's body: plugins may look at its beginning, the upstream gets all of it."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._beginning = b""
        self._asked = False

    async def peek(self, most: int) -> bytes:
        """Give the first `most` bytes, or all of it if it is shorter."""
        await self._expected()
        while len(self._beginning) < most and not self._request.content.at_eof():
            self._beginning += await self._request.content.read(most - len(self._beginning))
        return self._beginning

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give it all."""
        await self._expected()
        if self._beginning:
            yield self._beginning
        async for chunk in self._request.content.iter_any():
            yield chunk

    async def _expected(self) -> None:
        """Tell a client that waits for it to go on."""
        if not self._asked:
            self._asked = True
            transport = self._request.transport
            if self._request.headers.get("Expect", "").lower() == "100-continue" and transport is not None:
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


class _ProxiedResponse(web.StreamResponse):
    """An upstream's answer: aiohttp's defaults for missing headers are left out, and the headers go out with the first
    bytes of the body.
    """

    _send_headers_immediately = False

    async def _prepare_headers(self) -> None:
        untyped = "Content-Type" not in self.headers
        anonymous = "Server" not in self.headers
        await super()._prepare_headers()
        if untyped:
            self.headers.popall("Content-Type", None)
        if anonymous:
            self.headers.popall("Server", None)


class Proxy:
    """Handles requests with the snapshot in force. `start` before use, `close` afterwards."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.requests = 0
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[tuple[object, object], aiohttp.ClientTimeout] = {}

    def start(self) -> None:
        """Open the pool of connections to upstreams."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=False, keepalive_timeout=60.0),
            request_class=RawHeaderRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NO_AUTO,
            max_field_size=MAX_HEADER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
        )

    async def close(self) -> None:
        """Close the connections to upstreams."""
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        self.requests += 1
        started = time.time()
        kong_request_id = secrets.token_hex(16)
        try:
            exchange = _exchange(request, kong_request_id, started)
            if isinstance(exchange, web.Response):
                return exchange
            return await self._serve(request, exchange)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  # a client gets Kong's 500, never a traceback
            _log.error("request failed", error=type(error).__name__, request_id=kong_request_id, exc_info=True)
            return answers.message(500, answers.UNEXPECTED, kong_request_id, _since(started))

    async def _serve(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        snapshot = self.snapshot
        path = normalize(exchange.raw_path)
        match = None if snapshot is None else snapshot.router.find(exchange, path)
        if snapshot is None or match is None:
            return _message(404, answers.NO_ROUTE, exchange)
        protocols = strings(match.route, "protocols")
        if "http" not in protocols:
            upgrade = [(b"Connection", b"Upgrade"), (b"Upgrade", b"TLS/1.2, HTTP/1.1")]
            status = match.route.get("https_redirect_status_code")
            return _message(status if isinstance(status, int) else 426, answers.USE_HTTPS, exchange, upgrade)
        if match.service is None:
            return _message(503, answers.NO_SERVICE, exchange)
        exchange.route, exchange.service = match.route, match.service
        exchange.upstream_path = _upstream_path(match, path)
        body = _Body(request) if request.body_exists else None
        if body is not None:
            exchange.body = body.peek
        try:
            await snapshot.plan.run(str(match.route["id"]), str(match.service["id"]), exchange)
        except ExitRequest as ending:
            lines = [line for name, value in ending.answer.headers.items() for line in response_lines(name, value)]
            given = {name.lower() for name, _ in lines}
            lines.extend(line for line in exchange.response_headers if line[0].lower() not in given)
            latency = _since(exchange.started)
            return answers.answer(ending.answer.status, ending.answer.body, lines, exchange.kong_request_id, latency)
        except LuaError as error:
            _log.error("plugin failed", error=str(error)[:500], request_id=exchange.kong_request_id)
            return _message(500, answers.UNEXPECTED, exchange, exchange.response_headers)
        return await self._forward(request, exchange, match, body)

    async def _forward(
        self, request: web.BaseRequest, exchange: Exchange, match: Match, body: _Body | None
    ) -> web.StreamResponse:
        service = match.service
        if self._session is None or service is None:
            raise RuntimeError("the proxy has not been started")
        proxy_latency = _since(exchange.started)
        sent = time.time()
        try:
            upstream = await self._session.request(
                exchange.upstream_method.decode("latin-1"),
                _url(service, exchange),
                headers=_upstream_headers(exchange, match),
                data=None if body is None else body.chunks(),
                allow_redirects=False,
                timeout=self._timeout(service),
            )
        except TimeoutError:
            return _message(504, answers.UPSTREAM_TIMEOUT, exchange, exchange.response_headers)
        except aiohttp.ClientConnectorDNSError:
            return _message(503, answers.NAME_RESOLUTION, exchange, exchange.response_headers)
        except aiohttp.ClientError as error:
            _log.warning("upstream failed", error=type(error).__name__, request_id=exchange.kong_request_id)
            return _message(502, answers.BAD_GATEWAY, exchange, exchange.response_headers)
        async with upstream:
            response = _ProxiedResponse(
                status=upstream.status,
                reason=_reason(upstream.reason),
                headers=_client_headers(upstream, exchange, proxy_latency, _since(sent)),
            )
            await response.prepare(request)
            try:
                async for chunk in upstream.content.iter_any():
                    await response.write(chunk)
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.warning("upstream broke off", error=type(error).__name__, request_id=exchange.kong_request_id)
                request.protocol.force_close()
                raise ConnectionResetError("upstream broke off") from error
            await response.write_eof()
        return response

    def _timeout(self, service: Entity) -> aiohttp.ClientTimeout:
        key = (service.get("connect_timeout"), service.get("read_timeout"))
        timeout = self._timeouts.get(key)
        if timeout is None:
            connect, read = (each / 1000 if isinstance(each, int) else 60.0 for each in key)
            timeout = self._timeouts[key] = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read)
        return timeout


def _exchange(request: web.BaseRequest, kong_request_id: str, started: float) -> Exchange | web.Response:
    """Read the request line and headers, or refuse them as nginx would."""
    headers = request.raw_headers
    if sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEADER_BYTES:
        response = answers.message(400, answers.HEADER_TOO_LARGE, kong_request_id, 0)
        response.force_close()
        return response
    if request.method in {"TRACE", "CONNECT"}:
        return answers.message(405, answers.METHOD_NOT_ALLOWED, kong_request_id, 0)
    target = raw(request.raw_path).partition(b"#")[0]
    if not target.startswith(b"/"):
        scheme, found, rest = target.partition(b"://")
        if not found or scheme.lower() not in {b"http", b"https"}:
            return answers.message(400, answers.BAD_REQUEST, kong_request_id, 0)
        authority = re.match(rb"[^/?]*", rest)
        target = rest[authority.end() if authority else 0 :]
        if not target.startswith(b"/"):
            target = b"/" + target
    transport = request.transport
    peer: object = None if transport is None else transport.get_extra_info("peername")
    own: object = None if transport is None else transport.get_extra_info("sockname")
    return Exchange(
        method=request.method.encode(),
        target=target,
        version=request.version.major + request.version.minor / 10,
        raw_headers=headers,
        client=_address(peer),
        server_port=_address(own)[1],
        request_id=secrets.token_hex(16),
        kong_request_id=kong_request_id,
        started=started,
    )


def _address(name: object) -> tuple[str, int]:
    """Read a socket's name; that of a connection which is gone already is empty."""
    if not isinstance(name, tuple):
        return "", 0
    parts = cast("tuple[object, ...]", name)
    host, port = parts[:2] if len(parts) > 1 else ("", 0)
    return (host, port) if isinstance(host, str) and isinstance(port, int) else ("", 0)


def _upstream_path(match: Match, path: bytes) -> bytes:
    """Join the service's path and what is left of the request's (Kong's `path_handling` v0)."""
    rest = path[len(match.stripped) :]
    base = match.service.get("path") if match.service is not None else None
    prefix = base.encode() if isinstance(base, str) else b"/"
    if not rest:
        return prefix
    return prefix.rstrip(b"/") + (rest if rest.startswith(b"/") else b"/" + rest)


def _url(service: Entity, exchange: Exchange) -> URL:
    query = exchange.raw_query
    if _NOT_IN_A_QUERY.search(query):
        query = _NOT_IN_A_QUERY.sub(lambda found: b"%%%02X" % found[0][0], query)
    port = service["port"]
    return URL.build(
        scheme=str(service["protocol"]),
        host=str(service["host"]).strip("[]"),
        port=port if isinstance(port, int) else None,
        path=escape(exchange.upstream_path or b"/").decode("ascii"),
        query_string=text(query),
        encoded=True,
    )


def _upstream_headers(exchange: Exchange, match: Match) -> "CIMultiDict[str]":
    """Make the headers for the upstream: Kong's own, and the exchange's without those of the connection."""
    dropped: set[bytes] = set(_HOP_BY_HOP)
    host = b""
    forwarded_for = b""
    for lower, _, value in exchange.headers:
        if lower == b"connection":
            dropped.update(token.strip().lower() for token in value.split(b","))
        elif lower == b"host":
            host = host or value
        elif lower == b"x-forwarded-for":
            forwarded_for += value + b", "
    service = match.service or {}
    port = service.get("port")
    upstream_host = str(service.get("host"))
    if port != _DEFAULT_PORTS.get(str(service.get("protocol"))):
        upstream_host += f":{port}"
    lines = [
        (b"Host", host if match.route.get("preserve_host") is True and host else upstream_host.encode()),
        (b"Connection", b"keep-alive"),
        (b"X-Forwarded-For", forwarded_for + exchange.client_ip.encode()),
        (b"X-Forwarded-Proto", b"http"),
        (b"X-Forwarded-Host", exchange.host),
        (b"X-Forwarded-Port", b"%d" % exchange.server_port),
        (b"X-Forwarded-Path", exchange.raw_path),
        (b"X-Real-IP", exchange.client_ip.encode()),
        (b"X-Kong-Request-Id", exchange.kong_request_id.encode()),
        (b"Via", answers.VIA.encode()),
    ]
    if match.stripped:
        lines.append((b"X-Forwarded-Prefix", match.stripped.rstrip(b"/") or b"/"))
    lines.extend(
        (name, value) for lower, name, value in exchange.headers if lower not in dropped and lower not in _SET_BY_KONG
    )
    return multidict(tuple(lines))


def _client_headers(
    upstream: aiohttp.ClientResponse, exchange: Exchange, proxy_latency: int, upstream_latency: int
) -> "CIMultiDict[str]":
    dropped: set[bytes] = set(_HOP_BY_HOP)
    for name, value in upstream.raw_headers:
        if name.lower() == b"connection":
            dropped.update(token.strip().lower() for token in value.split(b","))
    lines = [(name, value) for name, value in upstream.raw_headers if name.lower() not in dropped]
    headers = multidict((*lines, *exchange.response_headers))
    headers["X-Kong-Upstream-Latency"] = str(upstream_latency)
    headers["X-Kong-Proxy-Latency"] = str(proxy_latency)
    headers.add("Via", answers.VIA)
    headers["X-Kong-Request-Id"] = exchange.kong_request_id
    return headers


def _message(
    status: int, words: str, exchange: Exchange, extra: list[tuple[bytes, bytes]] | None = None
) -> web.Response:
    return answers.message(status, words, exchange.kong_request_id, _since(exchange.started), extra)


def _reason(reason: str | None) -> str | None:
    return None if reason is None or "\n" in reason or "\r" in reason else reason


def _since(started: float) -> int:
    """Milliseconds since a time."""
    return max(0, int((time.time() - started) * 1000))
