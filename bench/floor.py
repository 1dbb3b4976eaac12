"""The floor: the least that a server in Python pays for an event, which is to be woken, to ask, and to answer.

`python -m bench.floor SOCKET WORKERS allowed|refused` answers every event in the same way, whoever asks. It looks
nothing up, decides nothing, hands nothing over, survives nothing. What a server takes beyond it is what its work costs.
"""

import contextlib
import os
import select
import signal
import socket
import sys

from plugin_server.pdk.response import exit_call
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.events import parse_call, parse_event
from plugin_server.wire.frames import EMPTY, frame, method
from plugin_server.wire.values import Json, write_headers

_INSTANCE = 7
_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
_NAMES = ("X-Application-ID", "X-Developer-ID", "X-Portal-ID", "X-Auth-Strategy-ID", "X-Credential-Identifier")
_GET_HEADERS = method("kong.request.get_headers") + frame(pb.Int(v=1000).SerializeToString())
_GET_VAR = method("kong.nginx.get_var") + frame(pb.String(v=b"kong_request_id").SerializeToString())
_IDENTITY: dict[str, Json] = {**dict.fromkeys(_NAMES, _ID), "X-App-Auth-Region": "eu", "apikey": []}
_CREDENTIAL = pb.Credential(id=_ID.encode(), consumer_id=_ID.encode())
_LET_IN = (
    method("kong.service.request.set_headers")
    + frame(write_headers(_IDENTITY))
    + method("kong.client.authenticate")
    + frame(pb.AuthenticateArgs(credential=_CREDENTIAL).SerializeToString())
    + EMPTY
)
_OWED = 2 * len(EMPTY)
_KEEP_OUT = exit_call(401, b'{"message":"Unauthorized"}', {"Content-Type": "application/json; charset=utf-8"})


class _Connection:
    """What is between two events: replies owed; within one: the frame that ends it."""

    __slots__ = ("ended", "have", "owed")

    def __init__(self) -> None:
        self.ended: bytes | None = None
        self.have = b""
        self.owed = 0


def _frames(data: bytes) -> int:
    """How many whole frames there are."""
    at = count = 0
    while len(data) >= at + 4 and len(data) >= (after := at + 4 + int.from_bytes(data[at : at + 4], "little")):
        at, count = after, count + 1
    return count


def serve(listener: socket.socket, *, refuse: bool) -> None:
    """Answer for ever."""
    asked, answers = (_GET_HEADERS + _GET_VAR, 2) if refuse else (_GET_HEADERS, 1)
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)
    connections: dict[int, _Connection] = {}
    while True:
        for fd, _ in epoll.poll(None, 64):
            if fd == listener.fileno():
                with contextlib.suppress(BlockingIOError):
                    new = listener.accept()[0].detach()
                    epoll.register(new, select.EPOLLIN)
                    connections[new] = _Connection()
                continue
            one = connections[fd]
            data = os.read(fd, 16384)
            if not data:
                os.close(fd)
                del connections[fd]
                continue
            data = one.have + data
            one.have = b""
            if one.ended is None:
                command = data[one.owed :]
                if not _frames(command):
                    one.have = data
                    continue
                event = parse_event(command[4:])
                if event is None:
                    call = parse_call(command[4:])
                    started = pb.RpcReturn(sequence=call.sequence)
                    started.instance_status.instance_id = _INSTANCE
                    os.write(fd, frame(started.SerializeToString()))
                    continue
                one.ended, one.owed = event[2], 0
                os.write(fd, asked)
            elif _frames(data) < answers:
                one.have = data
            elif refuse:
                os.write(fd, _KEEP_OUT)
                os.close(fd)
                del connections[fd]
            else:
                os.write(fd, _LET_IN + one.ended)
                one.ended, one.owed = None, _OWED


def main() -> None:
    """Listen, and serve in as many processes as are asked for."""
    path, workers, work = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(4096)
        listener.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))  # all of them
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        for _ in range(int(workers) - 1):
            if os.fork() == 0:
                break
        serve(listener, refuse=work == "refused")


if __name__ == "__main__":
    main()
