"""The plugin servers that are compared, each started as its users start it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.driver import Target
from bench.kong import Connection, Headers, Protocol, headers
from bench.processes import tree
from bench.region import KEY_LENGTH, REGION
from kong_app_auth.replica.reader import Replica
from tests.servers.process import start, wait_until

WORKERS = 2
OURS = "kong-app-auth"
THREADS = "kong_pdk, threads"
GEVENT = "kong_pdk, gevent"
NPM = "npm kong-pdk"
FLOOR = "floor (no work)"
NPM_PACKAGE = "kong-pdk@0.6.0"

_ROOT = Path(__file__).parents[1]
_NPM_DIRECTORY = _ROOT / "build" / "bench-npm"
_COMMAND = (sys.executable, "-P", "-m", "kong_app_auth.cli")
_START_WITHIN = 30.0
_STOP_WITHIN = 15.0
_MAX_LOG = 4 * 1024 * 1024


class NotMeasured(Exception):  # noqa: N818 – says what it is
    """A server cannot be started here; the text says why."""


class Server:
    """A running server: what the kernel and the driver need to know of it. `only`: the one work that it can do."""

    def __init__(
        self,
        name: str,
        protocol: Protocol,
        path: Path,
        process: "subprocess.Popen[bytes]",
        log: Path,
        only: str | None = None,
    ) -> None:
        self.name = name
        self.only = only
        self.protocol = protocol
        self.socket = path
        self.process = process
        self.log = log
        self._headers: Headers = headers(protocol, KEY_LENGTH)

    def roles(self) -> dict[int, str]:
        """The processes, by what they do. Only ours has several."""
        if self.name != OURS:
            return dict.fromkeys(tree(self.process.pid), "server")
        roles: dict[int, str] = {}
        workers = 0
        for pid in tree(self.process.pid):
            command = _command_line(pid)
            if pid == self.process.pid:
                roles[pid] = "supervisor"
            elif command[-1:] == ["follower"]:
                roles[pid] = "follower"
            elif "plugin_server.zygote" in command:
                if "zygote" in roles.values():
                    workers += 1
                roles[pid] = f"worker {workers}" if workers else "zygote"
        return roles

    def pids(self) -> list[int]:
        """The processes that have to do with requests: all but the follower, which has work of its own."""
        return [pid for pid, role in self.roles().items() if role != "follower"]

    def target(self, service_id: str, keys: Path) -> Target:
        """Start an instance, as Kong does, and say how to drive it."""
        self.check()
        connection = Connection(self.socket, self.protocol)
        instance = connection.start_instance("app-auth", {"region": REGION, "service_id": service_id})
        connection.close()
        return Target(self.socket, self.protocol, instance, self._headers, keys, KEY_LENGTH)

    def headers_with(self, key: str) -> bytes:
        """The answer to `get_headers` for a request with this key."""
        body, at = self._headers.body, self._headers.key_at
        return body[:at] + key.encode() + body[at + KEY_LENGTH :]

    def check(self) -> None:
        """Raise RuntimeError if it has ended; and keep its log small, for refusals are logged."""
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{self.name} has ended with code {self.process.returncode}:\n{said}")
        if self.log.stat().st_size > _MAX_LOG:
            os.truncate(self.log, 0)


@contextmanager
def _running(
    name: str,
    protocol: Protocol,
    path: Path,
    command: list[str | Path],
    environment: dict[str, str],
    only: str | None = None,
) -> Generator[Server]:
    log = path.with_suffix(".log")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("APP_AUTH_")}
    process = start(command, log, env=inherited | environment, cwd=path.parent, start_new_session=True)
    server = Server(name, protocol, path, process, log, only)
    try:
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answering(server: Server) -> Callable[[], bool]:
    def answers() -> bool:
        server.check()
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(server.socket))
            return True
        return False

    return answers


@contextmanager
def gateway_node(directory: Path, redis_url: str, on_start: Callable[[Server], None]) -> Generator[Server]:
    """Our server with its follower. `on_start` is called when they are started, before there is a copy."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "APP_AUTH_REGION": REGION,
        "APP_AUTH_REDIS_URL": redis_url,
        "APP_AUTH_SOCKET": str(directory / "app-auth.sock"),
        "APP_AUTH_REPLICA_DIRECTORY": str(replica_directory(directory)),
        "APP_AUTH_WORKERS": str(WORKERS),
        "APP_AUTH_METRICS_ADDRESS": "off",
    }
    path = directory / "app-auth.sock"
    with _running(OURS, Protocol.PROTOBUF, path, [*_COMMAND, "plugin-server"], settings) as server:
        on_start(server)
        wait_until(_answering(server), "our plugin server is up", _START_WITHIN)
        roles = {f"worker {number}" for number in range(1, WORKERS + 1)}
        wait_until(lambda: roles <= set(server.roles().values()), "our workers are up", _START_WITHIN)
        yield server


