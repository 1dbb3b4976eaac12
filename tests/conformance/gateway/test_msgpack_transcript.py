"""The gateway against the frames recorded from Kong 3.9.1 with the stock Python server: a server answers with the
recorded bytes, and every message of the gateway must be Kong's, byte for byte but for the order of maps.
"""

import json
from pathlib import Path
from typing import Any

import msgpack
import requests

from kong_app_auth.devgateway import GatewaySettings
from tests.servers.gateway import development_gateway, keep_alive_request, sample_upstream
from tests.servers.plugin_server import Wire, described, plugin_server
from tests.servers.process import PATIENCE

TRANSCRIPT: list[dict[str, Any]] = json.loads((Path(__file__).parent / "transcripts" / "msgpack-1.json").read_text())
KONGS = [each for each in TRANSCRIPT if each["from"] == "kong"]
SERVERS = [each for each in TRANSCRIPT if each["from"] == "server"]
CREATED = 1795455835
PLUGIN_ID = "bb2951f8-36b1-55a0-836a-de456f14d449"
RECORDED_PORT = 9101


class Recorded:
    """Answers the n-th message with the n-th recorded answer, whatever the connection."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Any]] = []

    def __call__(self, wire: Wire) -> None:
        unpacker = msgpack.Unpacker(raw=True)
        position = 0
        stream = b""
        while chunk := wire.socket.recv(65536):
            stream += chunk
            unpacker.feed(chunk)
            for message in unpacker:
                self.received.append((stream[position : unpacker.tell()], message))
                position = unpacker.tell()
                number = len(self.received) - 1
                if number < len(SERVERS):
                    wire.socket.sendall(bytes.fromhex(SERVERS[number]["bytes"]))


def parts(packed: bytes) -> list[bytes]:
    """What is in a message, as packed: the same for two messages that differ in the order of their maps only."""

    def repacked(value: Any) -> bytes:
        if isinstance(value, dict):
            items = sorted(repacked(key) + repacked(each) for key, each in value.items())
            return b"{" + b",".join(items) + b"}"
        if isinstance(value, list):
            return b"[" + b",".join(repacked(each) for each in value) + b"]"
        return repr(value).encode()

    return [repacked(msgpack.unpackb(packed, raw=True)), b"%d" % len(packed)]


def test_every_message_is_kongs(tmp_path: Path) -> None:
    described_server = described(tmp_path, tmp_path / "p.sock", name="pykey", protocol=None)
    recorded = Recorded()
    with (
        sample_upstream() as upstream,
        plugin_server(tmp_path / "p.sock", recorded),
        development_gateway(GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(described_server,))) as gateway,
    ):
        times = {"created_at": CREATED, "updated_at": CREATED}
        plugin = {"id": PLUGIN_ID, "name": "pykey", "config": {"mode": "normal", "region": "eu"}}
        route = {"name": "r", "paths": ["/"], "plugins": [plugin]}
        service = {"name": "up", "url": upstream.url, "routes": [route], **times}
        document = {"_format_version": "3.0", "services": [service]}
        requests.post(f"{gateway.admin_url}/config", json=document, timeout=PATIENCE).raise_for_status()
        common = b"Host: 127.0.0.1:8160\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        first = b"GET /?a=1&a=2&b HTTP/1.1\r\n" + common + b"apikey: a\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"
        allowed = keep_alive_request(gateway.proxy_url, first)
        refused = keep_alive_request(gateway.proxy_url, b"GET / HTTP/1.1\r\n" + common + b"\r\n")

    port = int(upstream.url.rsplit(":", 1)[1])
    assert allowed[0] == 200
    seen = json.loads(allowed[2])["headers"]
    assert ["X-Application-ID", "app-1"] in seen
    assert not any(name.lower() == "apikey" for name, _ in seen)
    assert (refused[0], refused[1]["content-type"]) == (401, ["application/json"])
    assert refused[2] == b'{"message":"Unauthorized"}'

    assert len(recorded.received) == len(KONGS)
    start, start_of_kong = recorded.received[0][1], msgpack.unpackb(bytes.fromhex(KONGS[0]["bytes"]), raw=True)
    ours, theirs = (json.loads(message[3][0].pop(b"Config")) for message in (start, start_of_kong))
    assert start == start_of_kong
    assert ours.pop("region") == "eu"
    assert ours == theirs
    for (packed, _), kong in zip(recorded.received[1:], KONGS[1:], strict=True):
        expected = bytes.fromhex(kong["bytes"])
        if kong["message"][2] == "plugin.StepService":
            expected = expected.replace(b"\xa4port" + msgpack.packb(RECORDED_PORT), b"\xa4port" + msgpack.packb(port))
        assert parts(packed) == parts(expected)
