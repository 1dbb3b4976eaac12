import os
from pathlib import Path

import pytest

from kong_app_auth.domain.records import RegistrationState
from kong_app_auth.registry.changes import Delete, Edit, Put, edit_of
from kong_app_auth.registry.contents import diff
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import CorruptRecord
from kong_app_auth.replica.layout import data_file, suspect_file
from kong_app_auth.replica.store import DirectoryHeld, Store, StoreFailed
from tests.servers.copies import FIRST, fill, make_replica
from tests.servers.samples import API, application, key_digest, sample, uid

SECOND = Position("epoch", 2, "tip2")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "replica", "eu")
    store.open()
    yield store
    store.close()


@pytest.fixture
def directory(tmp_path, store):
    return tmp_path / "replica"


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def edits(changes):
    return [edit_of(change) for change in changes]


def test_fresh_copy_is_seen_only_when_it_is_in_force(store, directory, reader):
    assert reader(directory, "position") is None
    copy = store.fresh_copy()
    copy.build(FIRST, lambda: None)
    assert reader(directory, "position") is None
    store.put_in_force(copy)
    copy.close()
    assert reader(directory, "position") == FIRST
    assert reader(directory, "region") == "eu"


def test_copy_holds_what_was_put_into_it(store, directory, reader):
    fill(store, sample(*range(300)))
    assert reader(directory, "contents") == (FIRST, sample(*range(300)))


def test_batch_is_seen_with_its_position(store, directory, reader):
    before, after = sample("a", "b"), sample("a")
    after.applications[uid("a")] = application("a", RegistrationState.REVOKED)
    fill(store, before)
    store.apply(SECOND, edits(diff(before, after)))
    assert reader(directory, "contents") == (SECOND, after)


def test_batches_may_be_applied_to_a_copy_before_it_is_in_force(store, directory, reader):
    copy = store.fresh_copy()
    copy.build(FIRST, lambda: None)
    contents = sample("a")
    copy.apply(SECOND, edits(diff(type(contents)(), contents)))
    store.put_in_force(copy)
    copy.close()
    assert reader(directory, "contents") == (SECOND, contents)


def test_next_copy_replaces_the_one_before_and_leaves_no_file_of_it(store, directory, reader):
    fill(store, sample("a"))
    assert reader(directory, "position") == FIRST
    fill(store, sample("b"), SECOND)
    assert reader(directory, "contents") == (SECOND, sample("b"))
    assert names(directory) == ["follower.lock", "registry.2.mdb", "registry.2.mdb-lock", "status"]


def test_copy_that_is_given_up_leaves_nothing_behind(store, directory, reader):
    fill(store, sample("a"))
    copy = store.fresh_copy()
    copy.add(Table.APIS, b"x", b"y")
    copy.build(SECOND, lambda: None)
    copy.close()
    assert reader(directory, "contents") == (FIRST, sample("a"))
    assert names(directory) == ["follower.lock", "registry.1.mdb", "registry.1.mdb-lock", "status"]


def test_store_goes_on_where_it_was_closed(store, directory):
    fill(store, sample("a"))
    store.heard(1000.0, 1000.0)
    store.close()
    store.open()
    assert store.position == FIRST
    assert store.last_heard == 1000.0
    store.apply(SECOND, edits([Delete(Table.APIS, API)]))
    store.close()
    store.open()
    assert store.position == SECOND


def test_older_news_does_not_replace_newer_unless_the_clock_was_wrong(store):
    fill(store, sample())
    store.heard(1000.0, 1000.0)
    store.heard(900.0, 1001.0)
    assert store.last_heard == 1000.0
    store.heard(500.0, 500.0)
    assert store.last_heard == 500.0


def test_second_follower_does_not_get_the_directory(store, directory):
    with pytest.raises(DirectoryHeld):
        Store(directory, "eu").open()
    store.close()
    second = Store(directory, "eu")
    second.open()
    second.close()


def test_what_a_killed_follower_left_is_removed(tmp_path):
    make_replica(tmp_path, sample("a"))
    (tmp_path / "copy-abc").mkdir()
    (tmp_path / "copy-abc" / "apis-61").write_bytes(b"x")
    data_file(tmp_path, 2).write_bytes(b"half")
    (tmp_path / "something-else").write_bytes(b"not ours")
    store = Store(tmp_path, "eu")
    store.open()
    assert store.position == FIRST
    copy = store.fresh_copy()
    assert copy.generation > 2
    copy.close()
    store.close()
    assert names(tmp_path) == [
        *("follower.lock", "registry.1.mdb", "registry.1.mdb-lock", "something-else", "status"),
    ]


