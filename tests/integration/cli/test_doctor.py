"""The doctor on a node that is well, and on one in which each part in turn is not."""

import contextlib
import http.server
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from kong_app_auth import cli
from kong_app_auth.devgateway import GatewaySettings
from kong_app_auth.doctor import Check, examine
from kong_app_auth.doctor.on_node import look_at_apps_file
from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.registry.acl import gateway_acl, writer_acl
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import SCHEMA_VERSION
from kong_app_auth.registry.writer import Writer
from kong_app_auth.replica.layout import data_file
from kong_app_auth.replica.status import StatusPage
from kong_app_auth.settings import load
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from tests.integration.cli.test_registry import KEYS, write
from tests.servers.copies import make_replica
from tests.servers.gateway import development_gateway
from tests.servers.plugin_server import Wire, described, plugin_server
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import RedisCluster, RedisServer, redis_server
from tests.servers.samples import SERVICE, sample, uid

PASSWORD = "hunter2-and-more"
KEY = mint("eu")
GATEWAY = {"name": "app-auth", "config": {"region": "eu"}}


def service(*, plugins: list[Any] | None = None, **different: Any) -> dict[str, Any]:
    route = {"name": "weather", "paths": ["/weather"]}
    return {
        "id": SERVICE,
        "name": "weather",
        "url": "http://127.0.0.1:9",
        "routes": [route],
        "plugins": [GATEWAY] if plugins is None else plugins,
        **different,
    }


def kong(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"_format_version": "3.0", "services": list(services), **more}


APPS: dict[str, Any] = {
    "_format_version": "1.0",
    "region": "eu",
    "auth_strategies": [{"name": "keys", "strategy_type": "key_auth"}],
    "apis": [{"name": "Weather API", "implementations": [{"service": {"id": SERVICE}}]}],
    "portals": [
        {
            "name": "Production",
            "default_auth_strategy": "keys",
            "publications": [{"api": "Weather API"}],
            "developers": [{"name": "alice"}],
            "applications": [
                {
                    "name": "dashboard",
                    "developer": "alice",
                    "registrations": [{"api": "Weather API", "status": "approved"}],
                    "credentials": [{"name": "first", "key": KEY}],
                }
            ],
        }
    ],
}


def diagnosis(*, connect_as: Mapping[str, Any] | None = None, **settings: Any) -> list[Check]:
    made = load({name: str(value) for name, value in settings.items()}, None)
    url = made.redis_url.get_secret_value()
    return list(examine(made, lambda: connect(url, **(connect_as or {}))))


def wrong(checks: list[Check]) -> list[Check]:
    for check in checks:
        assert PASSWORD not in check.line()
        assert KEY not in check.line()
        assert digest(KEY).hex() not in check.line()
        assert check.good or check.advice, f"no advice: {check.line()}"
    return [check for check in checks if not check.good]


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a node where all is well: a gateway's and a writer's user, real processes, and a gateway."""
    path = tmp_path_factory.mktemp("node")
    (path / "apps.yaml").write_text(yaml.safe_dump(APPS))
    metrics = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-P", "-m", "kong_app_auth.cli"]
    with redis_server() as server, contextlib.ExitStack() as stack, development_gateway_of(path) as admin:
        with server.client() as client:
            for name, rules in (("gateway", gateway_acl("eu")), ("writer", writer_acl("eu"))):
                client.execute_command("ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rules)
        node = {
            "APP_AUTH_REGION": "eu",
            "APP_AUTH_REDIS_URL": server.url,
            "APP_AUTH_REDIS_PASSWORD": PASSWORD,
            "APP_AUTH_REDIS_USERNAME": "gateway",
            "APP_AUTH_REPLICA_DIRECTORY": str(path / "replica"),
            "APP_AUTH_SOCKET": str(path / "app-auth.sock"),
            "APP_AUTH_METRICS_ADDRESS": metrics,
            "APP_AUTH_WORKERS": "1",
            "APP_AUTH_APPS_FILE": str(path / "apps.yaml"),
            "APP_AUTH_KONG_ADMIN_URL": admin,
        }
        of_writer = {**os.environ, **node, "APP_AUTH_REDIS_USERNAME": "writer"}
        for words, environment in (("sync", of_writer), ("plugin-server", {**os.environ, **node})):
            process = start([*command, words], path / f"{words}.log", env=environment)
            stack.callback(end, process, 15)
        wait_until(lambda: _answers(metrics), f"the plugin server is ready: {path}")
        yield node


@contextlib.contextmanager
def development_gateway_of(path: Path, document: dict[str, Any] | None = None) -> Iterator[str]:
    """The Admin API's URL of a gateway that has the plugin and this configuration."""
    told = described(path, path / "app-auth.sock")
    with development_gateway(GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(told,))) as gateway:
        gateway.apply(kong(service()) if document is None else document)
        yield gateway.admin_url


