"""The writer on every server that it has to work on."""

import copy

import pytest
from redis.exceptions import NoPermissionError

from kong_app_auth.domain.records import RegistrationState
from kong_app_auth.registry.acl import gateway_acl, writer_acl
from kong_app_auth.registry.changes import Delete, Put, in_batches
from kong_app_auth.registry.connection import connect, server_time
from kong_app_auth.registry.contents import diff
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import NewerSchema
from kong_app_auth.registry.reading import decode_entry, read_meta
from kong_app_auth.registry.records import SCHEMA_VERSION
from kong_app_auth.registry.writer import Contents, Position, RefusalReason, Refused, Writer
from tests.servers.process import wait_until
from tests.servers.samples import API, SERVICE, application, key_digest, sample, uid

KEYS = Keys("eu")


@pytest.fixture
def clients():
    opened = []

    def of(server, **options):
        url = server if isinstance(server, str) else server.url
        opened.append(connect(url, **options))
        return opened[-1]

    yield of
    for client in opened:
        client.close()


def filled(client, contents=None, **options):
    writer = Writer(client, "eu", **options)
    assert writer.acquire()
    assert isinstance(writer.begin_epoch(), Position)
    for batch in in_batches(diff(Contents(), contents or sample("a"))):
        assert isinstance(writer.write(batch), Position)
    assert isinstance(writer.complete(), Position)
    return writer


@pytest.mark.parametrize("server", ["valkey", "redis_server", "redis_cluster"])
def test_what_was_written_is_read(server, request, clients):
    client = clients(request.getfixturevalue(server))
    writer = Writer(client, "eu")
    assert writer.acquire()
    assert writer.read() is None
    wanted = sample(*range(1500))
    assert isinstance(writer.begin_epoch(), Position)
    for batch in in_batches(diff(Contents(), wanted)):
        assert isinstance(writer.write(batch), Position)
    assert writer.read() is None, "not complete yet"
    assert isinstance(writer.begin_epoch(), Position)
    for batch in in_batches(diff(Contents(), wanted)):
        assert isinstance(writer.write(batch), Position)
    complete = writer.complete()
    assert writer.heartbeat() is None
    assert writer.read() == (complete, wanted)
    less = copy.deepcopy(wanted)
    del less.credentials[key_digest(7)]
    less.applications[uid(8)] = application(8, RegistrationState.REVOKED)
    after = writer.write(diff(wanted, less))
    assert isinstance(after, Position)
    assert (after.epoch, after.seq) == (complete.epoch, complete.seq + 1)
    assert after.tip != complete.tip
    assert Writer(client, "eu").read() == (after, less)
    assert server_time(client, KEYS.meta) == pytest.approx(read_meta(client, KEYS).written_at, abs=5)


def test_second_writer_gets_no_lease_and_writes_nothing(valkey, clients):
    first = filled(clients(valkey))
    second = Writer(clients(valkey), "eu", holder="second")
    assert not second.acquire()
    found = second.read()
    no_lease = Refused(RefusalReason.NO_LEASE)
    assert second.write([Delete(Table.SERVICES, SERVICE)]) == no_lease
    assert second.heartbeat() == no_lease
    assert second.begin_epoch() == no_lease
    assert second.complete() == no_lease
    second.release()
    assert first.heartbeat() is None
    assert first.read() == found


def test_lease_that_is_given_up_can_be_taken(valkey, clients):
    first = filled(clients(valkey))
    second = Writer(clients(valkey), "eu")
    first.release()
    assert second.acquire()
    assert not first.acquire()
    second.read()
    assert isinstance(second.write([Delete(Table.SERVICES, SERVICE)]), Position)


def test_lease_of_a_dead_writer_runs_out(valkey, clients):
    filled(clients(valkey), lease_seconds=0.2)
    second = Writer(clients(valkey), "eu")
    wait_until(second.acquire, "the second writer has the lease")


def test_writer_that_slept_cannot_write_although_nobody_else_took_the_lease(valkey, clients):
    writer = filled(clients(valkey), lease_seconds=0.1)
    client = valkey.client()
    wait_until(lambda: not client.exists(KEYS.lease), "the lease has run out")
    assert writer.write([Delete(Table.SERVICES, SERVICE)]) == Refused(RefusalReason.NO_LEASE)
    assert writer.heartbeat() == Refused(RefusalReason.NO_LEASE)
    assert client.hlen(KEYS.table(Table.SERVICES)) == 1
    assert writer.acquire()
    assert isinstance(writer.write([Delete(Table.SERVICES, SERVICE)]), Position)
    client.close()


