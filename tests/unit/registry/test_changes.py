import pytest

from kong_app_auth.domain.records import Application, Service
from kong_app_auth.registry.changes import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    Delete,
    Put,
    decode_edits,
    edit_of,
    encode_edits,
    in_batches,
)
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import CorruptRecord
from tests.servers.samples import key_digest, sample

CONTENTS = sample("a")
CREDENTIAL = CONTENTS.credentials[key_digest("a")]


def test_edits_come_back_as_they_were():
    changes = [Put(Table.CREDENTIALS, key_digest("a"), CREDENTIAL), Delete(Table.SERVICES, "s")]
    edits = [edit_of(change) for change in changes]
    assert decode_edits(encode_edits(edits)) == edits
    assert edits[1].value is None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\x93\xa5nosuc\xc4\x01a\xc0", b"\x90\x90"])
def test_what_is_no_batch_is_corrupt(data):
    with pytest.raises(CorruptRecord):
        decode_edits(data)


def test_record_of_another_table_is_a_mistake_of_the_program():
    with pytest.raises(TypeError):
        Put(Table.APIS, "s", Service("s", "a"))


def test_digest_of_a_key_is_never_shown():
    digest = key_digest("a")
    put = Put(Table.CREDENTIALS, digest, CREDENTIAL)
    for shown in (repr(put), repr(Delete(Table.CREDENTIALS, digest)), repr(edit_of(put)), repr(CONTENTS), f"{[put]}"):
        assert digest.hex() not in shown
        assert repr(digest)[2:8] not in shown
    assert repr(Delete(Table.APIS, "one")) == "Delete(apis, one)"


def test_batches_are_bounded_by_number_and_keep_the_order():
    changes = [Delete(Table.APIS, str(number)) for number in range(2 * MAX_BATCH + 1)]
    batches = list(in_batches(changes))
    assert [len(batch) for batch in batches] == [MAX_BATCH, MAX_BATCH, 1]
    assert [change for batch in batches for change in batch] == changes


def test_batches_are_bounded_by_size():
    large = Application("x" * 200_000, "p", "s")
    batches = list(in_batches([Put(Table.APPLICATIONS, "x", large)] * 50))
    assert len(batches) > 1
    assert all(len(encode_edits([edit_of(change) for change in batch])) <= MAX_BATCH_BYTES for batch in batches)


def test_no_changes_make_no_batch():
    assert list(in_batches([])) == []
