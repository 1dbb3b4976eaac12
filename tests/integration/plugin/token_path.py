"""The way of a token with real parts: identity provider, sync daemon, Valkey, plugin server with its follower, gateway.

The daemon runs in a thread of the test, on a source that the test edits.
"""

import base64
import contextlib
import json
import os
import sys
import tempfile
import threading
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    Credential,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.registry.changes import Change, Delete, Put
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.reports.codec import decode_entry
from kong_app_auth.settings import ENV_PREFIX
from kong_app_auth.sync.daemon import Daemon
from kong_app_auth.sync.issuers.keys import IssuerKeys
from kong_app_auth.sync.issuers.source import WithIssuers
from kong_app_auth.sync.issuers.unknown_keys import UnknownKeys
from kong_app_auth.sync.metrics import SyncMetrics
from tests.servers.gateway import EventLoopThread
from tests.servers.identity_provider import MACHINE, MAPS, VAULT, WEATHER, IdentityProvider, identity_provider
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import RedisServer
from tests.servers.samples import PORTAL, uid
from tests.system.client import Answer, Connection, Header, request
from tests.system.gateways import DevelopmentGateway
from tests.system.processes import MARK, end_marked
from tests.system.upstream import TAG, CountingUpstream

REGION = "eu"
KEYS = uid("keys")
NAMES = ("weather", "maps", "both", "exchange", "opaque-exchange", "introspection", "two-issuers")
"""The APIs, and the paths of their services."""
GATEWAY = {"client_id": "gateway-of-eu", "client_secret": "the gateway's own: 100%"}


def _strategies(issuer: str, other: str) -> dict[str, tuple[OpenIdConnect, ...]]:
    def oidc(issuer: str = issuer, **fields: Any) -> OpenIdConnect:
        return OpenIdConnect(issuer, **fields)

    weather = oidc(audience_required=(WEATHER,))
    return {
        "weather": (weather,),
        "maps": (oidc(audience_required=(MAPS,), algorithms=("ES256",), scopes_required=("weather.read",)),),
        "both": (weather,),
        "exchange": (
            oidc(
                auth_methods=("client_credentials",),
                audience=(MAPS,),
                audience_required=(MAPS,),
                scopes=("weather.read",),
                scopes_required=("weather.read",),
            ),
        ),
        "opaque-exchange": (oidc(auth_methods=("client_credentials",), audience=(VAULT,)),),
        "introspection": (oidc(auth_methods=("bearer", "introspection"), audience_required=(VAULT,), cache_ttl=1),),
        "two-issuers": (weather, oidc(other)),
    }


class Region:
    """The sync daemon, with this as its source. `asked` has the issuers whose keys gateways have asked for."""

    def __init__(self, url: str, contents: Contents) -> None:
        self.asked: list[str] = []
        self._url = url
        self._found: Contents | list[Change] | None = contents
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._run, self._listen)]
        for thread in self._threads:
            thread.start()

    def look(self) -> Contents | list[Change] | None:
        """Give what was written since the last look."""
        with self._lock:
            found, self._found = self._found, None
            return found

    def write(self, *changes: Change) -> None:
        """Have the daemon write these."""
        with self._lock:
            waiting = self._found if isinstance(self._found, list) else []
            self._found = [*waiting, *changes]
        self._wake.set()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        metrics = SyncMetrics()
        keys = IssuerKeys(Outgoing(allow_http_loopback=True), metrics.registry, self._wake)
        with keys.running():
            source, unknown = WithIssuers(self, keys), UnknownKeys(REGION, keys)
            Daemon(lambda: connect(self._url), source, REGION, metrics, companions=[unknown], wake=self._wake).run(
                self._stop
            )

    def _listen(self) -> None:
        client, last = connect(self._url), "$"
        with contextlib.closing(client):
            while not self._stop.is_set():
                for _, entries in client.xread({Keys(REGION).reports: last}, block=100) or ():
                    for last_id, fields in entries:
                        last = last_id.decode()
                        report = decode_entry(fields)
                        self.asked += report.unknown_keys if report else []


