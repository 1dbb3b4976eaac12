"""The follower, step by step, on real servers; what workers see is asked of a worker's process."""

import copy
import itertools
import time

import pytest
from structlog.testing import capture_logs

from kong_app_auth.domain.records import RegistrationState
from kong_app_auth.registry.acl import gateway_acl
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import NewerSchema
from kong_app_auth.registry.records import SCHEMA_VERSION
from kong_app_auth.registry.writer import Writer
from kong_app_auth.replica.follower import Follower
from tests.integration.replica.conftest import BLOCK_MS, step_until
from tests.servers.samples import API, SERVICE, application, key_digest, sample, uid

KEYS = Keys("eu")


def revoked(*names, of):
    contents = sample(*of)
    for name in names:
        contents.applications[uid(name)] = application(name, RegistrationState.REVOKED)
    return contents


@pytest.mark.parametrize("server", ["valkey", "redis_server", "redis_cluster"])
def test_replica_follows_the_registry(server, request, region_of, follower_of, directory, reader):
    server = request.getfixturevalue(server)
    region, follower = region_of(server), follower_of(server)
    position = region.begin(sample(*range(1200)))
    step_until(follower, lambda: reader(directory, "position") == position, "the first copy is in force")
    assert reader(directory, "contents") == (position, sample(*range(1200)))
    wanted = revoked(3, of=range(1, 1300))
    position = region.become(wanted)
    step_until(follower, lambda: reader(directory, "position") == position, "the changes are there")
    assert reader(directory, "contents") == (position, wanted)
    assert reader(directory, "credential", key_digest(0)) == (None, None)
    assert reader(directory, "credential", key_digest(3))[1].registrations == {API: RegistrationState.REVOKED}
    region.heartbeat()
    before = time.time()
    step_until(follower, lambda: reader(directory, "last_heard") >= before - 1, "the heartbeat was heard")
    assert reader(directory, "last_heard") <= time.time()


def test_gateways_user_may_all_that_a_follower_does(valkey, region_of, follower_of, directory, reader):
    with valkey.client() as raw:
        raw.execute_command("ACL", "SETUSER", "gateway", "reset", "on", ">secret", *gateway_acl("eu"))
    region = region_of(valkey)
    follower = follower_of(valkey, username="gateway", password="secret")
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    for contents in (sample("a", "b"), sample("b")):
        position = region.become(contents)
        step_until(follower, lambda position=position: reader(directory, "position") == position)
    region.heartbeat()
    step_until(follower, lambda: reader(directory, "last_heard") > 0)
    follower.close()
    step_until(follower, lambda: reader(directory, "position") == position)
    assert reader(directory, "contents") == (position, sample("b"))


def test_restarted_follower_goes_on_from_its_file_without_another_copy(
    valkey, region_of, follower_of, directory, reader
):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    follower.close()
    for contents in (sample("a", "b"), sample("b"), sample("b", "c")):
        position = region.become(contents)
    with capture_logs() as logs:
        step_until(follower, lambda: reader(directory, "position") == position)
    assert [log["event"] for log in logs] == ["following the registry"]
    assert reader(directory, "contents") == (position, sample("b", "c"))


def test_fresh_copy_is_taken_where_the_stream_no_longer_reaches_back(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    first = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == first)
    for keep in (0, 1):
        follower.close()
        region.become(sample("a", keep))
        position = region.become(sample("b", keep))
        with valkey.client() as raw:
            raw.xtrim(KEYS.changes, maxlen=keep, approximate=False)
        step_until(follower, lambda position=position: reader(directory, "position") == position)
        assert reader(directory, "contents") == (position, sample("b", keep))


