import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.registry.position import NewerSchema, Position
from kong_app_auth.registry.reading import decode_entry
from kong_app_auth.registry.records import SCHEMA_VERSION, CorruptRecord

HEARTBEAT = {b"v": b"1", b"epoch": b"e", b"seq": b"7", b"tip": b"t7", b"at": b"1500"}
BATCH = HEARTBEAT | {b"prev": b"t6", b"edits": b"\x90"}


def test_batch_and_heartbeat_are_told_apart():
    batch, beat = decode_entry((b"7-0", BATCH)), decode_entry((b"7-1", HEARTBEAT))
    assert (batch.id, batch.position, batch.at, batch.prev_tip) == ("7-0", Position("e", 7, "t7"), 1.5, "t6")
    assert batch.edits() == []
    assert (beat.prev_tip, beat.data) == (None, None)


@pytest.mark.parametrize(
    ("position", "follows"),
    [
        (Position("e", 6, "t6"), True),
        (Position("f", 6, "t6"), False),
        (Position("e", 5, "t6"), False),
        (Position("e", 7, "t6"), False),
        (Position("e", 6, "other"), False),
    ],
)
def test_batch_follows_the_position_before_it_in_number_epoch_and_tip(position, follows):
    assert decode_entry((b"7-0", BATCH)).follows(position) is follows
    assert not decode_entry((b"7-1", HEARTBEAT)).follows(position)


@pytest.mark.parametrize("missing", list(HEARTBEAT))
def test_entry_without_one_of_its_fields_is_corrupt(missing):
    with pytest.raises(CorruptRecord):
        decode_entry((b"7-0", {name: value for name, value in BATCH.items() if name != missing}))


@pytest.mark.parametrize(
    "change",
    [{b"prev": b"t6"}, {b"edits": b"\x90"}, {b"seq": b"-1"}, {b"seq": b"9" * 17}, {b"epoch": b"\xff"}, {b"at": b""}],
)
def test_entry_with_a_field_that_is_none_is_corrupt(change):
    with pytest.raises(CorruptRecord):
        decode_entry((b"7-0", HEARTBEAT | change))


def test_entry_of_a_newer_schema_is_not_interpreted():
    with pytest.raises(NewerSchema):
        decode_entry((b"7-0", {b"v": b"%d" % (SCHEMA_VERSION + 1)}))


@given(st.dictionaries(st.sampled_from([*BATCH, b"else"]), st.binary(max_size=20)))
def test_any_other_entry_is_corrupt_newer_or_sound(fields):
    try:
        entry = decode_entry((b"1-0", BATCH | fields))
        assert entry.position.seq >= 0
        entry.edits()
    except (CorruptRecord, NewerSchema):
        pass
