"""Followers that are killed, disks that are full, files that are damaged: readers have a whole copy, or none."""

import os
import threading

import pytest
from structlog.testing import capture_logs

from kong_app_auth.registry.position import Position
from kong_app_auth.replica.follower import Follower
from kong_app_auth.replica.layout import data_file
from tests.integration.replica.conftest import BLOCK_MS, step_until
from tests.servers.copies import make_replica
from tests.servers.process import wait_until
from tests.servers.redis import redis_sentinel
from tests.servers.replica import follower_process, reader_process
from tests.servers.samples import SERVICE, key_digest, sample


def test_follower_killed_while_it_takes_a_copy_leaves_the_one_before(valkey, region_of, directory, reader):
    before = Position("another epoch", 9, "tip")
    make_replica(directory, sample("old"), heard=1e9, position=before)
    region = region_of(valkey)
    after = region.begin(sample(*range(3000)))
    for what in ("copy-*", "registry.[23].mdb"):
        with follower_process(valkey.url, "eu", directory, lockstep=True) as process:

            def half(what=what):
                region.heartbeat()  # so that the other epoch is believed
                return list(directory.glob(what))

            process.let_until(half)
            process.kill()
        assert reader(directory, "contents") == (before, sample("old"))
        assert reader(directory, "last_heard") == 1e9
    with follower_process(valkey.url, "eu", directory):
        wait_until(lambda: region.heartbeat() or reader(directory, "position") == after, "another follower does it")
        wait_until(lambda: not list(directory.glob("copy-*")), "what was left is removed")
        wait_until(lambda: len(list(directory.glob("registry.*.mdb"))) == 1, "the copy before is removed")
    assert reader(directory, "contents") == (after, sample(*range(3000)))


def test_follower_killed_between_two_batches_goes_on_with_the_next(valkey, region_of, directory, reader):
    region = region_of(valkey)
    position = region.begin(sample("a"))
    with follower_process(valkey.url, "eu", directory):
        wait_until(lambda: reader(directory, "position") == position)
    position = region.become(sample("a", "b"))
    with follower_process(valkey.url, "eu", directory):
        wait_until(lambda: reader(directory, "position") == position)
    assert reader(directory, "contents") == (position, sample("a", "b"))


def test_full_disk_fails_closed_at_once_and_is_recovered_from(valkey, region_of, directory, reader):
    region = region_of(valkey)
    position = region.begin(sample("a"))
    with follower_process(valkey.url, "eu", directory, file_limit=400 * 1024):
        wait_until(lambda: region.heartbeat() or reader(directory, "last_heard") > 0, "the copy is in force")
        region.become(sample(*range(2000)))
        wait_until(lambda: reader(directory, "last_heard") == 0.0, "it is out of force")
        assert reader(directory, "credential", key_digest("a")) == (None, None)
        assert reader(directory, "policy_of_service", SERVICE) is None
        position = region.become(sample("b"))
        wait_until(lambda: reader(directory, "position") == position, "there is room again")
        wait_until(lambda: region.heartbeat() or reader(directory, "last_heard") > 0, "and it is trusted again")
    assert reader(directory, "contents") == (position, sample("b"))


def spoil(path):
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))


def test_file_damaged_while_in_use_is_told_by_a_reader_and_made_anew(valkey, region_of, follower_of, directory, reader):
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample(*range(500)))
    region.heartbeat()
    step_until(follower, lambda: reader(directory, "last_heard") > 0)
    with data_file(directory, 1).open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (data_file(directory, 1).stat().st_size - 8192))
    assert reader(directory, "credential", key_digest(1)) == (None, None)
    assert reader(directory, "last_heard") == 0.0
    with capture_logs() as logs:
        step_until(follower, lambda: region.heartbeat() or reader(directory, "last_heard") > 0, "it is made anew")
    assert "replica discarded" in [log["event"] for log in logs]
    assert reader(directory, "contents") == (position, sample(*range(500)))


