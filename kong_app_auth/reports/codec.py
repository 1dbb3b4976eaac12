"""Reports as bytes: in a datagram, in an entry of the region's stream, in a request to the portal."""

from collections.abc import Mapping
from typing import Final

import msgspec

from kong_app_auth.reports.records import MAX_NODE, Batch, Report, Taken, is_node_name

VERSION: Final = b"1"
MAX_BYTES: Final = 64 * 1024
"""No report is longer; what is, comes from somebody else."""
MAX_STREAM: Final = 5_000
"""About how many entries the stream keeps: some minutes of hundred nodes, hours of one."""

_report = msgspec.msgpack.Decoder(Report)
_batch = msgspec.json.Decoder(Batch)
_taken = msgspec.json.Decoder(Taken)
_pack = msgspec.msgpack.Encoder()
_write = msgspec.json.Encoder()


class CorruptReport(ValueError):  # noqa: N818  says what it is
    """These bytes are no report. The text never quotes them."""


def encode(report: Report) -> bytes:
    """Encode for a datagram or an entry."""
    return _pack.encode(report)


def decode(data: bytes) -> Report:
    """Undo `encode`. Raises CorruptReport."""
    if len(data) > MAX_BYTES:
        raise CorruptReport("the report is too long")
    try:
        return _report.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptReport("this is no report") from None


def entry(node: str, report: Report) -> dict[str, bytes]:
    """The fields of an entry of the stream. `node` says which gateway speaks."""
    return {"v": VERSION, "node": node.encode("utf-8", "replace")[:MAX_NODE], "report": encode(report)}


def decode_entry(fields: Mapping[bytes, bytes]) -> Report | None:
    """Undo `entry`; None for one of a newer version. Raises CorruptReport."""
    if fields.get(b"v") != VERSION:
        return None
    return decode(fields.get(b"report", b""))


def node_of(fields: Mapping[bytes, bytes]) -> str | None:
    """Give the name of the node that made an entry; None where it is none."""
    name = fields.get(b"node", b"").decode("ascii", "replace")
    return name if is_node_name(name) else None


def encode_batch(batch: Batch) -> bytes:
    """Encode for the portal, as JSON."""
    return _write.encode(batch)


def decode_batch(data: bytes) -> Batch:
    """Undo `encode_batch`. Raises CorruptReport."""
    try:
        return _batch.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptReport(str(error)[:200]) from None


def decode_taken(data: bytes) -> Taken:
    """Read the portal's answer. Raises CorruptReport."""
    try:
        return _taken.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptReport("the portal's answer is none") from None
