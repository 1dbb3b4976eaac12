"""What a plugin server says of its plugin: the output of its query command."""

import asyncio
import json
import shlex
from typing import Literal, cast

import msgpack
import msgspec

from kong_app_auth.devgateway.schema import Fields
from kong_app_auth.devgateway.settings import PluginServerSettings

_MAX_OUTPUT = 4 * 1024 * 1024
_TIMEOUT = 30.0


class PluginInfo(msgspec.Struct, frozen=True):
    """A plugin of an external server. `fields` are those of its `config`; phases other than `access` are never run."""

    name: str
    priority: int
    version: str
    phases: tuple[str, ...]
    fields: Fields
    protocol: Literal["ProtoBuf:1", "MsgPack:1"]
    socket: str


class BadPluginInfo(Exception):  # noqa: N818  # said to an operator, as the cause of a failed start
    """The query command failed or printed something else."""


async def query(server: PluginServerSettings) -> PluginInfo:
    """Run the query command of a server and read what it prints. Raise BadPluginInfo."""
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(server.query_cmd), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except (OSError, ValueError) as error:
        raise BadPluginInfo(f"plugin server {server.name}: cannot run its query command: {error}") from error
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), _TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise BadPluginInfo(f"plugin server {server.name}: its query command took over {_TIMEOUT:.0f} s") from None
    if process.returncode != 0:
        last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BadPluginInfo(
            f"plugin server {server.name}: its query command failed ({process.returncode}) {' '.join(last)}"
        )
    return read(server.name, server.socket, output)


def read(server: str, socket: str, output: bytes) -> PluginInfo:
    """Read the output of a query command: JSON or MessagePack, `{"Protocol", "Plugins"}` or a bare list of plugins.

    Without `Protocol` it is MsgPack:1. Only the first plugin is used, as in Kong.
    """
    if len(output) > _MAX_OUTPUT:
        raise BadPluginInfo(f"plugin server {server}: the plugin information is too long")
    dump = _decode(output)
    protocol = "MsgPack:1"
    plugins: object = dump
    if isinstance(dump, dict):
        described = cast("dict[str, object]", dump)
        protocol = str(described.get("Protocol") or protocol)
        plugins = described.get("Plugins", [described])
    first = cast("list[object]", plugins)[0] if isinstance(plugins, list) and plugins else None
    if protocol not in {"ProtoBuf:1", "MsgPack:1"} or not isinstance(first, dict):
        raise BadPluginInfo(f"plugin server {server}: its query command printed no plugin information")
    info = cast("dict[str, object]", first)
    try:
        return PluginInfo(
            name=msgspec.convert(info["Name"], str),
            priority=int(msgspec.convert(info.get("Priority") or 0, float)),
            version=str(info.get("Version") or ""),
            phases=tuple(msgspec.convert(info.get("Phases") or [], list[str])),
            fields=_config_fields(msgspec.convert(info.get("Schema") or {}, dict[str, object])),
            protocol="ProtoBuf:1" if protocol == "ProtoBuf:1" else "MsgPack:1",
            socket=socket,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadPluginInfo(f"plugin server {server}: bad plugin information: {error}") from error


def _decode(output: bytes) -> object:
    try:
        return cast("object", json.loads(output))
    except ValueError:
        pass
    try:
        return cast("object", msgpack.unpackb(output))  # pyright: ignore[reportUnknownMemberType]  # untyped
    except (ValueError, msgpack.exceptions.ExtraData, msgpack.exceptions.UnpackException):
        return None


def _config_fields(schema: dict[str, object]) -> Fields:
    for field in msgspec.convert(schema.get("fields") or [], list[dict[str, dict[str, object]]]):
        config = field.get("config")
        if config is not None:
            return tuple(msgspec.convert(config.get("fields") or [], list[dict[str, dict[str, object]]]))
    return ()
