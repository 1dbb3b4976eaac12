"""MsgPack:1 with the stock Python server, `kong_pdk`, as a real process: it works, and fails open where Kong does."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.devgateway import DevGateway, GatewaySettings, PluginServerSettings, SampleUpstream
from tests.servers.gateway import EventLoopThread, http_get, raw_request
from tests.servers.process import end, start, wait_until

PLUGIN = """
Schema = [{"mode": {"type": "string", "default": "ok"}}]
version = "0.1"
priority = 1000


class Plugin:
    def __init__(self, config):
        self.config = config

    def access(self, kong):
        headers = kong.request.get_headers(1000)
        if self.config.get("mode") == "raise":
            raise RuntimeError("on purpose")
        if isinstance(headers, tuple):
            headers = headers[0]
        if "apikey" not in headers:
            return kong.response.exit(401, "no key", {"X-By": "plugin"})
        kong.service.request.set_header("X-Application-ID", "app-1")
        kong.service.request.clear_header("apikey")
        kong.client.authenticate(None, {"id": "app-1"})
"""
COMMAND = Path(sys.executable).parent / "kong-python-pluginserver"


class StockStage:
    def __init__(self, path: Path, thread: EventLoopThread) -> None:
        self.path = path
        self.plugins = path / "plugins"
        self.plugins.mkdir()
        (self.plugins / "pykey.py").write_text(PLUGIN)
        self.socket = path / "stock.sock"
        self.upstream: SampleUpstream = thread.enter(SampleUpstream())
        query = f"{COMMAND} --plugins-directory {self.plugins} --dump-all-plugins"
        server = PluginServerSettings(name="python", socket=str(self.socket), query_cmd=query)
        settings = GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(server,), socket_timeout=0.5)
        self.gateway: DevGateway = thread.enter(DevGateway(settings))
        self.load("ok")

    def load(self, mode: str) -> None:
        plugin = {"name": "pykey", "config": {"mode": mode}}
        service = {"name": "up", "url": self.upstream.url, "routes": [{"paths": ["/"]}], "plugins": [plugin]}
        self.gateway.apply({"_format_version": "3.0", "services": [service]})

    def start_server(self) -> "subprocess.Popen[bytes]":
        command = [COMMAND, "-p", self.path, "--socket-name", self.socket.name, "--plugins-directory", self.plugins]
        return start(command, self.path / "server.log")

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0

    def get(self, *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
        status, _, body = raw_request(self.gateway.proxy_url, http_get(b"/", list(headers)))
        return status, body


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockStage]:
    with EventLoopThread() as thread:
        yield StockStage(tmp_path, thread)


@pytest.fixture
def server(stock: StockStage) -> "Iterator[subprocess.Popen[bytes]]":
    process = stock.start_server()
    try:
        wait_until(stock.listens, "the stock server")
        yield process
    finally:
        end(process)


def test_a_plugin_lets_in_and_refuses(stock: StockStage, server: object) -> None:
    assert stock.get() == (401, b"no key")
    status, seen = stock.get((b"apikey", b"a"))
    assert status == 200
    assert b'["X-Application-ID", "app-1"]' in seen
    assert b"apikey" not in seen
    assert stock.upstream.requests == 1


def test_a_server_that_never_ran_is_500(stock: StockStage) -> None:
    assert stock.get()[0] == 500
    assert stock.upstream.requests == 0


def test_a_server_killed_after_it_served_once_fails_open(stock: StockStage, server: "subprocess.Popen[bytes]") -> None:
    assert stock.get()[0] == 401
    end(server)
    assert stock.get()[0] == 200
    assert stock.upstream.requests == 1


def test_an_exception_in_the_plugin_fails_open_after_the_time_out(stock: StockStage, server: object) -> None:
    stock.load("raise")
    assert stock.get()[0] == 200


def test_a_header_that_is_no_utf_8_fails_open(stock: StockStage, server: object) -> None:
    assert stock.get()[0] == 401
    assert stock.get((b"X-Bytes", b"\xff"))[0] == 200
