"""The wire by hand means what it means to protobuf."""

from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_server.channel import Channel
from plugin_server.pdk.client import Client
from plugin_server.pdk.response import exit_call
from plugin_server.wire import events
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.events import parse_call, parse_event
from plugin_server.wire.frames import ProtocolError, field, frame, method, varint
from plugin_server.wire.values import (
    MAX_DEPTH,
    Json,
    from_struct,
    from_value,
    read_headers,
    to_bytes,
    to_struct,
    to_text,
    to_value,
    write_headers,
)

int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
latin1 = st.text(st.characters(max_codepoint=255))
lengths = st.sampled_from([0, 1, 126, 127, 128, 129, 200, 16380, 16383, 16384, 16385, 20000])
long_text: st.SearchStrategy[str] = st.tuples(lengths, st.sampled_from("a\xff")).map(lambda pair: pair[1] * pair[0])
scalars: st.SearchStrategy[Json] = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), latin1, long_text)
json_values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(latin1, inner, max_size=4)),
    max_leaves=10,
)
names: st.SearchStrategy[str] = st.one_of(latin1, long_text)
header_values: st.SearchStrategy[Json] = st.one_of(
    latin1, long_text, st.lists(latin1, max_size=3), st.just(True), json_values
)
headers: st.SearchStrategy[dict[str, Json]] = st.dictionaries(names, header_values, max_size=8)
usual_values: st.SearchStrategy[Json] = st.one_of(latin1, long_text, st.builds(list[Json]))


# Frames


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_protobufs(number: int) -> None:
    assert pb.RpcCall.FromString(b"\x08" + varint(number)).sequence == number
    assert (b"\x08" + varint(number) if number else b"") == pb.RpcCall(sequence=number).SerializeToString()


@given(st.binary(max_size=300))
def test_a_field_is_protobufs(content: bytes) -> None:
    assert pb.String.FromString(field(0x0A, content)).v == content


def test_a_frame_is_its_length_and_its_content() -> None:
    assert frame(b"") == b"\0\0\0\0"
    assert frame(b"x" * 258) == b"\x02\x01\0\0" + b"x" * 258
    assert method("kong.node.get_id") == b"\x10\0\0\0kong.node.get_id"


# Strings


def test_every_byte_survives_as_latin_1() -> None:
    every = bytes(range(256))
    assert to_bytes(to_text(every)) == every


def test_what_is_beyond_latin_1_goes_out_as_utf_8() -> None:
    assert to_bytes("ÿ") == b"\xff"
    assert to_bytes("€") == b"\xe2\x82\xac"
    assert to_bytes(b"\xe2") == b"\xe2"


# Values


@given(json_values)
def test_a_value_comes_back_as_it_went(value: Json) -> None:
    assert from_value(pb.Value.FromString(to_value(value).SerializeToString())) == value


def test_a_value_that_the_protocol_cannot_carry_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        to_value(object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    deep: Json = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert from_value(to_value(deep)) == deep
    with pytest.raises(ValueError, match="too deep"):
        to_value([deep])


# Headers


@given(headers)
def test_read_headers_reads_any_struct_as_protobuf_does(wanted: dict[str, Json]) -> None:
    data = to_struct(wanted).SerializeToString()
    assert read_headers(data) == from_struct(pb.Struct.FromString(data)) == wanted


@given(headers, headers)
def test_read_headers_takes_the_last_of_two_entries_as_protobuf_does(
    one: dict[str, Json], other: dict[str, Json]
) -> None:
    data = to_struct(one).SerializeToString() + to_struct(other).SerializeToString()
    assert read_headers(data) == {**one, **other}


@given(st.lists(st.tuples(st.booleans(), latin1, latin1), max_size=6))
def test_read_headers_reads_entries_whose_value_comes_before_the_key(entries: list[tuple[bool, str, str]]) -> None:
    data = b""
    for turned, name, value in entries:
        key = field(0x0A, to_bytes(name))
        text = field(0x12, field(0x1A, to_bytes(value)))
        data += field(0x0A, text + key if turned else key + text)
    assert read_headers(data) == from_struct(pb.Struct.FromString(data))


def cut(headers_and_length: tuple[dict[str, Json], int]) -> bytes:
    wanted, length = headers_and_length
    return to_struct(wanted).SerializeToString()[:length]


@given(st.one_of(st.binary(max_size=60), st.tuples(headers, lengths).map(cut)))
def test_read_headers_of_garbage_raises_nothing_but_protocol_error(data: bytes) -> None:
    try:
        read_headers(data)
    except ProtocolError:
        with pytest.raises(Exception, match=r".*"):
            pb.Struct.FromString(data)


@given(headers, st.data())
def test_read_headers_of_spoilt_bytes_raises_nothing_but_protocol_error(
    wanted: dict[str, Json], data: st.DataObject
) -> None:
    spoilt = bytearray(to_struct(wanted).SerializeToString())
    if spoilt:
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        read_headers(bytes(spoilt))


@given(headers)
def test_write_headers_means_to_protobuf_what_was_meant(wanted: dict[str, Json]) -> None:
    assert from_struct(pb.Struct.FromString(write_headers(wanted))) == wanted


@given(st.dictionaries(names.filter(len), usual_values, max_size=8))
def test_write_headers_writes_the_usual_as_protobuf_does(wanted: dict[str, Json]) -> None:
    assert write_headers(wanted) == to_struct(wanted).SerializeToString()


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=4))
def test_write_headers_writes_what_is_beyond_latin_1_as_protobuf_does(wanted: dict[str, Json]) -> None:
    assert write_headers(wanted) == to_struct(wanted).SerializeToString()


