"""Bearer tokens through gateway, plugin server, follower and Valkey, all of them real; a writer is the daemon here."""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kong_app_auth.devgateway import DevGateway, GatewaySettings, PluginServerSettings, SampleUpstream
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    CredentialState,
    Issuer,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.registry.changes import Put, in_batches
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Writer
from kong_app_auth.reports.codec import decode_entry
from kong_app_auth.settings import ENV_PREFIX
from tests.servers.gateway import EventLoopThread, http_get, raw_request
from tests.servers.process import PATIENCE, end, start, wait_until
from tests.servers.redis import RedisServer
from tests.servers.samples import API, PORTAL, SERVICE, uid
from tests.unit.plugin.provider import Provider, SigningKey

COMMAND = (sys.executable, "-m", "kong_app_auth.cli", "plugin-server")
STRATEGY = uid("tokens")
PROVIDER, STRANGER = Provider("https://idp.example.com/"), Provider("https://other.example.com/")
OLD_KEY = PROVIDER.key


def _client(name: str, state: CredentialState = CredentialState.ACTIVE) -> Client:
    return Client(client_key(STRATEGY, name), uid(("credential", name)), uid(name), state)


def _contents() -> Contents:
    names = ("good", "revoked later")
    approved = {API: RegistrationState.APPROVED}
    clients = [_client(name) for name in names]
    return Contents(
        apis={API: Api(API, "Weather API", "v1", (Acceptance(PORTAL, STRATEGY),))},
        services={SERVICE: Service(SERVICE, API)},
        strategies={
            STRATEGY: Strategy(
                STRATEGY, "tokens", StrategyType.OPENID_CONNECT, openid_connect=OpenIdConnect(PROVIDER.issuer)
            )
        },
        applications={uid(name): Application(uid(name), PORTAL, STRATEGY, registrations=approved) for name in names},
        clients={client.id: client for client in clients},
        issuers={PROVIDER.issuer: PROVIDER.record()},
    )


class Stage:
    """The data path, and the writer of its region, who gives a sign of life every 200 ms."""

    def __init__(self, server: RedisServer) -> None:
        self.client = connect(server.url)
        self._writer = Writer(self.client, "eu", lease_seconds=60)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._beating)
        self.gateway: DevGateway | None = None
        assert self._writer.acquire()
        assert isinstance(self._writer.begin_epoch(), Position)
        for batch in in_batches(diff(Contents(), _contents())):
            assert isinstance(self._writer.write(batch), Position)
        assert isinstance(self._writer.complete(), Position)
        self._beat.start()

    def put(self, table: Table, record: Client | Issuer) -> None:
        with self._lock:
            assert isinstance(self._writer.write([Put(table, record.id, record)]), Position)

    def unknown_keys(self) -> list[str]:
        """The issuers whose unknown keys the stream of reports tells of."""
        reports = [decode_entry(fields) for _, fields in self.client.xrange(Keys("eu").reports)]
        return [issuer for report in reports if report is not None for issuer in report.unknown_keys]

    def get(self, token: str | None = None) -> tuple[int, dict[str, list[str]], Any]:
        assert self.gateway is not None
        sent = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
        status, headers, body = raw_request(self.gateway.proxy_url, http_get(b"/", sent))
        return status, headers, json.loads(body)

    def reason(self, token: str | None = None) -> str | None:
        """Why it is refused; None: it is not."""
        status, headers, _ = self.get(token)
        return None if status == 200 else headers["x-app-auth-reason"][0]

    def _beating(self) -> None:
        while not self._stop.wait(0.2):
            with self._lock:
                self._writer.heartbeat()

    def close(self) -> None:
        self._stop.set()
        self._beat.join(PATIENCE)
        self.client.close()


