"""Kong's side of ProtoBuf:1: frames of a 4-byte little-endian length and a protobuf message (docs/protocol.md)."""

import asyncio
import struct
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import msgspec
import structlog
from google.protobuf.message import DecodeError, Message

from kong_app_auth.devgateway.entities import Entity, reference, strings
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.instances import Instances, PluginConfig
from kong_app_auth.devgateway.outcomes import CallFailed, LuaError
from kong_app_auth.devgateway.pdk import Pdk
from kong_app_auth.devgateway.plugin_socket import ConnectionPool, PluginConnection
from kong_app_auth.devgateway.settings import GatewaySettings
from kong_app_auth.devgateway.values import LuaValue, tostring
from plugin_server.wire import kong_plugin_protocol_pb2 as pb

_log = structlog.get_logger()
_LENGTH = struct.Struct("<I")
MAX_FRAME = 64 * 1024 * 1024


class FrameDecoder:
    """Cuts bytes into frames. A frame over 64 MiB is refused; Kong has no limit."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Give the frames that are complete now."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        position = 0
        while len(buffer) - position >= 4:
            (length,) = _LENGTH.unpack_from(buffer, position)
            if length > MAX_FRAME:
                raise ValueError("frame too long")
            end = position + 4 + length
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[position + 4 : end]))
            position = end
        if position:
            del buffer[:position]
        return frames


def frame(message: bytes) -> bytes:
    """Put a message into a frame."""
    return _LENGTH.pack(len(message)) + message


class ProtobufRpc:
    """Runs a plugin's events on its server."""

    def __init__(self, socket: str, pdk: Pdk, settings: GatewaySettings) -> None:
        self._pool = ConnectionPool(socket, FrameDecoder, settings.pool_size, settings.pool_idle)
        self._pdk = pdk
        self._timeout = settings.socket_timeout
        self._sequence = 1
        self.instances = Instances(self._start, self._close_instance, settings.claim_timeout)

    async def handle_event(self, config: PluginConfig, exchange: Exchange) -> None:
        """Run the phase `access`. Raise ExitRequest if the plugin ended the request and LuaError for 500.

        While the server closes the connection the event is tried again, without limit and without pause (surprise 4).
        """
        tries = 0
        while True:
            try:
                instance = await self.instances.get(config)
            except CallFailed as error:
                raise LuaError(str(error)) from error
            call = pb.RpcCall(cmd_handle_event=pb.CmdHandleEvent(instance_id=instance, event_name=b"access"))
            try:
                await self._call(call, exchange)
            except CallFailed as error:
                if "closed" not in str(error) and "no plugin instance" not in str(error):
                    raise LuaError(f"pluginserver error: {error}") from error
                self.instances.reset()
                tries += 1
                if tries & (tries - 1) == 0:  # Kong logs every one; thousands a second say no more than a few
                    _log.warning("plugin server closed the connection, trying again", plugin=config.name, tries=tries)
                await asyncio.sleep(0)
            else:
                return

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    async def _start(self, config: PluginConfig) -> int:
        start = pb.CmdStartInstance(name=config.name.encode(), config=config.json)
        answer = await self._call(pb.RpcCall(cmd_start_instance=start), None)
        if not answer.HasField("instance_status"):
            raise LuaError("attempt to index field 'instance_status' (a nil value)")
        return answer.instance_status.instance_id

    async def _close_instance(self, instance: int) -> None:
        await self._call(pb.RpcCall(cmd_close_instance=pb.CmdCloseInstance(instance_id=instance)), None)

    async def _call(self, call: pb.RpcCall, exchange: Exchange | None) -> pb.RpcReturn:
        self._sequence += 1
        sequence = call.sequence = self._sequence
        connection = await self._pool.take()
        try:
            connection.write(frame(call.SerializeToString()))
            if exchange is not None:
                await self._bridge(connection, exchange)
            answer = _answer(await self._read(connection), sequence)
        except BaseException:
            connection.close()
            raise
        self._pool.give_back(connection)
        return answer

    async def _bridge(self, connection: PluginConnection, exchange: Exchange) -> None:
        """Run the PDK calls of an event until the empty frame that ends it.

        Replies to calls that came together go out together; Kong makes two writes of each, which no server can tell.
        """
        replies: list[bytes] = []
        try:
            while name := await self._read(connection):
                arguments = await self._read(connection)
                method = _METHODS.get(name)
                if method is None:
                    raise LuaError(f"method {name[:100]!r} not found")
                result = await self._pdk.call(exchange, name, *method.decode(arguments))
                replies.append(frame(method.encode(result)))
                if not connection.pending:
                    connection.write(b"".join(replies))
                    replies.clear()
        finally:
            if replies and connection.usable:
                connection.write(b"".join(replies))

    async def _read(self, connection: PluginConnection) -> bytes:
        message = await connection.read(self._timeout)
        if not isinstance(message, bytes):
            raise TypeError("the decoder gives bytes")
        return message


