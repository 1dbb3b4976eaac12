"""Frames of ProtoBuf:1: a length in four bytes, little-endian, then that many bytes."""

MAX_FRAME = 32 * 1024 * 1024
"""Bytes; a longer frame than any that Kong sends (a buffered request body is the largest) ends the connection."""

EMPTY = b"\0\0\0\0"
"""A frame with nothing in it: the argument `Empty`, and, in place of a method name, the end of an event."""


class ProtocolError(Exception):
    """The peer does not speak ProtoBuf:1; only its connection is lost."""


def frame(payload: bytes) -> bytes:
    """Put the length before `payload`."""
    return len(payload).to_bytes(4, "little") + payload


def varint(number: int) -> bytes:
    """Write a number that is not negative as protobuf does: seven bits a byte, the lowest first."""
    if number < 128:
        return bytes((number,))
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def field(tag: int, content: bytes) -> bytes:
    """Write a length-delimited field of protobuf; `tag` is the whole first byte."""
    return bytes((tag,)) + varint(len(content)) + content


def method(name: str) -> bytes:
    """Frame the name of a PDK method."""
    return frame(name.encode("ascii"))
