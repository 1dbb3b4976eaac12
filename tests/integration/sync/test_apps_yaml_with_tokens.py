"""apps.yaml with tokens of a real identity provider: everything but the test itself is a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kong_app_auth.registry.connection import connect
from kong_app_auth.settings import ENV_PREFIX
from kong_app_auth.verify import Finding, verify
from tests.servers.gateway import EventLoopThread
from tests.servers.identity_provider import MAPS, WEATHER, IdentityProvider, identity_provider
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import RedisServer
from tests.servers.samples import uid
from tests.system.client import Answer, Connection, request
from tests.system.gateways import DevelopmentGateway
from tests.system.processes import MARK, end_marked
from tests.system.upstream import CountingUpstream

SERVICE = uid(("service", "weather"))


def apps(issuer: str, client_id: str) -> str:
    """A file with one application that has these clients."""
    return f"""\
_format_version: "1.0"
region: eu
auth_strategies:
  - name: idp
    strategy_type: openid_connect
    configs:
      openid-connect:
        issuer: {issuer}
        auth_methods: [bearer]
        credential_claim: [client_id]
        audience_required: [{WEATHER}]
apis:
  - {{name: Weather API, implementations: [{{service: {{id: {SERVICE}}}}}]}}
portals:
  - name: Production
    default_auth_strategy: idp
    publications: [{{api: Weather API}}]
    teams: [{{name: all}}]
    applications:
      - name: dashboard
        id: {uid("dashboard")}
        team: all
        client_id: {client_id}
        registrations: [{{api: Weather API, status: approved}}]
"""


class Running:
    """All of it, running in `directory`."""

    def __init__(self, directory: Path, provider: IdentityProvider, port: int) -> None:
        self.provider = provider
        self.file = directory / "apps.yaml"
        self.mark = uuid.uuid4().hex
        self.valkey = RedisServer(directory / "valkey")
        self.gateway = DevelopmentGateway(directory)
        self._directory = directory
        self._upstream = f"http://127.0.0.1:{port}"
        self._metrics = ("127.0.0.1", free_port())

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        own = {"REGION": "eu", "REDIS_URL": self.valkey.url, "IDP_ALLOW_HTTP_LOOPBACK": "true"}
        self._environment = {**inherited, MARK: self.mark, **{ENV_PREFIX + name: value for name, value in own.items()}}
        settings = {
            "replica_directory": str(self._directory / "replica"),
            "socket": str(self.gateway.socket),
            "socket_mode": "0666",
            "workers": 1,
            "metrics_address": "{}:{}".format(*self._metrics),
        }
        (self._directory / "plugin-server.yaml").write_text(json.dumps(settings))
        self._processes = [
            self._started("sync", "--apps-file", str(self.file)),
            self._started("plugin-server", "--config", str(self._directory / "plugin-server.yaml")),
        ]
        wait_until(self._is_ready, f"the plugin server is ready: {self._directory}")
        plugin = {"name": "app-auth", "config": {"region": "eu", "realm": "r", "reveal_reason": True}}
        service = {
            "id": SERVICE,
            "name": "weather",
            "url": self._upstream,
            "routes": [{"name": "weather", "paths": ["/weather"]}],
            "plugins": [plugin],
        }
        self.gateway.start({"_format_version": "3.0", "services": [service]}, self._environment)

    def stop(self) -> None:
        end_marked(self.mark)
        with contextlib.suppress(AttributeError):
            self.gateway.stop()
        with contextlib.suppress(AttributeError):
            for process in self._processes:
                end(process)
        end(self.valkey.process)

    def say(self, client_id: str, *, issuer: str | None = None) -> None:
        """Put a file in place in one step."""
        new = self.file.with_suffix(".new")
        new.write_text(apps(issuer or self.provider.issuer, client_id))
        new.replace(self.file)

    def ask(self, token: str) -> Answer:
        with Connection(self.gateway.address) as connection:
            return connection.ask(request("/weather", [("Authorization", f"Bearer {token}")]))

    def becomes(self, token: str, reason: str | None) -> Answer:
        """Wait until a token is refused for this reason; None: until it is let in."""
        expected = (200, None) if reason is None else (403, reason)
        wait_until(lambda: (self.ask(token).status, self.ask(token).reason) == expected, f"{expected}")
        return self.ask(token)

    def compared(self) -> list[Finding]:
        """What `registry verify` says of the file and Redis."""
        with contextlib.closing(connect(self.valkey.url)) as client:
            return [
                one for one in verify(client, "eu", self.file, self._directory / "none") if "replica" not in one.what
            ]

    def log(self, name: str) -> str:
        return (self._directory / f"{name}.log").read_text(errors="replace")

    def _started(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", name, *arguments]
        return start(command, self._directory / f"{name}.log", env=self._environment)

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get("http://{}:{}/ready".format(*self._metrics), timeout=5).status_code == 200
        return False


@pytest.fixture
def path() -> Iterator[Running]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True)))
        provider = stack.enter_context(identity_provider(directory))
        loop = stack.enter_context(EventLoopThread())
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1"))
        made = Running(directory, provider, upstream.port)
        stack.callback(made.stop)
        made.say("[first, second]")
        made.start()
        yield made


def test_the_files_clients_are_let_in_as_long_as_it_names_them(path: Running) -> None:
    first, second, stranger = (
        path.provider.token(path.provider.machine(name), resource=WEATHER) for name in ("first", "second", "stranger")
    )
    seen = dict(path.becomes(first, None).seen())
    assert (seen["x-application-id"], seen["x-credential-identifier"]) == (uid("dashboard"), "first")
    assert dict(path.becomes(second, None).seen())["x-credential-identifier"] == "second"
    answer = path.ask(stranger)
    assert (answer.status, answer.reason) == (403, "unknown_application")
    elsewhere = path.ask(path.provider.token(path.provider.machine("first"), resource=MAPS))
    assert (elsewhere.status, elsewhere.reason) == (401, "invalid_token")

    found = path.compared()
    assert "1 and 1 issuers" in [one.says for one in found]
    assert not any(one.differs for one in found), "the issuer's keys are not in the file"

    path.say("[]", issuer="http://idp.example.com")
    wait_until(lambda: "source refused as a whole" in path.log("sync"), "the daemon refuses the file")
    assert "must be a URL with https" in path.log("sync")
    assert f'"file":"{path.file}","line":8,"column":17' in path.log("sync")
    assert path.ask(first).status == path.ask(second).status == 200, "the last good state stays in force"

    path.say("[second]")
    path.becomes(first, "unknown_application")
    assert path.ask(second).status == 200
    path.say("[]")
    path.becomes(second, "unknown_application")
