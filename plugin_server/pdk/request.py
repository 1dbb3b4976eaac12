"""`kong.request`: what the client sent."""

from functools import lru_cache

from plugin_server.pdk.namespace import MAX_ITEMS, Namespace, empty_call, read_text, text_argument
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import frame, method
from plugin_server.wire.values import Json, read_headers

_GET_HEADER = method("kong.request.get_header")
_GET_QUERY_ARG = method("kong.request.get_query_arg")
_GET_RAW_QUERY = empty_call("kong.request.get_raw_query")
_GET_METHOD = empty_call("kong.request.get_method")
_GET_PATH = empty_call("kong.request.get_path")
_GET_PATH_WITH_QUERY = empty_call("kong.request.get_path_with_query")
_GET_SCHEME = empty_call("kong.request.get_scheme")
_GET_HOST = empty_call("kong.request.get_host")
_GET_HTTP_VERSION = empty_call("kong.request.get_http_version")


@lru_cache(maxsize=64)
def _counted(name: str, most: int) -> bytes:
    if not 1 <= most <= MAX_ITEMS:
        raise ValueError(f"{name}: the number of items must be from 1 to {MAX_ITEMS}")
    return method(name) + frame(pb.Int(v=most).SerializeToString())


class Request(Namespace):
    """`kong.request`."""

    __slots__ = ()

    def get_headers(self, max_headers: int = 100) -> dict[str, Json]:
        """Give at most `max_headers` (1 to 1000) headers by lower-case name; the rest is silently missing.

        A value is a string, or a list of strings where the client sent the header more than once.
        """
        return read_headers(self._channel.ask(_counted("kong.request.get_headers", max_headers)))

    def get_header(self, name: str) -> str | None:
        """Give the first value of a header; None where there is none, or an empty one."""
        return read_text(self._channel.ask(_GET_HEADER + text_argument(name)))

    def get_query(self, max_args: int = 100) -> dict[str, Json]:
        """Give at most `max_args` (1 to 1000) decoded query arguments; a bare name has the value True."""
        return read_headers(self._channel.ask(_counted("kong.request.get_query", max_args)))

    def get_query_arg(self, name: str) -> str | None:
        """Give the first value of a query argument."""
        return read_text(self._channel.ask(_GET_QUERY_ARG + text_argument(name)))

    def get_raw_query(self) -> str:
        """Give the query string as it was sent, without the question mark."""
        return read_text(self._channel.ask(_GET_RAW_QUERY)) or ""

    def get_method(self) -> str:
        """Give the HTTP method, in upper case."""
        return read_text(self._channel.ask(_GET_METHOD)) or ""

    def get_path(self) -> str:
        """Give the path, not decoded, without the query string."""
        return read_text(self._channel.ask(_GET_PATH)) or ""

    def get_path_with_query(self) -> str:
        """Give the path and the query string as sent."""
        return read_text(self._channel.ask(_GET_PATH_WITH_QUERY)) or ""

    def get_scheme(self) -> str:
        """Give the scheme of the client's connection to Kong."""
        return read_text(self._channel.ask(_GET_SCHEME)) or ""

    def get_host(self) -> str:
        """Give the host that the client asked for."""
        return read_text(self._channel.ask(_GET_HOST)) or ""

    def get_http_version(self) -> float:
        """Give the HTTP version, such as 1.1."""
        return pb.Number.FromString(self._channel.ask(_GET_HTTP_VERSION)).v
