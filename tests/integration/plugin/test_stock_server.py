"""The same plugin class in the stock `kong_pdk` server, over MsgPack:1, in both of that server's styles."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.devgateway import DevGateway, GatewaySettings, PluginServerSettings, SampleUpstream
from kong_app_auth.domain.api_key import mint
from kong_app_auth.plugin import REPLICA_DIRECTORY, Schema, priority, version
from kong_app_auth.replica.status import StatusPage
from tests.servers.copies import make_replica
from tests.servers.gateway import EventLoopThread, http_get, raw_request
from tests.servers.process import end, start, wait_until
from tests.servers.samples import SERVICE, uid
from tests.unit.plugin.stage import PEOPLE, contents

COMMAND = Path(sys.executable).parent / "kong-python-pluginserver"
PLUGIN = "from kong_app_auth.plugin import Plugin, Schema, priority, version\n"
GOOD = PEOPLE["good"].key


class Stage:
    """A gateway with the stock server, and a replica that was heard of just now at each request."""

    def __init__(self, directory: Path, gateway: DevGateway, upstream: SampleUpstream) -> None:
        self._page = StatusPage(directory)
        self.gateway = gateway
        self.upstream = upstream

    def get(self, headers: dict[str, str] | None = None, target: str = "/") -> tuple[int, dict[str, list[str]], Any]:
        self._page.heard(time.time())
        sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        status, seen, body = raw_request(self.gateway.proxy_url, http_get(target.encode(), sent))
        return status, seen, json.loads(body)

    def close(self) -> None:
        self._page.close()


@pytest.fixture(scope="module", params=[[], ["--no-lua-style"]], ids=["lua style", "no lua style"])
def stock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path = tmp_path_factory.mktemp("stock")
    plugins, replica, socket = path / "plugins", path / "replica", path / "stock.sock"
    plugins.mkdir()
    (plugins / "app-auth.py").write_text(PLUGIN)
    make_replica(replica, contents(), heard=time.time())
    environment = {**os.environ, REPLICA_DIRECTORY: str(replica)}
    options = ["--plugins-directory", plugins]
    server = start(
        [COMMAND, "-p", path, "--socket-name", socket.name, *options, *request.param],
        path / "server.log",
        env=environment,
    )
    try:
        wait_until(socket.exists, f"the stock server's socket: {path}/server.log")
        query = f"{COMMAND} --plugins-directory {plugins} --dump-all-plugins"
        with EventLoopThread() as thread:
            upstream = thread.enter(SampleUpstream())
            told = PluginServerSettings(name="stock", socket=str(socket), query_cmd=query)
            gateway = thread.enter(
                DevGateway(GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(told,), socket_timeout=5.0))
            )
            plugin = {"name": "app-auth", "config": {"region": "eu", "realm": "r", "key_in_query": True}}
            service = {"id": SERVICE, "name": "up", "url": upstream.url, "routes": [{"name": "r", "paths": ["/"]}]}
            gateway.apply({"_format_version": "3.0", "services": [{**service, "plugins": [plugin]}]})
            stage = Stage(replica, gateway, upstream)
            yield stage
            stage.close()
    finally:
        end(server)


def test_it_is_described_as_by_our_server(stock: Stage) -> None:
    info = stock.gateway.plugin_infos["app-auth"]
    assert (info.protocol, info.version, info.priority) == ("MsgPack:1", version, priority)
    # Kong's schema is a list of records; the gateway has read it.
    assert len(info.fields) == len(Schema)


def test_an_approved_application_passes_and_the_upstream_is_told_who_calls(stock: Stage) -> None:
    status, _, seen = stock.get({"apikey": GOOD, "X-Consumer-ID": "root", "X_Portal_ID": "mine"})
    assert status == 200
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert headers["x-application-id"] == uid("good")
    assert headers["x-app-auth-region"] == "eu"
    assert not {"apikey", "x-consumer-id", "x_portal_id"} & set(headers)


def test_a_key_in_the_query_is_taken_away(stock: Stage) -> None:
    status, _, seen = stock.get(target=f"/path?a=%41&apikey={GOOD}&b")
    assert status == 200
    assert seen["query"] == "a=%41&b"


@pytest.mark.parametrize(
    ("headers", "expected", "message"),
    [
        ({}, 401, "No API key found in request"),
        ({"apikey": mint("us")}, 401, "Unauthorized"),
        ({"apikey": mint("eu")}, 401, "Unauthorized"),
        ({"apikey": PEOPLE["expired"].key}, 401, "Unauthorized"),
        ({"apikey": PEOPLE["pending"].key}, 403, "You cannot consume this service"),
    ],
)
def test_refusals(stock: Stage, headers: dict[str, str], expected: int, message: str) -> None:
    before = stock.upstream.requests
    status, seen, body = stock.get(headers)
    assert (status, body["message"]) == (expected, message)
    assert len(body["request_id"]) == 32
    assert seen.get("www-authenticate") == (['Key realm="r"'] if expected == 401 else None)
    assert seen["content-type"] == ["application/json; charset=utf-8"]
    assert stock.upstream.requests == before


def test_it_goes_on_after_refusals(stock: Stage) -> None:
    for _ in range(20):
        assert stock.get({"apikey": PEOPLE["pending"].key})[0] == 403
    assert stock.get({"apikey": GOOD})[0] == 200
