"""Every event is answered, whatever the plugin does and whatever a client has sent."""

import contextlib
from pathlib import Path

import pytest

from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.values import to_struct
from tests.kong_side.client import KongConnection, ServerClosedError, ask_once, start_once
from tests.kong_side.server import PluginServer, worker_of
from tests.servers.process import wait_until

GET_HEADERS = "kong.request.get_headers"
SET_HEADERS = "kong.service.request.set_headers"
SET_HEADER = "kong.response.set_header"


def headers_answer(headers: dict[str, object]) -> dict[str, bytes]:
    return {GET_HEADERS: to_struct(headers).SerializeToString()}  # type: ignore[arg-type]


def test_a_plugin_that_does_nothing_lets_the_request_pass(server: PluginServer) -> None:
    outcome = ask_once(server.socket, start_once(server.socket))
    assert (outcome.status, outcome.calls) == (200, ())


def test_a_connection_serves_one_event_after_another(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        number = kong.start_instance({"do": "allow"})
        outcomes = [kong.event(number, headers_answer({"n": str(n)})) for n in range(50)]
    assert [outcome.struct(SET_HEADERS)["n"] for outcome in outcomes] == [str(n) for n in range(50)]
    assert len({worker_of(outcome) for outcome in outcomes}) == 1


def test_an_exit_reaches_the_client_as_the_plugin_meant_it(server: PluginServer) -> None:
    outcome = ask_once(server.socket, start_once(server.socket, {"do": "deny"}))
    assert (outcome.status, outcome.body) == (401, b'{"message":"Unauthorized"}')
    assert outcome.headers == {"WWW-Authenticate": "Key"}


def test_calls_before_an_exit_go_out_before_it(server: PluginServer) -> None:
    outcome = ask_once(server.socket, start_once(server.socket, {"do": "deny_with_calls_before"}))
    assert outcome.methods == (SET_HEADER, "kong.ctx.shared.set", "kong.response.exit")


def test_an_exit_ends_the_code_of_the_plugin_even_where_it_catches_every_exception(
    server: PluginServer, tmp_path: Path
) -> None:
    file = tmp_path / "went-on"
    number = start_once(server.socket, {"do": "deny_and_go_on", "file": str(file)})
    assert ask_once(server.socket, number).status == 401
    assert ask_once(server.socket, start_once(server.socket)).status == 200
    assert not file.exists()


def test_a_plugin_that_swallows_the_end_of_an_event_cannot_take_its_exit_back(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "deny_and_swallow"})
    with KongConnection(server.socket) as kong:
        sequence = kong.begin(number)
        assert kong.receive_frame() == b"kong.response.exit"
        kong.receive_frame()
        with pytest.raises(ServerClosedError):  # and no end of the event comes after it
            kong.receive_frame()
        assert sequence


@pytest.mark.parametrize(
    "error",
    [
        "ValueError",
        "OSError",
        "ConnectionRefusedError",
        "BrokenPipeError",
        "TimeoutError",
        "BlockingIOError",
        "RecursionError",
        "MemoryError",
        "SystemExit",
        "KeyboardInterrupt",
        "GeneratorExit",
    ],
)
def test_whatever_a_plugin_raises_the_client_gets_500(server: PluginServer, error: str) -> None:
    number = start_once(server.socket, {"do": "raises", "error": error})
    outcome = ask_once(server.socket, number)
    assert outcome.status == 500
    assert outcome.body == b'{"message":"An unexpected error occurred"}'
    assert outcome.methods == ("kong.response.exit",)  # what it did before it raised is not done
    assert "secret" not in server.log()


def test_authenticate_with_neither_is_500_before_kong_raises(server: PluginServer) -> None:
    outcome = ask_once(server.socket, start_once(server.socket, {"do": "authenticate_nobody"}))
    assert (outcome.status, outcome.methods) == (500, ("kong.response.exit",))


@pytest.mark.parametrize("constructor", ["raises", "exits"])
def test_an_instance_whose_constructor_fails_is_started_and_refused_at_each_event(
    server: PluginServer, constructor: str
) -> None:
    number = start_once(server.socket, {"constructor": constructor})
    assert [ask_once(server.socket, number).status for _ in range(4)] == [500] * 4


