"""`kong.response`: what the client gets."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

from plugin_server.channel import EventEndedError
from plugin_server.pdk.namespace import Namespace, key_value
from plugin_server.wire.frames import field, frame, method, varint
from plugin_server.wire.values import Json, to_bytes, write_headers

_EXIT = method("kong.response.exit")
_SET_HEADER = method("kong.response.set_header")


def exit_call(status: int, body: str | bytes | None = None, headers: Mapping[str, Json] | None = None) -> bytes:
    """Frame the call that ends the request.

    A list as the value of `WWW-Authenticate` reaches the client as its last item only (observed in Kong 3.9.1).
    """
    # ExitArgs by hand: a refusal is as frequent as whoever sends refused requests likes.
    args = b"\x08" + varint(status) + field(0x12, to_bytes(body or b""))
    if headers:
        texts = tuple((name, value) for name, value in headers.items() if type(value) is str)
        args += _remembered_headers(texts) if len(texts) == len(headers) else field(0x1A, write_headers(headers))
    return _EXIT + frame(args)


@lru_cache(maxsize=256)
def _remembered_headers(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Field 3 of ExitArgs, of text alone: as keys of a cache 1 and True are the same."""
    return field(0x1A, write_headers(dict(headers)))


class Response(Namespace):
    """`kong.response`."""

    __slots__ = ()

    def exit(self, status: int, body: str | bytes | None = None, headers: Mapping[str, Json] | None = None) -> NoReturn:
        """Answer the client and end the request: nothing of the plugin after this line runs, as in Kong."""
        self._channel.exit(exit_call(status, body, headers))
        raise EventEndedError

    def set_header(self, name: str, value: Json) -> None:
        """Set a header of the response that the client will get."""
        self._channel.cast(_SET_HEADER + key_value(name, value))
