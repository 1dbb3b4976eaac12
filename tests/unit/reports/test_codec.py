"""Reports as bytes: whole or not at all."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.reports.codec import (
    MAX_BYTES,
    CorruptReport,
    decode,
    decode_batch,
    decode_entry,
    decode_taken,
    encode,
    encode_batch,
    entry,
)
from kong_app_auth.reports.records import ALLOWED, Batch, Refusal, Report, Usage, order_of
from tests.servers.samples import API, uid

REPORT = Report(
    [Usage(60, uid("a"), API, "allowed", 3), Usage(120, None, None, "no_credential", 1)],
    {uid("c"): 61},
    [Refusal("f" * 32, 61, "not_registered", 403, uid("a"), uid("c"), API, None)],
    4,
)


def fields_of(node: str, report: Report) -> dict[bytes, bytes]:
    return {name.encode(): value for name, value in entry(node, report).items()}


def test_what_is_encoded_is_decoded() -> None:
    assert decode(encode(REPORT)) == REPORT
    assert decode_entry(fields_of("gateway-1", REPORT)) == REPORT
    batch = Batch(after="0-0", until="5-1", report=REPORT)
    assert decode_batch(encode_batch(batch)) == batch
    assert decode_taken(b'{"position":"1-2"}').position == "1-2"


def test_an_entry_of_a_newer_version_is_left_out() -> None:
    assert decode_entry({**fields_of("n", REPORT), b"v": b"2"}) is None


def test_the_name_of_a_node_is_cut() -> None:
    assert len(entry("n" * 500, REPORT)["node"]) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        Report([Usage(60, "not an id", API, "allowed", 1)]),
        Report([Usage(60, None, None, "An Outcome", 1)]),
        Report([Usage(60, None, None, "allowed", -1)]),
        Report([Usage(-1, None, None, "allowed", 1)]),
        Report(uses={"x" * 36: 5}),
        Report(refusals=[Refusal("", 1, "not_registered", 403)]),
        Report(refusals=[Refusal("a b", 1, "not_registered", 403)]),
        Report(refusals=[Refusal("x" * 65, 1, "not_registered", 403)]),
        Report(refusals=[Refusal("x", 1, "not_registered", 9000)]),
        Report(lost=2**41),
    ],
)
def test_what_is_out_of_bounds_is_no_report(wrong: Report) -> None:
    with pytest.raises(CorruptReport):
        decode(encode(wrong))
    with pytest.raises(CorruptReport):
        decode_batch(encode_batch(Batch(after="0-0", until="1-0", report=wrong)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_corrupt(data: bytes) -> None:
    for read in (decode, decode_batch, decode_taken):
        with suppress(CorruptReport):
            assert read(data) is not None


def test_what_is_too_long_is_not_even_looked_at() -> None:
    with pytest.raises(CorruptReport, match="too long"):
        decode(b"\x80" + b"\0" * MAX_BYTES)


def test_ids_of_a_stream_are_compared_as_numbers() -> None:
    assert order_of("10-2") > order_of("9-11") > order_of("9-2") > order_of("0-0")


def test_every_reason_is_an_outcome_that_travels() -> None:
    for outcome in [ALLOWED, *(reason.code for reason in Reason)]:
        report = Report([Usage(0, None, None, outcome, 1)])
        assert decode(encode(report)) == report


def test_newer_members_are_ignored() -> None:
    assert decode(msgspec.msgpack.encode({"lost": 1, "unknown_kids": ["x"]})) == Report(lost=1)
