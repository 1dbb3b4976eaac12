"""The data path: Valkey, sync daemon, plugin server and gateway as processes, and an upstream that counts.

A test takes the `data_path` of its module, breaks what it likes, and calls `heal()` at its end.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterable
from pathlib import Path

import msgspec

from kong_app_auth.settings import ENV_PREFIX
from tests.servers.gateway import EventLoopThread
from tests.servers.process import PATIENCE, end, free_port, start, wait_until
from tests.servers.redis import RedisServer
from tests.system.client import Answer, ClosedError, Connection, Header, request
from tests.system.gateways import DevelopmentGateway, Gateway, Kong, RunningKong
from tests.system.processes import MARK, Seen, end_marked, marked, send
from tests.system.scene import REGION, Scene, kong_configuration
from tests.system.upstream import CountingUpstream

_GOOD_ANSWERS = 10
"""Answers in a row, each on a new connection, after which the data path is taken to be well."""


class Pids(msgspec.Struct, frozen=True):
    """The processes of a plugin server."""

    supervisor: int
    zygotes: tuple[int, ...]
    workers: tuple[int, ...]
    followers: tuple[int, ...]


class DataPath:
    """The data path of one test module. Start it with `data_path(…)`."""

    def __init__(self, directory: Path, gateway: Gateway, upstream: CountingUpstream, *, workers: int) -> None:
        self.directory = directory
        self.gateway = gateway
        self.upstream = upstream
        self.upstream_url = f"http://{gateway.upstream_host}:{upstream.port}"
        self.mark = uuid.uuid4().hex
        self.scene = Scene(directory / "apps.yaml")
        self.valkey = RedisServer(directory / "valkey")
        self.syncs: list[subprocess.Popen[bytes]] = []
        self.plugin_server: subprocess.Popen[bytes] | None = None
        self.workers = workers
        self.settings_file = directory / "plugin-server.yaml"
        self._metrics = ("127.0.0.1", free_port())

    # Starting and stopping

    def start(self) -> None:
        """Bring everything up and wait until it serves."""
        self.scene.write()
        self.start_sync()
        self.start_plugin_server()
        self.start_gateway()
        self.wait_until_well()

    def start_gateway(self) -> None:
        """Start the gateway with the configuration of the scene."""
        self.gateway.start(kong_configuration(self.upstream_url, real=self.gateway.real), self._environment())

    def stop(self) -> None:
        """End everything at once, whatever state it is in."""
        end_marked(self.mark)
        self.gateway.stop()
        server = self.plugin_server
        for process in (*self.syncs, *([] if server is None else [server])):
            end(process)
        end(self.valkey.process)

    def start_sync(self) -> "subprocess.Popen[bytes]":
        """Start a sync daemon (another one, where there is one)."""
        daemon = self._start_own("sync", "sync", "--apps-file", str(self.scene.file))
        self.syncs.append(daemon)
        return daemon

    def start_plugin_server(self) -> None:
        """Start the plugin server and wait until its workers answer on the socket."""
        self.write_settings()
        self.plugin_server = self._start_own("plugin-server", "plugin-server", "--config", str(self.settings_file))
        wait_until(self._workers_are_there, f"the plugin server is up: {self.directory}/plugin-server.log")

    def write_settings(self) -> None:
        """Write the plugin server's settings; it reads them again at SIGHUP."""
        settings = {
            "replica_directory": str(self.directory / "replica"),
            "socket": str(self.gateway.socket),
            "socket_mode": "0666",
            "workers": self.workers,
            "metrics_address": "{}:{}".format(*self._metrics),
        }
        self.settings_file.write_text(json.dumps(settings))

    def end_plugin_server(self, how: int) -> None:
        """End the supervisor, and with it the rest."""
        server = self.plugin_server
        if server is None:
            return
        end(server, how)
        self.plugin_server = None
        for each in self._of_plugin_server():
            send(each.pid, signal.SIGCONT)
        wait_until(lambda: not self._of_plugin_server(), "all of the plugin server has ended")

    def forget_replica(self) -> None:
        """Make this node one that was never in touch; not while the plugin server runs."""
        shutil.rmtree(self.directory / "replica")

    def heal(self) -> None:
        """Wake what is paused, start what is not there, and wait until all is well."""
        for each in marked(self.mark):
            send(each.pid, signal.SIGCONT)
        self.valkey.process.send_signal(signal.SIGCONT)
        if self.valkey.process.poll() is not None:
            self.valkey.restart()
        self.syncs = [sync for sync in self.syncs if sync.poll() is None]
        if not self.syncs:
            self.start_sync()
        if self.plugin_server is not None and self.plugin_server.poll() is not None:
            self.end_plugin_server(signal.SIGKILL)
        if self.plugin_server is None:
            self.start_plugin_server()
        self.wait_until_well()

    def wait_until_well(self) -> None:
        """Wait until the plugin server is whole and in touch, and the gateway answers again and again as it should."""
        wait_until(self._is_whole, "all processes of the plugin server are there")
        wait_until(
            lambda: (
                self.status("unknown") == 401 and all(self.status("dashboard") == 200 for _ in range(_GOOD_ANSWERS))
            ),
            "the data path serves",
        )

    def _is_whole(self) -> bool:
        pids = self.pids()
        return (len(pids.zygotes), len(pids.workers), len(pids.followers)) == (1, self.workers, 1)

    def _workers_are_there(self) -> bool:
        server = self.plugin_server
        assert server is not None
        assert server.poll() is None, f"it has ended: {self.log('plugin-server')[-2000:]}"
        return self.metric("plugin_server_workers") >= self.workers

    # Looking

    def pids(self) -> Pids:
        """The processes of the plugin server as they are now."""
        assert self.plugin_server is not None
        supervisor = self.plugin_server.pid
        seen = self._of_plugin_server()
        zygotes = [each for each in seen if each.parent == supervisor and "plugin_server.zygote" in each.command]
        workers = [each for each in seen if each.parent != supervisor and "plugin_server.zygote" in each.command]
        followers = [each for each in seen if each.command.endswith("kong_app_auth.cli follower")]
        return Pids(supervisor, _numbers(zygotes), _numbers(workers), _numbers(followers))

    def _of_plugin_server(self) -> list[Seen]:
        parts = ("plugin_server.zygote", "kong_app_auth.cli follower", "kong_app_auth.cli plugin-server")
        return [each for each in marked(self.mark) if any(part in each.command for part in parts)]

    def metric(self, name: str) -> float:
        """The sum of a metric of the plugin server over its labels; 0 where it is not to be had."""
        text = self._metrics_page("/metrics")
        lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
        return sum(float(value) for key, value in lines if key.partition("{")[0] == name)

    def is_ready(self) -> bool:
        """Whether the plugin server says at `/ready` that it is."""
        return self._metrics_page("/ready") != ""

    def _metrics_page(self, path: str) -> str:
        connection = http.client.HTTPConnection(*self._metrics, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
            return text if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def log(self, name: str) -> str:
        """What a process has written: `sync`, `plugin-server`, `gateway`."""
        file = self.directory / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    # Asking

    def ask(
        self,
        key: str | None = None,
        path: str | bytes = "/weather",
        headers: Iterable[Header] = (),
        method: str = "GET",
    ) -> Answer:
        """One request, on a connection of its own. `key` names one of the scene's, sent as `apikey`."""
        named: list[Header] = [] if key is None else [("apikey", self.scene.keys[key])]
        return self.send(request(path, [*named, *headers], method=method))

    def send(self, raw: bytes, patience: float = PATIENCE) -> Answer:
        """Send these very bytes on a connection of their own, and read one answer. Raises ClosedError, TimeoutError."""
        with self.connect(patience) as connection:
            return connection.ask(raw)

    def connect(self, patience: float = PATIENCE) -> Connection:
        """Open a connection to the gateway."""
        return Connection(self.gateway.address, patience)

    def status(self, key: str | None, path: str = "/weather") -> int:
        """The status of a request; 0 where there was no answer."""
        try:
            return self.ask(key, path).status
        except (ClosedError, OSError):
            return 0

    def wait_for_status(self, status: int, key: str | None, path: str = "/weather") -> None:
        """Wait until a key is answered so."""
        wait_until(lambda: self.status(key, path) == status, f"{status} for {key} at {path}")

    # Helpers

    def _start_own(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", *arguments]
        return start(command, self.directory / f"{name}.log", env=self._environment())

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        url = self.valkey.url
        return {**inherited, MARK: self.mark, f"{ENV_PREFIX}REGION": REGION, f"{ENV_PREFIX}REDIS_URL": url}


def _numbers(seen: Iterable[Seen]) -> tuple[int, ...]:
    return tuple(sorted(each.pid for each in seen))


@contextlib.contextmanager
def data_path(kong: Kong | None, *, workers: int = 2, started: bool = True) -> Generator[DataPath]:
    """Run a data path: on the development gateway, or on this Kong. Not `started`: the test starts the parts."""
    with tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True) as name, EventLoopThread() as loop:
        directory = Path(name)
        gateway: Gateway = DevelopmentGateway(directory) if kong is None else RunningKong(kong)
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1" if kong is None else "0.0.0.0"))
        path = DataPath(directory, gateway, upstream, workers=workers)
        try:
            if started:
                path.start()
            yield path
        except BaseException:
            for log in ("sync", "plugin-server", "gateway"):
                print(f"--- the end of {log}.log\n{path.log(log)[-3000:]}")
            raise
        finally:
            path.stop()
