"""The one writer of a region: a lease, and atomic batches that follow one another without a gap.

Everything that changes Redis is one run of `write.lua`, which first checks that the lease is ours and that the region
stands where we believe. A writer that slept past its lease, or whose Redis was flushed, restored or failed over, can
therefore write nothing until it has looked again. What timed out may have been done: then the next batch is refused
with WRONG_POSITION, and `read` tells.
"""

import hashlib
import secrets
from collections.abc import Sequence
from enum import Enum
from importlib.resources import files
from typing import Final

import msgspec
import structlog
from redis.exceptions import NoScriptError

from kong_app_auth.registry.changes import MAX_BATCH, Change, Edit, edit_of, encode_edits
from kong_app_auth.registry.connection import Client
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import NewerSchema, Position
from kong_app_auth.registry.reading import batches_after, read_meta, scan
from kong_app_auth.registry.records import (
    DECODERS,
    SCHEMA_VERSION,
    CorruptRecord,
    Record,
    RecordId,
    field_of,
    raw_of_field,
    record_id,
)

__all__ = ["NewerSchema", "Position", "RefusalReason", "Refused", "Writer", "read_contents"]

_SCRIPT: Final = files("kong_app_auth.registry").joinpath("write.lua").read_text("utf-8")
_SHA: Final = hashlib.sha1(_SCRIPT.encode("utf-8"), usedforsecurity=False).hexdigest()
_READ_ATTEMPTS: Final = 5

_log = structlog.get_logger()


class RefusalReason(Enum):
    """Why nothing was written."""

    NO_LEASE = "another writer holds the lease, or ours has run out"
    WRONG_POSITION = "the registry does not stand where this writer left it"
    NEWER_SCHEMA = "the registry was written by a newer version"


class Refused(msgspec.Struct, frozen=True):
    """Nothing was written."""

    reason: RefusalReason


