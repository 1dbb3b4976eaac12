"""A change of a registry: the whole new record, or its deletion. Applying one twice does no harm."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import TYPES, CorruptRecord, Record, RecordId, encode, raw_id

MAX_BATCH: Final = 1000
"""Changes in one atomic write. A script's arguments and a follower's memory are both bounded by it."""
MAX_BATCH_BYTES: Final = 1024 * 1024


class Put(msgspec.Struct, frozen=True):
    """`record` is under `id` from now on."""

    table: Table
    id: RecordId
    record: Record

    def __post_init__(self) -> None:
        """Refuse a record of another table: a mistake of the program, not of its input."""
        if type(self.record) is not TYPES[self.table]:
            raise TypeError(f"a {type(self.record).__name__} is no record of {self.table}")

    def __repr__(self) -> str:
        """Name the record without the digest of a key."""
        return f"Put({self.table.value}, {_shown(self.table, self.id)})"


class Delete(msgspec.Struct, frozen=True):
    """There is nothing under `id` from now on."""

    table: Table
    id: RecordId

    def __repr__(self) -> str:
        """Name the record without the digest of a key."""
        return f"Delete({self.table.value}, {_shown(self.table, self.id)})"


Change: TypeAlias = Put | Delete


class Edit(msgspec.Struct, frozen=True, array_like=True):
    """A change as it travels: table, raw id, encoded record or None for a deletion."""

    table: Table
    id: bytes
    value: bytes | None

    def __repr__(self) -> str:
        """Name the table only."""
        return f"Edit({self.table.value})"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Edit])


def edit_of(change: Change) -> Edit:
    """Encode one change. Raises ValueError where id or record cannot be stored."""
    value = encode(change.record) if isinstance(change, Put) else None
    return Edit(change.table, raw_id(change.table, change.id), value)


def encode_edits(edits: list[Edit]) -> bytes:
    """Encode a batch for its entry in the stream."""
    return _encoder.encode(edits)


def decode_edits(data: bytes) -> list[Edit]:
    """Undo `encode_edits`. Raises CorruptRecord."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord("changes") from None


def in_batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Split changes, in their order, into batches that `Writer.write` takes."""
    batch: list[Change] = []
    size = 0
    for change in changes:
        edit = edit_of(change)
        length = len(edit.id) + len(edit.value or b"") + 32
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += length
    if batch:
        yield batch


def _shown(table: Table, record_id: RecordId) -> str:
    return "…" if table is Table.CREDENTIALS or isinstance(record_id, bytes) else record_id