def test_writer_that_slept_while_another_wrote_must_look_again(valkey, clients):
    sleeper = filled(clients(valkey))
    other = Writer(clients(valkey), "eu")
    sleeper.release()
    assert other.acquire()
    other.read()
    written = other.write([Delete(Table.SERVICES, SERVICE)])
    other.release()
    assert sleeper.acquire()
    wrong = Refused(RefusalReason.WRONG_POSITION)
    assert sleeper.write([Delete(Table.APIS, API)]) == wrong
    assert sleeper.heartbeat() == wrong
    assert sleeper.complete() == wrong
    position, contents = sleeper.read()
    assert position == written
    assert API in contents.apis
    assert isinstance(sleeper.write([Delete(Table.APIS, API)]), Position)


def test_work_and_heartbeats_extend_the_lease(valkey, clients):
    writer = filled(clients(valkey), lease_seconds=60)
    client = valkey.client()
    for work in (writer.heartbeat, writer.acquire, lambda: writer.write([Delete(Table.APIS, "x")])):
        client.pexpire(KEYS.lease, 5000)
        work()
        assert client.pttl(KEYS.lease) > 30_000
    client.close()


def test_writer_that_never_looked_writes_nothing(valkey, clients):
    writer = Writer(clients(valkey), "eu")
    writer.acquire()
    wrong = Refused(RefusalReason.WRONG_POSITION)
    assert writer.write([]) == wrong
    assert writer.heartbeat() == wrong
    assert writer.complete() == wrong


def test_flushed_redis_refuses_the_next_batch_and_reads_as_empty(valkey, clients):
    writer = filled(clients(valkey))
    valkey.flush()
    assert writer.acquire()
    assert writer.write([Delete(Table.APIS, API)]) == Refused(RefusalReason.WRONG_POSITION)
    assert writer.read() is None


def test_newer_schema_is_neither_read_nor_overwritten(valkey, clients):
    writer = filled(clients(valkey))
    client = valkey.client()
    client.hset(KEYS.meta, "schema", SCHEMA_VERSION + 1)
    newer = Refused(RefusalReason.NEWER_SCHEMA)
    assert writer.write([]) == newer
    assert writer.heartbeat() == newer
    assert writer.begin_epoch() == newer
    with pytest.raises(NewerSchema, match=f"version {SCHEMA_VERSION + 1}"):
        writer.read()
    client.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda client: client.hset(KEYS.table(Table.CREDENTIALS), key_digest("a").hex(), b"short"),
        lambda client: client.hset(KEYS.table(Table.CREDENTIALS), "no digest", b"x" * 41),
        lambda client: client.hset(KEYS.table(Table.APIS), API, b"\xc1"),
        lambda client: client.hset(KEYS.meta, "seq", "many"),
        lambda client: client.hdel(KEYS.meta, "tip"),
        lambda client: client.hset(KEYS.meta, "schema", "x"),
    ],
)
def test_corrupt_registry_reads_as_nothing_and_is_made_anew(valkey, clients, spoil):
    writer = filled(clients(valkey))
    with valkey.client() as client:
        spoil(client)
    assert writer.read() is None
    anew = filled(clients(valkey)) if writer.release() is None else None
    assert anew.read()[1] == sample("a")


def test_stream_of_a_complete_epoch_tells_each_batch_and_heartbeat(valkey, clients):
    writer = filled(clients(valkey))
    before = writer.read()[0]
    after = writer.write([Delete(Table.SERVICES, SERVICE)])
    writer.heartbeat()
    writer.heartbeat()
    with valkey.client() as client:
        complete, batch, *beats = [decode_entry(raw) for raw in client.xrange(KEYS.changes)]
    assert (complete.position, complete.data) == (before, None)
    assert (batch.id, batch.position, batch.prev_tip) == (f"{after.seq}-0", after, before.tip)
    assert [(edit.table, edit.id, edit.value) for edit in batch.edits()] == [(Table.SERVICES, SERVICE.encode(), None)]
    assert [(beat.id, beat.position) for beat in beats] == [(f"{after.seq}-1", after), (f"{after.seq}-2", after)]
    assert batch.at <= beats[0].at <= beats[1].at


def test_first_load_does_not_go_through_the_stream(valkey, clients):
    filled(clients(valkey), sample(*range(3000)))
    with valkey.client() as client:
        assert client.xlen(KEYS.changes) == 1


def test_numbers_go_on_in_a_new_epoch(valkey, clients):
    writer = filled(clients(valkey))
    before = writer.read()[0]
    begun = writer.begin_epoch()
    assert begun.seq == before.seq + 1
    assert begun.epoch != before.epoch


