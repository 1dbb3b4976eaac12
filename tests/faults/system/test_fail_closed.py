"""Promise 1: with any part dead, hung or raising, no unauthenticated request reaches an upstream."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.servers.process import wait_until
from tests.system.data_path import DataPath
from tests.system.load import Load
from tests.system.traffic import ALLOWED, HOSTILE, allowed, hostile

Target = Callable[[DataPath], tuple[int, ...]]
PARTS: dict[str, Target] = {
    "worker": lambda path: path.pids().workers[:1],
    "all workers": lambda path: path.pids().workers,
    "zygote": lambda path: path.pids().zygotes,
    "zygote and a worker": lambda path: (*path.pids().zygotes, path.pids().workers[0]),
    "supervisor": lambda path: (path.pids().supervisor,),
    "supervisor and all workers": lambda path: (path.pids().supervisor, *path.pids().workers),
    "follower": lambda path: path.pids().followers,
    "Valkey": lambda path: (path.valkey.process.pid,),
    "sync daemon": lambda path: tuple(sync.pid for sync in path.syncs),
}
WATCHED = 1.0
"""Seconds that clients hammer at what is broken."""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
@pytest.mark.parametrize("part", PARTS)
def test_nobody_unauthenticated_gets_through(data_path: DataPath, part: str, how: signal.Signals) -> None:
    data_path.upstream.counts.clear()
    with Load(data_path.gateway.address, [allowed(data_path, 2), *hostile(data_path)]) as load:
        load.more(ALLOWED, 20, "200")
        victims = PARTS[part](data_path)
        workers = set(victims) & set(data_path.pids().workers)
        for pid in victims:
            os.kill(pid, how)
        load.watch(WATCHED)
        if "supervisor" not in part:  # it replaces workers, those that hang too
            wait_until(lambda: not workers & set(data_path.pids().workers), "the lost workers are replaced")
        data_path.heal()
        load.more(ALLOWED, 20, "200")
        for tag in HOSTILE:
            load.more(tag, 20)
    print(f"{part}: allowed {load.failures(ALLOWED)} of {load.count(ALLOWED)}, slowest answer {load.slowest:.2f} s")
    for tag in HOSTILE:
        assert load.count(tag, "200") == 0
    assert data_path.upstream.counts[ALLOWED] >= load.count(ALLOWED, "200")  # it does count
    assert data_path.upstream.reached_by(*HOSTILE) == {}


def test_hung_zygote_does_not_keep_a_lost_worker_from_being_replaced(data_path: DataPath) -> None:
    before = data_path.pids()
    os.kill(before.zygotes[0], signal.SIGSTOP)
    for worker in before.workers:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not set(before.workers) & set(data_path.pids().workers), "the workers are gone")
    data_path.wait_until_well()
    assert data_path.pids().zygotes != before.zygotes


def test_workers_outlive_a_hung_supervisor_and_are_not_replaced_when_it_wakes(data_path: DataPath) -> None:
    before = data_path.pids()
    os.kill(before.supervisor, signal.SIGSTOP)
    with Load(data_path.gateway.address, [allowed(data_path, 2)]) as load:
        load.watch(2.5)  # longer than the silence after which a worker is taken for hung
        os.kill(before.supervisor, signal.SIGCONT)
        load.more(ALLOWED, 50)
    data_path.wait_until_well()
    assert load.failures(ALLOWED) == {}
    assert data_path.pids() == before


def test_nobody_gets_through_before_the_first_copy_is_there(data_path: DataPath) -> None:
    data_path.end_plugin_server(signal.SIGTERM)
    data_path.forget_replica()
    data_path.valkey.kill()
    with Load(data_path.gateway.address, [allowed(data_path, 2), *hostile(data_path)]) as load:
        data_path.start_plugin_server()
        load.more(ALLOWED, 20, "503")
        for tag in HOSTILE:
            load.more(tag, 20)
        assert not data_path.is_ready()
        assert load.count(ALLOWED, "200") == 0
        data_path.heal()
        load.more(ALLOWED, 20, "200")
        wait_until(data_path.is_ready, "ready")
    assert data_path.upstream.reached_by(*HOSTILE) == {}