def replica_directory(directory: Path) -> Path:
    """Where the node in `directory` keeps its copy."""
    return directory / "replica"


def wait_for_copy(server: Server, replica: Replica, patience: float) -> None:
    """Wait until there is a copy in force."""

    def there() -> bool:
        server.check()
        return replica.last_heard() > 0

    wait_until(there, "the first copy", patience)


@contextmanager
def sync_daemon(directory: Path, redis_url: str, apps_file: Path) -> Generator[None]:
    """The sync daemon on a declarative file."""
    settings = {"APP_AUTH_REGION": REGION, "APP_AUTH_REDIS_URL": redis_url, "APP_AUTH_APPS_FILE": str(apps_file)}
    # It has no socket; the path only names its log.
    with _running("sync", Protocol.PROTOBUF, directory / "sync.sock", [*_COMMAND, "sync"], settings):
        yield


@contextmanager
def stock_server(directory: Path, replica: Path, *, gevent: bool) -> Generator[Server]:
    """The server of `kong_pdk`, with our plugin's class on our replica. One process, for it has no more."""
    name = GEVENT if gevent else THREADS
    program = Path(sys.executable).with_name("kong-python-pluginserver")
    if not program.exists():
        raise NotMeasured("kong_pdk is not installed")
    plugins = directory / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "app-auth.py").write_text("from kong_app_auth.plugin import *\n")
    path = directory / "stock.sock"
    command: list[str | Path] = [program, "-d", plugins, "-p", directory, "--socket-name", path.name]
    environment = {"APP_AUTH_REPLICA_DIRECTORY": str(replica)}
    with _running(name, Protocol.MSGPACK, path, command + (["-g"] if gevent else []), environment) as server:
        wait_until(_answering(server), f"{name} is up", _START_WITHIN)
        yield server


@contextmanager
def npm_server(directory: Path, known_keys: Path) -> Generator[Server]:
    """The npm server, with a plugin that does less than ours (see npm_server/app-auth.js)."""
    program = _installed_npm_server()
    plugins = directory / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "app-auth.js").write_bytes((Path(__file__).parent / "npm_server" / "app-auth.js").read_bytes())
    path = directory / "npm.sock"
    command: list[str | Path] = ["node", program, "-d", plugins, "-p", directory, "--sock-name", path.name]
    environment = {
        "BENCH_KEYS": str(known_keys),
        "BENCH_KEY_LENGTH": str(KEY_LENGTH),
        "NODE_ENV": "production",
        "DISABLE_V8_COMPILE_CACHE": "1",  # it would stay in /tmp
        "NODE_PATH": str(_NPM_DIRECTORY / "node_modules"),
    }
    with _running(NPM, Protocol.MSGPACK, path, command, environment) as server:
        wait_until(_answering(server), f"{NPM} is up", _START_WITHIN)
        yield server


@contextmanager
def floor_server(directory: Path, work: str) -> Generator[Server]:
    """What answers every event alike: the least that a server in Python pays (see `bench.floor`)."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{work}.sock"
    command: list[str | Path] = [sys.executable, "-P", "-m", "bench.floor", path, str(WORKERS), work]
    environment = {"PYTHONPATH": str(_ROOT)}
    with _running(FLOOR, Protocol.PROTOBUF, path, command, environment, only=work) as server:
        wait_until(_answering(server), f"{FLOOR} is up", _START_WITHIN)
        yield server


def _installed_npm_server() -> Path:
    program = _NPM_DIRECTORY / "node_modules" / "kong-pdk" / "bin" / "kong-js-pluginserver"
    if program.exists():
        return program
    _NPM_DIRECTORY.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(_NPM_DIRECTORY), NPM_PACKAGE]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=180)
    except FileNotFoundError:
        raise NotMeasured("npm is not installed") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(f"npm could not install {NPM_PACKAGE}: {_last_line(error)}") from error
    return program


def _last_line(error: Any) -> str:
    lines = str(error.stderr or error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _command_line(pid: int) -> list[str]:
    try:
        return [part.decode() for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Skipped(msgspec.Struct, frozen=True):
    """A server that was not measured."""

    server: str
    why: str
