"""The gateway against the frames recorded from Kong 3.9.1: a server sends what the recorded one sent, and every frame
of the gateway must be Kong's, byte for byte but for the order of maps and fields, which is random in Kong.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from kong_app_auth.devgateway import GatewaySettings
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from tests.servers.gateway import development_gateway, http_get, keep_alive_request, raw_request, sample_upstream
from tests.servers.plugin_server import PluginServer, ProtobufScript, Wire, described, plugin_server
from tests.servers.process import PATIENCE

TRANSCRIPT = Path(__file__).parent / "transcripts" / "protobuf-1.json"
SCENARIOS: list[dict[str, Any]] = json.loads(TRANSCRIPT.read_text())
EVENTS = {each["scenario"]: each for each in SCENARIOS if "request" in each}
INSTANCE = 7
NODE_ID = "604f626c-a6ad-4181-891c-b98354821dbe"
CREATED = 1795453890
PLUGIN_ID = "4150b3ad-78b5-5372-8063-f228c6246a2c"
IDS = (b"request_id", b"kong_request_id")


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """The fields of a message as (number, bytes with the tag)."""
    found: list[tuple[int, bytes]] = []
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        start = at
        tag = read()
        match tag & 7:
            case 0:
                read()
            case 1:
                at += 8
            case 2:
                length = read()
                at += length
            case other:
                raise AssertionError(f"wire type {other}")
        found.append((tag >> 3, message[start:at]))
    return found


def canonical(message: bytes, *, is_map: bool) -> bytes:
    """The message with its fields in order; the entries of a map are sorted, the items of a list stay as they are."""
    parts = fields(message)
    parts.sort(key=(lambda part: part) if is_map else (lambda part: part[0]))
    return b"".join(part for _, part in parts)


def same(ours: bytes, kongs: bytes, method: str) -> bool:
    is_map = method in {"kong.request.get_headers", "kong.request.get_query"}
    return canonical(ours, is_map=is_map) == canonical(kongs, is_map=is_map)


class Replay:
    """Plays the server's part of one recorded event and compares the gateway's part with Kong's."""

    def __init__(self, frames: list[dict[str, str]], port: int) -> None:
        self._frames = frames
        self._port = port
        self.problems: list[str] = []
        self.done = threading.Event()

    def __call__(self, wire: Wire, call: pb.RpcCall) -> None:
        recorded = pb.RpcCall.FromString(bytes.fromhex(self._frames[0]["frame"]))
        recorded.sequence = call.sequence
        self._check("the event", call.SerializeToString() == recorded.SerializeToString())
        method = argument = b""
        sent: list[bytes] = []
        for entry in self._frames[1:]:
            if entry["from"] == "server":
                frame = bytes.fromhex(entry["frame"])
                if entry["is"] == "RpcReturn":
                    frame = pb.RpcReturn(sequence=call.sequence).SerializeToString()
                wire.send(frame)
                sent.append(frame)
                method, argument = (sent[-2], sent[-1]) if len(sent) > 1 else (frame, b"")
            elif "frame" not in entry:
                self._check("the connection is closed", wire.frame() is None)
            else:
                self._reply(method.decode(), argument, wire.frame(), bytes.fromhex(entry["frame"]))
        self.done.set()

    def _reply(self, method: str, argument: bytes, ours: bytes | None, kongs: bytes) -> None:
        if ours is None:
            self.problems.append(f"no reply to {method}")
            return
        if method == "kong.router.get_service":
            kongs = kongs.replace(b"\x40" + varint(9101), b"\x40" + varint(self._port))
        if method == "kong.nginx.get_var" and argument[2:] in IDS:
            name = pb.String.FromString(ours).v
            self._check(f"{argument!r} is 32 hex digits", len(ours) == len(kongs) and bool(int(name, 16)))
            return
        self._check(f"{method} {argument!r}: {ours.hex()} is not {kongs.hex()}", same(ours, kongs, method))

    def _check(self, what: str, good: bool) -> None:
        if not good:
            self.problems.append(what)


def configuration(upstream: str, mode: str) -> dict[str, object]:
    times = {"created_at": CREATED, "updated_at": CREATED}
    plugin = {"id": PLUGIN_ID, "name": "pbkey", "config": {"region": "eu", "mode": mode}}
    route = {"name": "r", "paths": ["/"], "plugins": [plugin], **times}
    service = {"name": "up", "url": upstream, "routes": [route], **times}
    return {"_format_version": "3.0", "services": [service]}


