"""How a plugin may end a request early, and how the talk with its server may fail."""

import msgspec

from kong_app_auth.devgateway.values import LuaValue


class ExitArgs(msgspec.Struct, frozen=True):
    """The arguments of `kong.response.exit`, checked."""

    status: int
    body: bytes
    headers: dict[bytes, LuaValue]


class ExitRequest(Exception):  # noqa: N818  # a jump out of the plugin, not an error
    """Raised by `kong.response.exit`: the request ends with this answer."""

    def __init__(self, args: ExitArgs) -> None:
        super().__init__("kong.response.exit")
        self.answer = args


class LuaError(Exception):
    """Something that raises in Kong's Lua: the request ends with 500 and the connection is closed."""


class CallFailed(Exception):  # noqa: N818  # Kong's `nil, err`
    """A call that returned an error, in Kong's words: "closed", "timeout", "connection refused", …"""
