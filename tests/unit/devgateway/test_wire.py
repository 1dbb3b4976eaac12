import json
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.devgateway.msgpack_rpc import MessageDecoder, pack
from kong_app_auth.devgateway.plugin_info import BadPluginInfo, read
from kong_app_auth.devgateway.protobuf_rpc import FrameDecoder, fill_struct, frame, from_struct
from plugin_server.wire import kong_plugin_protocol_pb2 as pb

PLUGIN = {"Name": "p", "Phases": ["access"], "Version": "1", "Priority": 5, "Schema": {"fields": []}}
scalars = st.binary() | st.just(True) | st.floats(allow_nan=False)
values: Any = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.binary(), inner), max_leaves=8)


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(messages: list[bytes], step: int) -> None:
    stream = b"".join(frame(each) for each in messages)
    decoder = FrameDecoder()
    cut = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert [each for part in cut for each in decoder.feed(part)] == messages


def test_a_frame_of_four_gibibytes_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="too long"):
        FrameDecoder().feed(struct.pack("<I", 0xFFFFFFFF))


@given(st.dictionaries(st.binary(), values))
def test_lua_tables_survive_protobuf(table: dict[bytes, Any]) -> None:
    message = pb.Struct()
    fill_struct(message, table)
    assert from_struct(pb.Struct.FromString(message.SerializeToString())) == table


def test_false_and_nil_are_lost_as_in_kong() -> None:
    message = pb.Struct()
    fill_struct(message, {b"no": False, b"list": [b"a", False, b"b"]})
    message.fields.add(key=b"unset")
    assert from_struct(message) == {b"list": [b"a"]}


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 2**60) | st.binary(), st.lists, max_leaves=50))
def test_messagepack_comes_out_as_it_went_in(value: Any) -> None:
    assert list(MessageDecoder().feed(pack(value))) == [value]


def test_strings_are_packed_in_the_old_raw_types() -> None:
    assert pack(b"a" * 36)[:3] == b"\xda\x00\x24"
    assert pack("é") == b"\xa2\xc3\xa9"


@pytest.mark.parametrize(
    ("dump", "protocol"),
    [
        (json.dumps({"Protocol": "ProtoBuf:1", "Plugins": [PLUGIN]}).encode(), "ProtoBuf:1"),
        (json.dumps({"Plugins": [PLUGIN]}).encode(), "MsgPack:1"),
        (json.dumps([PLUGIN, {"Name": "second"}]).encode(), "MsgPack:1"),
        (msgpack.packb([PLUGIN]), "MsgPack:1"),
        (msgpack.packb({"Protocol": "ProtoBuf:1", "Plugins": [PLUGIN]}), "ProtoBuf:1"),
    ],
)
def test_plugin_information_is_read_as_json_or_messagepack(dump: bytes, protocol: str) -> None:
    info = read("s", "/sock", dump)
    assert (info.name, info.priority, info.phases, info.protocol) == ("p", 5, ("access",), protocol)


@pytest.mark.parametrize(
    "dump", [b"", b"[]", b"no json", b"\xc1", b'{"Protocol": "Other:1", "Plugins": [{}]}', b"[{}]", b"[1]"]
)
def test_other_output_of_a_query_command_is_refused(dump: bytes) -> None:
    with pytest.raises(BadPluginInfo, match="plugin server s"):
        read("s", "/sock", dump)