class Rig:
    def __init__(self, url: str, admin: str, upstream: str, script: ProtobufScript, server: PluginServer) -> None:
        self.url, self.admin, self.upstream, self.script, self.server = url, admin, upstream, script, server

    def load(self, mode: str) -> None:
        requests.post(
            f"{self.admin}/config", json=configuration(self.upstream, mode), timeout=PATIENCE
        ).raise_for_status()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    script = ProtobufScript(lambda wire, call: wire.finish(call), first_id=INSTANCE)
    server_settings = described(tmp_path, tmp_path / "p.sock", name="pbkey")
    settings = GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(server_settings,), node_id=NODE_ID)
    with (
        sample_upstream() as upstream,
        plugin_server(tmp_path / "p.sock", script) as server,
        development_gateway(settings) as gateway,
    ):
        rig = Rig(gateway.proxy_url, gateway.admin_url, upstream.url, script, server)
        rig.load("ok")
        yield rig


def as_curl_sent_it(request: Mapping[str, Any]) -> bytes:
    lines = [(b"Host", b"127.0.0.1:8300"), (b"User-Agent", b"curl/7.88.1"), (b"Accept", b"*/*")]
    for header in request["headers"]:
        name, _, value = header.rstrip(";").partition(": ")
        lines.append((name.encode(), value.encode("latin-1" if name == "X-Bin" else "utf-8")))
    head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
    return f"GET {request['path']} HTTP/1.1\r\n".encode() + head + b"\r\n"


@pytest.mark.parametrize("scenario", EVENTS, ids=str)
def test_every_frame_of_an_event_is_kongs(rig: Rig, scenario: str) -> None:
    recorded = EVENTS[scenario]
    replay = Replay(recorded["frames"], int(rig.upstream.rsplit(":", 1)[1]))
    rig.script.event = replay

    raw = as_curl_sent_it(recorded["request"])
    status, headers, body = keep_alive_request(rig.url, raw)

    assert replay.done.wait(PATIENCE)
    assert replay.problems == []
    assert status == recorded["response"]["status"]
    for line in recorded["response"]["headers"]:
        name, _, value = line.partition(": ")
        if status != 200 or name != "Content-Type":  # the recorded upstream was another one
            assert headers[name.lower()] == [value]
    if status == 500:
        kongs = json.loads(recorded["response"]["body"])
        ours = json.loads(body)
        assert body.decode().replace(ours["request_id"], kongs["request_id"]) == recorded["response"]["body"]
    elif status != 200:
        assert body.decode() == recorded["response"]["body"]


def test_the_upstream_sees_what_the_recorded_write_calls_made(rig: Rig) -> None:
    recorded = EVENTS["allow-write-calls"]
    rig.script.event = Replay(recorded["frames"], int(rig.upstream.rsplit(":", 1)[1]))

    _, _, body = keep_alive_request(rig.url, as_curl_sent_it(recorded["request"]))

    seen = json.loads(body)
    names = [name.lower() for name, _ in seen["headers"]]
    assert seen["query"] == "a=1"
    assert "apikey" not in names
    assert [value for name, value in seen["headers"] if name == "X-List"] == ["a", "b"]
    assert ["X-Application-ID", "app-1"] in seen["headers"]


def test_a_changed_configuration_is_started_before_the_old_instance_is_closed(rig: Rig) -> None:
    recorded = next(each for each in SCENARIOS if each["scenario"].startswith("instance-start"))
    kongs = [
        pb.RpcCall.FromString(bytes.fromhex(each["frame"])) for each in recorded["frames"] if each["from"] == "kong"
    ]
    assert raw_request(rig.url, http_get())[0] == 200
    rig.script.calls.clear()
    rig.load("changed")
    rig.load("ok")

    assert raw_request(rig.url, http_get())[0] == 200

    start, close, _ = rig.script.calls
    assert rig.script.kinds() == ["start_instance", "close_instance", "handle_event"]
    assert close.sequence == start.sequence + 1
    assert start.cmd_start_instance.name == kongs[0].cmd_start_instance.name
    ours, theirs = (json.loads(each.cmd_start_instance.config) for each in (start, kongs[0]))
    assert ours.pop("__seq__") > theirs.pop("__seq__") - 1
    assert ours == theirs
    assert close.cmd_close_instance.instance_id == kongs[1].cmd_close_instance.instance_id == INSTANCE


def test_the_sequence_number_rises_with_every_change(rig: Rig) -> None:
    seen: list[int] = []
    for mode in ("a", "b", "c"):
        rig.load(mode)
        assert raw_request(rig.url, http_get())[0] == 200
        starts = [call for call in rig.script.calls if call.WhichOneof("call") == "cmd_start_instance"]
        seen.append(json.loads(starts[-1].cmd_start_instance.config)["__seq__"])
    assert seen == sorted(set(seen))
