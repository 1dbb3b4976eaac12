"""The proxy's HTTP server: aiohttp's, with nginx's limits on headers and Kong's answers to what it cannot parse."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from kong_app_auth.devgateway import answers
from kong_app_auth.devgateway.raw_http import RawHeaderWriter

_log = structlog.get_logger()
MAX_HEADER_LINE = 8 * 1024
"""Bytes of one header: one of nginx's `large_client_header_buffers`."""
MAX_REQUEST_LINE = MAX_HEADER_LINE + 1
"""One more, so that the parser's complaint tells a long URI from a long header."""
MAX_HEADER_BYTES = 32 * 1024
"""Bytes of all headers together: four of those buffers."""
MAX_HEADERS = 6 * 1024

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class ProxyServer(web.Server):
    """Serves `handler`, which is cancelled when its client goes away."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, request_factory=_make_request, handler_cancellation=True)

    def __call__(self) -> RequestHandler:
        """Make the protocol of one connection."""
        return _ProxyProtocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for "no access log"
            auto_decompress=False,
            keepalive_timeout=75.0,
            max_line_size=MAX_REQUEST_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
        )


class _ProxyProtocol(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it may hold what the client sent
    ) -> web.StreamResponse:
        """Answer what cannot be parsed, and close the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        words = answers.BAD_REQUEST if status == 400 else answers.UNEXPECTED
        if isinstance(exc, LineTooLong):
            too_long = str(MAX_REQUEST_LINE) in str(exc.args[1:])
            status, words = (414, answers.URI_TOO_LONG) if too_long else (400, answers.HEADER_TOO_LARGE)
        elif exc is not None and "Too many headers" in str(exc):
            words = answers.HEADER_TOO_LARGE
        _log.info("request refused", status=status, reason=type(exc).__name__)
        response = answers.message(status, words, secrets.token_hex(16), 0)
        response.force_close()
        return response


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    _writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, RawHeaderWriter(protocol, loop), task, loop)
