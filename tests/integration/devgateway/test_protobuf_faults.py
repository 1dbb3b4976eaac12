"""ProtoBuf:1 with its faults: nothing of a broken plugin server lets a request through, and it is tried again as Kong
does. The surprises are those of docs/protocol.md.
"""

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from tests.servers.gateway import http_get, raw_request
from tests.servers.plugin_server import Wire
from tests.servers.process import wait_until

if TYPE_CHECKING:
    from tests.integration.devgateway.conftest import Stage


def text(value: bytes) -> pb.Value:
    return pb.Value(string_value=value)


def test_a_connection_closed_during_an_event_is_tried_again_with_a_new_instance(stage: "Stage") -> None:
    closed = threading.Event()

    def event(wire: Wire, call: pb.RpcCall) -> None:
        if closed.is_set():
            wire.finish(call)
        else:
            closed.set()
            wire.close()

    stage.script.event = event
    stage.start_server()
    stage.start_gateway()
    assert stage.get() == 200
    assert stage.script.kinds() == ["start_instance", "handle_event"] * 2
    first, second = (call.cmd_handle_event.instance_id for call in stage.script.calls[1::2])
    assert first != second


def test_a_server_that_always_closes_is_tried_without_limit_but_only_while_the_client_is_there(stage: "Stage") -> None:
    stage.script.event = lambda wire, _: wire.close()
    stage.start_server()
    stage.start_gateway()
    parts = urlsplit(stage.gateway.proxy_url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(http_get())
        wait_until(lambda: len(stage.script.calls) > 100)

    def at_rest() -> bool:
        before = len(stage.script.calls)
        time.sleep(0.1)
        return len(stage.script.calls) == before

    wait_until(at_rest)
    stage.script.event = lambda wire, call: wire.finish(call)
    assert stage.get() == 200
    assert stage.upstream.requests == 1


def test_after_exit_the_gateway_closes_the_connection_without_a_reply(stage: "Stage") -> None:
    replies: list[bytes | None] = []

    def event(wire: Wire, _call: pb.RpcCall) -> None:
        challenges = pb.Value(list_value=pb.ListValue(values=[text(b"Key"), text(b"Bearer")]))
        headers = pb.Struct()
        headers.fields.add(key=b"WWW-Authenticate", value=challenges)
        headers.fields.add(key=b"X-Bytes", value=text(b"\xff"))
        replies.append(wire.call("kong.response.exit", pb.ExitArgs(status=401, body=b"no", headers=headers)))

    stage.script.event = event
    stage.start_server()
    stage.start_gateway()
    status, headers, body = raw_request(stage.gateway.proxy_url, http_get())
    assert (status, body) == (401, b"no")
    assert headers["www-authenticate"] == ["Bearer"]
    assert headers["x-bytes"] == ["\xff"]
    wait_until(lambda: replies)
    assert replies == [None]
    assert stage.upstream.requests == 0


def test_a_missing_server_is_500_and_does_not_reach_the_upstream(stage: "Stage") -> None:
    stage.start_gateway()
    assert stage.get() == 500
    assert stage.upstream.requests == 0


def test_a_server_that_dies_between_requests_is_500_until_it_is_back(stage: "Stage") -> None:
    server = stage.start_server()
    stage.start_gateway()
    assert stage.get() == 200
    server.stop()
    assert stage.get() == 500
    known = set(range(100, 200))

    def event(wire: Wire, call: pb.RpcCall) -> None:
        if call.cmd_handle_event.instance_id in known:
            wire.finish(call)
        else:
            wire.close()

    stage.script.event = event
    stage.script.ids = iter(known)  # type: ignore[assignment]
    stage.start_server()
    assert stage.get() == 200
    assert stage.upstream.requests == 2


def test_a_start_without_a_status_is_500_and_the_next_request_waits_in_vain(stage: "Stage") -> None:
    good = stage.script.start_answer
    stage.script.start_answer = lambda call, _: pb.RpcReturn(sequence=call.sequence)
    stage.start_server()
    stage.start_gateway(claim_timeout=0.3)
    assert stage.get() == 500
    stage.script.start_answer = good
    assert stage.get() == 500
    assert stage.get() == 200
    assert stage.upstream.requests == 1


def test_a_hung_server_is_500_after_the_time_out(stage: "Stage") -> None:
    stage.script.event = lambda wire, _: (wire.frame(), None)[1]
    stage.start_server()
    stage.start_gateway(socket_timeout=0.2)
    assert stage.get() == 500
    assert stage.upstream.requests == 0


def test_frames_that_make_no_sense_are_500(stage: "Stage") -> None:
    stage.start_server()
    stage.start_gateway(socket_timeout=0.2)
    too_long = struct.pack("<I", 0xFFFFFFFF)
    truncated = struct.pack("<I", 10) + b"kong"
    for garbage in (too_long, truncated):
        stage.script.event = lambda wire, _, garbage=garbage: wire.socket.sendall(garbage)  # type: ignore[misc]
        assert stage.get() == 500
    stage.script.event = lambda wire, _: wire.send(b"", b"\xff\xff")
    assert stage.get() == 500
    stage.script.event = lambda wire, call: wire.send(b"", pb.RpcReturn(sequence=call.sequence + 1))
    assert stage.get() == 500
    stage.script.event = lambda wire, _: wire.send(b"kong.service.request.set_headers", b"\xff")
    assert stage.get() == 500
    assert stage.upstream.requests == 0


def test_calls_the_end_and_the_return_may_come_in_one_write(stage: "Stage") -> None:
    def event(wire: Wire, call: pb.RpcCall) -> None:
        mark = pb.KV(k=b"X-Mark", v=text(b"1"))
        one_write = (b"kong.service.request.set_header", mark, b"kong.service.request.add_header", mark)
        wire.send(*one_write, b"", pb.RpcReturn(sequence=call.sequence))
        assert [wire.frame(), wire.frame()] == [b"", b""]

    stage.script.event = event
    stage.start_server()
    stage.start_gateway()
    _, _, body = raw_request(stage.gateway.proxy_url, http_get())
    assert body.count(b'"X-Mark"') == 2


def test_a_plugin_cannot_inject_lines_into_headers(stage: "Stage") -> None:
    def event(wire: Wire, call: pb.RpcCall) -> None:
        for method in ("kong.service.request.set_header", "kong.response.set_header"):
            assert wire.call(method, pb.KV(k=b"X-A", v=text(b"1\r\nX-B: 2"))) == b""
        assert wire.call("kong.service.request.set_raw_query", pb.String(v=b"a b\r\nX: 1")) == b""
        wire.finish(call)

    stage.script.event = event
    stage.start_server()
    stage.start_gateway()
    status, headers, body = raw_request(stage.gateway.proxy_url, http_get())
    assert status == 200
    assert headers["x-a"] == ["1%0D%0AX-B: 2"]
    assert b'["X-A", "1%0D%0AX-B: 2"]' in body
    assert b'"query": "a%20b%0D%0AX:%201"' in body


def test_many_clients_share_one_instance_and_a_pool_of_connections(stage: "Stage") -> None:
    server = stage.start_server()
    stage.start_gateway()
    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(lambda _: stage.get(), range(200)))
    assert statuses == [200] * 200
    assert stage.script.kinds().count("start_instance") == 1
    assert server.accepted <= 9
    assert stage.upstream.requests == 200


def test_a_plugin_can_read_a_short_body_and_the_upstream_still_gets_it(stage: "Stage") -> None:
    seen: list[pb.RawBodyResult] = []

    def event(wire: Wire, call: pb.RpcCall) -> None:
        reply = wire.call("kong.request.get_raw_body", pb.Empty())
        assert reply is not None
        seen.append(pb.RawBodyResult.FromString(reply))
        wire.finish(call)

    stage.script.event = event
    stage.start_server()
    stage.start_gateway()
    for body in (b"short", b"x" * 100_000):
        request = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        status, _, echoed = raw_request(stage.gateway.proxy_url, request)
        assert status == 200
        assert b'"body": "' + body + b'"' in echoed
    assert seen[0].content == b"short"
    assert seen[1].WhichOneof("result") == "error"