def test_entry_that_was_lost_from_the_stream_is_noticed(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    lost = region.become(sample("a", "b"))
    with valkey.client() as raw:
        assert raw.xdel(KEYS.changes, f"{lost.seq}-0") == 1
    heard = reader(directory, "last_heard")
    region.heartbeat()

    def noticed():
        if reader(directory, "position") == lost:
            return True
        assert reader(directory, "last_heard") == heard, "a heartbeat of another position says nothing of this copy"
        return False

    step_until(follower, noticed)
    assert reader(directory, "contents") == (lost, sample("a", "b"))


def test_old_heartbeats_of_a_backlog_are_not_trusted(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    with valkey.client() as raw:
        raw.delete(KEYS.changes)
        hour_ago = (int(raw.time()[0]) - 3600) * 1000
        for number in range(50):
            fields = {"v": 1, "epoch": position.epoch, "seq": position.seq, "tip": position.tip}
            raw.xadd(KEYS.changes, {**fields, "at": hour_ago + number}, id=f"{position.seq}-{number + 1}")
    step_until(follower, lambda: reader(directory, "last_heard") > 0)
    for _ in range(5):
        follower.step(BLOCK_MS)
    assert reader(directory, "last_heard") == pytest.approx(time.time() - 3600, abs=60)
    region.heartbeat()
    step_until(follower, lambda: reader(directory, "last_heard") > time.time() - 60)


def test_heartbeat_from_the_future_of_the_servers_clock_is_not_believed(
    valkey, region_of, follower_of, directory, reader
):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    with valkey.client() as raw:
        raw.delete(KEYS.changes)
        at = (int(raw.time()[0]) + 3600) * 1000
        fields = {"v": 1, "epoch": position.epoch, "seq": position.seq, "tip": position.tip, "at": at}
        raw.xadd(KEYS.changes, fields, id=f"{position.seq}-1")
    step_until(follower, lambda: reader(directory, "position") == position)
    for _ in range(3):
        follower.step(BLOCK_MS)
    assert reader(directory, "last_heard") == 0.0


def test_flushed_redis_takes_nothing_from_the_readers_until_there_is_a_new_epoch(
    valkey, region_of, follower_of, directory, reader
):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    heard = reader(directory, "last_heard")
    valkey.flush()
    for _ in range(5):
        follower.step(BLOCK_MS)
    assert reader(directory, "contents") == (position, sample("a"))
    assert reader(directory, "last_heard") == heard, "nobody has spoken since"
    assert region.writer.acquire()
    region.writer.begin_epoch()
    for _ in range(3):
        follower.step(BLOCK_MS)
    assert reader(directory, "contents") == (position, sample("a")), "an epoch that is not complete is not taken"
    region.writer.complete()
    position = region.begin(sample("b"))
    region.heartbeat()

    def settled():
        region.heartbeat()
        return reader(directory, "position") == position

    step_until(follower, settled, "the new epoch is taken")
    assert reader(directory, "contents") == (position, sample("b"))


def dump(raw):
    return {key: (raw.dump(key)) for key in raw.keys("kaa:{eu}:*") if key != KEYS.lease.encode()}


def restore(raw, dumped):
    for key, value in dumped.items():
        raw.restore(key, 0, value, replace=True)


def test_registry_restored_from_an_older_dump_revives_no_key_before_a_writer_has_spoken(
    valkey, region_of, follower_of, directory, reader
):
    region, follower = region_of(valkey), follower_of(valkey)
    before = region.begin(sample("a", "b"))
    with valkey.client() as raw:
        dumped = dump(raw)
    position = region.become(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    follower.close()
    with valkey.client() as raw:
        restore(raw, dumped)
    for _ in range(5):
        follower.step(BLOCK_MS)
    assert reader(directory, "contents") == (position, sample("a")), "the key of b stays revoked"
    assert region.writer.heartbeat() is not None, "the writer is told that this is not where it was"
    found = region.writer.read()
    assert found == (before, sample("a", "b"))
    region.contents = found[1]
    after = region.become(sample("a"))
    assert (after.seq, after.tip) != (position.seq, position.tip)
    step_until(follower, lambda: reader(directory, "position") == after)
    assert reader(directory, "contents") == (after, sample("a"))


def test_registry_that_went_another_way_meanwhile_is_copied(valkey, region_of, follower_of, directory, reader):
    """The last batch was lost in a failover, and others were written in its place while no follower ran."""
    region, follower = region_of(valkey), follower_of(valkey)
    before = region.begin(sample("a", "b"))
    with valkey.client() as raw:
        dumped = dump(raw)
    position = region.become(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    for further in (sample("b"), sample("b", "c")):
        follower.close()
        with valkey.client() as raw:
            restore(raw, dumped)
        assert region.writer.read() == (before, sample("a", "b"))
        region.contents = sample("a", "b")
        region.become(sample("b", "x"))
        after = region.become(further)
        assert (after.epoch, after.seq) == (position.epoch, position.seq + 1)
        step_until(follower, lambda after=after: reader(directory, "position") == after)
        assert reader(directory, "contents") == (after, further)


def test_older_registry_that_its_writer_vouches_for_is_taken(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    before = region.begin(sample("a", "b"))
    with valkey.client() as raw:
        dumped = dump(raw)
    position = region.become(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    with valkey.client() as raw:
        restore(raw, dumped)
    for _ in range(3):
        follower.step(BLOCK_MS)
    assert region.writer.read() == (before, sample("a", "b"))
    region.heartbeat()
    step_until(follower, lambda: reader(directory, "position") == before)
    assert reader(directory, "contents") == (before, sample("a", "b"))


def test_first_copy_needs_nobody_to_vouch_for_it(valkey, region_of, follower_of, directory, reader):
    position = region_of(valkey).begin(sample("a"))
    follower = follower_of(valkey)
    step_until(follower, lambda: reader(directory, "position") == position)


def test_redis_that_is_away_is_told_once_and_the_copy_stays(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    valkey.kill()
    with capture_logs() as logs:
        assert [follower.step(BLOCK_MS) for _ in range(4)] == [False] * 4
    assert [log["event"] for log in logs] == ["registry is out of reach"]
    assert reader(directory, "contents") == (position, sample("a"))
    valkey.restart()
    assert follower.step(BLOCK_MS) is False, "it has come back empty"
    assert reader(directory, "contents") == (position, sample("a"))


def test_redis_that_hangs_ends_in_a_time_out_and_not_in_a_hang(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey, timeout=0.2)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    with valkey.paused():
        assert follower.step(BLOCK_MS) is False
        assert follower.step(BLOCK_MS) is False
        assert reader(directory, "contents") == (position, sample("a"))
    position = region.become(sample("b"))
    step_until(follower, lambda: reader(directory, "position") == position)


@pytest.mark.parametrize("where", ["meta", "stream"])
def test_newer_schema_stops_the_follower_and_leaves_the_copy_to_age(
    valkey, region_of, follower_of, directory, reader, where
):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "last_heard") > 0)
    with valkey.client() as raw:
        if where == "meta":
            raw.hset(KEYS.meta, "schema", SCHEMA_VERSION + 1)
        else:
            raw.xadd(KEYS.changes, {"v": SCHEMA_VERSION + 1, "unknown": "fields"}, id=f"{position.seq + 1}-0")
    heard = reader(directory, "last_heard")
    with pytest.raises(NewerSchema, match=f"version {SCHEMA_VERSION + 1}"):
        step_until(follower, lambda: False, "it stops")
    assert reader(directory, "contents") == (position, sample("a"))
    assert reader(directory, "last_heard") == heard


@pytest.mark.parametrize(
    "fields",
    [
        {"x": "y"},
        {"v": "one"},
        {"v": 1, "epoch": "e", "seq": "x", "tip": "t", "at": 1},
        {"v": 1, "epoch": "e", "seq": 1, "tip": "t", "at": 1, "prev": "p"},
        {"v": 1, "epoch": "E", "seq": "S", "tip": "t", "at": 1, "prev": "T", "edits": b"\xc1"},
        {"v": 1, "epoch": "E", "seq": "S", "tip": "t", "at": 1, "prev": "T", "edits": b"\x91\x93\xa4apis\xc4\x00\xc0"},
    ],
)
def test_entry_that_cannot_be_read_leads_to_a_fresh_copy(valkey, region_of, follower_of, directory, reader, fields):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    here = {"E": position.epoch, "S": position.seq + 1, "T": position.tip}
    with valkey.client() as raw:
        raw.xadd(
            KEYS.changes, {name: here.get(value, value) for name, value in fields.items()}, id=f"{position.seq}-999"
        )
    with capture_logs() as logs:
        step_until(follower, lambda: any(log["event"] == "fresh copy in force" for log in logs))
    position = region.become(sample("b"))
    step_until(follower, lambda: reader(directory, "position") == position)
    assert reader(directory, "contents") == (position, sample("b"))


def test_impossible_record_is_left_out_of_a_copy_and_told(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    region.begin(sample("a"))
    with valkey.client() as raw:
        raw.hset(KEYS.table(Table.CREDENTIALS), "no digest", b"x" * 41)
    with capture_logs() as logs:
        step_until(follower, lambda: reader(directory, "position") is not None)
    assert "registry holds records with impossible keys" in [log["event"] for log in logs]
    assert reader(directory, "contents")[1] == sample("a")


def test_changes_while_a_copy_is_taken_are_in_it(valkey, region_of, directory, reader, open_client):
    """Between the pieces that the follower reads, something changes that it has read or is about to read."""
    region = region_of(valkey)
    region.begin(sample(*range(2500)))
    begun = region.writer.read()[0]
    signs, gone, came = itertools.count(), iter(range(2500)), iter(range(3000, 6000))

    def change():
        if next(signs) % 5 == 0:
            old, new = next(gone), next(came)
            wanted = copy.copy(region.contents)
            wanted.applications = wanted.applications | sample(new).applications
            wanted.credentials = wanted.credentials | sample(new).credentials
            del wanted.credentials[key_digest(old)]
            del wanted.applications[uid(old)]
            region.write(wanted)

    follower = Follower(lambda: open_client(valkey), "eu", directory, on_alive=change)
    with capture_logs() as logs:
        follower.step(BLOCK_MS)
    assert [log["event"] for log in logs] == ["taking a fresh copy", "fresh copy in force"]
    assert next(gone) > 10
    assert reader(directory, "position").seq > begun.seq + 10, "with the changes that came while it was read"
    position, expected = region.writer.read()
    signs = itertools.repeat(1)
    step_until(follower, lambda: reader(directory, "position") == position)
    assert reader(directory, "contents") == (position, expected)
    follower.close()


def test_one_region_knows_nothing_of_another(valkey, region_of, follower_of, directory, reader, open_client):
    other = Writer(open_client(valkey), "us")
    other.acquire()
    other.begin_epoch()
    other.complete()
    follower = follower_of(valkey)
    for _ in range(3):
        assert not follower.step(BLOCK_MS)
    assert reader(directory, "position") is None


def test_removed_directory_is_made_anew(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(follower, lambda: reader(directory, "position") == position)
    for path in directory.iterdir():
        path.unlink()
    step_until(follower, (directory / "status").exists, "the follower has noticed")
    step_until(
        follower, lambda: reader(directory, "last_heard") >= 0 and reader(directory, "position") == position, "again"
    )
    assert reader(directory, "policy_of_service", SERVICE) is not None
