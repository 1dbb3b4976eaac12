"""Numbers of instances: given once, kept with their configuration, and never without an answer."""

import resource
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_server.instances import (
    LARGEST_ID,
    MAX_KEPT,
    UNRECORDED,
    BrokenInstance,
    Instances,
    InstanceStore,
    Recorded,
    store_path,
)


class Made:
    """A plugin object that knows its configuration."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        if "raise" in config:
            raise ValueError(config["raise"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return store_path(tmp_path / "directory" / "s.sock")


@pytest.fixture
def store(path: Path) -> InstanceStore:
    store = InstanceStore(path)
    store.create()
    return store


@pytest.fixture
def instances(store: InstanceStore) -> Instances:
    return Instances(store, Made)


def record(config: bytes = b"{}") -> Recorded:
    return Recorded("probe", config, 1_700_000_000)


@contextmanager
def full_disk() -> Generator[None]:
    """No file of this process may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def directory_gone(path: Path) -> Generator[None]:
    aside = path.parent.with_name("aside")
    path.parent.rename(aside)
    try:
        yield
    finally:
        aside.rename(path.parent)


def next_is(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE sqlite_sequence SET seq = ?", (number - 1,))


def test_the_database_is_beside_the_socket() -> None:
    assert store_path(Path("/run/x.sock")) == Path("/run/x.sock.instances")


def test_a_number_is_never_given_twice_not_even_after_it_is_closed(path: Path, store: InstanceStore) -> None:
    given_numbers: list[int] = []
    for _ in range(10):
        number = store.add(record())
        given_numbers.append(number)
        store.remove(number)
        InstanceStore(path).create()  # as at every start of a server
    assert given_numbers == list(range(given_numbers[0], given_numbers[0] + 10))


def test_an_instance_survives_reopening(path: Path, store: InstanceStore) -> None:
    number = store.add(record(b'{"a":1}'))
    again = InstanceStore(path)
    again.create()
    assert again.get(number) == record(b'{"a":1}')


def test_a_new_database_begins_at_a_random_positive_number(tmp_path: Path) -> None:
    firsts: set[int] = set()
    for n in range(5):
        store = InstanceStore(tmp_path / str(n))
        store.create()
        firsts.add(store.add(record()))
    assert len(firsts) == 5
    assert all(0 < first <= LARGEST_ID // 2 for first in firsts)


@pytest.mark.parametrize("garbage", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_an_unreadable_database_is_made_anew_with_nothing_of_the_old(path: Path, garbage: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(garbage)
    journal = Path(f"{path}-journal")
    journal.write_bytes(garbage)
    store = InstanceStore(path)
    store.create()
    number = store.add(record())
    assert store.get(number) == record()
    assert not journal.exists() or not journal.read_bytes()


def test_a_closed_number_is_unknown(store: InstanceStore, instances: Instances) -> None:
    number = instances.start("probe", b"{}", 1)
    assert instances.find(number) is not None
    assert instances.close(number) == Recorded("probe", b"{}", 1)
    assert instances.find(number) is None
    assert instances.close(number) is None
    assert Instances(store, Made).find(number) is None


def test_a_late_close_hits_its_own_number_only(instances: Instances) -> None:
    """Surprise 8: Kong starts the new instance before it closes the old one, here of an equal configuration."""
    old = instances.start("probe", b'{"__seq__":1}', 1)
    new = instances.start("probe", b'{"__seq__":2}', 2)
    equal = instances.start("probe", b'{"__seq__":1}', 3)
    found = instances.find(new)
    instances.close(old)
    assert instances.find(old) is None
    assert instances.find(new) is found
    assert instances.find(equal) is not None


def test_numbers_whose_configurations_differ_in_kongs_counter_only_share_an_object(instances: Instances) -> None:
    one = instances.find(instances.start("probe", b'{"a":1,"b":2,"__seq__":1}', 1))
    same = instances.find(instances.start("probe", b'{"__seq__":2,"b":2,"a":1}', 1))
    other = instances.find(instances.start("probe", b'{"a":1,"b":3,"__seq__":1}', 1))
    assert one is same
    assert one is not other
    assert (one.config["b"], other.config["b"]) == (2, 3)


def test_every_worker_finds_what_another_has_started(store: InstanceStore, instances: Instances) -> None:
    number = instances.start("probe", b'{"a":1}', 1)
    assert Instances(store, Made).find(number).config == {"a": 1}


@given(st.binary(max_size=50))
def test_a_configuration_of_any_bytes_gives_an_object_or_a_broken_instance(
    tmp_path_factory: pytest.TempPathFactory, config: bytes
) -> None:
    store = InstanceStore(tmp_path_factory.getbasetemp() / "any.instances")
    store.create()
    instances = Instances(store, Made)
    found = instances.find(instances.start("probe", config, 1))
    assert isinstance(found, Made | BrokenInstance)


def test_a_constructor_that_raises_gives_a_broken_instance_that_says_why(instances: Instances) -> None:
    number = instances.start("probe", msgspec.json.encode({"raise": "a reason"}), 1)
    assert instances.find(number) == BrokenInstance("ValueError: a reason")


def test_a_disk_that_is_full_gives_a_number_that_is_refused_until_it_is_not(instances: Instances) -> None:
    before = instances.start("probe", b'{"a":1}', 1)
    with full_disk():
        number = instances.start("probe", b"{}", 1)
        assert number == UNRECORDED
        assert isinstance(instances.find(number), BrokenInstance)
        assert instances.find(before).config == {"a": 1}  # what is kept is served
    assert instances.find(number) is None  # unknown: Kong starts it anew
    assert instances.start("probe", b"{}", 1) == before + 2


def test_a_database_that_is_gone_gives_a_number_that_is_refused_until_it_is_back(
    path: Path, instances: Instances
) -> None:
    before = instances.start("probe", b"{}", 1)
    with directory_gone(path):
        number = instances.start("probe", b"{}", 1)
        assert number == UNRECORDED
        assert isinstance(instances.find(number), BrokenInstance)
        assert isinstance(instances.find(before), BrokenInstance)  # not unknown: Kong would try without limit
        assert instances.close(before) is None
        assert instances.status(before) is None
    assert instances.find(number) is None
    assert isinstance(instances.find(before), Made)


def test_numbers_that_are_used_up_are_refused_and_not_begun_again(path: Path, instances: Instances) -> None:
    next_is(path, LARGEST_ID - 1)
    last = instances.start("probe", b'{"last":1}', 1)
    assert last == LARGEST_ID - 1
    assert [instances.start("probe", b"{}", 1) for _ in range(3)] == [UNRECORDED] * 3
    assert isinstance(instances.find(UNRECORDED), BrokenInstance)
    assert instances.find(last).config == {"last": 1}


def test_of_what_is_never_closed_the_oldest_is_forgotten(path: Path, store: InstanceStore) -> None:
    oldest = store.add(record())
    next_is(path, oldest + MAX_KEPT - 1)
    store.add(record())
    assert store.get(oldest) is not None
    store.add(record())
    assert store.get(oldest) is None


def test_numbers_that_no_database_holds_are_unknown(instances: Instances) -> None:
    for number in (0, -1, 1, -(2**31), 2**31 - 1, 2**35 - 1):
        assert instances.find(number) is None
