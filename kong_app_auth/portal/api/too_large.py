"""A body that is too large is told as a problem document, as every other error is.

The limit itself is Starlette's; its answer comes from outside of the application's error handlers.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kong_app_auth.portal.api.problems import MEDIA_TYPE, answer, document


class TooLarge:
    """Middleware that puts a problem document in the place of any other answer 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def instead(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == 413 and not _is_problem(message):
                replaced = True
                told = document(Request(scope), 413, "The body is larger than this server takes")
                await answer(told)(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, instead)


def _is_problem(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(MEDIA_TYPE.encode()) for name, value in message["headers"])
