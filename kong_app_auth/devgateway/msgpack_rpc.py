"""Kong's side of MsgPack:1, the protocol of the stock plugin servers, with its way of failing open (surprise 6).

MessagePack-RPC: a request is `[0, id, method, [argument]]`, a response `[1, id, error, result]`. Every step of an event
may take another connection. An error in a step is only logged, and the request goes on to the upstream.
"""

import asyncio
import struct
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgpack
import structlog

from kong_app_auth.devgateway.entities import WORKSPACE_ID, Entity
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.instances import Instances, PluginConfig
from kong_app_auth.devgateway.outcomes import CallFailed, LuaError
from kong_app_auth.devgateway.pdk import Pdk
from kong_app_auth.devgateway.plugin_socket import ConnectionPool, PluginConnection
from kong_app_auth.devgateway.settings import GatewaySettings
from kong_app_auth.devgateway.values import LuaValue

_log = structlog.get_logger()
_MAX_BUFFER = 64 * 1024 * 1024
_TYPED_STEPS = {
    b"kong.client.get_credential": "plugin.StepCredential",
    b"kong.client.authenticate": "plugin.StepCredential",
    b"kong.client.load_consumer": "plugin.StepConsumer",
    b"kong.client.get_consumer": "plugin.StepConsumer",
    b"kong.router.get_route": "plugin.StepRoute",
    b"kong.router.get_service": "plugin.StepService",
    b"kong.request.get_query": "plugin.StepMultiMap",
    b"kong.request.get_headers": "plugin.StepMultiMap",
}


class _Binary(bytes):
    """Bytes that go out in MessagePack's type for binary data, as only bodies do."""


class MessageDecoder:
    """Cuts bytes into MessagePack objects; strings stay bytes."""

    def __init__(self) -> None:
        self._unpacker: Any = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=_MAX_BUFFER)  # pyright: ignore[reportUnknownMemberType]  # untyped

    def feed(self, data: bytes) -> Iterable[object]:
        """Give the objects that are complete now."""
        try:
            self._unpacker.feed(data)
            return list(self._unpacker)
        except (msgpack.exceptions.UnpackException, msgpack.exceptions.BufferFull, TypeError) as error:
            raise ValueError("not MessagePack") from error


def pack(value: object) -> bytes:
    """Write a value as Kong's library does: strings in the old raw types (no str8), bytes of a body as binary."""
    if isinstance(value, _Binary):
        return _binary_head(len(value)) + value
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value)
        body = b"".join(pack(key) + pack(each) for key, each in items.items())
        return _head(len(items), 0x80, 0xDE) + body
    if isinstance(value, list):
        items_ = cast("list[object]", value)
        return _head(len(items_), 0x90, 0xDC) + b"".join(pack(each) for each in items_)
    return cast("bytes", msgpack.packb(value, use_bin_type=False))  # pyright: ignore[reportUnknownMemberType]  # untyped


def _head(length: int, short: int, long: int) -> bytes:
    if length < 16:
        return bytes((short | length,))
    return struct.pack(">BH", long, length) if length < 1 << 16 else struct.pack(">BI", long + 1, length)


def _binary_head(length: int) -> bytes:
    if length < 1 << 8:
        return struct.pack(">BB", 0xC4, length)
    return struct.pack(">BH", 0xC5, length) if length < 1 << 16 else struct.pack(">BI", 0xC6, length)


