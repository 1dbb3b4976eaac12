"""`kong.nginx` and `kong.node`."""

from functools import lru_cache

from plugin_server.pdk.namespace import Namespace, empty_call, read_text, text_argument
from plugin_server.wire.frames import method

_GET_VAR = method("kong.nginx.get_var")
_GET_ID = empty_call("kong.node.get_id")


@lru_cache(maxsize=64)
def _get_var(name: str) -> bytes:
    return _GET_VAR + text_argument(name)


class Nginx(Namespace):
    """`kong.nginx`."""

    __slots__ = ()

    def get_var(self, name: str) -> str | None:
        """Give a variable of nginx, such as `kong_request_id`."""
        return read_text(self._channel.ask(_get_var(name)))


class Node(Namespace):
    """`kong.node`."""

    __slots__ = ()

    def get_id(self) -> str:
        """Give the id of this Kong node."""
        return read_text(self._channel.ask(_GET_ID)) or ""
