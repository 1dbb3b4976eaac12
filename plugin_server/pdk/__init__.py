"""The `kong` object that a plugin's phase is given: Kong's Plugin Development Kit as reached over ProtoBuf:1.

Names, arguments and results are those of Kong's PDK and of `kong_pdk`, so that a plugin class runs in either server.
Strings are Latin-1 (see `plugin_server.wire.values`). What Kong answers with nothing (no such header) is None.
"""

from plugin_server.channel import Channel
from plugin_server.pdk.client import Client
from plugin_server.pdk.ctx import Ctx
from plugin_server.pdk.log import Log
from plugin_server.pdk.nginx import Nginx, Node
from plugin_server.pdk.request import Request
from plugin_server.pdk.response import Response
from plugin_server.pdk.router import Router
from plugin_server.pdk.service import Service


class Kong:
    """The PDK for one event after another on one channel."""

    __slots__ = ("client", "ctx", "log", "nginx", "node", "request", "response", "router", "service")

    def __init__(self, channel: Channel) -> None:
        self.client = Client(channel)
        self.ctx = Ctx(channel)
        self.log = Log(channel)
        self.nginx = Nginx(channel)
        self.node = Node(channel)
        self.request = Request(channel)
        self.response = Response(channel)
        self.router = Router(channel)
        self.service = Service(channel)


__all__ = ["Kong"]
