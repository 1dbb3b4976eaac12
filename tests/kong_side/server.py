"""A plugin server under test: started as its users start it, looked at from outside, and never left behind."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from tests.kong_side.client import KongConnection, Outcome, ServerClosedError
from tests.servers.process import PATIENCE, end, start, wait_until

PLUGINS = Path(__file__).parent / "plugins"
_MARK = "PLUGIN_SERVER_UNDER_TEST"


class PluginServer:
    """A server with the plugin `probe` in a directory of its own, where a test may rewrite it."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.plugins = directory / "plugins"
        shutil.copytree(PLUGINS, self.plugins, ignore=shutil.ignore_patterns("__pycache__"))
        self.socket = directory / "s.sock"
        self.settings_file = directory / "settings.json"
        self.log_file = directory / "log"
        self.settings: dict[str, Any] = {"plugin": "probe", "socket": str(self.socket), "workers": 2, **settings}
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(self.plugins),
            "PYTHONDONTWRITEBYTECODE": "1",  # a plugin rewritten within a second must be read anew
            _MARK: self.mark,
        }
        self.prefix: tuple[str, ...] = ()
        self.process: subprocess.Popen[bytes] | None = None

    # Life

    def start(self, log: Path | None = None) -> "PluginServer":
        """Start it and wait until it answers."""
        self.launch(log)
        wait_until(self.answers, "the server answers")
        return self

    def launch(self, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start it and do not wait."""
        self.write_settings()
        command = (*self.prefix, sys.executable, "-m", "plugin_server", self.settings_file)
        self.process = start(command, log or self.log_file, env=self.environment, cwd=self.directory)
        return self.process

    def write_settings(self, **changes: Any) -> None:
        """Write the settings' file anew."""
        self.settings.update(changes)
        self.settings_file.write_bytes(msgspec.json.encode(self.settings))

    def answers(self) -> bool:
        """Say whether somebody answers on the socket."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            with KongConnection(self.socket) as kong:
                kong.start_instance()
        except (OSError, ServerClosedError):
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """End it politely and give its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def reload(self, outcome: str = "reload done") -> None:
        """Send SIGHUP and wait until the log tells how that ended."""
        before = self.log().count(outcome)
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.log().count(outcome) > before, outcome)

    def clean_up(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.process is not None:
            end(self.process)
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.pids(), "every process of the server is gone")

    # From outside

    def log(self) -> str:
        """All that it wrote."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log with this event."""
        lines = (line for line in self.log().splitlines() if line.startswith("{"))
        return [entry for entry in map(msgspec.json.decode, lines) if entry["event"] == name]

    def pids(self) -> set[int]:
        """Every process that belongs to it: the supervisor, the zygotes, the workers, the companions."""
        mark = f"{_MARK}={self.mark}".encode()
        found: set[int] = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if mark in (entry / "environ").read_bytes() and _state(int(entry.name)) != "Z":
                        found.add(int(entry.name))
        return found

    def zygotes(self) -> set[int]:
        """The processes that fork workers."""
        assert self.process is not None
        return {pid for pid in self.pids() if _is_zygote_code(pid) and _parent(pid) == self.process.pid}

    def workers(self) -> set[int]:
        """The worker processes."""
        assert self.process is not None
        return {pid for pid in self.pids() if _is_zygote_code(pid) and _parent(pid) != self.process.pid}

    def answering(self, instance: int, how_many: int) -> set[int]:
        """The pids of so many workers that answer now, each on a connection of its own. `instance` does `pid`."""
        answering: set[int] = set()

        def enough() -> bool:
            connections = [KongConnection(self.socket) for _ in range(2 * how_many)]
            try:
                answering.update(worker_of(kong.event(instance)) for kong in connections)
            except (OSError, ServerClosedError):
                return False
            finally:
                for kong in connections:
                    kong.close()
            return len(answering) >= how_many

        wait_until(enough, f"{how_many} workers answer")
        return answering

    def http(self, path: str) -> tuple[int, str]:
        """GET from the metrics address: status and body."""
        host, _, port = str(self.settings["metrics_address"]).rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The sum of a metric over those of its labels that contain the given text, as `name{part`."""
        name, _, part = name.partition("{")
        found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", self.http("/metrics")[1], re.MULTILINE)
        return sum(float(value) for labels, value in found if part in labels)


@contextmanager
def plugin_server(directory: Path, **settings: Any) -> Generator[PluginServer]:
    """A server that answers, ended with the context."""
    server = PluginServer(directory, **settings)
    try:
        yield server.start()
    finally:
        server.clean_up()


def worker_of(outcome: Outcome) -> int:
    """The pid that the plugin's `pid` or `allow` has told."""
    return int(str(outcome.value("kong.response.set_header", "X-Pid")))


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def resident(pid: int) -> int:
    """Bytes of memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def voluntary_switches(pid: int) -> int:
    """How often the main thread of a process has gone to wait for something."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def is_alive(pid: int) -> bool:
    """Say whether a process runs, and is not only waited for."""
    try:
        return _state(pid) != "Z"
    except OSError:
        return False


def freeze(pid: int) -> None:
    """Stop a process, and wait until each of its threads has stopped."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    wait_until(lambda: all(_state(int(task.name)) == "T" for task in tasks.iterdir()), "it has stopped")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_zygote_code(pid: int) -> bool:
    try:
        return b"plugin_server.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
