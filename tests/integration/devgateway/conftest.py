"""One service behind one plugin on a scripted server."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from kong_app_auth.devgateway import DevGateway, GatewaySettings, SampleUpstream
from tests.servers.gateway import EventLoopThread, http_get, raw_request
from tests.servers.plugin_server import PluginServer, ProtobufScript, described, plugin_server
from tests.servers.process import PATIENCE


class Stage:
    """A gateway with a scripted ProtoBuf:1 server (`start_server`) and an echoing upstream."""

    def __init__(self, path: Path, stack: ExitStack, thread: EventLoopThread) -> None:
        self.path = path
        self.socket = path / "p.sock"
        self.script = ProtobufScript(lambda wire, call: wire.finish(call))
        self.thread = thread
        self.stack = stack
        self.upstream: SampleUpstream = thread.enter(SampleUpstream())
        self.gateway: DevGateway

    def start_server(self) -> PluginServer:
        return self.stack.enter_context(plugin_server(self.socket, self.script))

    def start_gateway(self, **settings: object) -> "Stage":
        plugin = described(self.path, self.socket)
        wanted = GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(plugin,), **settings)  # type: ignore[arg-type]
        self.gateway = self.thread.enter(DevGateway(wanted))
        if wanted.database == "off":
            self.load(self.document())
        return self

    def document(self, **service: object) -> dict[str, object]:
        plugin = {"name": "app-auth", "config": {"region": "eu"}}
        given = {"name": "up", "url": self.upstream.url, "routes": [{"name": "r", "paths": ["/"]}], "plugins": [plugin]}
        return {"_format_version": "3.0", "services": [{**given, **service}]}

    def load(self, document: Mapping[str, object]) -> None:
        answer = requests.post(f"{self.gateway.admin_url}/config", json=document, timeout=PATIENCE)
        assert answer.status_code == 201, answer.text

    def get(self, target: bytes = b"/", headers: list[tuple[bytes, bytes]] | None = None) -> int:
        return raw_request(self.gateway.proxy_url, http_get(target, headers))[0]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack, stack.enter_context(EventLoopThread()))
