"""Every request has an id: in its problem document, in the audit log, in the header `X-Request-ID`."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestId:
    """Middleware that gives each request an id of 32 hex digits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(16)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self._app(scope, receive, with_id)


def request_id_of(request: HTTPConnection) -> str:
    """Give the id of a request."""
    return str(request.scope["state"]["request_id"])
