"""Everything that may go wrong does, at log level debug; and no key, digest or password is in any process's log."""

import base64
import contextlib
import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.registry.acl import gateway_acl, writer_acl
from kong_app_auth.registry.keys import Table
from tests.integration.cli.test_doctor import APPS, KEY, kong, service
from tests.integration.cli.test_registry import KEYS
from tests.servers.process import PATIENCE, end, free_port, start, wait_until
from tests.servers.redis import RedisServer, redis_server

GATEWAY_PASSWORD, WRITER_PASSWORD, NEW_PASSWORD = (
    "gateway-hunter2-and-more",
    "writer-hunter3-and-more",
    "hunter4-and-more",
)
UNKNOWN, MISTYPED, ELSEWHERE = mint("eu"), KEY[:-1] + ("a" if KEY[-1] != "a" else "b"), mint("us")
IMPORTED = "a-key-of-another-form-that-nobody-knows"
MISPLACED = mint("eu")
PRESENTED = [KEY, UNKNOWN, MISTYPED, ELSEWHERE, IMPORTED, MISPLACED]


def hidden() -> list[bytes]:
    """What must not be found, in every form that a log could give it."""
    found = [password.encode() for password in (GATEWAY_PASSWORD, WRITER_PASSWORD, NEW_PASSWORD)]
    for key in PRESENTED:
        hashed = digest(key)
        found += [key.encode(), key[7:39].encode(), hashed, hashed.hex().encode(), base64.b64encode(hashed)]
        found += [repr(hashed)[2:20].encode(), json.dumps(hashed.decode("latin-1"))[1:20].encode()]
    return found