class TokenPath:
    """All of it, running."""

    def __init__(self, directory: Path, provider: IdentityProvider, other: IdentityProvider, port: int) -> None:
        self.directory = directory
        self.provider = provider
        self.other = other
        self.key = mint(REGION)
        self.mark = uuid.uuid4().hex
        self.valkey = RedisServer(directory / "valkey")
        self.region = Region(self.valkey.url, self._contents())
        self.gateway = DevelopmentGateway(directory)
        self._upstream = f"http://127.0.0.1:{port}"
        self._metrics = ("127.0.0.1", free_port())

    def start(self) -> None:
        credentials = self.directory / "issuer-credentials.json"
        credentials.write_text(json.dumps({self.provider.issuer: GATEWAY}))
        credentials.chmod(0o600)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        environment = {
            **inherited,
            MARK: self.mark,
            f"{ENV_PREFIX}REGION": REGION,
            f"{ENV_PREFIX}REDIS_URL": self.valkey.url,
            f"{ENV_PREFIX}IDP_ALLOW_HTTP_LOOPBACK": "true",
            f"{ENV_PREFIX}ISSUER_CREDENTIALS_FILE": str(credentials),
        }
        settings = {
            "replica_directory": str(self.directory / "replica"),
            "socket": str(self.gateway.socket),
            "socket_mode": "0666",
            "workers": 1,
            "metrics_address": "{}:{}".format(*self._metrics),
        }
        file = self.directory / "plugin-server.yaml"
        file.write_text(json.dumps(settings))
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", "plugin-server", "--config", str(file)]
        self.server = start(command, self.directory / "plugin-server.log", env=environment)
        wait_until(self._is_ready, f"the plugin server is ready: {self.directory}/plugin-server.log")
        plugin = {"name": "app-auth", "config": {"region": REGION, "realm": "r", "reveal_reason": True}}
        services = [
            {
                "id": uid(("service", name)),
                "name": name,
                "url": self._upstream,
                "routes": [{"name": name, "paths": [f"/{name}"]}],
                "plugins": [plugin],
            }
            for name in NAMES
        ]
        self.gateway.start({"_format_version": "3.0", "services": services}, environment)
        wait_until(lambda: self.ask("both", key=self.key).status == 200, "the path serves")

    def stop(self) -> None:
        end_marked(self.mark)
        with contextlib.suppress(AttributeError):
            self.gateway.stop()
        with contextlib.suppress(AttributeError):
            end(self.server)
        self.region.end()
        end(self.valkey.process)

    def ask(self, path: str, *, key: str | None = None, authorization: str | None = None, tag: str = "") -> Answer:
        """One request on a connection of its own."""
        headers: list[Header] = [(TAG, tag)] if tag else []
        if key is not None:
            headers.append(("apikey", key))
        if authorization is not None:
            headers.append(("Authorization", authorization))
        with Connection(self.gateway.address) as connection:
            return connection.ask(request(f"/{path}", headers))

    def bearer(self, path: str, token: str, **more: str) -> Answer:
        return self.ask(path, authorization=f"Bearer {token}", **more)

    def basic(self, path: str, client_id: str, secret: str, **more: str) -> Answer:
        joined = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
        return self.ask(path, authorization="Basic " + base64.b64encode(joined.encode()).decode(), **more)

    def log(self) -> str:
        return (self.directory / "plugin-server.log").read_text(errors="replace")

    def metric(self, start_of_line: str) -> float:
        text = requests.get("http://{}:{}/metrics".format(*self._metrics), timeout=5).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(start_of_line))

    def register(self, path: str, client_id: str) -> str:
        """Have an approved application with this client for the API of a path; gives the application's id."""
        application_id, strategy = uid(("application", path, client_id)), uid(("strategy", path, 0))
        application = Application(
            application_id,
            PORTAL,
            strategy,
            developer_id=uid("developer"),
            registrations={uid(("api", path)): RegistrationState.APPROVED},
        )
        client = Client(client_key(strategy, client_id), uid(("credential", path, client_id)), application_id)
        self.region.write(Put(Table.APPLICATIONS, application_id, application), Put(Table.CLIENTS, client.id, client))
        return application_id

    def forget(self, path: str, client_id: str) -> None:
        self.region.write(Delete(Table.CLIENTS, client_key(uid(("strategy", path, 0)), client_id)))

    def _is_ready(self) -> bool:
        assert self.server.poll() is None, self.log()[-2000:]
        try:
            return requests.get("http://{}:{}/ready".format(*self._metrics), timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def _contents(self) -> Contents:
        contents = Contents()
        contents.strategies[KEYS] = Strategy(KEYS, "keys", StrategyType.KEY_AUTH, ("apikey",))
        for name, rules in _strategies(self.provider.issuer, self.other.issuer).items():
            api = uid(("api", name))
            accepts = [Acceptance(PORTAL, KEYS)] if name == "both" else []
            for number, rule in enumerate(rules):
                strategy = uid(("strategy", name, number))
                accepts.append(Acceptance(PORTAL, strategy))
                contents.strategies[strategy] = Strategy(
                    strategy, name, StrategyType.OPENID_CONNECT, openid_connect=rule
                )
                application = Application(
                    uid((name, number)), PORTAL, strategy, registrations={api: RegistrationState.APPROVED}
                )
                contents.applications[application.id] = application
                client = Client(
                    client_key(strategy, MACHINE["client_id"]), uid(("client", name, number)), application.id
                )
                contents.clients[client.id] = client
            contents.apis[api] = Api(api, name, "v1", tuple(accepts))
            contents.services[uid(("service", name))] = Service(uid(("service", name)), api)
        holder = Application(
            uid("holder of a key"), PORTAL, KEYS, registrations={uid(("api", "both")): RegistrationState.APPROVED}
        )
        contents.applications[holder.id] = holder
        contents.credentials[digest(self.key)] = Credential(uid("a key"), holder.id)
        return contents


class Running(msgspec.Struct, frozen=True):
    """The path with what reaches the upstream."""

    path: TokenPath
    upstream: CountingUpstream


@contextlib.contextmanager
def token_path() -> Generator[Running]:
    """Run all of it."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True)))
        provider = stack.enter_context(identity_provider(directory, "one"))
        other = stack.enter_context(identity_provider(directory, "two", path="/oauth2/default"))
        provider.machine(GATEWAY["client_id"], GATEWAY["client_secret"])
        loop = stack.enter_context(EventLoopThread())
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1"))
        path = TokenPath(directory, provider, other, upstream.port)
        stack.callback(path.stop)
        path.start()
        try:
            yield Running(path, upstream)
        except BaseException:
            print(f"--- the end of plugin-server.log\n{path.log()[-3000:]}")
            raise
