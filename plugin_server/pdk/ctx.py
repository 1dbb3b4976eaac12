"""`kong.ctx.shared`: values that plugins hand to one another within a request."""

from plugin_server.channel import Channel
from plugin_server.pdk.namespace import Namespace, key_value, text_argument
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import method
from plugin_server.wire.values import Json, from_value

_SET = method("kong.ctx.shared.set")
_GET = method("kong.ctx.shared.get")


class Shared(Namespace):
    """`kong.ctx.shared`."""

    __slots__ = ()

    def set(self, name: str, value: Json) -> None:
        """Keep a value for the plugins that run later."""
        self._channel.cast(_SET + key_value(name, value))

    def get(self, name: str) -> Json:
        """Give a value that a plugin kept; None where there is none."""
        return from_value(pb.Value.FromString(self._channel.ask(_GET + text_argument(name))))


class Ctx:
    """`kong.ctx`."""

    __slots__ = ("shared",)

    def __init__(self, channel: Channel) -> None:
        self.shared = Shared(channel)
