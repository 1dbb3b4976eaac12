"""The frames recorded on a real Kong 3.9.1, replayed: our server must send what the recorded one sent, byte for byte.

Kong's recorded frames are written to a real server; the plugin `pbkey` makes the calls that the recorded one made.
Calls that return nothing leave our server together with the next thing that must be sent: the same stream of bytes.
"""

import sqlite3
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin_server.instances import store_path
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from tests.kong_side.client import KongConnection, ServerClosedError
from tests.kong_side.server import PluginServer

TRANSCRIPTS: list[dict[str, Any]] = msgspec.json.decode(
    (Path(__file__).parents[1] / "gateway" / "transcripts" / "protobuf-1.json").read_bytes()
)
BY_NAME = {transcript["scenario"]: transcript["frames"] for transcript in TRANSCRIPTS}
LIFE = "instance-start-and-close-after-config-reload"
NOT_SENT = {
    "unknown-pdk-method",  # our PDK has no such method
    "authenticate-with-neither",  # our PDK refuses it before Kong does
}
RECORDED_ID = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginServer]:
    """A server with the recorded plugin."""
    server = PluginServer(tmp_path_factory.mktemp("server") / "x", plugin="pbkey", workers=1)
    server.environment["RECORDED"] = str(server.directory)
    try:
        yield server.start()
    finally:
        server.clean_up()


def play(server: PluginServer, scenario: str) -> None:
    """Let the plugin make the calls of a scenario, as the recorded instance.

    Each has a plugin object of its own: what it asks is learned, and would be asked ahead in the next scenario.
    """
    (server.directory / "scenario").write_text(scenario)
    with KongConnection(server.socket) as kong:
        kong.close_instance(RECORDED_ID)
        rewind(server)
        assert kong.start_instance({"scenario": scenario}, "pbkey") == RECORDED_ID


def rewind(server: PluginServer) -> None:
    db = sqlite3.connect(store_path(server.socket))
    with db:
        db.execute("DELETE FROM instance")
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'instance'", (RECORDED_ID - 1,))
    db.close()


def replay(server: PluginServer, frames: list[dict[str, str]]) -> None:
    """Play Kong's part, and compare every frame of the server with the recorded one."""
    with KongConnection(server.socket) as kong:
        for number, entry in enumerate(frames):
            if "frame" not in entry:
                assert entry == {"from": "kong", "is": "closes the connection"}
                return
            frame = bytes.fromhex(entry["frame"])
            if entry["from"] == "kong":
                kong.send_frame(frame)
            else:
                assert kong.receive_frame() == frame, f"frame {number}, {entry['is']}"


def results(server: PluginServer) -> Any:
    return literal_eval((server.directory / "results").read_text())


@pytest.mark.parametrize("scenario", [name for name in BY_NAME if name not in NOT_SENT and name != LIFE])
def test_the_server_sends_the_recorded_frames(server: PluginServer, scenario: str) -> None:
    play(server, scenario)
    replay(server, BY_NAME[scenario])


def test_the_recorded_start_and_close_of_an_instance(server: PluginServer) -> None:
    rewind(server)
    replay(server, BY_NAME[LIFE])
    with KongConnection(server.socket) as kong:
        kong.begin(RECORDED_ID)
        with pytest.raises(ServerClosedError):
            kong.receive_frame()


def test_authenticate_with_neither_is_refused_before_kong_raises(server: PluginServer) -> None:
    play(server, "authenticate-with-neither")
    with KongConnection(server.socket) as kong:
        kong.send_frame(bytes.fromhex(BY_NAME["authenticate-with-neither"][0]["frame"]))
        assert kong.receive_frame() == b"kong.response.exit"
        assert pb.ExitArgs.FromString(kong.receive_frame()).status == 500


def test_what_the_plugin_is_given_of_the_recorded_replies(server: PluginServer) -> None:
    def played(scenario: str) -> Any:
        play(server, scenario)
        replay(server, BY_NAME[scenario])
        return results(server)

    headers, two, apikey, none = played("headers-multi-value-and-binary")
    assert headers == {
        "x-bin": "\xff\xfe",
        "x-empty": "",
        "user-agent": "curl/7.88.1",
        "apikey": ["a", "b"],
        "accept": "*/*",
        "x-utf": "Ã©",
        "host": "127.0.0.1:8300",
    }
    assert (len(two), apikey, none) == (2, "a", None)
    query, raw, arg, none, path, path_with_query, method = played("query-repeated-bare-empty-encoded")
    assert query == {"c": "", "apikey": ["1", "2"], "b": True, "d": "Ã©"}
    assert (raw, arg, none) == ("apikey=1&apikey=2&b&c=&d=%C3%A9", "1", None)
    assert (path, path_with_query, method) == ("/x y", "/x%20y?apikey=1&apikey=2&b&c=&d=%C3%A9", "GET")
    assert played("query-absent")[:3] == [{}, "", None]
    service, route, ip, forwarded_ip, credential, consumer, node, scheme, host, http_version, _, kong_id = played(
        "route-service-and-context"
    )
    assert (service["name"], service["host"], service["port"]) == ("up", "127.0.0.1", 9101)
    assert route["service"] == {"id": service["id"]}
    assert (ip, forwarded_ip, credential, consumer) == ("127.0.0.1", "127.0.0.1", None, None)
    assert (len(node), scheme, host, http_version, len(kong_id)) == (36, "http", "127.0.0.1", 1.1, 32)
    assert played("allow-write-calls") == [{"id": "app-1", "consumer_id": ""}, ["g1"]]