def _answer(data: bytes, sequence: int) -> pb.RpcReturn:
    answer = pb.RpcReturn()
    try:
        answer.ParseFromString(data)
    except DecodeError as error:
        raise LuaError("undecodable RpcReturn") from error
    if answer.sequence != sequence:
        raise LuaError("RpcReturn of another sequence")
    return answer


class _Method(msgspec.Struct, frozen=True):
    """How a method's arguments and result look on the wire."""

    decode: Callable[[bytes], tuple[LuaValue, ...]]
    encode: Callable[[LuaValue | Entity], bytes]


_M = TypeVar("_M", bound=Message)


def _parsed(message: _M, data: bytes) -> _M:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise LuaError("undecodable arguments") from error
    return message


def from_value(value: pb.Value) -> LuaValue:
    """Read a protobuf value as Kong does: false becomes nil, and null the name of its enumeration value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "list_value":
        return from_list(value.list_value)
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "number_value":
        return value.number_value
    if kind == "bool_value":
        return True if value.bool_value else None
    return b"NULL_VALUE" if kind == "null_value" else None


def from_list(values: pb.ListValue) -> list[LuaValue]:
    """Read a protobuf list; a nil ends it, as it does for Lua."""
    found: list[LuaValue] = []
    for each in values.values:
        value = from_value(each)
        if value is None:
            break
        found.append(value)
    return found


def from_struct(struct_: pb.Struct) -> dict[bytes, LuaValue]:
    """Read a protobuf struct; nil values are not there, as in a Lua table."""
    pairs = ((entry.key, from_value(entry.value)) for entry in struct_.fields)
    return {key: value for key, value in pairs if value is not None}


def fill_value(target: pb.Value, value: LuaValue) -> None:
    """Write a Lua value as a protobuf value; nil is written as null with the number 1, which is what Kong sends."""
    if isinstance(value, bytes):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, list):
        target.list_value.SetInParent()
        for each in value:
            fill_value(target.list_value.values.add(), each)
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        fill_struct(target.struct_value, value)
    else:
        target.null_value = 1


def fill_struct(target: pb.Struct, table: dict[bytes, LuaValue]) -> None:
    """Write a Lua table as a protobuf struct."""
    for key, value in table.items():
        entry = target.fields.add()
        entry.key = key
        fill_value(entry.value, value)


def _no_arguments(_data: bytes) -> tuple[LuaValue, ...]:
    return ()


def _string_argument(data: bytes) -> tuple[LuaValue, ...]:
    return (_parsed(pb.String(), data).v,)


def _int_argument(data: bytes) -> tuple[LuaValue, ...]:
    return (_parsed(pb.Int(), data).v,)


def _bool_argument(data: bytes) -> tuple[LuaValue, ...]:
    return (_parsed(pb.Bool(), data).v,)


def _kv_arguments(data: bytes) -> tuple[LuaValue, ...]:
    pair = _parsed(pb.KV(), data)
    return pair.k, from_value(pair.v)


def _struct_argument(data: bytes) -> tuple[LuaValue, ...]:
    return (from_struct(_parsed(pb.Struct(), data)),)


def _list_arguments(data: bytes) -> tuple[LuaValue, ...]:
    return tuple(from_list(_parsed(pb.ListValue(), data)))


def _exit_arguments(data: bytes) -> tuple[LuaValue, ...]:
    arguments = _parsed(pb.ExitArgs(), data)
    headers = from_struct(arguments.headers) if arguments.HasField("headers") else None
    return arguments.status, arguments.body, headers


def _consumer_spec(data: bytes) -> tuple[LuaValue, ...]:
    spec = _parsed(pb.ConsumerSpec(), data)
    return spec.id, spec.by_username


def _authenticate_arguments(data: bytes) -> tuple[LuaValue, ...]:
    arguments = _parsed(pb.AuthenticateArgs(), data)
    consumer: dict[bytes, LuaValue] | None = None
    credential: dict[bytes, LuaValue] | None = None
    if arguments.HasField("consumer"):
        given = arguments.consumer
        consumer = {b"id": given.id, b"username": given.username, b"custom_id": given.custom_id}
        consumer = {key: value for key, value in consumer.items() if value}
        if given.created_at:
            consumer[b"created_at"] = given.created_at
        if given.tags:
            consumer[b"tags"] = list(given.tags)
    if arguments.HasField("credential"):
        both = {b"id": arguments.credential.id, b"consumer_id": arguments.credential.consumer_id}
        credential = {key: value for key, value in both.items() if value}
    return consumer, credential


def _nothing(_result: LuaValue | Entity) -> bytes:
    return b""


def _string_result(result: LuaValue | Entity) -> bytes:
    if result is None:
        return b""
    if isinstance(result, int | float) and not isinstance(result, bool):
        result = tostring(result)
    if not isinstance(result, bytes):
        raise LuaError("string expected for field 'v'")
    return pb.String(v=result).SerializeToString()


def _int_result(result: LuaValue | Entity) -> bytes:
    return pb.Int(v=int(result)).SerializeToString() if isinstance(result, int | float) else b""


def _number_result(result: LuaValue | Entity) -> bytes:
    return pb.Number(v=result).SerializeToString() if isinstance(result, int | float) else b""


def _bool_result(result: LuaValue | Entity) -> bytes:
    return _explicit(1, bool(result))


def _struct_result(result: LuaValue | Entity) -> bytes:
    message = pb.Struct()
    if isinstance(result, dict):
        fill_struct(message, cast("dict[bytes, LuaValue]", result))
    return message.SerializeToString()


def _value_result(result: LuaValue | Entity) -> bytes:
    message = pb.Value()
    fill_value(message, cast("LuaValue", result))
    return message.SerializeToString()


def _raw_body_result(result: LuaValue | Entity) -> bytes:
    if isinstance(result, bytes):
        return pb.RawBodyResult(content=result).SerializeToString()
    return pb.RawBodyResult(error=b"request body did not fit into client body buffer").SerializeToString()


def _explicit(field: int, value: bool) -> bytes:
    """Write a boolean; Kong's encoder writes a false one too."""
    return bytes((field << 3, value))


