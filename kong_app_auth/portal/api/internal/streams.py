"""Answers that are made piece by piece in a thread of the pool, and given up when nobody reads them."""

from collections.abc import Callable

import anyio
from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kong_app_auth.portal.feed.reading import Pieces
from kong_app_auth.registry.feed import MEDIA_TYPE

STALLED_AFTER = 30.0
"""Seconds in which a reader takes nothing, after which it is left: the answer holds a connection to the database."""


class PieceByPiece(StreamingResponse):
    """Sends `pieces` and closes them whatever happens; `done` is called then. Memory is one piece's."""

    def __init__(self, pieces: Pieces, done: Callable[[], None] = lambda: None) -> None:
        super().__init__(pieces, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
        self._pieces = pieces
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as long as the client is there."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await run_in_threadpool(self._pieces.close)
            self._done()

    async def stream_response(self, send: Send) -> None:
        """Send the answer."""
        # What goes wrong before the first piece can still be told by a status.
        piece = await run_in_threadpool(next, self._pieces, b"")
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while piece:
            with anyio.fail_after(STALLED_AFTER):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await run_in_threadpool(next, self._pieces, b"")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