def test_stream_that_was_restored_alone_does_not_stop_the_writer(valkey, clients):
    writer = filled(clients(valkey))
    with valkey.client() as client:
        client.xadd(KEYS.changes, {"x": "y"}, id="999999-0")
        after = writer.write([Delete(Table.SERVICES, SERVICE)])
        assert [entry for entry, _ in client.xrange(KEYS.changes)] == [f"{after.seq}-0".encode()]


def test_last_change_of_a_record_in_a_batch_counts(valkey, clients):
    writer = filled(clients(valkey))
    api = sample("a").apis[API]
    writer.write([Delete(Table.APIS, API), Put(Table.APIS, API, api)])
    assert API in writer.read()[1].apis
    writer.write([Put(Table.APIS, API, api), Delete(Table.APIS, API)])
    assert API not in writer.read()[1].apis


def test_batch_with_one_change_that_cannot_be_stored_is_not_written(valkey, clients):
    writer = filled(clients(valkey))
    before = writer.read()
    with pytest.raises(ValueError, match="32 bytes"):
        writer.write([Delete(Table.APIS, API), Delete(Table.CREDENTIALS, b"short")])
    with pytest.raises(ValueError, match="at most"):
        writer.write([Delete(Table.APIS, API)] * 1001)
    assert writer.read() == before


def test_stream_is_capped(valkey, clients):
    writer = filled(clients(valkey), max_stream=10)
    for _ in range(300):
        writer.heartbeat()
    with valkey.client() as client:
        assert client.xlen(KEYS.changes) <= 110  # Redis trims whole nodes of a hundred entries


def with_user(server, name, rules):
    for node in getattr(server, "nodes", [server]):
        with node.client() as client:
            client.execute_command("ACL", "SETUSER", name, "reset", "on", f">{name}", *rules)
    return {"username": name, "password": name}


@pytest.mark.parametrize("server", ["valkey", "redis_server", "redis_cluster"])
def test_rules_of_the_writer_suffice_for_all_that_it_does_and_for_its_region_only(server, request, clients):
    server = request.getfixturevalue(server)
    user = with_user(server, "writer", writer_acl("eu"))
    client = clients(server, **user)
    writer = filled(client)
    assert isinstance(writer.write([Delete(Table.APIS, API)]), Position)
    assert writer.heartbeat() is None
    assert writer.read() is not None
    writer.release()
    with pytest.raises(NoPermissionError):
        Writer(client, "us").acquire()
    with getattr(server, "nodes", [server])[0].client(**user) as raw, pytest.raises(NoPermissionError):
        raw.flushall()


@pytest.mark.parametrize("server", ["valkey", "redis_server"])
def test_rules_of_a_gateway_let_it_report_and_change_nothing_else(server, request, clients):
    server = request.getfixturevalue(server)
    filled(clients(server))
    user = with_user(server, "gateway", gateway_acl("eu"))
    with server.client(**user) as raw:
        assert raw.xadd(KEYS.reports, {"used": "1"})
        for attempt in (
            lambda: raw.xadd(KEYS.changes, {"x": "y"}),
            lambda: raw.hset(KEYS.table(Table.CREDENTIALS), "x", "y"),
            lambda: raw.delete(KEYS.meta),
            lambda: raw.set(KEYS.lease, "mine"),
            lambda: raw.xrange(KEYS.reports) and raw.xtrim(KEYS.reports, 0),
            lambda: raw.eval("return 1", 0),
            lambda: raw.hscan("kaa:{us}:credentials"),
            lambda: raw.xadd("kaa:{us}:reports", {"x": "y"}),
            lambda: raw.config_get("*"),
            lambda: raw.keys("*"),
        ):
            with pytest.raises(NoPermissionError):
                attempt()
    with pytest.raises(NoPermissionError):
        Writer(clients(server, **user), "eu").acquire()


@pytest.mark.parametrize("where", ["valkey", "redis_server", "redis_cluster", "database 3"])
def test_rules_of_a_gateway_suffice_to_read_and_to_follow(where, request, clients):
    server = request.getfixturevalue("valkey" if where == "database 3" else where)
    url = f"{server.url[:-1]}3" if where == "database 3" else server.url
    writer = filled(clients(url))
    gateway = clients(url, **with_user(server, "gateway", gateway_acl("eu")))
    assert Writer(gateway, "eu").read() == writer.read()
    assert gateway.xread({KEYS.changes: "0-0"}, count=1, block=10)
    assert gateway.xrevrange(KEYS.changes, count=1)
    assert server_time(gateway, KEYS.meta) > 0
