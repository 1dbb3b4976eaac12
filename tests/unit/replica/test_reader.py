import gc
import os
import shutil
from pathlib import Path

import lmdb
import pytest

from kong_app_auth.domain.policy import policy_of
from kong_app_auth.domain.records import Acceptance, Api, Client, Issuer, RegistrationState, client_key
from kong_app_auth.registry.changes import Delete, Edit, Put, edit_of
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.replica.layout import LAYOUT_VERSION, META, STATE_KEY, data_file, suspect_file
from kong_app_auth.replica.reader import Replica
from kong_app_auth.replica.status import StatusPage, StatusView
from kong_app_auth.replica.store import Store
from tests.servers.copies import FIRST, fill, make_replica
from tests.servers.process import wait_until
from tests.servers.samples import API, PORTAL, SERVICE, STRATEGY, application, key_digest, sample, uid

SECOND = Position("epoch", 2, "tip2")
ISSUER = Issuer("https://idp.example", "https://idp.example/", ('{"kty":"OKP"}',), fetched_at=1)
POLICY = policy_of(sample().apis[API], sample().strategies)


def test_nothing_is_opened_before_the_first_question(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    Replica(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_copy_nothing_is_known(tmp_path):
    for directory in (tmp_path, tmp_path / "nowhere"):
        replica = Replica(directory)
        assert replica.last_heard() == 0.0
        assert replica.policy_of_service(SERVICE) is None
        assert replica.policy_of_api(API) is None
        assert replica.credential(key_digest("a")) == (None, None)
        assert replica.client(STRATEGY, "c") == (None, None)
        assert replica.issuer("https://idp.example") is None
        assert replica.changes() == 0
        assert replica.region() is None
        assert replica.position() is None
        assert replica.contents() is None


def test_copy_answers(tmp_path):
    make_replica(tmp_path, sample("a", "b"), heard=1e9)
    replica = Replica(tmp_path)
    contents = sample("a", "b")
    assert replica.last_heard() == 1e9
    assert replica.region() == "eu"
    assert replica.position() == FIRST
    assert replica.policy_of_service(SERVICE) == POLICY
    assert replica.policy_of_api(API) == POLICY
    assert replica.credential(key_digest("a")) == (
        contents.credentials[key_digest("a")],
        contents.applications[uid("a")],
    )
    assert replica.credential(key_digest("c")) == (None, None)
    assert replica.contents() == (FIRST, contents)


@pytest.mark.parametrize("name", ["", "x" * 600, "unknown", "\udcff", "\0"])
def test_unknown_service_or_api_has_no_policy(tmp_path, name):
    make_replica(tmp_path, sample())
    replica = Replica(tmp_path)
    assert replica.policy_of_service(name) is None
    assert replica.policy_of_api(name) is None
    assert replica.policy_of_api(API) == POLICY, "and that harms nobody"


@pytest.mark.parametrize("digest", [b"", b"x" * 31, b"x" * 600])
def test_digest_of_another_length_is_a_mistake_of_the_program(tmp_path, digest):
    with pytest.raises(ValueError, match="32 bytes"):
        Replica(tmp_path).credential(digest)


def test_credential_without_its_application_is_found_alone(tmp_path):
    contents = sample("a")
    del contents.applications[uid("a")]
    make_replica(tmp_path, contents)
    assert Replica(tmp_path).credential(key_digest("a")) == (contents.credentials[key_digest("a")], None)


def test_service_whose_api_is_gone_has_no_policy(tmp_path):
    contents = sample()
    del contents.apis[API]
    make_replica(tmp_path, contents)
    assert Replica(tmp_path).policy_of_service(SERVICE) is None


def test_publication_whose_strategy_is_gone_accepts_nobody(tmp_path):
    contents = sample()
    contents.apis[API] = Api(API, "Weather", "v1", (Acceptance(PORTAL, STRATEGY), Acceptance(PORTAL, uid("gone"))))
    make_replica(tmp_path, contents)
    assert Replica(tmp_path).policy_of_service(SERVICE).keys_of == {(PORTAL, STRATEGY)}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "eu")
    store.open()
    yield store
    store.close()


def test_every_answer_follows_each_batch_at_once(tmp_path, store, reader):
    fill(store, sample("a"))
    assert reader(tmp_path, "policy_of_service", SERVICE) == POLICY
    assert reader(tmp_path, "credential", key_digest("a"))[1] == application("a")
    revoked = application("a", RegistrationState.REVOKED)
    changes = [Delete(Table.STRATEGIES, STRATEGY), Put(Table.APPLICATIONS, uid("a"), revoked)]
    store.apply(SECOND, [edit_of(change) for change in changes])
    assert reader(tmp_path, "policy_of_service", SERVICE).keys_of == frozenset()
    assert reader(tmp_path, "policy_of_api", API).keys_of == frozenset()
    assert reader(tmp_path, "credential", key_digest("a"))[1] == revoked
    store.apply(FIRST, [edit_of(Delete(Table.SERVICES, SERVICE))])
    assert reader(tmp_path, "policy_of_service", SERVICE) is None


def test_clients_and_issuers_follow_each_batch_at_once(tmp_path, store, reader):
    fill(store, sample("a"))
    assert reader(tmp_path, "client", STRATEGY, "c") == (None, None)
    assert reader(tmp_path, "issuer", ISSUER.id) is None
    client = Client(client_key(STRATEGY, "c"), uid("c"), uid("a"))
    store.apply(
        SECOND,
        [edit_of(Put(Table.CLIENTS, client.id, client)), edit_of(Put(Table.ISSUERS, ISSUER.id, ISSUER))],
    )
    assert reader(tmp_path, "client", STRATEGY, "c") == (client, application("a"))
    assert reader(tmp_path, "client", "another", "c") == (None, None)
    assert reader(tmp_path, "issuer", ISSUER.id) == ISSUER
    store.apply(FIRST, [edit_of(Delete(Table.APPLICATIONS, uid("a"))), edit_of(Delete(Table.ISSUERS, ISSUER.id))])
    assert reader(tmp_path, "client", STRATEGY, "c") == (client, None)
    assert reader(tmp_path, "issuer", ISSUER.id) is None


def test_an_issuer_is_the_same_object_until_its_record_changes(tmp_path):
    contents = sample("a")
    contents.issuers[ISSUER.id] = ISSUER
    make_replica(tmp_path, contents)
    replica = Replica(tmp_path)
    first, changes = replica.issuer(ISSUER.id), replica.changes()
    make_replica(tmp_path, contents)
    assert replica.changes() != changes
    assert replica.issuer(ISSUER.id) is first
    contents.issuers[ISSUER.id] = Issuer(ISSUER.id, ISSUER.issuer, ("{}",))
    make_replica(tmp_path, contents)
    assert replica.issuer(ISSUER.id) == contents.issuers[ISSUER.id]


def test_every_answer_follows_a_fresh_copy_at_once(tmp_path, store, reader):
    fill(store, sample("a"))
    assert reader(tmp_path, "credential", key_digest("a"))[1] == application("a")
    assert reader(tmp_path, "policy_of_service", SERVICE) == POLICY
    other = sample("b")
    other.services.clear()
    fill(store, other, SECOND)
    assert reader(tmp_path, "credential", key_digest("a")) == (None, None)
    assert reader(tmp_path, "credential", key_digest("b"))[1] == application("b")
    assert reader(tmp_path, "policy_of_service", SERVICE) is None


def test_reader_does_not_hold_on_to_the_copies_before(tmp_path, store, reader):
    for number in range(5):
        fill(store, sample("a"), Position("epoch", number, "tip"))
        assert reader(tmp_path, "position").seq == number
    maps = Path(f"/proc/{reader.process.pid}/maps").read_text().splitlines()
    mapped = {line.split(maxsplit=5)[5] for line in maps if f"{tmp_path}/registry" in line}
    assert mapped == {f"{tmp_path}/registry.5.mdb", f"{tmp_path}/registry.5.mdb-lock"}


def test_news_reach_the_reader_without_a_transaction(tmp_path, store, reader):
    fill(store, sample("a"))
    assert reader(tmp_path, "last_heard") == 0.0
    size = data_file(tmp_path, 1).stat()
    for now in (1e9, 1e9 + 1):
        store.heard(now, now)
        assert reader(tmp_path, "last_heard") == now
    assert data_file(tmp_path, 1).stat().st_mtime_ns == size.st_mtime_ns


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), float("-inf")])
def test_time_that_is_none_is_never(tmp_path, nonsense):
    make_replica(tmp_path, sample())
    page = StatusPage(tmp_path)
    page.heard(nonsense)
    assert Replica(tmp_path).last_heard() == 0.0
    page.close()


