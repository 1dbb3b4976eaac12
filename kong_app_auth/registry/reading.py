"""Reading a region from Redis: where it stands, its tables, and the stream of what changed."""

from collections.abc import Iterator
from typing import Final

import msgspec

from kong_app_auth.registry.changes import Edit, decode_edits
from kong_app_auth.registry.connection import Client, StreamEntry
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import MAX_SEQ, NewerSchema, Position
from kong_app_auth.registry.records import SCHEMA_VERSION, CorruptRecord

SCAN_COUNT: Final = 1000
_ENTRIES_AT_ONCE: Final = 20
_FIELDS: Final = ["schema", "epoch", "seq", "tip", "complete", "written_at"]


class Entry(msgspec.Struct, frozen=True):
    """An entry of the stream of changes.

    `at` is when it was written, Unix time in seconds by Redis' clock. A heartbeat has no `prev_tip` and no `edits`.
    """

    id: str
    position: Position
    at: float
    prev_tip: str | None
    data: bytes | None

    def __repr__(self) -> str:
        """Leave the data out: there are digests in it."""
        return f"Entry({self.id})"

    def edits(self) -> list[Edit]:
        """Decode the batch. Raises CorruptRecord."""
        return [] if self.data is None else decode_edits(self.data)

    def follows(self, position: Position) -> bool:
        """Say whether this is the batch that comes after `position`."""
        return (
            self.prev_tip == position.tip
            and self.position.epoch == position.epoch
            and self.position.seq == position.seq + 1
        )


class Meta(msgspec.Struct, frozen=True):
    """Where a complete registry stands; `written_at` is Unix time in seconds by Redis' clock."""

    position: Position
    written_at: float


def read_meta(client: Client, keys: Keys) -> Meta | None:
    """Read where the region stands. None where nothing complete is there. Raises NewerSchema and CorruptRecord."""
    schema, epoch, seq, tip, complete, written_at = client.hmget(keys.meta, _FIELDS)
    if schema is not None:
        check_schema(schema)
    if epoch is None or complete != b"1":
        return None
    return Meta(_position(epoch, seq, tip), _seconds(written_at))


def check_schema(text: bytes) -> None:
    """Raise NewerSchema where `text` is the number of a newer schema, CorruptRecord where it is no number."""
    if (found := _number(text)) > SCHEMA_VERSION:
        raise NewerSchema(found, SCHEMA_VERSION)


def scan(client: Client, keys: Keys, table: Table) -> Iterator[dict[bytes, bytes]]:
    """Read a table in pieces: fields and values as Redis holds them.

    What is there from beginning to end is read at least once; what changes meanwhile is read as it was or as it is, so
    that the entries written meanwhile have to be applied afterwards.
    """
    cursor = 0
    while True:
        cursor, piece = client.hscan(keys.table(table), cursor, count=SCAN_COUNT)
        yield piece
        if cursor == 0:
            return


def batches_after(client: Client, keys: Keys, position: Position, until: Position) -> Iterator[Entry]:
    """Read the batches that lead from `position` to `until`. Ends early where the stream does not hold them all."""
    while position != until:
        page = client.xrange(keys.changes, min=f"{position.seq + 1}-0", count=_ENTRIES_AT_ONCE)
        for raw in page:
            entry = decode_entry(raw)
            if entry.data is None:
                continue
            if not entry.follows(position):
                return
            yield entry
            position = entry.position
            if position == until:
                return
        if not any(b"edits" in fields for _, fields in page):
            return


def decode_entry(raw: StreamEntry) -> Entry:
    """Decode an entry of the stream. Raises NewerSchema and CorruptRecord."""
    entry_id, fields = raw
    if not fields:  # how redis-py tells of an entry that was deleted
        raise CorruptRecord("changes")
    check_schema(fields.get(b"v", b""))
    prev, data = fields.get(b"prev"), fields.get(b"edits")
    if (prev is None) != (data is None):
        raise CorruptRecord("changes")
    return Entry(
        id=entry_id.decode("ascii", "replace"),
        position=_position(fields.get(b"epoch"), fields.get(b"seq"), fields.get(b"tip")),
        at=_seconds(fields.get(b"at")),
        prev_tip=None if prev is None else _text(prev),
        data=data,
    )


def _position(epoch: bytes | None, seq: bytes | None, tip: bytes | None) -> Position:
    return Position(_text(epoch), _number(seq), _text(tip))


def _text(value: bytes | None) -> str:
    if value is None or not 0 < len(value) <= 64 or not value.isascii():
        raise CorruptRecord("meta")
    return value.decode("ascii")


def _number(value: bytes | None) -> int:
    if value is None or len(value) > 16 or not value.isdigit() or int(value) > MAX_SEQ:
        raise CorruptRecord("meta")
    return int(value)


def _seconds(milliseconds: bytes | None) -> float:
    return _number(milliseconds) / 1000
