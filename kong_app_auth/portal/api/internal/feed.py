"""The feed of a region, for its sync daemons. See `registry.feed` for the format.

A daemon that waits holds no thread and no connection to the database.
"""

import asyncio
from typing import Annotated, Final

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from kong_app_auth.portal.api.internal.region_token import TokensRegion
from kong_app_auth.portal.api.internal.streams import PieceByPiece
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import plane_of
from kong_app_auth.portal.errors import Gone, Unavailable
from kong_app_auth.portal.feed import reading
from kong_app_auth.portal.feed.watching import FeedWatch, Waiter
from kong_app_auth.registry.feed import MAX_CURSOR, MAX_WAIT, Cursor

MOST_STREAMS: Final = 4
"""Snapshots, and changes as many as a snapshot, at a time in one process: each holds a connection to the database."""
MOST_LOOKS: Final = 8
"""Waiters that look for changes at the same time. They must not use up the threads and connections that others need."""

routes = router("/internal/v1/regions", "Feed")


class FeedService:
    """What the application keeps for its feed: who waits and looks, and how many long answers are under way."""

    def __init__(self, watch: FeedWatch) -> None:
        self.watch = watch
        self.looking = asyncio.Semaphore(MOST_LOOKS)
        self._streams = 0

    def begin_stream(self) -> None:
        """Take one of the places. Raises Unavailable where none is left."""
        if self._streams >= MOST_STREAMS:
            raise Unavailable("Too many snapshots are under way")
        self._streams += 1

    def end_stream(self) -> None:
        """Give the place back."""
        self._streams -= 1


@routes.get("/{region}/snapshot")
async def snapshot(request: Request, region: TokensRegion) -> Response:
    """Everything that the region's gateways may know, as of one moment."""
    service = _service(request)
    service.begin_stream()
    return PieceByPiece(reading.snapshot(plane_of(request), region), service.end_stream)


@routes.get("/{region}/changes")
async def changes(
    request: Request,
    region: TokensRegion,
    after: Annotated[str, Query(max_length=MAX_CURSOR)],
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = MAX_WAIT,
) -> Response:
    """What was committed after the cursor `after`, as soon as there is something; at most `wait` seconds later."""
    cursor = Cursor.parse(after)
    if cursor is None:
        raise Gone("The cursor is none: take a snapshot")
    plane, service = plane_of(request), _service(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    with service.watch.waiting(region, cursor) as waiter:
        while True:
            waiter.moved.clear()
            async with service.looking:
                found = await run_in_threadpool(reading.changes, plane, region, cursor)
            if found is not None:
                return await _answer(service, found)
            left = until - loop.time()
            if left <= 0 or service.watch.closed or not await _moved(request, waiter, left):
                return PieceByPiece(reading.nothing(region, cursor))


async def _answer(service: FeedService, found: reading.Changes) -> Response:
    if found.whole:
        return PieceByPiece(found.pieces)
    try:
        service.begin_stream()
    except Unavailable:
        await run_in_threadpool(found.pieces.close)
        raise
    return PieceByPiece(found.pieces, service.end_stream)


async def _moved(request: Request, waiter: Waiter, seconds: float) -> bool:
    """Wait until there may be something. False: the time is over, or nobody is there to be told."""
    gone, moved = asyncio.ensure_future(_gone(request)), asyncio.ensure_future(waiter.moved.wait())
    try:
        await asyncio.wait({gone, moved}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return moved.done() and not gone.done()
    finally:
        for one in (gone, moved):
            one.cancel()
        await asyncio.gather(gone, moved, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _service(request: Request) -> FeedService:
    service: FeedService = request.app.state.feed
    return service
