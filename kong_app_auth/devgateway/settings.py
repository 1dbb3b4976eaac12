"""What the development gateway can be told: the settings of Kong that it knows, with Kong's defaults."""

from typing import Literal

import msgspec


class PluginServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One external plugin server: Kong's `pluginserver_names` and `pluginserver_<name>_{socket,query_cmd}`.

    The query command is split as a shell would, but runs without one. It is run once, at start.
    """

    name: str
    socket: str
    query_cmd: str


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Times are in seconds; port 0 takes any free one.

    `socket_timeout` is OpenResty's read time-out on the plugin server's socket, and `claim_timeout` how long a request
    waits for another one that is starting the same instance (surprises 11 and 14 of docs/protocol.md). `pool_size` and
    `pool_idle` are `lua_socket_pool_size` and `lua_socket_keepalive_timeout`. `database` is "off" for Kong without a
    database (configuration by file and POST /config only) or "memory" for one with a database that forgets.
    """

    proxy_host: str = "127.0.0.1"
    proxy_port: int = 8000
    admin_host: str = "127.0.0.1"
    admin_port: int = 8001
    plugin_servers: tuple[PluginServerSettings, ...] = ()
    declarative_config: str | None = None
    database: Literal["off", "memory"] = "off"
    node_id: str | None = None
    socket_timeout: float = 60.0
    claim_timeout: float = 10.0
    pool_size: int = 30
    pool_idle: float = 60.0
