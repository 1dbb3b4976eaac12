"""Kong's side of both protocols, for a blocking connection: what starts instances, probes, and replaces the C driver.

The bytes of the answers are made here for the C driver too.
"""

import socket
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import msgpack as untyped_msgpack
import msgspec

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import frame
from plugin_server.wire.values import write_headers

msgpack: Any = untyped_msgpack

REQUEST_ID = "5f3c1e9a7b2d4c6e8f0a1b2c3d4e5f60"
ALLOWED = 0
"""The status of an event that let the request through as somebody."""
UNMARKED = -1
"""That of one that let it through as nobody: never right."""


class Protocol(StrEnum):
    """The protocols of plugin servers; ours speaks the first, the stock ones the second."""

    PROTOBUF = "protobuf"
    MSGPACK = "msgpack"


class Headers(msgspec.Struct, frozen=True):
    """An answer to `kong.request.get_headers`, and where in it the key stands."""

    body: bytes
    key_at: int


def headers(protocol: Protocol, key_length: int) -> Headers:
    """The answer for a request such as a service of a customer sends, with ten headers."""
    key = "K" * key_length
    sent = {
        "host": "weather.api.example.com",
        "user-agent": "python-requests/2.32.3",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "accept-language": "en-GB,en;q=0.9",
        "apikey": key,
        "content-type": "application/json",
        "x-request-id": "7d1f4bde-2a55-4a0c-9b0e-5d4f2c0b8a11",
        "x-forwarded-for": "203.0.113.27",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    body = (
        write_headers(sent) if protocol is Protocol.PROTOBUF else _pack({name: [value] for name, value in sent.items()})
    )
    return Headers(body, body.index(key.encode()))


def _pack(value: object) -> bytes:
    return cast("bytes", msgpack.packb(value))


class Connection:
    """Kong's connection to a plugin server. Not for several threads."""

    def __init__(self, path: Path, protocol: Protocol) -> None:
        self._path = str(path)
        self._protocol = protocol
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._sequence = 0

    def close(self) -> None:
        """Close it; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer = b""

    def start_instance(self, plugin: str, config: Mapping[str, Any]) -> int:
        """Start an instance and give its number. Raises RuntimeError where the server refuses."""
        text = msgspec.json.encode(config)
        if self._protocol is Protocol.MSGPACK:
            return int(self._call("plugin.StartInstance", {"Name": plugin, "Config": text.decode()})["Id"])
        self._sequence += 1
        start = pb.CmdStartInstance(name=plugin.encode(), config=text)
        self._send_frame(pb.RpcCall(sequence=self._sequence, cmd_start_instance=start).SerializeToString())
        return int(pb.RpcReturn.FromString(self._read_frame()).instance_status.instance_id)

    def event(self, instance: int, headers: bytes) -> int:
        """Run one access event: ALLOWED, UNMARKED or the status of the refusal."""
        if self._protocol is Protocol.MSGPACK:
            return self._msgpack_event(instance, headers)
        self._sequence += 1
        event = pb.CmdHandleEvent(instance_id=instance, event_name=b"access")
        self._send_frame(pb.RpcCall(sequence=self._sequence, cmd_handle_event=event).SerializeToString())
        status = UNMARKED
        while method := self._read_frame():
            arguments = self._read_frame()
            match method:
                case b"kong.request.get_headers":
                    self._send_frame(headers)
                case b"kong.nginx.get_var":
                    self._send_frame(pb.String(v=REQUEST_ID.encode()).SerializeToString())
                case b"kong.response.exit":
                    self.close()
                    return int(pb.ExitArgs.FromString(arguments).status)
                case b"kong.client.authenticate":
                    status = ALLOWED
                    self._send_frame(b"")
                case _:
                    self._send_frame(b"")
        self._read_frame()
        return status

    def _msgpack_event(self, instance: int, headers: bytes) -> int:
        status = UNMARKED
        step = self._call("plugin.HandleEvent", {"InstanceId": instance, "EventName": "access"})
        while (data := step["Data"]) != "ret":
            answer: dict[str, object] = {"EventId": step["EventId"]}
            name = "plugin.Step"
            match data["Method"]:
                case "kong.request.get_headers":
                    name, answer["Data"] = "plugin.StepMultiMap", msgpack.unpackb(headers)
                case "kong.nginx.get_var":
                    answer["Data"] = REQUEST_ID
                case "kong.response.exit":
                    return int(data["Args"][0])
                case "kong.client.authenticate":
                    name, status = "plugin.StepCredential", ALLOWED
                case _:
                    pass
            step = self._call(name, answer)
        return status

    def _call(self, method: str, argument: object) -> dict[str, Any]:
        self._sequence += 1
        self._connected().sendall(_pack([0, self._sequence, method, [argument]]))
        unpacker = msgpack.Unpacker()
        while True:
            unpacker.feed(self._receive())
            for answer in unpacker:
                if answer[2] is not None:
                    raise RuntimeError(f"{method}: {answer[2]}")
                return cast("dict[str, Any]", answer[3])

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(30.0)
            self._socket.connect(self._path)
        return self._socket

    def _receive(self) -> bytes:
        data = self._connected().recv(65536)
        if not data:
            self.close()
            raise ConnectionError("the plugin server has closed the connection")
        return data

    def _send_frame(self, payload: bytes) -> None:
        connected = self._connected()
        whole = frame(payload)
        connected.sendall(whole[:4])
        if payload:
            connected.sendall(payload)

    def _read_frame(self) -> bytes:
        while len(self._buffer) < 4 or len(self._buffer) < 4 + int.from_bytes(self._buffer[:4], "little"):
            self._buffer += self._receive()
        end = 4 + int.from_bytes(self._buffer[:4], "little")
        payload, self._buffer = self._buffer[4:end], self._buffer[end:]
        return payload
