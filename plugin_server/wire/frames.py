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


def method(name: str) -> bytes:
    """Frame the name of a PDK method."""
    return frame(name.encode("ascii"))