def damage_all(path):
    size = path.stat().st_size
    path.write_bytes(os.urandom(size))


def damage_pages(path):
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))


def truncate(path):
    os.truncate(path, 3 * 4096)


@pytest.mark.parametrize("harm", [damage_all, damage_pages, truncate, os.unlink, lambda path: os.truncate(path, 0)])
def test_damaged_file_is_out_of_force_when_the_store_opens(tmp_path, reader, harm):
    make_replica(tmp_path, sample(*range(500)), heard=1e9)
    harm(data_file(tmp_path, 1))
    store = Store(tmp_path, "eu")
    store.open()
    assert store.position is None
    assert reader(tmp_path, "last_heard") == 0.0
    fill(store, sample("a"), SECOND)
    assert reader(tmp_path, "contents") == (SECOND, sample("a"))
    store.close()


def test_copy_of_another_region_is_not_used(tmp_path, reader):
    make_replica(tmp_path, sample("a"), region="us", heard=1e9)
    assert reader(tmp_path, "region") == "us"
    store = Store(tmp_path, "eu")
    store.open()
    assert store.position is None
    assert reader(tmp_path, "last_heard") == 0.0
    store.close()


def remove_data(directory):
    data_file(directory, 1).unlink()


def replace_data(directory):
    data_file(directory, 1).rename(directory / "aside")
    data_file(directory, 1).write_bytes((directory / "aside").read_bytes())


def cut_data(directory):
    os.truncate(data_file(directory, 1), 4096)


def note_suspicion(directory):
    suspect_file(directory, 1).touch()


def remove_status(directory):
    (directory / "status").unlink()


@pytest.mark.parametrize("harm", [remove_data, replace_data, cut_data, note_suspicion, remove_status])
def test_what_happens_to_the_files_is_noticed(store, directory, harm):
    fill(store, sample(*range(200)))
    store.check()
    harm(directory)
    with pytest.raises(StoreFailed):
        store.check()


def test_discarded_copy_is_trusted_by_nobody_at_once(store, directory, reader):
    fill(store, sample("a"))
    store.heard(1e9, 1e9)
    assert reader(directory, "last_heard") == 1e9
    assert reader(directory, "credential", key_digest("a"))[0] is not None
    store.discard("a test")
    assert reader(directory, "last_heard") == 0.0
    assert reader(directory, "credential", key_digest("a")) == (None, None)
    assert not data_file(directory, 1).exists()
    fill(store, sample("a"), SECOND)
    assert reader(directory, "position") == SECOND
    assert reader(directory, "last_heard") == 0.0, "not heard of since"


def test_discard_after_the_status_page_was_removed_makes_a_new_one(store, directory, reader):
    fill(store, sample("a"))
    assert reader(directory, "position") == FIRST
    remove_status(directory)
    store.discard("a test")
    assert reader(directory, "position") is None
    fill(store, sample("b"), SECOND)
    assert data_file(directory, 2).exists()


def test_copy_that_outgrows_its_map_fails(tmp_path):
    store = Store(tmp_path, "eu", map_size=128 * 1024)
    store.open()
    with pytest.raises(StoreFailed, match="MapFull"):
        fill(store, sample(*range(2000)))
    fill(store, sample("a"))
    many = edits([Put(Table.APPLICATIONS, str(number), application(number)) for number in range(1000)])
    with pytest.raises(StoreFailed, match="MapFull"):
        store.apply(SECOND, many)
    assert store.position == FIRST
    store.close()


@pytest.mark.parametrize("edit", [Edit(Table.CREDENTIALS, b"short", b"x"), Edit(Table.APIS, b"", None)])
def test_impossible_key_is_corrupt_and_changes_nothing(store, edit):
    fill(store, sample("a"))
    with pytest.raises(CorruptRecord):
        store.apply(SECOND, [edit_of(Delete(Table.APIS, API)), edit])
    assert store.position == FIRST


def test_directory_that_cannot_be_used_fails(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreFailed):
        Store(tmp_path / "file", "eu").open()


def test_files_are_for_their_owner_only(store, directory):
    fill(store, sample("a"))
    assert directory.stat().st_mode & 0o777 == 0o700
    assert data_file(directory, 1).stat().st_mode & 0o777 == 0o600
