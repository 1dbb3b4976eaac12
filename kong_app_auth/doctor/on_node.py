"""What is on the node itself: the replica, the plugin server, and the declarative file where there is one."""

import os
import pwd
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from kong_app_auth.doctor.check import Check, UnexpectedAnswer, good, told, wrong
from kong_app_auth.doctor.http import Url, ask
from kong_app_auth.domain.freshness import OUT_OF_TOUCH_AFTER
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.replica.layout import data_file
from kong_app_auth.replica.reader import Replica
from kong_app_auth.replica.status import StatusView
from kong_app_auth.settings import Settings
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import LARGEST, parse
from kong_app_auth.sync.issuers.in_use import issuer_of
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import MAX_FRAME, frame

PLUGIN: Final = "app-auth"
_REPLICA: Final = "replica"
_SERVER: Final = "plugin server"
_SOURCE: Final = "apps file"
_START_SERVER: Final = "Start `kong-app-auth plugin-server`; its log says what it is missing."
_PATIENCE: Final = 2.0
_CHECK_SECONDS: Final = 60.0


def look_at_replica(settings: Settings, region: str, in_redis: Position | None) -> Iterator[Check]:
    """Look at this node's copy, and compare its position with the one in Redis where that is known."""
    directory = settings.replica_directory
    try:
        found = directory.stat()
    except FileNotFoundError:
        yield wrong(_REPLICA, f"there is no directory {directory}", _START_SERVER)
        return
    mode = stat.S_IMODE(found.st_mode)
    owned = f"{directory} belongs to {_user(found.st_uid)}, mode {mode:04o}"
    if not os.access(directory, os.R_OK | os.X_OK):
        yield wrong(
            _REPLICA, f"{owned}: this user may not read it", "Run the doctor as the user that the plugin server has."
        )
        return
    if mode & 0o077:
        yield wrong(_REPLICA, f"{owned}: others may look into it", f"chmod 700 {directory}")
    else:
        yield good(_REPLICA, owned)
    yield from _copy(directory, region, in_redis)


def _copy(directory: Path, region: str, in_redis: Position | None) -> Iterator[Check]:
    page = StatusView.open(directory)
    word, heard = (0, 0.0) if page is None else (page.word(), page.last_heard())
    if word >> 1 == 0:
        yield wrong(_REPLICA, "there is no copy yet", _START_SERVER)
        return
    if not word & 1:
        yield wrong(
            _REPLICA,
            "the copy was taken out of force: it was damaged, or the disk was full",
            "The follower takes a fresh one as soon as it can: look for room on the disk, and into its log.",
        )
        return
    file = data_file(directory, word >> 1)
    # In a process of its own: LMDB believes its file, and damage may end the process that reads it.
    if not _reads_through(file):
        yield wrong(
            _REPLICA,
            f"{file} is damaged or cannot be read",
            "Restart the plugin server as the user that owns it: its follower then takes a fresh copy.",
        )
        return
    replica = Replica(directory)
    try:
        yield from _compared(replica, region, heard, in_redis)
    finally:
        replica.close()


def _compared(replica: Replica, region: str, heard: float, in_redis: Position | None) -> Iterator[Check]:
    here = replica.position()
    if here is None:
        yield wrong(_REPLICA, "the copy is of another version", _START_SERVER)
        return
    if replica.region() != region:
        yield wrong(
            _REPLICA,
            f"the copy is of the region {replica.region()}, not of {region}",
            "Give the plugin server the same region as the doctor, or a replica_directory of its own.",
        )
        return
    age = time.time() - heard
    if abs(age) > OUT_OF_TOUCH_AFTER:
        yield wrong(
            _REPLICA,
            f"the region was last heard of {age:.0f} s ago" if heard else "the region was never heard of",
            "Unknown keys get 503 now, and all requests do after the plugin's max_staleness.",
            "Check that the plugin server runs, that its follower reaches Redis, and that the sync daemon runs.",
        )
    else:
        yield good(_REPLICA, f"the region was heard of {max(age, 0.0):.1f} s ago")
    if in_redis is None:
        yield good(_REPLICA, f"the copy is at batch {here.seq}; not compared with Redis")
        return
    # Redis was asked before: a follower that is at work is there by now, or in a moment.
    _wait(lambda: _caught_up(replica.position(), in_redis))
    here = replica.position() or here
    if _caught_up(here, in_redis):
        yield good(_REPLICA, f"the copy is at batch {here.seq}, as Redis is")
    elif here.epoch == in_redis.epoch and here.seq < in_redis.seq:
        yield wrong(
            _REPLICA,
            f"the copy is behind: at batch {here.seq}, and Redis at batch {in_redis.seq}",
            "Its follower does not keep up or has stopped: look into the plugin server's log.",
        )
    else:
        yield wrong(
            _REPLICA,
            "the copy is not of the registry that is in Redis",
            "The follower takes a fresh one when it hears a sync daemon: check that both talk to the same Redis.",
        )


def _caught_up(here: Position | None, there: Position) -> bool:
    return (
        here is not None
        and here.epoch == there.epoch
        and here.seq >= there.seq
        and (here.seq > there.seq or here == there)
    )