def _credential_result(result: LuaValue | Entity) -> bytes:
    if not isinstance(result, dict):
        return b""
    table = cast("dict[bytes, LuaValue]", result)
    return pb.Credential(id=_bytes(table.get(b"id")), consumer_id=_bytes(table.get(b"consumer_id"))).SerializeToString()


def _consumer_result(result: LuaValue | Entity) -> bytes:
    if not isinstance(result, dict):
        return b""
    table = {_bytes(key): value for key, value in result.items()}
    message = pb.Consumer(
        id=_bytes(table.get(b"id")),
        username=_bytes(table.get(b"username")),
        custom_id=_bytes(table.get(b"custom_id")),
    )
    created = table.get(b"created_at")
    if isinstance(created, int):
        message.created_at = created
    tags = table.get(b"tags")
    if isinstance(tags, list):
        message.tags.extend(_bytes(tag) for tag in tags)
    return message.SerializeToString()


def _service_result(result: LuaValue | Entity) -> bytes:
    if not isinstance(result, dict):
        return b""
    entity = cast("Entity", result)
    message = pb.Service()
    _fill(message, entity, ("id", "name", "protocol", "host", "path"))
    _fill(message, entity, ("created_at", "updated_at", "retries", "port"))
    _fill(message, entity, ("connect_timeout", "write_timeout", "read_timeout"))
    message.tags.extend(tag.encode() for tag in strings(entity, "tags"))
    certificate = reference(entity, "client_certificate")
    if certificate is not None:
        message.client_certificate.id = certificate.encode()
    return message.SerializeToString()


def _route_result(result: LuaValue | Entity) -> bytes:
    if not isinstance(result, dict):
        return b""
    entity = cast("Entity", result)
    message = pb.Route()
    _fill(message, entity, ("id", "name", "created_at", "updated_at", "https_redirect_status_code", "regex_priority"))
    for name, field in (
        ("protocols", message.protocols),
        ("methods", message.methods),
        ("hosts", message.hosts),
        ("paths", message.paths),
        ("snis", message.snis),
        ("tags", message.tags),
    ):
        field.extend(each.encode() for each in strings(entity, name))
    service = reference(entity, "service")
    if service is not None:
        message.service.id = service.encode()
    booleans = _explicit(12, entity.get("strip_path") is True) + _explicit(13, entity.get("preserve_host") is True)
    return message.SerializeToString() + booleans


