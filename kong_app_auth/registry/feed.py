"""How a region's registry travels from a portal to its sync daemon: NDJSON (JSON lines in UTF-8) over HTTP.

| line | meaning |
|---|---|
| `{"version":2,"region":"eu","cursor":"…"}` | the first: how to read the rest, and where to go on after it |
| `["apis","<id>",<record>]` | the record is under this id from now on; `null`: there is nothing under it any more |
| `{"records":2}` | the last: how many lines were between; without it the answer was cut off |

A snapshot holds every record, an answer to `changes` those that changed after a cursor. The keys of issuers do not
travel here, for the daemon fetches them. A cursor names an epoch and a number in it; one that the portal cannot follow
(another epoch, too old, from the future) gets 410, and the daemon takes a snapshot. Credentials are named by the hex
SHA-256 of their key. Unknown fields and elements are passed over;
`version` rises when a daemon of today could misunderstand what a portal writes.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from kong_app_auth.registry.changes import Change, Delete, Put, edit_of
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import MAX_SEQ
from kong_app_auth.registry.records import TYPES, Record

VERSION: Final = 2
MEDIA_TYPE: Final = "application/x-ndjson"
MAX_LINE: Final = 1024 * 1024
"""Bytes of a line. A record has at most 256 KiB in the registry, and somewhat more as JSON."""
MAX_CURSOR: Final = 64
MAX_WAIT: Final = 25.0
"""Seconds that a portal lets a daemon wait for changes."""

_EPOCH: Final = re.compile(r"[0-9a-f]{1,32}", re.ASCII)
_SEQ: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_CURSOR: Final = re.compile(rf"[0-9A-Za-z._~-]{{1,{MAX_CURSOR}}}", re.ASCII)
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BadFeed(Exception):  # noqa: N818 – says what it is
    """What was received is no feed. The message says what is wrong, and nothing of the content."""


class NewerFeed(Exception):  # noqa: N818 – says what it is
    """The feed is of a newer version of this program, and must not be interpreted by this one."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the portal's feed has version {found}; this program knows {VERSION}")


class Key(msgspec.Struct, frozen=True):
    """Names a record of a registry. Credentials are named by the hex SHA-256 of their key."""

    table: Table
    id: str

    def __repr__(self) -> str:
        """Name the record without the digest of a key."""
        return f"Key({self.table.value}, {'…' if self.table is Table.CREDENTIALS else self.id})"


class Cursor(msgspec.Struct, frozen=True):
    """A place in a region's changes: after the one numbered `seq` of `epoch`. Only the portal looks into it."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        """Give it as it travels."""
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """Undo `str`; None for what is no cursor."""
        epoch, _, seq = text.partition("-")
        if not _EPOCH.fullmatch(epoch) or not _SEQ.fullmatch(seq) or int(seq) > MAX_SEQ:
            return None
        return cls(epoch, int(seq))


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    version: int
    region: str
    cursor: str


class _End(msgspec.Struct, frozen=True):
    records: int


class _Line(msgspec.Struct, frozen=True, array_like=True):
    table: Table
    id: str
    record: msgspec.Raw


class _Version(msgspec.Struct, frozen=True):
    version: int


_encoder = msgspec.json.Encoder()
_version = msgspec.json.Decoder(_Version)
_header = msgspec.json.Decoder(Header)
_line = msgspec.json.Decoder(_Line)
_end = msgspec.json.Decoder(_End)
_records: dict[Table, msgspec.json.Decoder[Record]] = {
    table: msgspec.json.Decoder(kind) for table, kind in TYPES.items()
}


def encode_header(region: str, cursor: Cursor) -> bytes:
    """Give the first line, without the line feed, as all lines here."""
    return _encoder.encode(Header(VERSION, region, str(cursor)))


def encode_end(records: int) -> bytes:
    """Give the last line."""
    return _encoder.encode(_End(records))


def encode_line(key: Key, record: Record | None) -> bytes:
    """Give the line of a record, None for one that is gone. Raises ValueError where the registry cannot store it."""
    edit_of(_change(key, record))
    return _encoder.encode((key.table, key.id, record))


def decode_header(line: bytes, region: str) -> Header:
    """Read the first line of a feed of `region`. Raises BadFeed and NewerFeed."""
    try:
        version = _version.decode(line).version
        if version > VERSION:
            raise NewerFeed(version)
        header = _header.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadFeed("it does not begin with a header") from None
    if header.region != region:
        raise BadFeed("it is of another region")
    if not _CURSOR.fullmatch(header.cursor):
        raise BadFeed("its cursor is none")
    return header


def decode_line(line: bytes) -> Change:
    """Read the line of a record: what it changes. Raises BadFeed for anything that the registry could not store."""
    try:
        read = _line.decode(line)
        if read.table is Table.ISSUERS:
            raise BadFeed("a portal has no say on the keys of issuers")
        record = None if bytes(read.record) == b"null" else _records[read.table].decode(read.record)
        key = Key(read.table, read.id)
        change = _change(key, record)
        edit_of(change)
    except (msgspec.MsgspecError, UnicodeError, ValueError):
        raise BadFeed("a line is no record") from None
    # A credential is found by its digest and has an id of its own beside it.
    if record is not None and key.table is not Table.CREDENTIALS and record.id != key.id:
        raise BadFeed("a record is not the one that its line names")
    return change


def decode(lines: Iterable[bytes], region: str) -> tuple[Header, Iterator[Change]]:
    """Read a feed of `region`: its header now, its changes as they are asked for.

    Raises BadFeed and NewerFeed, also while the changes are read: none of them count before the last was given.
    """
    rest = iter(lines)
    return decode_header(next(rest, b""), region), _decode_rest(rest)


def _decode_rest(lines: Iterator[bytes]) -> Iterator[Change]:
    for count, line in enumerate(lines):
        if line.startswith(b"{"):
            try:
                expected = _end.decode(line).records
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise BadFeed("its last line is none") from None
            if expected != count or next(lines, None) is not None:
                raise BadFeed("it has more or fewer records than it says")
            return
        yield decode_line(line)
    raise BadFeed("it was cut off")


def _change(key: Key, record: Record | None) -> Change:
    if key.table is Table.CREDENTIALS and not _HEX_DIGEST.fullmatch(key.id):
        raise ValueError("a credential is named by 64 hexadecimal digits")
    record_id = bytes.fromhex(key.id) if key.table is Table.CREDENTIALS else key.id
    return Delete(key.table, record_id) if record is None else Put(key.table, record_id, record)