class Stage:
    """A data path whose processes log to files in `path`."""

    def __init__(self, path: Path, server: RedisServer, stack: contextlib.ExitStack) -> None:
        self.path = path
        self.server = server
        self._stack = stack
        self.apps = path / "apps.yaml"
        self.settings = path / "settings.yaml"
        self.proxy, self.admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.acl("gateway", GATEWAY_PASSWORD, gateway_acl("eu"))
        self.acl("writer", WRITER_PASSWORD, writer_acl("eu"))
        self.apps.write_text(yaml.safe_dump(APPS))
        (path / "kong.yaml").write_text(
            yaml.safe_dump(
                kong(
                    service(
                        url="http://127.0.0.1:9",
                        plugins=[{"name": "app-auth", "config": {"region": "eu", "key_in_query": True}}],
                    )
                )
            )
        )
        self.write_settings(workers=1)

    def acl(self, name: str, password: str, rules: list[str]) -> None:
        with self.server.client() as client:
            client.execute_command("ACL", "SETUSER", name, "reset", "on", f">{password}", *rules)

    def write_settings(self, **more: Any) -> None:
        self.settings.write_text(
            yaml.safe_dump(
                {
                    "region": "eu",
                    "log_level": "debug",
                    "redis_url": self.server.url,
                    "redis_username": "gateway",
                    "redis_password": GATEWAY_PASSWORD,
                    "replica_directory": str(self.path / "replica"),
                    "socket": str(self.path / "app-auth.sock"),
                    "metrics_address": "off",
                    **more,
                }
            )
        )

    def start(self, name: str, **environment: str) -> int:
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", name]
        process = start(command, self.log(name), env={**os.environ, **environment})
        self._stack.callback(end, process, signal.SIGTERM)
        return process.pid

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def wait_for(self, name: str, text: str, times: int = 1) -> None:
        """Wait until a log says something."""
        wait_until(
            lambda: self.log(name).exists() and self.log(name).read_text(errors="replace").count(text) >= times,
            f"{text!r} in {self.log(name)}",
        )

    def get(self, headers: list[tuple[str, str]], target: str = "/weather") -> int | None:
        """The status, None where the gateway does not answer."""
        parts = urlsplit(f"http://{self.proxy}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.putrequest("GET", target)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status
        return None


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with redis_server() as server, contextlib.ExitStack() as stack:
        yield Stage(tmp_path, server, stack)


def test_no_log_holds_a_key_a_digest_or_a_password(stage: Stage) -> None:
    url = stage.server.url.replace("redis://", f"redis://writer:{WRITER_PASSWORD}@")
    stage.start(
        "sync",
        APP_AUTH_REGION="eu",
        APP_AUTH_REDIS_URL=url,
        APP_AUTH_APPS_FILE=str(stage.apps),
        APP_AUTH_LOG_LEVEL="debug",
    )
    server = stage.start("plugin-server", APP_AUTH_CONFIG=str(stage.settings))
    stage.start(
        "gateway",
        APP_AUTH_DECLARATIVE_CONFIG=str(stage.path / "kong.yaml"),
        APP_AUTH_PROXY_LISTEN=stage.proxy,
        APP_AUTH_ADMIN_LISTEN=stage.admin,
        APP_AUTH_SOCKET=str(stage.path / "app-auth.sock"),
        APP_AUTH_LOG_LEVEL="debug",
    )
    # Port 9 answers nobody: 502 is a request that was let through.
    wait_until(lambda: stage.get([("apikey", KEY)]) == 502, "the data path is up")

    _present_keys(stage)
    stage.wait_for("plugin-server", "unknown_credential")

    # The source: refused, with a key where none belongs.
    stage.apps.write_text(stage.apps.read_text() + f"\n{MISPLACED}: [{MISPLACED}]\n")
    stage.wait_for("sync", "source refused as a whole")
    stage.apps.write_text(yaml.safe_dump({**APPS, "portals": [{"name": MISPLACED, "applications": MISPLACED}]}))
    stage.wait_for("sync", "source refused as a whole", 2)
    stage.apps.write_text(yaml.safe_dump(APPS))

    # The settings: wrong at SIGHUP, then good again.
    stage.write_settings(redis_url=f"redis://gateway:{GATEWAY_PASSWORD}:6379", redis_password=[GATEWAY_PASSWORD])
    os.kill(server, signal.SIGHUP)
    stage.wait_for("plugin-server", "redis_")
    stage.write_settings(workers=2)
    os.kill(server, signal.SIGHUP)

    # The registry: records that are none, and a flush.
    with stage.server.client() as client:
        client.hset(KEYS.table(Table.CREDENTIALS), digest(KEY).hex(), b"garbage of " + GATEWAY_PASSWORD.encode())
        client.hset(KEYS.table(Table.CREDENTIALS), b"no digest but " + KEY.encode(), b"garbage")
        client.xadd(KEYS.changes, {"v": "1", "edits": digest(KEY), "epoch": KEY, "seq": "9", "tip": "t", "at": "1"})
        _present_keys(stage)
        stage.wait_for("plugin-server", "corrupt")
        client.flushall()
        wait_until(lambda: client.exists(KEYS.meta), "the daemon fills the registry again")
    _present_keys(stage)

    # Redis: other passwords, fewer rights, gone.
    stage.acl("gateway", NEW_PASSWORD, gateway_acl("eu"))
    stage.acl("writer", NEW_PASSWORD, writer_acl("eu"))
    with stage.server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    stage.wait_for("plugin-server", "out of reach")
    stage.wait_for("sync", "redis is away")
    stage.acl("gateway", GATEWAY_PASSWORD, ["+ping"])
    stage.acl("writer", WRITER_PASSWORD, ["+ping"])
    _present_keys(stage)
    stage.server.kill()
    _present_keys(stage)
    stage._stack.close()  # all end, and write what they still have to say

    logs = {file.name: file.read_bytes() for file in stage.path.glob("*.log")}
    assert set(logs) == {"sync.log", "plugin-server.log", "gateway.log"}
    assert b"request refused" in logs["plugin-server.log"]
    for name, log in logs.items():
        for secret in hidden():
            at = log.find(secret)
            assert at < 0, f"{name}: …{log[max(0, at - 200) : at]!r} and then a secret"
        assert b"Traceback" not in log, f"{name}: {log[log.find(b'Traceback') :][:1000]!r}"


def _present_keys(stage: Stage) -> None:
    """In every place where a client may put one, and in some where it may not."""
    for key in PRESENTED:
        stage.get([("apikey", key)])
        stage.get([("apikey", key), ("apikey", key)])
        stage.get([], f"/weather?apikey={key}")
        stage.get([("x-consumer-id", key), ("authorization", f"Bearer {key}")], f"/weather/{key}")
        stage.get([(f"x-{key}", "name")])
