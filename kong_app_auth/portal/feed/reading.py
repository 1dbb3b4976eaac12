"""The feed as it is sent: a snapshot of a region, or what changed after a cursor, piece by piece in constant memory.

Both are iterators of pieces of NDJSON that hold a transaction, and a connection, until they are read to the end or
closed. The first piece is there only when the answer is known to be possible.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

import msgspec
from sqlalchemy import Row, select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import Gone
from kong_app_auth.portal.feed.epoch import position
from kong_app_auth.portal.feed.projection import everything
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.feed import FeedChange, FeedPosition
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.registry.feed import VERSION, Cursor, encode_end, encode_header, encode_line

MANY: Final = 10_000
"""Changes after which an answer goes no further: it ends with the transaction that this one belongs to."""
PIECE: Final = 64 * 1024
_HELD: Final = 16
"""Pieces of an answer that are read at once, so that most hold no connection while they are sent."""
_STREAMED: Final = 1000
_NOTHING: Final = b"nothing"
_SOMETHING: Final = b"something"

Pieces = Generator[bytes, None, None]


def snapshot(plane: ControlPlane, region: str) -> Pieces:
    """Send everything that a region's gateways may know, as of one moment of the database."""
    _ensure(plane, region)
    with plane.read(_reader(region), mode="snapshot") as tx:
        at = _position(tx)
        lines = (encode_line(key, record) for key, record in everything(tx.session, region))
        yield from _pieces(region, Cursor(at.epoch, at.seq), lines)


class Changes(msgspec.Struct, frozen=True):
    """An answer to `changes`. `whole`: it is in memory, and holds no connection any more."""

    pieces: Pieces
    whole: bool


def changes(plane: ControlPlane, region: str, after: Cursor) -> Changes | None:
    """Send what was committed after a cursor, whole transactions in their order; None: nothing was.

    Raises Gone for a cursor that cannot be followed.
    """
    pieces = _changes(plane, region, after)
    if next(pieces) == _NOTHING:
        pieces.close()
        return None
    begun = list(islice(pieces, _HELD))
    return Changes(_joined(begun, pieces), whole=len(begun) < _HELD)


def _joined(begun: list[bytes], rest: Pieces) -> Pieces:
    with closing(rest):
        yield from begun
        yield from rest


def nothing(region: str, after: Cursor) -> Pieces:
    """Send that nothing changed after a cursor."""
    yield from _pieces(region, after, ())


def _changes(plane: ControlPlane, region: str, after: Cursor) -> Pieces:
    with plane.read(_reader(region), mode="snapshot") as tx:
        at = tx.session.execute(
            select(FeedPosition.epoch, FeedPosition.version, FeedPosition.seq, FeedPosition.oldest).where(
                FeedPosition.region == region
            )
        ).first()
        if at is None or (at.epoch, at.version) != (after.epoch, VERSION):
            raise Gone("The cursor is of another epoch: take a snapshot")
        if after.seq > at.seq or after.seq + 1 < at.oldest:
            raise Gone("The cursor is too old, or from the future: take a snapshot")
        if after.seq == at.seq:
            yield _NOTHING
            return
        yield _SOMETHING
        upto = at.seq if at.seq == after.seq + 1 else _upto(tx, after.seq, at.seq)
        found = tx.session.execute(
            select(FeedChange.line)
            .where(FeedChange.region == region, FeedChange.seq > after.seq, FeedChange.seq <= upto)
            .order_by(FeedChange.seq, FeedChange.ordinal),
            execution_options={"yield_per": _STREAMED},
        )
        yield from _pieces(region, Cursor(after.epoch, upto), (row[0].encode() for row in found))


def _upto(tx: Transaction, after: int, newest: int) -> int:
    """Give the number of the transaction that the change numbered `MANY` belongs to: none is split."""
    found: int | None = tx.session.scalar(
        select(FeedChange.seq)
        .where(FeedChange.region == tx.region, FeedChange.seq > after)
        .order_by(FeedChange.seq, FeedChange.ordinal)
        .offset(MANY - 1)
        .limit(1)
    )
    return newest if found is None else found


def _ensure(plane: ControlPlane, region: str) -> None:
    """Let the region have a position, which only a writer can give it."""
    with plane.read(_reader(region)) as tx:
        found = tx.session.scalar(select(FeedPosition.version).where(FeedPosition.region == region))
    if found != VERSION:
        with plane.write(_reader(region)) as tx:
            position(tx)


def _position(tx: Transaction) -> Row[str, int]:
    return tx.session.execute(
        select(FeedPosition.epoch, FeedPosition.seq).where(FeedPosition.region == tx.region)
    ).one()


def _pieces(region: str, cursor: Cursor, lines: Iterable[bytes]) -> Iterator[bytes]:
    piece = bytearray(encode_header(region, cursor) + b"\n")
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007  the last one is told at the end
        piece += line
        piece += b"\n"
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + encode_end(count) + b"\n"


def _reader(region: str) -> System:
    return System(region, "feed")
