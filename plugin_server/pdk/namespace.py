"""What the namespaces of the PDK share."""

from functools import lru_cache

from plugin_server.channel import Channel
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import frame, method
from plugin_server.wire.values import Json, to_bytes, to_text, to_value

MAX_ITEMS = 1000
"""The most headers or arguments that Kong gives at once."""


def empty_call(name: str) -> bytes:
    """Frame a call that takes no argument."""
    return method(name) + frame(b"")


@lru_cache(maxsize=1024)
def text_argument(text: str) -> bytes:
    """Frame a `String`. Remembered: a plugin names the same few headers and variables again and again."""
    return frame(pb.String(v=to_bytes(text)).SerializeToString())


def key_value(key: str, value: Json) -> bytes:
    """Frame a `KV`."""
    return frame(pb.KV(k=to_bytes(key), v=to_value(value)).SerializeToString())


def read_text(reply: bytes) -> str | None:
    """Read a `String`; Kong sends an empty message for nil, and for the empty string too."""
    return to_text(pb.String.FromString(reply).v) if reply else None


class Namespace:
    """A part of the PDK on a channel."""

    __slots__ = ("_channel",)

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
