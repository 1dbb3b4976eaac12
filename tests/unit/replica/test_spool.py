import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.registry.keys import Table
from kong_app_auth.replica.spool import Spool

records = st.lists(
    st.tuples(st.sampled_from(Table), st.binary(min_size=1, max_size=40), st.binary(max_size=60)), max_size=50
)


@given(records)
def test_records_come_out_in_the_order_of_their_keys_each_once(tmp_path_factory, records):
    spool = Spool(tmp_path_factory.mktemp("spool"))
    for record in records:
        spool.add(*record)
    found = {table: [] for table in Table}
    for table, piece in spool.sorted():
        found[table] += piece
    spool.close()
    for table in Table:
        assert found[table] == sorted({key: value for owner, key, value in records if owner is table}.items())


def test_no_file_is_left(tmp_path):
    spool = Spool(tmp_path)
    spool.add(Table.APIS, b"a", b"1")
    spool.add(Table.APIS, b"b", b"2")
    next(spool.sorted())
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_no_directory_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        Spool(tmp_path / "nowhere")
