"""The development gateway as a whole: its servers, its configuration and the plugin servers it talks to."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import structlog
from aiohttp import web

from kong_app_auth.devgateway import declarative
from kong_app_auth.devgateway.admin import make_application
from kong_app_auth.devgateway.bundled import BUNDLED
from kong_app_auth.devgateway.entities import Entity
from kong_app_auth.devgateway.http_server import ProxyServer
from kong_app_auth.devgateway.msgpack_rpc import MsgpackRpc
from kong_app_auth.devgateway.pdk import Pdk
from kong_app_auth.devgateway.plugin_info import BadPluginInfo, PluginInfo, query
from kong_app_auth.devgateway.plugins import LoadedPlugin, PluginPlan
from kong_app_auth.devgateway.protobuf_rpc import ProtobufRpc
from kong_app_auth.devgateway.proxy import Proxy, Snapshot
from kong_app_auth.devgateway.router import Router
from kong_app_auth.devgateway.schema import JsonValue
from kong_app_auth.devgateway.settings import GatewaySettings
from kong_app_auth.devgateway.store import EntityStore

_log = structlog.get_logger()
_BACKLOG = 1024
_NO_HASH = "0" * 32


class DevGateway:
    """A stand-in for one worker of Kong 3.9.1, for development and tests only. An async context manager.

    Entering raises BadPluginInfo where a query command fails, BadConfiguration where the declarative file is wrong, and
    OSError where the file cannot be read or a port is taken.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.node_id = settings.node_id or str(uuid.uuid4())
        self.configuration_hash = _NO_HASH
        self.plugin_infos: dict[str, PluginInfo] = {}
        self.store = EntityStore({}, self._changed)
        self._plugins: list[LoadedPlugin] = []
        self._proxy = Proxy()
        self._seq = 0
        self._runners: list[web.ServerRunner | web.AppRunner] = []
        self._ports: list[int] = []

    @property
    def requests(self) -> int:
        """Requests proxied so far."""
        return self._proxy.requests

    @property
    def proxy_url(self) -> str:
        """Where clients go."""
        return f"http://{self.settings.proxy_host}:{self._ports[0]}"

    @property
    def admin_url(self) -> str:
        """Where the Admin API is."""
        return f"http://{self.settings.admin_host}:{self._ports[1]}"

    async def __aenter__(self) -> "DevGateway":
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        await self._proxy.close()
        for plugin in self._plugins:
            plugin.rpc.close()

    def apply(self, document: Mapping[str, JsonValue], source: str | bytes | None = None) -> None:
        """Put a declarative configuration in force, all of it or, with BadConfiguration, none of it.

        `source`: the text that it was read from, which it is named by; None where it was never text.
        """
        entities = declarative.load(document, self.store.plugin_config)
        self.configuration_hash = declarative.hash_of(json.dumps(document) if source is None else source)
        self.store.replace(entities)

    async def _start(self) -> None:
        _log.warning("development gateway: a stand-in for Kong, not for production")
        pdk = Pdk(self.node_id, self._find_consumer)
        for server in self.settings.plugin_servers:
            info = await query(server)
            if info.name in self.plugin_infos:
                raise BadPluginInfo(f"plugin server {server.name}: plugin {info.name} is there already")
            rpc_type = ProtobufRpc if info.protocol == "ProtoBuf:1" else MsgpackRpc
            self._plugins.append(LoadedPlugin(info, rpc_type(info.socket, pdk, self.settings)))
            self.plugin_infos[info.name] = info
            _log.info("plugin loaded", plugin=info.name, protocol=info.protocol, priority=info.priority)
        for bundled in BUNDLED:
            self._plugins.append(bundled)
            self.plugin_infos[bundled.info.name] = bundled.info
        self.store.plugin_config = {name: info.fields for name, info in self.plugin_infos.items()}
        self._changed()
        if self.settings.declarative_config is not None:
            source = await asyncio.to_thread(Path(self.settings.declarative_config).read_bytes)
            self.apply(declarative.parse(source), source)
        self._proxy.start()
        await self._listen(
            web.ServerRunner(ProxyServer(self._proxy.handle), shutdown_timeout=1.0),
            self.settings.proxy_host,
            self.settings.proxy_port,
        )
        await self._listen(
            web.AppRunner(make_application(self), access_log=None, shutdown_timeout=1.0),
            self.settings.admin_host,
            self.settings.admin_port,
        )
        _log.info("development gateway listens", proxy=self.proxy_url, admin=self.admin_url)

    async def _listen(self, runner: web.ServerRunner | web.AppRunner, host: str, port: int) -> None:
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        self._ports.append(int(runner.addresses[0][1]))

    def _changed(self) -> None:
        """Make what requests use anew; plugin configurations get a new sequence number, so instances start anew."""
        services = {str(service["id"]): service for service in self.store.all("services")}
        self._seq += 1
        plan = PluginPlan(self._plugins, self.store.all("plugins"), self._seq)
        self._proxy.snapshot = Snapshot(Router(self.store.all("routes"), services), plan)

    def _find_consumer(self, key: str, by_username: bool) -> Entity | None:
        consumer = self.store.find("consumers", key)
        return consumer if consumer is not None and (by_username or consumer["id"] == key) else None
