"""A client that speaks ProtoBuf:1 over a real Unix socket as Kong 3.9.1 does.

It writes each frame in two sends (the length, then the payload), runs PDK calls one after another from a script of
answers, keeps its connection after an event, and closes it after `kong.response.exit`.
"""

import itertools
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import msgspec

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.values import from_struct, to_text

PATIENCE = 15.0
"""Seconds until a read gives up: the server hangs, and the test fails with TimeoutError."""

EXIT = b"kong.response.exit"

Answers: TypeAlias = Mapping[str, "bytes | Callable[[bytes], bytes]"]
"""Replies to PDK calls by method name: bytes, or a function of the argument. Others are answered with nothing."""


class ServerClosedError(Exception):
    """The server closed the connection where Kong waits for a frame. Kong would start anew and try again."""


class Call(msgspec.Struct, frozen=True):
    """A PDK call of the server: the method's name and its serialised argument."""

    method: str
    argument: bytes


class Outcome(msgspec.Struct, frozen=True):
    """How an event ended. `status` is 200 where the plugin let the request pass, else that of its exit."""

    calls: tuple[Call, ...]
    status: int
    body: bytes = b""
    headers: dict[str, object] = {}

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the calls, in order."""
        return tuple(call.method for call in self.calls)

    def struct(self, method: str) -> dict[str, object]:
        """The argument of the first call of a method that takes a Struct."""
        argument = next(call.argument for call in self.calls if call.method == method)
        return dict(from_struct(pb.Struct.FromString(argument)))

    def value(self, method: str, key: str) -> object:
        """The value that a call of a method that takes a KV gave to a key."""
        for call in self.calls:
            if call.method == method:
                pair = pb.KV.FromString(call.argument)
                if pair.k == key.encode():
                    return to_text(pair.v.string_value)
        raise KeyError(key)


class KongConnection:
    """One connection of Kong's to a plugin server."""

    _sequences = itertools.count(1)

    def __init__(self, path: str | Path, patience: float = PATIENCE) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(patience)
        try:
            self.sock.connect(str(path))
        except BaseException:
            self.sock.close()
            raise
        self._ahead = b""
        self.closed = False

    def __enter__(self) -> "KongConnection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it, as Kong does after an exit."""
        self.closed = True
        self.sock.close()

    # Frames

    def send_frame(self, payload: bytes) -> None:
        """Write a frame as Kong does, in two sends. ServerClosedError where nobody reads any more."""
        try:
            self.sock.sendall(len(payload).to_bytes(4, "little"))
            if payload:
                self.sock.sendall(payload)
        except ConnectionError as error:
            raise ServerClosedError(str(error)) from error

    def receive_frame(self) -> bytes:
        """Read one frame."""
        size = int.from_bytes(self._take(4), "little")
        return self._take(size)

    def _take(self, size: int) -> bytes:
        while len(self._ahead) < size:
            try:
                data = self.sock.recv(max(65536, size - len(self._ahead)))
            except ConnectionError as error:
                raise ServerClosedError(str(error)) from error
            if not data:
                raise ServerClosedError("end of stream")
            self._ahead += data
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    # Calls of Kong

    def command(self, call: pb.RpcCall) -> pb.RpcReturn:
        """Make any call but an event."""
        call.sequence = next(self._sequences)
        self.send_frame(call.SerializeToString())
        reply = pb.RpcReturn.FromString(self.receive_frame())
        assert reply.sequence == call.sequence
        return reply

    def start_instance(self, config: object = None, name: str = "probe") -> int:
        """Start an instance; `config` is bytes, or anything that JSON can hold."""
        body = config if isinstance(config, bytes) else msgspec.json.encode({} if config is None else config)
        reply = self.command(pb.RpcCall(cmd_start_instance=pb.CmdStartInstance(name=name.encode(), config=body)))
        # Kong raises in Lua on a return without one, and stalls for ten seconds.
        assert reply.WhichOneof("return") == "instance_status"
        assert reply.instance_status.instance_id != 0
        return reply.instance_status.instance_id

    def close_instance(self, number: int) -> pb.RpcReturn:
        """Close an instance."""
        return self.command(pb.RpcCall(cmd_close_instance=pb.CmdCloseInstance(instance_id=number)))

    def begin(self, instance: int, phase: str = "access") -> int:
        """Send an event and give its sequence; `follow` does the rest."""
        sequence = next(self._sequences)
        self.send_frame(event_call(instance, phase, sequence))
        return sequence

    def follow(self, sequence: int, answers: Answers | None = None) -> Outcome:
        """Do what the server asks for until the event ends."""
        calls: list[Call] = []
        while True:
            method = self.receive_frame()
            if not method:
                reply = pb.RpcReturn.FromString(self.receive_frame())
                assert reply.sequence == sequence
                return Outcome(tuple(calls), 200)
            argument = self.receive_frame()
            calls.append(Call(method.decode("ascii"), argument))
            if method == EXIT:
                self.close()
                exit_args = pb.ExitArgs.FromString(argument)
                headers: dict[str, object] = dict(from_struct(exit_args.headers))
                return Outcome(tuple(calls), exit_args.status, exit_args.body, headers)
            answer = (answers or {}).get(method.decode("ascii"), b"")
            self.send_frame(answer(argument) if callable(answer) else answer)

    def event(self, instance: int, answers: Answers | None = None, phase: str = "access") -> Outcome:
        """Run one event from its beginning to its end."""
        return self.follow(self.begin(instance, phase), answers)


def event_call(instance: int, phase: str = "access", sequence: int = 1) -> bytes:
    """The payload of the frame that opens an event."""
    event = pb.CmdHandleEvent(instance_id=instance, event_name=phase.encode())
    return pb.RpcCall(sequence=sequence, cmd_handle_event=event).SerializeToString()


def ask_once(path: str | Path, instance: int, answers: Answers | None = None) -> Outcome:
    """Run one event on a connection of its own."""
    with KongConnection(path) as kong:
        return kong.event(instance, answers)


def start_once(path: str | Path, config: object = None) -> int:
    """Start an instance on a connection of its own."""
    with KongConnection(path) as kong:
        return kong.start_instance(config)
