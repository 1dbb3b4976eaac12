"""The processes as the command line starts and ends them: exit codes, one line for what is wrong, signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.registry.records import SCHEMA_VERSION
from kong_app_auth.replica.reader import Replica
from tests.integration.cli.test_registry import KEYS, write
from tests.servers.process import PATIENCE, end, start, wait_until
from tests.servers.redis import RedisServer
from tests.servers.samples import sample

COMMAND = [sys.executable, "-P", "-m", "kong_app_auth.cli"]


class Stage:
    def __init__(self, server: RedisServer, path: Path) -> None:
        self.path = path
        self.server = server
        self.replica = path / "replica"
        self.environment = {
            **os.environ,
            "APP_AUTH_REGION": "eu",
            "APP_AUTH_REDIS_URL": server.url,
            "APP_AUTH_REPLICA_DIRECTORY": str(self.replica),
            "APP_AUTH_SOCKET": str(path / "s"),
            "APP_AUTH_METRICS_ADDRESS": "off",
            "APP_AUTH_WORKERS": "1",
        }

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command that ends by itself."""
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )


@pytest.fixture
def stage(valkey: RedisServer, tmp_path: Path) -> Stage:
    return Stage(valkey, tmp_path)


def last_line(text: str) -> str:
    return text.splitlines()[-1]


class TestFollower:
    @pytest.fixture
    def running(self, stage: Stage) -> Iterator["subprocess.Popen[bytes]"]:
        process = start([*COMMAND, "follower"], stage.path / "log", env=stage.environment)
        yield process
        end(process)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_copies_the_registry_and_ends_when_told(
        self, stage: Stage, running: "subprocess.Popen[bytes]", number: int
    ) -> None:
        position = write(stage.server, sample("one"))
        replica = Replica(stage.replica)
        wait_until(lambda: replica.position() == position, f"the copy: {stage.path}/log")
        replica.close()
        running.send_signal(number)
        assert running.wait(PATIENCE) == 0

    def test_stops_before_a_registry_of_a_newer_version_and_says_so(self, stage: Stage) -> None:
        write(stage.server, sample("one"))
        with stage.server.client() as client:
            client.hset(KEYS.meta, "schema", 99)
        done = stage.run("follower")
        assert done.returncode == 1
        assert (
            last_line(done.stderr) == f"Error: the registry has schema version 99; this program knows {SCHEMA_VERSION}"
        )
        assert "Traceback" not in done.stderr


class TestPluginServer:
    @pytest.fixture
    def running(self, stage: Stage) -> Iterator["subprocess.Popen[bytes]"]:
        process = start([*COMMAND, "plugin-server"], stage.path / "log", env=stage.environment)
        wait_until(lambda: b"plugin loaded" in (stage.path / "log").read_bytes(), f"it is up: {stage.path}/log")
        yield process
        end(process, signal.SIGTERM)

    def test_a_second_one_on_the_same_socket_is_refused(self, stage: Stage, running: object) -> None:
        done = stage.run("plugin-server")
        assert done.returncode == 2
        assert last_line(done.stderr) == f"Error: another server is running on {stage.path}/s"

    def test_has_the_mode_of_the_settings_and_ends_when_told(
        self, stage: Stage, running: "subprocess.Popen[bytes]"
    ) -> None:
        assert (stage.path / "s").stat().st_mode & 0o777 == 0o660
        running.terminate()
        assert running.wait(PATIENCE) == 0
        assert not (stage.path / "s").exists()

    def test_a_group_that_does_not_exist(self, stage: Stage) -> None:
        done = stage.run("plugin-server", "--socket-group", "no-such-group")
        assert done.returncode == 2
        assert last_line(done.stderr).startswith(f"Error: cannot listen on {stage.path}/s: ")
        assert "Traceback" not in done.stderr

    def test_an_address_that_is_taken(self, stage: Stage) -> None:
        done = stage.run("plugin-server", "--metrics-address", f"127.0.0.1:{stage.server.port}")
        assert done.returncode == 2
        assert str(stage.server.port) in last_line(done.stderr)
        assert "Traceback" not in done.stderr


class TestSync:
    def test_fills_the_registry_and_ends_when_told(self, stage: Stage) -> None:
        from tests.integration.cli.test_registry import source

        source(stage.path)
        environment = {**stage.environment, "APP_AUTH_APPS_FILE": str(stage.path / "apps.yaml")}
        process = start([*COMMAND, "sync"], stage.path / "log", env=environment)
        try:
            with stage.server.client() as client:
                wait_until(lambda: client.hget(KEYS.meta, "complete") == b"1", f"the registry: {stage.path}/log")
                process.terminate()
                assert process.wait(PATIENCE) == 0
                assert not client.exists(KEYS.lease)
        finally:
            end(process)

    def test_stops_before_a_registry_of_a_newer_version(self, stage: Stage) -> None:
        write(stage.server, sample("one"))
        with stage.server.client() as client:
            client.hset(KEYS.meta, "schema", 99)
        done = stage.run("sync", "--apps-file", str(stage.path / "none.yaml"))
        assert done.returncode == 1
        assert "schema version 99" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_certificate_that_is_not_there(self, stage: Stage) -> None:
        done = stage.run("sync", "--redis-ca-file", "/no/such/file")
        assert done.returncode == 2
        assert "/no/such/file" in last_line(done.stderr)
