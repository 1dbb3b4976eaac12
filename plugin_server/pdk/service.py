"""`kong.service`: what goes to the upstream."""

from collections.abc import Mapping
from functools import lru_cache

from plugin_server.channel import Channel
from plugin_server.pdk.namespace import Namespace, key_value, text_argument
from plugin_server.wire.frames import field, frame, method
from plugin_server.wire.values import Json, to_bytes, write_headers

_SET_HEADERS = method("kong.service.request.set_headers")
_SET_HEADER = method("kong.service.request.set_header")
_ADD_HEADER = method("kong.service.request.add_header")
_CLEAR_HEADER = method("kong.service.request.clear_header")
_SET_RAW_QUERY = method("kong.service.request.set_raw_query")


@lru_cache(maxsize=256)
def _clear_header(header: str) -> bytes:
    return _CLEAR_HEADER + text_argument(header)


class ServiceRequest(Namespace):
    """`kong.service.request`: nothing here returns anything, so nothing here waits for Kong."""

    __slots__ = ()

    def set_headers(self, headers: Mapping[str, Json]) -> None:
        """Set headers, each in place of what the client sent under its name; an empty list takes a header away.

        (Observed in Kong 3.9.1, and cheaper than `clear_header`: each call costs Kong a reply.)
        """
        self._channel.cast(_SET_HEADERS + frame(write_headers(headers)))

    def set_header(self, header: str, value: Json) -> None:
        """Set one header."""
        self._channel.cast(_SET_HEADER + key_value(header, value))

    def add_header(self, header: str, value: Json) -> None:
        """Add a header beside those of the same name."""
        self._channel.cast(_ADD_HEADER + key_value(header, value))

    def clear_header(self, header: str) -> None:
        """Take a header away."""
        self._channel.cast(_clear_header(header))

    def set_raw_query(self, query: str) -> None:
        """Set the query string, not encoded any further, without the question mark."""
        # Not `text_argument`: what clients choose is not remembered.
        self._channel.cast(_SET_RAW_QUERY + frame(field(0x0A, to_bytes(query)) if query else b""))


class Service:
    """`kong.service`."""

    __slots__ = ("request",)

    def __init__(self, channel: Channel) -> None:
        self.request = ServiceRequest(channel)