class Writer:
    """Writes the registry of `region`.

    `holder` names this writer to those who look at the lease; `lease_seconds` is how long the lease lasts without a
    sign of life; `max_stream` is how many entries the stream keeps, about. Every method raises CLIENT_ERRORS where
    Redis cannot be spoken to. Not for several threads at once.
    """

    def __init__(
        self,
        client: Client,
        region: str,
        *,
        holder: str | None = None,
        lease_seconds: float = 3.0,
        max_stream: int = 20_000,
    ) -> None:
        self._client = client
        self._keys = Keys(region)
        # The random part makes a second process with the same name another writer.
        self._token = f"{holder or 'writer'}:{secrets.token_hex(16)}"
        self._lease_ms = max(1, round(lease_seconds * 1000))
        self._max_stream = max_stream
        self._position: Position | None = None

    def acquire(self) -> bool:
        """Take or renew the lease. False when another writer holds it."""
        return isinstance(self._run("acquire"), int)

    def release(self) -> None:
        """Give the lease up, if it is ours."""
        self._run("release")

    def read(self) -> tuple[Position, Contents] | None:
        """Read the whole registry, and go on from there.

        None: nothing complete and sound is there (a fresh or flushed Redis, a load that was not completed), and a new
        epoch has to be begun. Raises NewerSchema.
        """
        found = read_contents(self._client, self._keys)
        self._position = None if found is None else found[0]
        return found

    def begin_epoch(self) -> Position | Refused:
        """Empty the region and begin a new epoch in it, which followers do not take before `complete`."""
        epoch, tip = secrets.token_hex(8), secrets.token_hex(8)
        seq = self._run("begin", epoch, tip)
        if isinstance(seq, Refused):
            return seq
        self._position = Position(epoch, seq, tip)
        return self._position

    def write(self, changes: Sequence[Change]) -> Position | Refused:
        """Write one batch of at most MAX_BATCH changes (see `in_batches`), wholly or not at all.

        Raises ValueError where a change cannot be stored; nothing is written then.
        """
        if len(changes) > MAX_BATCH:
            raise ValueError(f"a batch of {len(changes)} changes; at most {MAX_BATCH} are allowed")
        if self._position is None:
            return Refused(RefusalReason.WRONG_POSITION)
        # Of several changes of one record only the last counts: hashes are written table by table, not in order.
        edits = {(edit.table, edit.id): edit for edit in map(edit_of, changes)}
        tip = secrets.token_hex(8)
        arguments: list[str | bytes | int] = [self._max_stream, tip, encode_edits(list(edits.values()))]
        for table in Table:
            arguments += _by_table(table, [edit for edit in edits.values() if edit.table is table])
        return self._from_here("write", tip, *arguments)

    def complete(self) -> Position | Refused:
        """Mark the epoch complete: followers may take it from here on."""
        return self._from_here("complete", None, self._max_stream)

    def heartbeat(self) -> Refused | None:
        """Tell the followers that the registry is up to date now, and extend the lease."""
        answer = self._from_here("heartbeat", None, self._max_stream)
        return answer if isinstance(answer, Refused) else None

    def _from_here(self, operation: str, tip: str | None, *arguments: str | bytes | int) -> Position | Refused:
        here = self._position
        if here is None:
            return Refused(RefusalReason.WRONG_POSITION)
        seq = self._run(operation, here.epoch, here.seq, here.tip, *arguments)
        if isinstance(seq, Refused):
            return seq
        self._position = Position(here.epoch, seq, here.tip if tip is None else tip)
        return self._position

    def _run(self, operation: str, *arguments: str | bytes | int) -> int | Refused:
        keys = [self._keys.lease, self._keys.meta, self._keys.changes, *(self._keys.table(table) for table in Table)]
        rest = [*keys, operation, self._token, self._lease_ms, SCHEMA_VERSION, *arguments]
        answer: list[bytes]
        try:
            answer = self._client.evalsha(_SHA, len(keys), *rest)
        except NoScriptError:
            answer = self._client.eval(_SCRIPT, len(keys), *rest)
        if answer[0] == b"OK":
            return int(answer[1])
        return Refused(RefusalReason[answer[0].decode("ascii")])


def read_contents(client: Client, keys: Keys) -> tuple[Position, Contents] | None:
    """Read a whole registry as it stands at one position, lease or not. None: nothing complete and sound is there.

    Raises NewerSchema, and CLIENT_ERRORS; TimeoutError where the registry changes faster than it can be read.
    """
    try:
        for _ in range(_READ_ATTEMPTS):
            begin = read_meta(client, keys)
            if begin is None:
                return None
            contents = Contents()
            for table in Table:
                for piece in scan(client, keys, table):
                    for field, value in piece.items():
                        _put(contents, table, raw_of_field(table, field), value)
            end = read_meta(client, keys)
            if end is None:
                return None
            position = begin.position
            for entry in batches_after(client, keys, position, end.position):
                for edit in entry.edits():
                    _put(contents, edit.table, edit.id, edit.value)
                position = entry.position
            if position == end.position:
                return position, contents
    except CorruptRecord as corrupt:
        _log.error("registry is corrupt", region=keys.region, error=str(corrupt))
        return None
    raise TimeoutError(f"the registry of {keys.region} changes faster than it can be read")


def _put(contents: Contents, table: Table, raw: bytes, value: bytes | None) -> None:
    records: dict[RecordId, Record] = getattr(contents, table.value)
    if value is None:
        records.pop(record_id(table, raw), None)
    else:
        records[record_id(table, raw)] = DECODERS[table](value)


def _by_table(table: Table, edits: list[Edit]) -> list[str | bytes | int]:
    deleted = [field_of(table, edit.id) for edit in edits if edit.value is None]
    put = [part for edit in edits if edit.value is not None for part in (field_of(table, edit.id), edit.value)]
    return [len(deleted), *deleted, len(put) // 2, *put]