@given(st.integers(100, 599), st.one_of(latin1, st.binary()), st.dictionaries(latin1, latin1, max_size=4))
def test_an_exit_means_to_protobuf_what_was_meant(status: int, body: str | bytes, wanted: dict[str, Json]) -> None:
    call = exit_call(status, body, wanted)
    name = method("kong.response.exit")
    assert call.startswith(name)
    args = pb.ExitArgs.FromString(call[len(name) + 4 :])
    assert (args.status, args.body, from_struct(args.headers)) == (status, to_bytes(body), wanted)


# Events


def event_bytes(sequence: int, number: int, name: bytes, order: tuple[int, int]) -> bytes:
    """An event with its fields in one of the orders in which a Lua table may give them."""
    inner = [
        pb.CmdHandleEvent(instance_id=number).SerializeToString(),
        pb.CmdHandleEvent(event_name=name).SerializeToString(),
    ]
    parts = [
        pb.RpcCall(sequence=sequence).SerializeToString(),
        b"\xa2\x02" + varint(len(inner[0] + inner[1])) + b"".join(inner[:: 1 - 2 * order[0]]),
    ]
    return b"".join(parts[:: 1 - 2 * order[1]])


@given(
    int64,
    int32,
    st.one_of(st.sampled_from([b"access", b"log", b"certificate"]), st.binary(max_size=140)),
    st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
def test_parse_event_reads_what_protobuf_reads_or_leaves_it_to_protobuf(
    sequence: int, number: int, name: bytes, order: tuple[int, int]
) -> None:
    command = event_bytes(sequence, number, name, order)
    call = parse_call(command)
    assert (call.sequence, call.cmd_handle_event.instance_id, call.cmd_handle_event.event_name) == (
        sequence,
        number,
        name,
    )
    found = parse_event(command)
    if found is not None:
        assert found == (number, name, frame(pb.RpcReturn(sequence=sequence).SerializeToString()))


@pytest.mark.parametrize("order", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_parse_event_reads_every_order_of_a_usual_event_by_itself(order: tuple[int, int]) -> None:
    for _ in range(2):  # in the order that it knew last, and not
        command = event_bytes(416945, 1_000_000_007, b"access", order)
        assert parse_event(command) == (1_000_000_007, b"access", frame(b"\x08\xb1\xb9\x19"))
    assert len(set(events._Orders.known)) == 4  # pyright: ignore[reportPrivateUsage]


@given(st.binary(max_size=60))
def test_garbage_is_no_event_and_no_call(data: bytes) -> None:
    found = parse_event(data)
    try:
        call = parse_call(data)
    except ProtocolError:
        assert found is None
        return
    if found is not None:
        assert found[1] == call.cmd_handle_event.event_name


@given(st.data())
def test_a_spoilt_event_is_read_as_protobuf_reads_it_or_not_at_all(data: st.DataObject) -> None:
    spoilt = bytearray(event_bytes(416945, 1_000_000_007, b"access", (0, 0)))
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    found = parse_event(bytes(spoilt))
    if found is None:
        return
    call = parse_call(bytes(spoilt))
    assert found[1] == call.cmd_handle_event.event_name
    # By its meaning: a varint that is longer than it need be goes back as it came.
    assert pb.RpcReturn.FromString(found[2][4:]).sequence == call.sequence


def test_a_call_of_a_later_kong_is_a_call_with_nothing_known_in_it() -> None:
    assert parse_call(b"\xaa\x02\x00\x08\x01").WhichOneof("call") is None
    with pytest.raises(ProtocolError):
        parse_call(b"\xff")


def test_headers_of_an_exit_that_are_equal_as_numbers_are_told_apart() -> None:
    assert exit_call(200, None, {"X": 1}) != exit_call(200, None, {"X": True})


def test_more_names_than_are_remembered_are_read_all_the_same() -> None:
    for number in range(10_000):
        assert read_headers(to_struct({f"x-{number}": "v"}).SerializeToString()) == {f"x-{number}": "v"}


@pytest.mark.parametrize("size", [0, 1, 118, 119, 127, 128, 250, 962, 16_370, 16_383, 16_384, 70_000])
@pytest.mark.parametrize("name", ["a", "authorization", "x" * 127, "x" * 128, "x" * 300])
def test_a_value_of_any_length_is_read_the_same_when_its_head_is_known_already(name: str, size: int) -> None:
    for character in "vw":
        headers = {"host": "x", name: character * size, "accept": "*/*"}
        data = write_headers(headers)
        for _ in range(2):
            assert read_headers(data) == headers
        for cut in (1, 5, size // 2 + 1):
            with pytest.raises(ProtocolError):
                read_headers(data[:-cut])


class _Sent:
    """A channel that keeps what is cast."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def cast(self, call: bytes) -> None:
        self.calls.append(call)


ids: st.SearchStrategy[str] = st.one_of(st.text(), long_text)


@given(credential=ids, consumer=ids)
def test_authenticate_by_credential_says_what_protobuf_says(credential: str, consumer: str) -> None:
    sent = _Sent()
    Client(cast("Channel", sent)).authenticate(None, {"id": credential, "consumer_id": consumer})
    made = pb.Credential(id=to_bytes(credential), consumer_id=to_bytes(consumer))
    args = pb.AuthenticateArgs(credential=made).SerializeToString()
    assert sent.calls == [method("kong.client.authenticate") + frame(args)]