@pytest.mark.parametrize(
    "config",
    [b"", b"[]", b"null", b"{", b'{"a":"\xff"}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 100_000],
    ids=["empty", "list", "null", "cut", "not UTF-8", "infinite", "surrogate", "deep"],
)
def test_an_instance_with_garbage_for_a_configuration_is_started_and_refused(
    server: PluginServer, config: bytes
) -> None:
    number = start_once(server.socket, config)
    assert ask_once(server.socket, number).status == 500


def test_starting_a_plugin_of_another_name_is_answered(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        assert kong.start_instance({}, name="another") > 0


def test_a_reply_of_kong_that_is_no_message_gives_500(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "echo"})
    assert ask_once(server.socket, number, {GET_HEADERS: b"\x0a\xff\xff\xff\xff\xff"}).status == 500
    number = start_once(server.socket, {"do": "backwards"})
    assert ask_once(server.socket, number, {"kong.request.get_header": b"\xff"}).status == 500


@pytest.mark.parametrize("reply", [b"\x08\x01", b"\0\0\0\0", b"\xff" * 40])
def test_a_reply_to_a_call_that_returns_nothing_lets_nothing_pass(server: PluginServer, reply: bytes) -> None:
    number = start_once(server.socket, {"do": "owe_and_ask"})
    # The server may have given up the connection before the whole of the reply is sent: nothing passes either.
    with contextlib.suppress(ServerClosedError):
        assert ask_once(server.socket, number, {SET_HEADER: reply}).status in {500, 503}


# The deadline


def test_an_event_that_takes_too_long_gets_503_while_the_plugin_sleeps(server: PluginServer, tmp_path: Path) -> None:
    until, done = tmp_path / "until", tmp_path / "done"
    number = start_once(server.socket, {"do": "sleep", "until": str(until), "done": str(done)})
    outcome = ask_once(server.socket, number)
    assert not done.exists()
    assert (outcome.status, outcome.body) == (503, b'{"message":"Service temporarily unavailable"}')
    assert outcome.headers["Retry-After"] == "1"
    assert all(ask_once(server.socket, start_once(server.socket)).status == 200 for _ in range(4))
    until.touch()
    wait_until(done.exists, "the plugin has slept")
    assert ask_once(server.socket, start_once(server.socket)).status == 200


def test_a_call_after_the_deadline_unwinds_the_plugin(server: PluginServer, tmp_path: Path) -> None:
    until, done = tmp_path / "until", tmp_path / "done"
    number = start_once(
        server.socket, {"do": "sleep", "until": str(until), "done": str(done), "call_after": True, "ask_first": True}
    )
    deadlines = server.metric("plugin_server_events_total{deadline")
    with KongConnection(server.socket) as kong:
        outcome = kong.event(number)
    assert outcome.methods == ("kong.request.get_method", "kong.response.exit")
    assert outcome.status == 503
    until.touch()
    wait_until(lambda: server.metric("plugin_server_events_total{deadline") > deadlines, "it is counted as late")
    assert not done.exists()


def test_an_event_that_ends_by_itself_after_its_deadline_is_counted_as_late(
    server: PluginServer, tmp_path: Path
) -> None:
    until, done = tmp_path / "until", tmp_path / "done"
    number = start_once(server.socket, {"do": "sleep", "until": str(until), "done": str(done)})
    deadlines = server.metric("plugin_server_events_total{deadline")
    assert ask_once(server.socket, number).status == 503
    until.touch()
    wait_until(lambda: server.metric("plugin_server_events_total{deadline") > deadlines, "it is counted as late")


def test_a_plugin_that_waits_for_kong_is_cut_short_too(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "echo"})
    with KongConnection(server.socket) as kong:
        kong.begin(number)
        assert kong.receive_frame() == GET_HEADERS.encode()
        kong.receive_frame()
        assert kong.receive_frame() == b"kong.response.exit"  # with no reply sent
        assert pb.ExitArgs.FromString(kong.receive_frame()).status == 503


# Instances


def test_an_unknown_instance_has_its_connection_closed_before_any_frame(server: PluginServer) -> None:
    for number in (1, -1, 2**31 - 1, -(2**31), 0):
        with KongConnection(server.socket) as kong:
            kong.begin(number)
            with pytest.raises(ServerClosedError):
                kong.receive_frame()


