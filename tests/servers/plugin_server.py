"""A plugin server that does as a test says: real threads on a real Unix socket. Frames of ProtoBuf:1, or raw bytes."""

import contextlib
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from google.protobuf.message import Message

from kong_app_auth.devgateway import PluginServerSettings
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from tests.servers.process import PATIENCE

REGION = {"region": {"type": "string", "required": True}}


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def receive(self, length: int) -> bytes | None:
        """So many bytes, or None where the other end has closed."""
        data = b""
        while len(data) < length:
            try:
                chunk = self.socket.recv(length - len(data))
            except OSError:  # reset by the gateway, or closed by the test
                return None
            if not chunk:
                return None
            data += chunk
        return data

    def frame(self) -> bytes | None:
        head = self.receive(4)
        return None if head is None else self.receive(struct.unpack("<I", head)[0])

    def send(self, *messages: bytes | Message) -> None:
        raw = [each if isinstance(each, bytes) else each.SerializeToString() for each in messages]
        self.socket.sendall(b"".join(struct.pack("<I", len(each)) + each for each in raw))

    def call(self, method: str, argument: Message) -> bytes | None:
        """One PDK call with its reply."""
        self.send(method.encode(), argument)
        return self.frame()

    def finish(self, call: pb.RpcCall) -> None:
        """End the event."""
        self.send(b"", pb.RpcReturn(sequence=call.sequence))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


Connection = Callable[[Wire], None]
Event = Callable[[Wire, pb.RpcCall], None]


class PluginServer:
    """Runs `serve` for every connection, in a thread of its own."""

    def __init__(self, path: Path, serve: Connection) -> None:
        self.path = path
        self.accepted = 0
        self.failures: list[BaseException] = []
        self._serve = serve
        self._wires: set[Wire] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._stopped = False

    def start(self) -> "PluginServer":
        self._listener.bind(str(self.path))
        self._listener.listen(256)
        self._spawn(self._accept)
        return self

    def stop(self) -> None:
        """Stop as a killed server does: every connection is closed, and nobody listens any more."""
        self._stopped = True
        self._refuse()
        self.close_connections()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def close_connections(self) -> None:
        with self._lock:
            for wire in self._wires:
                with contextlib.suppress(OSError):
                    wire.socket.shutdown(socket.SHUT_RDWR)

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            wire = Wire(sock)
            with self._lock:
                self._wires.add(wire)
            self._spawn(lambda wire=wire: self._run(wire))  # type: ignore[misc]

    def _run(self, wire: Wire) -> None:
        try:
            self._serve(wire)
        except ConnectionError:  # the gateway has hung up: it may
            pass
        except Exception as failure:
            if not self._stopped:
                self.failures.append(failure)
                self._refuse()  # or the gateway would try again for ever
        finally:
            wire.close()
            with self._lock:
                self._wires.discard(wire)


class ProtobufScript:
    """Serves ProtoBuf:1: instances are numbered from `first_id`, and `event` answers events."""

    def __init__(self, event: Event, first_id: int = 1) -> None:
        self.event = event
        self.calls: list[pb.RpcCall] = []
        self.ids = itertools.count(first_id)
        self.start_answer: Callable[[pb.RpcCall, int], pb.RpcReturn] = _started

    def __call__(self, wire: Wire) -> None:
        while (data := wire.frame()) is not None:
            call = pb.RpcCall.FromString(data)
            self.calls.append(call)
            kind = call.WhichOneof("call")
            if kind == "cmd_start_instance":
                wire.send(self.start_answer(call, next(self.ids)))
            elif kind == "cmd_handle_event":
                self.event(wire, call)
            else:
                wire.send(pb.RpcReturn(sequence=call.sequence))

    def kinds(self) -> list[str]:
        """The names of the calls so far, without `cmd_`."""
        return [str(call.WhichOneof("call")).removeprefix("cmd_") for call in self.calls]


def _started(call: pb.RpcCall, identity: int) -> pb.RpcReturn:
    status = pb.InstanceStatus(name=call.cmd_start_instance.name, instance_id=identity)
    return pb.RpcReturn(sequence=call.sequence, instance_status=status)


def described(
    path: Path,
    socket_path: Path,
    *,
    name: str = "app-auth",
    protocol: str | None = "ProtoBuf:1",
    priority: int = 960,
    fields: list[Mapping[str, object]] | None = None,
) -> PluginServerSettings:
    """The settings of a plugin server whose query command prints a file, as for a server in another container."""
    config = {"config": {"type": "record", "fields": fields or [REGION, {"mode": {"type": "string"}}]}}
    plugin = {
        "Name": name,
        "Phases": ["access", "log"],
        "Version": "1.0",
        "Priority": priority,
        "Schema": {"name": name, "fields": [config]},
    }
    dump = {"Plugins": [plugin], **({} if protocol is None else {"Protocol": protocol})}
    file = path / f"{name}.json"
    file.write_text(json.dumps(dump))
    return PluginServerSettings(name=name, socket=str(socket_path), query_cmd=f"cat {file}")


@contextlib.contextmanager
def plugin_server(path: Path, serve: Connection) -> Iterator[PluginServer]:
    """A plugin server for the length of the block; what failed in its threads fails the test."""
    server = PluginServer(path, serve).start()
    try:
        yield server
    finally:
        server.stop()
    assert not server.failures, server.failures