def _fill(message: pb.Service | pb.Route, entity: Entity, names: tuple[str, ...]) -> None:
    for name in names:
        value = entity.get(name)
        if value is not None:
            setattr(message, name, value.encode() if isinstance(value, str) else value)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else b""


def _methods() -> dict[bytes, _Method]:
    """The methods that Kong 3.9's protocol has, with their types; `clear_query_arg` and others are not among them."""
    table: dict[str, tuple[Callable[[bytes], tuple[LuaValue, ...]], Callable[[LuaValue | Entity], bytes]]] = {
        "kong.client.get_ip": (_no_arguments, _string_result),
        "kong.client.get_forwarded_ip": (_no_arguments, _string_result),
        "kong.client.get_port": (_no_arguments, _int_result),
        "kong.client.get_forwarded_port": (_no_arguments, _int_result),
        "kong.client.get_credential": (_no_arguments, _credential_result),
        "kong.client.load_consumer": (_consumer_spec, _consumer_result),
        "kong.client.get_consumer": (_no_arguments, _consumer_result),
        "kong.client.authenticate": (_authenticate_arguments, _nothing),
        "kong.client.get_protocol": (_bool_argument, _string_result),
        "kong.ctx.shared.set": (_kv_arguments, _nothing),
        "kong.ctx.shared.get": (_string_argument, _value_result),
        "kong.ip.is_trusted": (_string_argument, _bool_result),
        "kong.nginx.get_var": (_string_argument, _string_result),
        "kong.nginx.req_start_time": (_no_arguments, _number_result),
        "kong.nginx.get_subsystem": (_no_arguments, _string_result),
        "kong.node.get_id": (_no_arguments, _string_result),
        "kong.request.get_scheme": (_no_arguments, _string_result),
        "kong.request.get_host": (_no_arguments, _string_result),
        "kong.request.get_port": (_no_arguments, _int_result),
        "kong.request.get_forwarded_scheme": (_no_arguments, _string_result),
        "kong.request.get_forwarded_host": (_no_arguments, _string_result),
        "kong.request.get_forwarded_port": (_no_arguments, _int_result),
        "kong.request.get_http_version": (_no_arguments, _number_result),
        "kong.request.get_method": (_no_arguments, _string_result),
        "kong.request.get_path": (_no_arguments, _string_result),
        "kong.request.get_path_with_query": (_no_arguments, _string_result),
        "kong.request.get_raw_query": (_no_arguments, _string_result),
        "kong.request.get_query_arg": (_string_argument, _string_result),
        "kong.request.get_query": (_int_argument, _struct_result),
        "kong.request.get_header": (_string_argument, _string_result),
        "kong.request.get_headers": (_int_argument, _struct_result),
        "kong.request.get_raw_body": (_no_arguments, _raw_body_result),
        "kong.response.exit": (_exit_arguments, _nothing),
        "kong.response.set_header": (_kv_arguments, _nothing),
        "kong.response.add_header": (_kv_arguments, _nothing),
        "kong.response.clear_header": (_string_argument, _nothing),
        "kong.response.set_headers": (_struct_argument, _nothing),
        "kong.router.get_route": (_no_arguments, _route_result),
        "kong.router.get_service": (_no_arguments, _service_result),
        "kong.service.request.set_method": (_string_argument, _nothing),
        "kong.service.request.set_path": (_string_argument, _nothing),
        "kong.service.request.set_raw_query": (_string_argument, _nothing),
        "kong.service.request.set_header": (_kv_arguments, _nothing),
        "kong.service.request.add_header": (_kv_arguments, _nothing),
        "kong.service.request.set_headers": (_struct_argument, _nothing),
        "kong.service.request.clear_header": (_string_argument, _nothing),
        **{
            f"kong.log.{level}": (_list_arguments, _nothing)
            for level in ("alert", "crit", "err", "warn", "notice", "info", "debug")
        },
    }
    return {name.encode(): _Method(*codecs) for name, codecs in table.items()}


_METHODS = _methods()