@pytest.fixture(scope="module")
def stage(valkey_of_session: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    valkey_of_session.flush()
    path = tmp_path_factory.mktemp("tokens")
    made = Stage(valkey_of_session)
    settings = path / "plugin-server.json"
    socket = path / "app-auth.sock"
    settings.write_text(json.dumps({"replica_directory": str(path / "replica"), "socket": str(socket), "workers": 1}))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    environment = {**inherited, f"{ENV_PREFIX}REGION": "eu", f"{ENV_PREFIX}REDIS_URL": valkey_of_session.url}
    server = start([*COMMAND, "--config", settings], path / "server.log", env=environment)
    try:
        wait_until(socket.exists, f"the plugin server's socket: {path}/server.log")
        with EventLoopThread() as thread:
            upstream = thread.enter(SampleUpstream())
            told = PluginServerSettings(name="ours", socket=str(socket), query_cmd=" ".join([*COMMAND, "--dump"]))
            made.gateway = thread.enter(
                DevGateway(GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(told,), socket_timeout=5.0))
            )
            plugin: Any = {"name": "app-auth", "config": {"region": "eu", "realm": "r", "reveal_reason": True}}
            service: Any = {"id": SERVICE, "name": "up", "url": upstream.url, "routes": [{"name": "r", "paths": ["/"]}]}
            made.gateway.apply({"_format_version": "3.0", "services": [{**service, "plugins": [plugin]}]})
            wait_until(lambda: made.reason() == "no_credential", f"a copy is at hand: {path}/server.log")
            yield made
    finally:
        end(server)
        made.close()


def test_a_token_lets_its_application_in_and_the_upstream_does_not_see_it(stage: Stage) -> None:
    status, _, body = stage.get(PROVIDER.token("good"))
    assert status == 200
    seen = {name.lower(): value for name, value in dict(body["headers"]).items()}
    assert "authorization" not in seen
    assert "good" in str(seen["x-credential-identifier"])
    assert uid("good") in str(seen["x-application-id"])


BAD: dict[str, tuple[Callable[[], str], str]] = {
    "expired": (lambda: PROVIDER.token("good", exp=int(time.time()) - 60), "invalid_token"),
    "of another issuer": (lambda: STRANGER.token("good"), "invalid_token"),
    "signed with another key": (lambda: PROVIDER.token("good", key=SigningKey(OLD_KEY.kid)), "invalid_token"),
    "of an unknown client": (lambda: PROVIDER.token("nobody"), "unknown_application"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_lets_nobody_in(stage: Stage, name: str) -> None:
    minted, reason = BAD[name]
    told = stage.unknown_keys()
    status, headers, _ = stage.get(minted())
    assert headers["x-app-auth-reason"] == [reason]
    assert status == (401 if reason == "invalid_token" else 403)
    if reason == "invalid_token":
        assert headers["www-authenticate"] == ['Bearer realm="r", error="invalid_token"']
    assert stage.unknown_keys() == told


def test_a_revoked_client_is_refused_though_its_token_is_good(stage: Stage) -> None:
    token = PROVIDER.token("revoked later")
    assert stage.reason(token) is None
    stage.put(Table.CLIENTS, _client("revoked later", CredentialState.REVOKED))
    wait_until(lambda: stage.reason(token) == "revoked_credential", "the revocation has come")


def test_a_key_that_comes_while_a_request_waits_for_it(stage: Stage) -> None:
    """The daemon's part is done here: it is told of the key, and writes it. On a busy machine it may be late."""
    attempts = itertools.count()

    def let_in() -> bool:
        key = SigningKey(f"rotated {next(attempts)}")
        told, answers = len(stage.unknown_keys()), list[str | None]()
        request = threading.Thread(target=lambda: answers.append(stage.reason(PROVIDER.token("good", key=key))))
        request.start()
        wait_until(lambda: len(stage.unknown_keys()) > told or not request.is_alive())
        if len(stage.unknown_keys()) > told:
            stage.put(Table.ISSUERS, PROVIDER.record(keys=(OLD_KEY.jwk, key.jwk)))
        request.join(PATIENCE)
        assert answers in ([None], ["invalid_token"])
        return answers == [None]

    wait_until(let_in, "a request that waited for its key is let in")
    assert set(stage.unknown_keys()) == {PROVIDER.issuer}
    assert stage.reason(PROVIDER.token("good")) is None