def test_copy_made_anew_in_a_directory_that_was_removed_is_found(tmp_path, reader):
    directory = tmp_path / "replica"
    make_replica(directory, sample("a"), heard=1.0)
    assert reader(directory, "position") == FIRST
    shutil.rmtree(directory)
    make_replica(directory, sample("b"), heard=1.0, position=SECOND)
    wait_until(lambda: reader(directory, "last_heard") and reader(directory, "position") == SECOND, "it is found")


def damage_pages(path):
    """Leave the head of the file as it is, so that it opens, and spoil all that is behind."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (len(data) - 8192))


def damage_head(path):
    with path.open("r+b") as file:
        file.write(b"\xff" * 8192)


@pytest.mark.parametrize("harm", [damage_pages, damage_head])
def test_damaged_file_is_no_answer_and_is_told_to_the_follower(tmp_path, harm):
    make_replica(tmp_path, sample("a"), heard=1e9)
    harm(data_file(tmp_path, 1))
    replica = Replica(tmp_path)
    for _ in range(3):
        assert replica.credential(key_digest("a")) == (None, None)
        assert replica.policy_of_service(SERVICE) is None
        assert replica.last_heard() == 0.0
        assert replica.position() is None
        assert replica.contents() is None
    assert suspect_file(tmp_path, 1).exists()


def test_file_damaged_while_it_is_read_is_no_answer_and_is_told_to_the_follower(tmp_path):
    make_replica(tmp_path, sample(*range(500)), heard=1e9)
    replica = Replica(tmp_path)
    assert replica.credential(key_digest(1))[0] is not None
    damage_pages(data_file(tmp_path, 1))
    assert replica.credential(key_digest(2)) == (None, None)
    assert replica.last_heard() == 0.0
    assert suspect_file(tmp_path, 1).exists()


def test_missing_file_is_no_answer(tmp_path):
    make_replica(tmp_path, sample("a"), heard=1e9)
    data_file(tmp_path, 1).unlink()
    replica = Replica(tmp_path)
    assert replica.last_heard() == 0.0
    assert replica.credential(key_digest("a")) == (None, None)
    assert not data_file(tmp_path, 1).exists(), "a reader makes no file"


def test_file_of_another_layout_is_no_answer(tmp_path):
    make_replica(tmp_path, sample("a"), heard=1e9)
    with lmdb.open(str(data_file(tmp_path, 1)), subdir=False, max_dbs=8, map_size=0) as environment:
        database = environment.open_db(META)
        with environment.begin(write=True, db=database) as transaction:
            state = transaction.get(STATE_KEY)
            assert state[1] == LAYOUT_VERSION
            transaction.put(STATE_KEY, state[:1] + bytes([LAYOUT_VERSION + 1]) + state[2:])
    replica = Replica(tmp_path)
    assert replica.last_heard() == 0.0
    assert replica.credential(key_digest("a")) == (None, None)


@pytest.mark.parametrize("table", list(Table))
def test_corrupt_record_is_nothing_to_its_requests_and_harms_no_other(tmp_path, store, reader, table):
    fill(store, sample("a", "b"))
    name = {
        Table.APIS: API.encode(),
        Table.SERVICES: SERVICE.encode(),
        Table.STRATEGIES: STRATEGY.encode(),
        Table.APPLICATIONS: uid("a").encode(),
        Table.CREDENTIALS: key_digest("a"),
        Table.CLIENTS: client_key(STRATEGY, "c").encode(),
        Table.ISSUERS: b"https://idp.example",
    }[table]
    store.apply(SECOND, [Edit(table, name, b"\xc1 no record")])
    if table in {Table.APPLICATIONS, Table.CREDENTIALS}:
        assert reader(tmp_path, "credential", key_digest("a")) == (None, None)
    elif table is Table.CLIENTS:
        assert reader(tmp_path, "client", STRATEGY, "c") == (None, None)
    elif table is Table.ISSUERS:
        assert reader(tmp_path, "issuer", "https://idp.example") is None
    else:
        assert reader(tmp_path, "policy_of_service", SERVICE) is None
    assert reader(tmp_path, "credential", key_digest("b"))[1] == application("b")
    assert not suspect_file(tmp_path, 1).exists()


def test_forked_worker_opens_the_copy_for_itself(tmp_path):
    make_replica(tmp_path, sample("a"), heard=1e9)
    replica = Replica(tmp_path)
    assert replica.credential(key_digest("a"))[0] is not None
    child = os.fork()
    if child == 0:
        good = replica.credential(key_digest("a"))[1] == application("a") and replica.last_heard() == 1e9
        gc.collect()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert replica.credential(key_digest("a"))[1] == application("a")


def test_many_threads_see_whole_copies_only_while_copies_and_batches_come(tmp_path, store, reader):
    fill(store, sample("a"))
    reader.ask(tmp_path, "hammer", key_digest("a"), SERVICE, POLICY)
    for number in range(30):
        contents = sample("a")
        contents.applications[uid("a")] = application("a", RegistrationState(1 + number % 4))
        if number % 3:
            store.apply(
                Position("epoch", number, "tip"),
                [edit_of(Put(Table.APPLICATIONS, uid("a"), contents.applications[uid("a")]))],
            )
        else:
            fill(store, contents, Position("epoch", number, "tip"))
    store.apply(Position("end", 1, "tip"), [])
    assert reader.answer() == []


class TestRemembering:
    """What was read is remembered until the next change, and not at all while one is being made."""

    @pytest.fixture
    def replica(self, tmp_path):
        make_replica(tmp_path, sample("a", "b"), heard=1e9)
        return Replica(tmp_path)

    @pytest.fixture
    def page(self, tmp_path, replica):
        page = StatusPage(tmp_path)
        yield page
        page.close()

    @pytest.fixture
    def reads(self, replica, monkeypatch):
        """The number of transactions so far."""
        replica.region()
        begun = []
        begin = replica._copy.begin

        def counted(*arguments):
            begun.append(arguments)
            return begin(*arguments)

        monkeypatch.setattr(replica._copy, "begin", counted)
        return begun

    @pytest.mark.parametrize("key", ["a", "unknown"])
    def test_the_same_question_is_answered_once(self, replica, page, reads, key):
        answers = [replica.credential(key_digest(key)) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        assert len(reads) == 1

    def test_after_a_change_it_is_asked_anew(self, replica, page, reads):
        for _ in range(3):
            replica.credential(key_digest("a"))
            replica.policy_of_service(SERVICE)
            page.begin_change()
            page.end_change()
        assert len(reads) == 6

    def test_while_a_change_is_made_nothing_is_remembered(self, replica, page, reads):
        replica.credential(key_digest("a"))
        page.begin_change()
        for _ in range(3):
            replica.credential(key_digest("a"))
            replica.policy_of_service(SERVICE)
        assert len(reads) == 7

    def test_a_follower_that_died_in_a_change_is_followed_by_one_that_ends_it(self, tmp_path, page):
        page.begin_change()
        view = StatusView.open(tmp_path)
        assert view.changes() & 1
        before = view.changes()
        store = Store(tmp_path, "eu")
        store.open()
        store.close()
        assert not view.changes() & 1
        assert view.changes() > before

    def test_what_is_remembered_is_bounded(self, replica):
        for number in range(5000):
            replica.credential(key_digest(str(number)))
        assert len(replica._copy._remembered.credentials) <= 2048
