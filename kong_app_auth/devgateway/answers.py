"""Answers that the gateway makes itself, in the words and with the headers of Kong 3.9."""

from aiohttp import web
from multidict import CIMultiDict

from kong_app_auth.devgateway.raw_http import text

VERSION = "3.9.1"
SERVER = f"kong/{VERSION}"
VIA = f"1.1 {SERVER}"
JSON = "application/json; charset=utf-8"

BAD_REQUEST = "Bad request"
HEADER_TOO_LARGE = "Request header or cookie too large"
URI_TOO_LONG = "URI too long"
METHOD_NOT_ALLOWED = "Method not allowed"
NO_ROUTE = "no Route matched with those values"
NO_SERVICE = "no Service found with those values"
USE_HTTPS = "Please use HTTPS protocol"
UNEXPECTED = "An unexpected error occurred"
BAD_GATEWAY = "An invalid response was received from the upstream server"
NAME_RESOLUTION = "name resolution failed"
UPSTREAM_TIMEOUT = "The upstream server is timing out"

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"keep-alive"))


def message(
    status: int, words: str, request_id: str, latency: int, extra: list[tuple[bytes, bytes]] | None = None
) -> web.Response:
    """Make Kong's JSON answer with a message and the request's id; `latency` is in milliseconds."""
    body = f'{{\n  "message":"{words}",\n  "request_id":"{request_id}"\n}}'
    return answer(status, body.encode(), [(b"Content-Type", JSON.encode()), *(extra or [])], request_id, latency)


def answer(status: int, body: bytes, headers: list[tuple[bytes, bytes]], request_id: str, latency: int) -> web.Response:
    """Make an answer of Kong's own with these headers; framing headers among them are ignored."""
    lines: CIMultiDict[str] = CIMultiDict(
        (text(name), text(value)) for name, value in headers if name.lower() not in _FRAMING
    )
    lines.setdefault("Content-Type", "text/plain; charset=UTF-8")
    lines.setdefault("Server", SERVER)
    lines["X-Kong-Response-Latency"] = str(latency)
    lines["X-Kong-Request-Id"] = request_id
    return web.Response(status=status, body=body, headers=lines)