@pytest.mark.parametrize("harm", [spoil, os.unlink, lambda path: os.truncate(path, 4096)])
def test_file_damaged_while_nobody_ran_is_made_anew(valkey, region_of, follower_of, directory, reader, harm):
    region = region_of(valkey)
    position = region.begin(sample(*range(500)))
    make_replica(directory, sample("x"), heard=1e9, position=position)
    harm(data_file(directory, 1))
    follower = follower_of(valkey)
    step_until(follower, lambda: reader(directory, "position") == position)
    assert reader(directory, "contents") == (position, sample(*range(500)))


def test_damaged_file_fails_closed_where_redis_is_away_too(follower_of, directory, reader):
    make_replica(directory, sample("a"), heard=1e9)
    spoil(data_file(directory, 1))
    follower = follower_of("redis://127.0.0.1:1")
    assert follower.step(BLOCK_MS) is False
    assert reader(directory, "last_heard") == 0.0
    assert reader(directory, "credential", key_digest("a")) == (None, None)


def test_killed_workers_do_not_stop_a_follower(valkey, region_of, follower_of, directory):
    """A reader that is killed leaves its slot in LMDB's table; those of the dead are freed."""
    region, follower = region_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))

    def worker_sees(position):
        with reader_process() as worker:
            step_until(follower, lambda: worker(directory, "position") == position)
            worker.process.kill()

    worker_sees(position)
    for number in range(3):
        worker_sees(region.become(sample("a", number)))


def test_second_follower_waits_until_the_first_has_ended(valkey, region_of, follower_of, directory, reader):
    region, first, second = region_of(valkey), follower_of(valkey), follower_of(valkey)
    position = region.begin(sample("a"))
    step_until(first, lambda: reader(directory, "position") == position)
    with capture_logs() as logs:
        assert [second.step(BLOCK_MS) for _ in range(3)] == [False] * 3
    assert [log["event"] for log in logs] == ["another follower keeps this copy"]
    first.close()
    position = region.become(sample("b"))
    step_until(second, lambda: reader(directory, "position") == position)


def test_follower_runs_until_it_is_told_to_stop(valkey, region_of, directory, reader, open_client):
    region = region_of(valkey)
    position = region.begin(sample("a"))
    stop, signs = threading.Event(), []
    follower = Follower(lambda: open_client(valkey), "eu", directory, on_alive=lambda: signs.append(1))
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: reader(directory, "position") == position)
        position = region.become(sample("b"))
        wait_until(lambda: reader(directory, "position") == position)
    finally:
        stop.set()
        thread.join()
    assert signs
    follower_again = Follower(lambda: open_client(valkey), "eu", directory)
    assert follower_again.step(BLOCK_MS), "the directory was let go"
    follower_again.close()


def test_failover_that_loses_the_last_batch_revives_no_key(region_of, follower_of, directory, reader, open_client):
    with redis_sentinel() as setup:
        region, follower = region_of(setup.url), follower_of(setup.url)
        before = region.begin(sample("a", "b"))
        with setup.replica.client() as replica:
            wait_until(lambda: replica.hget("kaa:{eu}:meta", "complete") == b"1", "the replica has it")
            replica.execute_command("REPLICAOF", "127.0.0.1", "1")  # it hears nothing of what follows
            position = region.become(sample("a"))
            step_until(follower, lambda: reader(directory, "position") == position)
            setup.primary.kill()
            replica.execute_command("REPLICAOF", "127.0.0.1", str(setup.primary.port))
        wait_until(lambda: setup.primary_port() == setup.replica.port, "the replica is the primary")
        with capture_logs() as logs:
            step_until(
                follower,
                lambda: (
                    "registry is not the one of this copy; waiting for its writer" in [log["event"] for log in logs]
                ),
            )
        assert reader(directory, "contents") == (position, sample("a")), "b stays revoked"
        assert region.writer.acquire()
        found = region.writer.read()
        assert found == (before, sample("a", "b"))
        region.contents = found[1]
        after = region.become(sample("a"))
        step_until(follower, lambda: reader(directory, "position") == after)
        assert reader(directory, "contents") == (after, sample("a"))
