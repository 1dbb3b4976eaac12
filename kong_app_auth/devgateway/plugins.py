"""Which plugins run on a request, in which order, and with which configuration."""

import json
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from kong_app_auth.devgateway.entities import WORKSPACE_ID, Entity, reference
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.instances import PluginConfig
from kong_app_auth.devgateway.plugin_info import PluginInfo
from kong_app_auth.devgateway.schema import JsonValue


class Rpc(Protocol):
    """What runs a plugin: an external server over its socket, or code of the gateway's own."""

    async def handle_event(self, config: PluginConfig, exchange: Exchange) -> None:
        """Run the phase `access`. Raise ExitRequest where the plugin ends the request, and LuaError for 500."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class LoadedPlugin(msgspec.Struct, frozen=True):
    """A plugin with what runs it."""

    info: PluginInfo
    rpc: Rpc


class PluginPlan:
    """The plugins of one configuration. For each plugin the most specific entity wins, as in Kong: route and service,
    route, service, global. Entities for a consumer are not run: no consumer is known before the phase `access`.
    """

    def __init__(self, plugins: Iterable[LoadedPlugin], entities: Iterable[Entity], seq: int) -> None:
        self._plugins = sorted(plugins, key=lambda each: (-each.info.priority, each.info.name))
        self._configs: dict[tuple[str, str | None, str | None], PluginConfig] = {}
        self._chains: dict[tuple[str | None, str | None], tuple[tuple[Rpc, PluginConfig], ...]] = {}
        for entity in entities:
            if entity.get("enabled") is False or reference(entity, "consumer") is not None:
                continue
            route, service = reference(entity, "route"), reference(entity, "service")
            self._configs[(str(entity["name"]), route, service)] = plugin_config(entity, seq)

    async def run(self, route: str | None, service: str | None, exchange: Exchange) -> None:
        """Run the phase `access`. Raise ExitRequest where a plugin ended the request, and LuaError for 500."""
        chain = self._chains.get((route, service))
        if chain is None:
            chain = self._chains[(route, service)] = self._chain(route, service)
        for rpc, config in chain:
            await rpc.handle_event(config, exchange)

    def _chain(self, route: str | None, service: str | None) -> tuple[tuple[Rpc, PluginConfig], ...]:
        chain: list[tuple[Rpc, PluginConfig]] = []
        for plugin in self._plugins:
            if "access" not in plugin.info.phases:
                continue
            name = plugin.info.name
            for place in ((route, service), (route, None), (None, service), (None, None)):
                config = self._configs.get((name, place[0], place[1]))
                if config is not None:
                    chain.append((plugin.rpc, config))
                    break
        return tuple(chain)


def plugin_config(entity: Entity, seq: int) -> PluginConfig:
    """Make the configuration that an instance of a plugin entity is started with."""
    route, service, consumer = (reference(entity, field) for field in ("route", "service", "consumer"))
    name = str(entity["name"])
    plugin_id = str(entity["id"])
    given = entity.get("config")
    config = _without_nulls(given if isinstance(given, dict) else {})
    if route is not None:
        config["route_id"] = route
    if service is not None:
        config["service_id"] = service
    config["__plugin_id"] = plugin_id
    config["__seq__"] = seq
    config["__key__"] = f"plugins:{name}:{route or ''}:{service or ''}:{consumer or ''}::{WORKSPACE_ID}"
    config["__ws_id"] = WORKSPACE_ID
    return PluginConfig(plugin_id, name, seq, json.dumps(config, separators=(",", ":")).encode())


def _without_nulls(table: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in table.items()
        if value is not None
    }