def look_at_socket(settings: Settings) -> Iterator[Check]:
    """Look at the socket as Kong does: connect, and ask for the plugin's name over ProtoBuf:1."""
    path = settings.socket
    try:
        found = path.stat()
    except FileNotFoundError:
        yield wrong(_SERVER, f"there is no socket {path}", _START_SERVER)
        return
    mode = stat.S_IMODE(found.st_mode)
    shown = f"{path} belongs to {_user(found.st_uid)}, group {found.st_gid}, mode {mode:04o}"
    if not stat.S_ISSOCK(found.st_mode):
        yield wrong(_SERVER, f"{path} is not a socket", "Set another path, or remove the file and restart the server.")
        return
    if mode != settings.socket_mode:
        yield wrong(
            _SERVER,
            f"{shown}; the settings say {settings.socket_mode:04o}",
            "Restart the plugin server with the settings that the doctor has.",
        )
    else:
        yield good(_SERVER, shown)
    try:
        names = _names(path)
    except PermissionError:
        yield wrong(
            _SERVER,
            "this user may not connect to the socket, and Kong's may not either if it is no other",
            "Set socket_group to a group that Kong's user is in, and socket_mode to 0660.",
        )
    except (OSError, UnexpectedAnswer) as error:
        yield wrong(_SERVER, f"{path} does not answer as it should: {told(error)}", _START_SERVER)
    else:
        if names == [PLUGIN]:
            yield good(_SERVER, f"speaks ProtoBuf:1 and has the plugin {PLUGIN}")
        else:
            yield wrong(
                _SERVER,
                f"has {', '.join(names) or 'no plugin'}, not {PLUGIN}",
                "Another plugin server uses this socket: give each its own.",
            )


def _names(path: Path) -> list[str]:
    """Ask a server for the names of its plugins. Raises OSError, and UnexpectedAnswer for an answer that is none."""
    call = pb.RpcCall(sequence=1, cmd_get_plugin_names=pb.CmdGetPluginNames())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(str(path))
        connection.sendall(frame(call.SerializeToString()))
        length = int.from_bytes(_received(connection, 4), "little")
        if length > MAX_FRAME:
            raise UnexpectedAnswer("it does not speak ProtoBuf:1")
        data = _received(connection, length)
    try:
        answer = pb.RpcReturn.FromString(data)
    except Exception as error:  # protobuf's DecodeError has no common base that its stubs know
        raise UnexpectedAnswer("it does not speak ProtoBuf:1") from error
    return list(answer.plugin_names.names)


def _received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = connection.recv(min(length - len(data), 65536))
        if not chunk:
            raise UnexpectedAnswer("it closed the connection")
        data += chunk
    return data


class _Readiness(msgspec.Struct, frozen=True):
    """What `/ready` says."""

    waiting_for: str | None = None


def look_at_metrics(settings: Settings) -> Iterator[Check]:
    """Ask `/ready`."""
    address = settings.metrics_address
    if address is None:
        yield good(_SERVER, "/ready is not looked at: metrics_address is off")
        return
    host, _, port = address.rpartition(":")
    # An address to listen on everywhere is none to connect to.
    reached = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    try:
        answer = ask(Url.parse(f"http://{reached}:{port}"), "/ready")
        waiting = None if answer.status == 200 else answer.read(_Readiness).waiting_for
    except (OSError, UnexpectedAnswer) as error:
        yield wrong(
            _SERVER,
            f"http://{address}/ready does not answer as it should: {told(error)}",
            _START_SERVER,
            "If it runs, give the doctor the same metrics_address.",
        )
        return
    if answer.status == 200:
        yield good(_SERVER, "is ready")
    else:
        yield wrong(
            _SERVER,
            f"is not ready, it is waiting for {waiting or 'what it does not tell'}",
            "Until then requests get 5xx. What is missing is among the checks above.",
        )


def look_at_apps_file(settings: Settings, region: str) -> Iterator[Check]:
    """Read the declarative file as the sync daemon does, where there is one."""
    path = settings.apps_file
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        yield good(_SOURCE, f"there is none here ({path}); only a sync daemon needs one")
        return
    except OSError as error:
        yield wrong(_SOURCE, f"{path} cannot be read: {told(error)}", "Let the sync daemon's user read it.")
        return
    found = parse(data, str(path), region)
    if isinstance(found, Refusal):
        more = (f"and {found.more} more",) if found.more else ()
        lines = (str(complaint) for complaint in found.complaints)
        yield wrong(_SOURCE, f"{path} is refused; what it said before stays in force", *lines, *more)
    else:
        yield good(_SOURCE, f"{path} is good: {_counts(found)}")


def _counts(contents: Contents) -> str:
    """Say how much the file holds. It names issuers in strategies, and their keys are fetched from the providers."""
    counts = {table: len(contents.table(table)) for table in Table}
    counts[Table.ISSUERS] = len({issuer_of(one) for one in contents.strategies.values()} - {None})
    return ", ".join(f"{count} {table.value}" for table, count in counts.items())


def _reads_through(file: Path) -> bool:
    try:
        checked = subprocess.run(
            [sys.executable, "-P", "-m", "kong_app_auth.replica.check", str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return checked.returncode == 0


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