class MsgpackRpc:
    """Runs a plugin's events on its server."""

    def __init__(self, socket: str, pdk: Pdk, settings: GatewaySettings) -> None:
        self._pool = ConnectionPool(socket, MessageDecoder, settings.pool_size, settings.pool_idle)
        self._pdk = pdk
        self._timeout = settings.socket_timeout
        self._message = 0
        self.instances = Instances(self._start, self._close_instance, settings.claim_timeout)

    async def handle_event(self, config: PluginConfig, exchange: Exchange) -> None:
        """Run the phase `access`. Raise ExitRequest if the plugin ended the request, and LuaError for 500.

        Any other failure is logged and nothing else: the request goes through.
        """
        while True:
            try:
                instance = await self.instances.get(config)
                await self._bridge(instance, exchange)
            except CallFailed as error:
                if "no plugin instance" in str(error).lower():
                    self.instances.reset()
                    _log.warning("plugin server does not know the instance, trying again", plugin=config.name)
                    await asyncio.sleep(0)
                    continue
                _log.error("plugin server failed, the request goes through as in Kong", error=str(error)[:500])
            return

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    async def _start(self, config: PluginConfig) -> int:
        arguments: dict[str, object] = {"Name": config.name, "Config": config.json}
        status = await self._call("plugin.StartInstance", arguments)
        identity = cast("dict[bytes, object]", status).get(b"Id") if isinstance(status, dict) else None
        if not isinstance(identity, int):
            raise LuaError("attempt to index a nil value")
        return identity

    async def _close_instance(self, instance: int) -> None:
        await self._call("plugin.CloseInstance", instance)

    async def _bridge(self, instance: int, exchange: Exchange) -> None:
        step = await self._call("plugin.HandleEvent", {"InstanceId": instance, "EventName": "access"})
        event = _field(step, b"EventId")
        while (data := _field(step, b"Data")) != b"ret":
            method = _field(data, b"Method")
            if not isinstance(method, bytes):
                raise LuaError("a step without a method")
            given = _field(data, b"Args")
            result = await self._run(
                exchange, method, cast("list[object]", given) if isinstance(given, list) else [given]
            )
            answer: dict[str, object] = {} if result is None else {"Data": result}
            answer["EventId"] = event
            step = await self._call(_TYPED_STEPS.get(method, "plugin.Step"), answer)

    async def _run(self, exchange: Exchange, method: bytes, arguments: list[object]) -> object:
        if method not in self._pdk:
            _log.error("could not find pdk method", method=method[:100].decode("latin-1"))
            return None
        result = await self._pdk.call(exchange, method, *(_lua(argument) for argument in arguments))
        if method in {b"kong.request.get_query", b"kong.request.get_headers"}:
            return _multi_map(cast("dict[bytes, LuaValue]", result))
        if method == b"kong.request.get_raw_body":
            return None if result is None else _Binary(cast("bytes", result))
        return _table(cast("Entity", result)) if isinstance(result, dict) else result

    async def _call(self, method: str, argument: object) -> object:
        """Call a method. Raise CallFailed with the server's error, or "no data" where no answer came."""
        self._message += 1
        message = self._message
        connection = await self._pool.take()
        try:
            connection.write(pack([0, message, method, [argument]]))
            parts = await self._answer(connection, message)
        except CallFailed as error:
            connection.close()
            raise CallFailed("no data") from error
        except BaseException:
            connection.close()
            raise
        self._pool.give_back(connection)
        if parts[2] is not None:
            if not isinstance(parts[2], bytes):
                raise LuaError("attempt to call method 'lower' on an error that is no string")
            raise CallFailed(parts[2].decode("utf-8", "replace"))
        return parts[3] if len(parts) > 3 else None

    async def _answer(self, connection: PluginConnection, message: int) -> list[object]:
        """Read the response to a request; notifications before it are skipped."""
        while True:
            answer = await connection.read(self._timeout)
            parts = cast("list[object]", answer) if isinstance(answer, list) else []
            if parts[:1] != [2]:
                break
            _log.debug("notification of the plugin server", label=str(parts[1:2]))
        if len(parts) < 3 or parts[0] != 1 or parts[1] != message:
            raise LuaError("unexpected RPC response")
        return parts


def _field(value: object, name: bytes) -> object:
    """Index a table; indexing anything else raises, as in Lua."""
    if not isinstance(value, dict):
        raise LuaError("attempt to index a value that is no table")
    return cast("dict[bytes, object]", value).get(name)


def _lua(value: object) -> LuaValue:
    """Read an argument: nulls are not there in a Lua table."""
    if isinstance(value, dict):
        pairs = {key: _lua(each) for key, each in cast("dict[object, object]", value).items() if each is not None}
        return {key if isinstance(key, bytes) else str(key).encode(): each for key, each in pairs.items()}
    if isinstance(value, list):
        return [_lua(each) for each in cast("list[object]", value)]
    if value is None or isinstance(value, bool | int | float | bytes):
        return value
    raise LuaError("an argument of an unknown type")


def _multi_map(table: dict[bytes, LuaValue]) -> dict[bytes, LuaValue]:
    """Make every value a list: a bare query name (true) an empty one."""

    def listed(value: LuaValue) -> LuaValue:
        if isinstance(value, list):
            return value
        return [] if value is True else [value]

    return {name: listed(value) for name, value in table.items()}


def _table(entity: Entity) -> Entity:
    """Give an entity as Lua holds it: without nulls, and in its workspace."""
    table: Entity = {name: value for name, value in entity.items() if value is not None}
    if "created_at" in table:
        table["ws_id"] = WORKSPACE_ID
    return table
