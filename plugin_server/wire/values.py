"""Python values to and from the protocol's `Struct`, `Value` and `ListValue`.

Strings on the wire are bytes of any kind (a client chooses them); here they are `str` in Latin-1, which holds every
byte and gives the same bytes back. Headers are coded by hand, for they are in every event; protobuf does the rest.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import ProtocolError, field, varint

Scalar: TypeAlias = str | bytes | float | int | bool | None
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"

MAX_DEPTH = 32

_STRING_VALUE = 0x1A  # Value.string_value: field 3, length-delimited


def to_bytes(text: str | bytes) -> bytes:
    """Give the bytes of a string; characters beyond Latin-1 go out as UTF-8, as a plugin author means them."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def to_text(data: bytes) -> str:
    """Read bytes of any kind as Latin-1."""
    return data.decode("latin-1")


def to_value(value: Json, depth: int = 0) -> pb.Value:
    """Make a `Value`. Raises TypeError for what the protocol cannot carry and ValueError for what nests too deep."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep for a plugin protocol value")
    if value is None:
        return pb.Value(null_value=0)
    if isinstance(value, bool):
        return pb.Value(bool_value=value)
    if isinstance(value, str | bytes):
        return pb.Value(string_value=to_bytes(value))
    if isinstance(value, int | float):
        return pb.Value(number_value=value)
    if isinstance(value, Mapping):
        return pb.Value(struct_value=to_struct(value, depth))
    return pb.Value(list_value=to_list(value, depth))


def to_list(values: Sequence[Json], depth: int = 0) -> pb.ListValue:
    """Make a `ListValue`."""
    return pb.ListValue(values=[to_value(value, depth + 1) for value in values])


def to_struct(fields: Mapping[str, Json], depth: int = 0) -> pb.Struct:
    """Make a `Struct`."""
    entry = pb.Struct.Entry
    return pb.Struct(
        fields=[entry(key=to_bytes(key), value=to_value(value, depth + 1)) for key, value in fields.items()]
    )


def from_value(value: pb.Value) -> Json:
    """Read a `Value`; an unset one is None."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return to_text(value.string_value)
    if kind == "number_value":
        return value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return from_struct(value.struct_value)
    return None


def from_struct(struct: pb.Struct) -> dict[str, Json]:
    """Read a `Struct`."""
    return {to_text(entry.key): from_value(entry.value) for entry in struct.fields}


_heads: dict[bytes, tuple[str, int]] = {}
_MOST_HEADS = 4096


def read_headers(data: bytes) -> dict[str, Json]:
    """Read the serialised `Struct` of headers (or query arguments).

    Names in lower case, as Kong gives them; a value is a string, a list where it was sent more than once, or True for a
    bare query argument. Entries in the plain form (a string value, key before value) are read by hand; at the first one
    that is otherwise all of it goes to protobuf. What stands before a value, its head, comes again and again and is
    remembered with the name and the size that it tells; values are not, for there are secrets among them.
    """
    text = data.decode("latin-1")
    headers: dict[str, Json] = {}
    heads = _heads
    at = 0
    end = len(data)
    try:
        while at < end:
            value_at = at + 8 + data[at + 3]  # where all lengths take one byte, which a head that is known then says
            known = heads.get(data[at:value_at])
            if known is None:
                value_at, known = _new_head(data, text, at)
                if known is None:
                    return _read_headers_at_leisure(data)
            name, size = known
            at = value_at + size
            headers[name] = text[value_at:at]
    except IndexError:
        return _read_headers_at_leisure(data)
    return headers if at == end else _read_headers_at_leisure(data)


def _new_head(data: bytes, text: str, at: int) -> tuple[int, tuple[str, int] | None]:
    """Read a head that is met for the first time, or is long; also give where its value begins."""
    if data[at + 1] < 128:
        value_at = at + 8 + data[at + 3]
        return value_at, _read_head(data[at:value_at])
    value_at = at + 11 + data[at + 4]
    known = _heads.get(data[at:value_at])
    return _read_long_head(data, text, at) if known is None else (value_at, known)


def _read_head(head: bytes) -> tuple[str, int] | None:
    """Read `0a <entry> 0a <key> … 12 <value> 1a <string>` with lengths of one byte; None where it is otherwise."""
    key_size = head[3]
    string_size = head[7 + key_size]
    plain = (head[0], head[2], head[4 + key_size], head[6 + key_size]) == (0x0A, 0x0A, 0x12, _STRING_VALUE)
    if not plain or head[5 + key_size] != string_size + 2 or head[1] != key_size + string_size + 6:
        return None
    known = (head[4 : 4 + key_size].decode("latin-1"), string_size)
    _remember(head, known)
    return known


def _read_long_head(data: bytes, text: str, at: int) -> tuple[int, tuple[str, int] | None]:
    """Read the head of an entry whose length takes two bytes; also gives where its value begins.

    It is remembered where the lengths of value and string take two bytes too, as those of tokens do.
    """
    entry_end = at + 3 + (data[at + 1] & 127 | data[at + 2] << 7)
    key_size = data[at + 4]
    key_end = at + 5 + key_size
    value_at = key_end + (2 if data[key_end + 1] < 128 else 3)
    string_at = value_at + (2 if data[value_at + 1] < 128 else 3)
    string_size = data[value_at + 1]
    if string_size > 127:
        string_size = string_size & 127 | data[value_at + 2] << 7
    plain = (data[at], data[at + 3], data[key_end], data[value_at]) == (0x0A, 0x0A, 0x12, _STRING_VALUE)
    if not plain or data[at + 2] > 127 or key_size > 127 or string_at + string_size != entry_end:
        return string_at, None
    known = (text[at + 5 : key_end], string_size)
    if string_at == at + 11 + key_size:
        _remember(data[at:string_at], known)
    return string_at, known


def _remember(head: bytes, known: tuple[str, int]) -> None:
    if len(_heads) >= _MOST_HEADS:
        _heads.clear()  # a client may make up names; the usual ones are back with the next request
    _heads[head] = known


def _read_headers_at_leisure(data: bytes) -> dict[str, Json]:
    try:
        return from_struct(pb.Struct.FromString(data))
    except Exception as error:  # protobuf's DecodeError has no common base that its stubs know
        raise ProtocolError("a Struct that cannot be decoded") from error


def write_headers(headers: Mapping[str, Json]) -> bytes:
    """Serialise headers as a `Struct`.

    Put together as text in Latin-1 and encoded once, which takes half the time; a character beyond fails there, and
    what is no plain text goes to protobuf.
    """
    parts: list[str] = []
    for name, value in headers.items():
        if type(value) is str:
            parts += (_before_value(name, len(value)), value)
        elif value == []:
            parts.append(_no_values(name))
        else:
            return to_struct(headers).SerializeToString()
    try:
        return "".join(parts).encode("latin-1")
    except UnicodeEncodeError:
        return to_struct(headers).SerializeToString()


@lru_cache(maxsize=1024)
def _before_value(name: str, size: int) -> str:
    """All of an entry that comes before the text of its value, which is `size` bytes long, as Latin-1."""
    key = field(0x0A, to_bytes(name))
    value = bytes((_STRING_VALUE,)) + varint(size)
    in_entry = key + b"\x12" + varint(len(value) + size) + value
    return to_text(b"\x0a" + varint(len(in_entry) + size) + in_entry)


@lru_cache(maxsize=1024)
def _no_values(name: str) -> str:
    """An entry whose value is an empty list, as Latin-1."""
    return to_text(field(0x0A, field(0x0A, to_bytes(name)) + field(0x12, b"\x32\x00")))