def _answers(address: str) -> bool:
    import http.client

    connection = http.client.HTTPConnection(address, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    return False


class TestWell:
    def test_everything_is_in_order(self, well: dict[str, str]) -> None:
        result = CliRunner().invoke(cli.app, ["doctor"], env=well)
        assert result.exit_code == 0, result.output
        lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
        assert [line.split(":")[0] for line in lines] == [
            "ok     settings",
            "ok     redis",
            "ok     redis user",
            "ok     registry",
            "ok     sync daemon",
            "ok     replica",
            "ok     replica",
            "ok     replica",
            "ok     plugin server",
            "ok     plugin server",
            "ok     plugin server",
            "ok     apps file",
            "ok     kong",
            "ok     kong",
            "ok     kong",
            "ok     kong",
        ]
        assert "valkey 9." in result.stdout
        assert "gateway may read the registry, append to its reports, and change nothing" in result.stdout
        assert "speaks ProtoBuf:1 and has the plugin app-auth" in result.stdout
        assert "protects every service that an API is implemented by; there are 1" in result.stdout
        for secret in (PASSWORD, KEY, digest(KEY).hex()):
            assert secret not in result.output

    def test_the_writer_s_user_sees_the_lease_and_is_told_of_the_gateway_s(self, well: dict[str, str]) -> None:
        result = CliRunner().invoke(cli.app, ["doctor"], env={**well, "APP_AUTH_REDIS_USERNAME": "writer"})
        assert result.exit_code == 0, result.output
        assert "the lease is held by " in result.stdout
        assert f"ACL SETUSER gateway on '>PASSWORD' {' '.join(gateway_acl('eu'))}" in result.stdout

    def test_the_writer_s_user_on_a_gateway_is_wrong(self, well: dict[str, str], tmp_path: Path) -> None:
        environment = {**well, "APP_AUTH_REDIS_USERNAME": "writer", "APP_AUTH_APPS_FILE": str(tmp_path / "none")}
        result = CliRunner().invoke(cli.app, ["doctor"], env=environment)
        assert result.exit_code == 1
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
        assert "writer may change the registry (HDEL, DEL, SET, XADD, EVAL)" in line

    def test_nothing_was_changed_by_looking(self, well: dict[str, str]) -> None:
        with contextlib.closing(connect(well["APP_AUTH_REDIS_URL"])) as client:
            before = client.hmget(KEYS.meta, ["epoch", "seq", "tip"])  # type: ignore[attr-defined]
            CliRunner().invoke(cli.app, ["doctor"], env={**well, "APP_AUTH_REDIS_USERNAME": "writer"})
            assert client.hmget(KEYS.meta, ["epoch", "seq", "tip"]) == before  # type: ignore[attr-defined]


class Node:
    """A node without processes: a registry that a writer filled, and a copy of it."""

    def __init__(self, server: RedisServer, path: Path) -> None:
        self.path = path
        self.server = server
        self.contents = sample("one", "two")
        self.position = write(server, self.contents)
        self.replica = path / "replica"
        make_replica(self.replica, self.contents, heard=time.time(), position=self.position)

    def wrong(self, *, connect_as: Mapping[str, Any] | None = None, **settings: Any) -> list[Check]:
        """What is wrong, without the plugin server, which is not there."""
        given: dict[str, Any] = {
            "region": "eu",
            "redis_url": self.server.url,
            "replica_directory": self.replica,
            "socket": self.path / "none.sock",
            "metrics_address": "off",
            "apps_file": self.path / "none.yaml",
            **settings,
        }
        checks = wrong(diagnosis(connect_as=connect_as, **given))
        return [check for check in checks if "there is no socket" not in check.says]

    def acl(self, name: str, *rules: str) -> dict[str, str]:
        with self.server.client() as client:
            client.execute_command("ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rules)
        return {"username": name, "password": PASSWORD}


@pytest.fixture
def node(valkey: RedisServer, tmp_path: Path) -> Node:
    return Node(valkey, tmp_path)


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, "\n".join(check.line() for check in checks)
    return checks[0]


def test_the_node_of_these_tests_is_well(node: Node) -> None:
    assert node.wrong() == []


class TestRedis:
    def test_out_of_reach(self, node: Node) -> None:
        check = only(node.wrong(redis_url=f"redis://user:{PASSWORD}@127.0.0.1:1/0"))
        assert check.says == "redis://127.0.0.1:1/0 cannot be reached: Connection refused"

    def test_a_wrong_password(self, node: Node) -> None:
        check = only(node.wrong(connect_as={"username": "nobody", "password": PASSWORD}))
        assert "does not take this user and password" in check.says

    def test_a_user_that_may_not_read(self, node: Node) -> None:
        user = node.acl("blind", "+ping", "~*")
        rights, *rest = node.wrong(connect_as=user, redis_username="blind")
        assert rights.says.startswith("blind may not HMGET, HSCAN, XREAD, XRANGE, XREVRANGE, TIME")
        assert f"ACL SETUSER blind on '>PASSWORD' {' '.join(gateway_acl('eu'))}" in rights.advice
        assert [check.what for check in rest] == ["registry"]

    def test_a_user_of_another_region(self, node: Node) -> None:
        user = node.acl("us", *gateway_acl("us"))
        rights, *_ = node.wrong(connect_as=user, redis_username="us")
        assert "us may not HMGET, HSCAN, XREAD" in rights.says

    def test_the_advised_rules_put_it_right(self, node: Node) -> None:
        user = node.acl("gateway", *gateway_acl("eu"))
        assert node.wrong(connect_as=user, redis_username="gateway") == []

    def test_nothing_there(self, node: Node) -> None:
        node.server.flush()
        registry, daemon = node.wrong()
        assert registry.says == "there is no complete registry of the region eu in this Redis"
        assert "no daemon has spoken yet" in daemon.says

    def test_a_load_that_was_not_completed(self, node: Node) -> None:
        with contextlib.closing(connect(node.server.url)) as client:
            writer = Writer(client, "eu")  # type: ignore[arg-type]
            assert writer.acquire()
            assert isinstance(writer.begin_epoch(), Position)
            writer.release()
        assert {check.what for check in node.wrong()} == {"registry", "sync daemon"}

    def test_a_newer_schema(self, node: Node) -> None:
        with node.server.client() as client:
            client.hset(KEYS.meta, "schema", 99)
        check = only(node.wrong())
        assert check.says == f"the registry has schema version 99; this program knows {SCHEMA_VERSION}"

    def test_a_damaged_registry(self, node: Node) -> None:
        with node.server.client() as client:
            client.hset(KEYS.meta, "seq", "many")
        assert "it is damaged: corrupt record in meta" in only(node.wrong()).says

    def test_a_daemon_that_has_fallen_silent(self, node: Node) -> None:
        with node.server.client() as client:
            ((_, fields),) = client.xrevrange(KEYS.changes, count=1)
            long_ago = str(int(time.time() * 1000) - 100_000)
            client.xadd(KEYS.changes, {**fields, b"at": long_ago}, id=f"{node.position.seq}-999")
        check = only(node.wrong())
        assert check.says.startswith("last heard of 100 s ago")
        assert check.says.endswith("nobody holds the lease")

    def test_a_cluster(self, node: Node, redis_cluster: RedisCluster) -> None:
        write(redis_cluster, node.contents)  # type: ignore[arg-type]
        checks = diagnosis(
            region="eu", redis_url=redis_cluster.url, replica_directory=node.path / "none", metrics_address="off"
        )
        about_redis = [check for check in checks if check.what in ("redis", "redis user", "registry", "sync daemon")]
        assert len(about_redis) == 4
        assert wrong(about_redis) == []
        assert "valkey 9." in about_redis[0].says
        assert "2 credentials" in about_redis[2].says

    def test_a_redis_of_another_make(self, node: Node, redis_server: RedisServer) -> None:
        write(redis_server, node.contents)
        checks = diagnosis(region="eu", redis_url=redis_server.url, metrics_address="off")
        assert "redis 8." in next(check for check in checks if check.what == "redis").says


class TestReplica:
    def test_none(self, node: Node) -> None:
        assert "there is no directory" in only(node.wrong(replica_directory=node.path / "none")).says

    def test_no_copy_yet(self, node: Node, tmp_path: Path) -> None:
        directory = tmp_path / "empty"
        directory.mkdir(mode=0o700)
        assert only(node.wrong(replica_directory=directory)).says == "there is no copy yet"

    def test_open_to_others(self, node: Node) -> None:
        node.replica.chmod(0o755)
        check = only(node.wrong())
        assert "mode 0755: others may look into it" in check.says
        assert check.advice == (f"chmod 700 {node.replica}",)

    def test_out_of_force(self, node: Node) -> None:
        page = StatusPage(node.replica)
        page.distrust()
        page.close()
        assert "taken out of force" in only(node.wrong()).says

    def test_damaged(self, node: Node) -> None:
        file = data_file(node.replica, 1)
        file.write_bytes(b"\xff" * file.stat().st_size)
        assert "is damaged or cannot be read" in only(node.wrong()).says

    def test_cut_off(self, node: Node) -> None:
        """LMDB's map of such a file ends a process that reads it; not this one."""
        file = data_file(node.replica, 1)
        os.truncate(file, 8192)
        assert "is damaged or cannot be read" in only(node.wrong()).says

    def test_of_another_region(self, node: Node) -> None:
        make_replica(node.path / "us", node.contents, region="us", heard=time.time(), position=node.position)
        assert "the copy is of the region us, not of eu" in only(node.wrong(replica_directory=node.path / "us")).says

    def test_not_heard_of_for_long(self, node: Node) -> None:
        page = StatusPage(node.replica)
        page.heard(time.time() - 60)
        page.close()
        assert "the region was last heard of 60 s ago" in only(node.wrong()).says

    def test_behind(self, node: Node) -> None:
        behind = msgspec.structs.replace(node.position, seq=node.position.seq - 1, tip="other")
        make_replica(node.path / "behind", node.contents, heard=time.time(), position=behind)
        check = only(node.wrong(replica_directory=node.path / "behind"))
        assert check.says == f"the copy is behind: at batch {behind.seq}, and Redis at batch {node.position.seq}"

    def test_of_another_registry(self, node: Node) -> None:
        other = Position("another", node.position.seq, node.position.tip)
        make_replica(node.path / "other", node.contents, heard=time.time(), position=other)
        assert "not of the registry that is in Redis" in only(node.wrong(replica_directory=node.path / "other")).says


class TestPluginServer:
    def wrong(self, path: Path, **settings: Any) -> list[Check]:
        checks = diagnosis(**{"socket": path / "s", "metrics_address": "off", **settings})
        return wrong([check for check in checks if check.what == "plugin server"])

    def test_a_file_that_is_no_socket(self, tmp_path: Path) -> None:
        (tmp_path / "s").touch()
        assert "is not a socket" in only(self.wrong(tmp_path)).says

    def test_a_socket_that_nobody_listens_on(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o660)
        assert only(self.wrong(tmp_path)).says == f"{tmp_path}/s does not answer as it should: Connection refused"

    def test_one_that_does_not_answer(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(tmp_path / "s"))
            silent.listen()
            (tmp_path / "s").chmod(0o660)
            assert "does not answer as it should" in only(self.wrong(tmp_path)).says

    @pytest.mark.parametrize(
        "answer",
        [b"", b"\x00", b"\xff\xff\xff\xff", b"\x03\x00\x00\x00\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    )
    def test_garbage(self, tmp_path: Path, answer: bytes) -> None:
        def serve(wire: Wire) -> None:
            wire.frame()
            wire.socket.sendall(answer)

        with plugin_server(tmp_path / "s", serve):
            (tmp_path / "s").chmod(0o660)
            assert "does not answer as it should" in only(self.wrong(tmp_path)).says

    def test_another_plugin(self, tmp_path: Path) -> None:
        def serve(wire: Wire) -> None:
            wire.frame()
            wire.send(pb.RpcReturn(sequence=1, plugin_names=pb.PluginNames(names=["other"])))

        with plugin_server(tmp_path / "s", serve):
            (tmp_path / "s").chmod(0o660)
            assert only(self.wrong(tmp_path)).says == "has other, not app-auth"

    def test_another_mode_than_the_settings_say(self, tmp_path: Path) -> None:
        def serve(wire: Wire) -> None:
            wire.frame()
            wire.send(pb.RpcReturn(sequence=1, plugin_names=pb.PluginNames(names=["app-auth"])))

        with plugin_server(tmp_path / "s", serve):
            (tmp_path / "s").chmod(0o777)
            assert "mode 0777; the settings say 0660" in only(self.wrong(tmp_path)).says
            assert self.wrong(tmp_path, socket_mode="0777") == []


class Http:
    """An HTTP server that answers by path: a status and a body, JSON unless it is bytes."""

    def __init__(self, answers: Mapping[str, tuple[int, Any]]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answers.get(self.path.partition("?")[0], (404, {"message": "Not found"}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                seen.append(dict(self.headers))

            def log_message(self, *_: object) -> None:
                pass

        seen: list[dict[str, str]] = []
        self.seen = seen
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Http":
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class TestReady:
    def wrong(self, tmp_path: Path, answers: Mapping[str, tuple[int, Any]]) -> Check:
        with Http(answers) as server:
            return wrong(diagnosis(socket=tmp_path / "none", metrics_address=server.address))[-1]

    def test_waiting(self, tmp_path: Path) -> None:
        body = {"ready": False, "waiting_for": "the first copy of the registry"}
        check = self.wrong(tmp_path, {"/ready": (503, body)})
        assert check.says == "is not ready, it is waiting for the first copy of the registry"

    @pytest.mark.parametrize("body", [b"<html>", [], {"waiting_for": 7}, b"\xff"])
    def test_another_server(self, tmp_path: Path, body: Any) -> None:
        assert (
            "does not answer as it should: the answer is not what was expected"
            in self.wrong(tmp_path, {"/ready": (500, body)}).says
        )


class TestAppsFile:
    def test_refused_with_places(self, node: Node) -> None:
        file = node.path / "apps.yaml"
        file.write_text(yaml.safe_dump({**APPS, "region": "us", "apis": [{"nam": KEY}]}))
        check = only(node.wrong(apps_file=file))
        assert check.what == "apps file"
        assert f"{file}:" in check.advice[0]

    def test_issuers_are_those_that_strategies_name(self, node: Node) -> None:
        file = node.path / "apps.yaml"
        issuer = {"issuer": "https://login.example.com", "auth_methods": ["bearer"]}
        tokens = {"name": "tokens", "strategy_type": "openid_connect", "configs": {"openid-connect": issuer}}
        file.write_text(yaml.safe_dump({**APPS, "auth_strategies": [*APPS["auth_strategies"], tokens]}))
        assert node.wrong(apps_file=file) == []
        (check,) = look_at_apps_file(load({"apps_file": str(file)}, None), "eu")
        assert "2 strategies, " in check.says
        assert "1 issuers" in check.says

    def test_unreadable(self, node: Node) -> None:
        file = node.path / "apps.yaml"
        file.mkdir()
        assert "cannot be read: Is a directory" in only(node.wrong(apps_file=file)).says


PLUGINS = [
    {"name": "cors", "id": uid("cors"), "config": []},
    {"name": "acl", "id": uid("acl"), "config": None},
    {**GATEWAY, "id": uid("p"), "service": {"id": SERVICE}},
]


class TestKong:
    @pytest.fixture
    def admin(self, tmp_path: Path) -> Iterator[Any]:
        told = described(tmp_path, tmp_path / "app-auth.sock")
        with development_gateway(GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(told,))) as gateway:
            yield gateway

    def wrong(self, node: Node, admin: Any, document: dict[str, Any]) -> list[Check]:
        admin.apply(document)
        return [check for check in node.wrong(kong_admin_url=admin.admin_url) if check.what == "kong"]

    @pytest.mark.parametrize(
        "document",
        [
            kong(service()),
            kong(service(plugins=[]), plugins=[GATEWAY]),
            kong(service(plugins=[], routes=[{"name": "weather", "paths": ["/"], "plugins": [GATEWAY]}])),
            kong(service(plugins=[], routes=[]), plugins=[{**GATEWAY, "service": None}]),
        ],
        ids=["on the service", "global", "on its only route", "without routes"],
    )
    def test_protected(self, node: Node, admin: Any, document: dict[str, Any]) -> None:
        assert self.wrong(node, admin, document) == []

    @pytest.mark.parametrize(
        "document",
        [
            kong(service(plugins=[{**GATEWAY, "enabled": False}]), service(id=uid("x"), name="x", routes=[])),
            kong(service(plugins=[]), service(id=uid("x"), name="x", routes=[])),
            kong(
                service(
                    plugins=[],
                    routes=[
                        {"name": "a", "paths": ["/a"], "plugins": [GATEWAY]},
                        {"name": "b", "paths": ["/b"]},
                    ],
                )
            ),
        ],
        ids=["switched off", "on another service", "on one of two routes"],
    )
    def test_a_linked_service_that_lets_everybody_through(
        self, node: Node, admin: Any, document: dict[str, Any]
    ) -> None:
        check = only(self.wrong(node, admin, document))
        assert check.says == f"lets requests to linked services through without asking: weather ({SERVICE})"
        assert "traffic passes unauthenticated" in check.advice[0]

    def test_a_linked_service_that_is_not_there(self, node: Node, admin: Any) -> None:
        check = only(self.wrong(node, admin, kong(service(id=uid("other")))))
        assert check.says == f"does not have services that APIs are implemented by: {SERVICE}"

    def test_used_nowhere(self, node: Node, admin: Any) -> None:
        unused, unprotected = self.wrong(node, admin, kong(service(plugins=[])))
        assert unused.says == "the plugin app-auth is used nowhere"
        assert "without asking" in unprotected.says

    def test_for_another_region(self, node: Node, admin: Any) -> None:
        other = {"name": "app-auth", "config": {"region": "us"}}
        assert "uses it for us too" in only(self.wrong(node, admin, kong(service(plugins=[other])))).says

    def test_more_than_a_page_of_everything(self, node: Node, admin: Any) -> None:
        many = [service(id=uid(n), name=f"s{n}", routes=[{"name": f"r{n}", "paths": [f"/{n}"]}]) for n in range(1100)]
        assert self.wrong(node, admin, kong(service(), *many)) == []

    def test_without_the_plugin(self, node: Node) -> None:
        with development_gateway(GatewaySettings(proxy_port=0, admin_port=0)) as gateway:
            checks = node.wrong(kong_admin_url=gateway.admin_url)
        assert checks[0].says == "does not have the plugin app-auth"
        assert any("pluginserver_names" in line for line in checks[0].advice)

    def test_kong_3_9_with_a_start_command(self, node: Node) -> None:
        """GET / answers 500 there."""
        answers: dict[str, tuple[int, Any]] = {
            "/status": (200, {"server": {}}),
            "/": (500, {"message": "An unexpected error occurred"}),
            "/plugins/enabled": (200, {"enabled_plugins": ["key-auth", "app-auth"]}),
            "/plugins": (200, {"data": PLUGINS, "next": None}),
            "/services": (200, {"data": [{"id": SERVICE, "name": None}]}),
            "/routes": (200, {"data": [{"id": uid("r"), "service": {"id": SERVICE}}], "next": None}),
        }
        with Http(answers) as server:
            assert node.wrong(kong_admin_url=f"http://admin:{PASSWORD}@{server.address}/") == []
        assert {seen["Authorization"][:6] for seen in server.seen} == {"Basic "}

    @pytest.mark.parametrize(
        ("answers", "says"),
        [
            ({}, "/status answers 404"),
            ({"/status": (200, {}), "/": (200, b"<html>")}, "cannot be read: the answer is not what was expected"),
            ({"/status": (200, {}), "/": (200, {"plugins": 7})}, "cannot be read: the answer is not what was expected"),
            (
                {"/status": (200, {}), "/": (200, {"plugins": {"available_on_server": {"app-auth": True}}})},
                "cannot be read: /plugins answers with status 404",
            ),
        ],
    )
    def test_something_else(self, node: Node, answers: dict[str, tuple[int, Any]], says: str) -> None:
        with Http(answers) as server:
            assert says in only(node.wrong(kong_admin_url=f"http://{server.address}")).says

    @pytest.mark.parametrize("url", ["127.0.0.1:8001", "ftp://x", "http://", f"http://u:{PASSWORD}@[x/"])
    def test_a_wrong_url(self, node: Node, url: str) -> None:
        assert "a URL begins with http://" in only(node.wrong(kong_admin_url=url)).says