def test_a_closed_instance_is_unknown_to_every_worker_that_has_not_met_it(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        number = kong.start_instance({})
        reply = kong.close_instance(number)
        assert (reply.instance_status.instance_id, reply.instance_status.name) == (number, b"probe")
        kong.begin(number)
        with pytest.raises(ServerClosedError):
            kong.receive_frame()


def test_the_late_close_of_an_old_instance_does_not_hit_the_new_one(server: PluginServer) -> None:
    config = {"do": "deny", "__seq__": 1}
    with KongConnection(server.socket) as kong:
        old = kong.start_instance(config)
        new = kong.start_instance({**config, "__seq__": 2})
        equal = kong.start_instance(config)
        assert len({old, new, equal}) == 3
        kong.close_instance(old)
    assert ask_once(server.socket, new).status == 401
    assert ask_once(server.socket, equal).status == 401


def test_every_worker_knows_an_instance_at_once(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "pid"})
    assert server.answering(number, 2) == server.workers()


def test_a_phase_that_the_plugin_does_not_have_passes(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        number = kong.start_instance({"do": "deny"})
        assert kong.event(number, phase="log").status == 200
        assert kong.event(number, phase="no such phase").status == 200


# The other calls


def test_the_other_calls_of_kong(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        names = kong.command(pb.RpcCall(cmd_get_plugin_names=pb.CmdGetPluginNames()))
        assert list(names.plugin_names.names) == ["probe"]
        info = kong.command(pb.RpcCall(cmd_get_plugin_info=pb.CmdGetPluginInfo(name=b"probe"))).plugin_info
        assert (info.name, info.version, info.priority, list(info.phases)) == ("probe", "1.2.3", 960, ["access"])
        number = kong.start_instance({})
        status = kong.command(pb.RpcCall(cmd_get_instance_status=pb.CmdGetInstanceStatus(instance_id=number)))
        assert (status.instance_status.instance_id, status.instance_status.name) == (number, b"probe")
        assert kong.event(number).status == 200


# Headers


def test_headers_of_any_bytes_come_through_unchanged(server: PluginServer) -> None:
    every_byte = bytes(range(256))
    headers: dict[str, object] = {
        "every": every_byte,
        "nul": b"\0",
        "empty": b"",
        "twice": [b"a", b"\xff"],
        "bare": True,
        "x" * 200: b"a long name",
        "medium": b"m" * 200,
    }
    number = start_once(server.socket, {"do": "echo"})
    outcome = ask_once(server.socket, number, headers_answer(headers))
    assert outcome.status == 200
    echoed = outcome.struct(SET_HEADERS)
    assert echoed == {
        "every": every_byte.decode("latin-1"),
        "nul": "\0",
        "empty": "",
        "twice": ["a", "ÿ"],
        "bare": True,
        "x" * 200: "a long name",
        "medium": "m" * 200,
    }


def test_a_header_value_of_a_megabyte(server: PluginServer) -> None:
    value = "v\xff" * (512 * 1024)
    number = start_once(server.socket, {"do": "echo"})
    outcome = ask_once(server.socket, number, headers_answer({"big": value, "small": "1"}))
    assert outcome.struct(SET_HEADERS) == {"big": value, "small": "1"}


def test_a_thousand_headers(server: PluginServer) -> None:
    headers: dict[str, object] = {f"x-{n}": str(n) for n in range(1000)}
    number = start_once(server.socket, {"do": "echo"})
    assert ask_once(server.socket, number, headers_answer(headers)).struct(SET_HEADERS) == headers


def test_header_values_of_every_length_around_the_limits_of_a_varint(server: PluginServer) -> None:
    lengths = [*range(100, 140), *range(16300, 16400, 7), 16383, 16384]
    headers: dict[str, object] = {f"h{length}": "x" * length for length in lengths}
    number = start_once(server.socket, {"do": "echo"})
    assert ask_once(server.socket, number, headers_answer(headers)).struct(SET_HEADERS) == headers


# What is written when


def test_calls_that_return_nothing_arrive_with_the_end_in_one_send(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "owe", "calls": 3})
    with KongConnection(server.socket) as kong:
        sequence = kong.begin(number)
        burst = kong.sock.recv(65536)  # everything, before one reply is written
        calls = 0
        while size := int.from_bytes(burst[:4], "little"):
            assert burst[4 : 4 + size].decode() == SET_HEADER
            burst = burst[4 + size :]
            burst = burst[4 + int.from_bytes(burst[:4], "little") :]
            calls += 1
        assert calls == 3
        assert pb.RpcReturn.FromString(burst[8:]).sequence == sequence
        for _ in range(3):
            kong.send_frame(b"")
        assert kong.event(number).status == 200


def test_replies_that_kong_sends_after_the_end_do_not_disturb_the_next_event(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        number = kong.start_instance({"do": "owe", "calls": 200})
        for _ in range(5):
            assert len(kong.event(number).calls) == 200
        assert kong.start_instance({"do": "deny"}) > 0
