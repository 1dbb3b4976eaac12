"""Promise 4: with everything behind the node dead, known applications are served and the revoked stay revoked."""

import signal

import pytest

from kong_app_auth.registry.keys import Keys, Table
from tests.servers.process import end, wait_until
from tests.system.data_path import DataPath
from tests.system.load import Load
from tests.system.scene import REGION
from tests.system.traffic import ALLOWED, HOSTILE, allowed, hostile


def kill_everything_behind(path: DataPath) -> None:
    """Kill Valkey and the daemon, and wait until the node knows that it is out of touch."""
    path.valkey.kill()
    for sync in path.syncs:
        end(sync)
    path.wait_for_status(503, "unknown")


def is_filled(path: DataPath) -> bool:
    """Say whether the registry holds credentials."""
    with path.valkey.client() as client:
        return bool(client.exists(Keys(REGION).table(Table.CREDENTIALS)))


def check_static_stability(path: DataPath) -> None:
    """Known applications are served, the revoked are not, and nobody can tell about the unknown."""
    path.wait_for_status(200, "dashboard")
    statuses = {
        key: path.status(key) for key in ("dashboard", "team", "leaked", "expired", "pending", "bobs", "unknown")
    }
    assert statuses == {
        "dashboard": 200,
        "team": 200,
        "leaked": 401,
        "expired": 401,
        "pending": 403,
        "bobs": 403,
        "unknown": 503,
    }
    refusal = path.ask("unknown")
    assert (refusal.reason, refusal.one("retry-after")) == ("registry_unavailable", "5")


def test_node_alone_serves_whom_it_knows_across_restarts_until_its_copy_is_too_old(data_path: DataPath) -> None:
    data_path.scene.add("just-revoked")
    data_path.scene.write()
    data_path.wait_for_status(200, "just-revoked")
    data_path.scene.revoke("just-revoked")
    data_path.scene.write()
    data_path.wait_for_status(401, "just-revoked")
    with Load(data_path.gateway.address, [allowed(data_path, 2), *hostile(data_path)]) as load:
        kill_everything_behind(data_path)
        load.more(ALLOWED, 20)
    assert load.failures(ALLOWED) == {}
    check_static_stability(data_path)
    # /strict has a max_staleness of 2 s
    too_old = data_path.ask("dashboard", "/strict")
    assert (too_old.status, too_old.reason) == (503, "registry_unavailable")
    assert data_path.status("leaked", "/strict") == 503
    for how in (signal.SIGTERM, signal.SIGKILL):
        data_path.end_plugin_server(how)
        data_path.start_plugin_server()
        check_static_stability(data_path)
        assert data_path.status("just-revoked") == 401
        assert data_path.status("dashboard", "/strict") == 503
    assert data_path.upstream.reached_by(*HOSTILE) == {}
    data_path.heal()
    assert data_path.status("just-revoked") == 401
    data_path.wait_for_status(200, "dashboard", "/strict")


def test_node_alone_serves_whom_it_knows_while_everything_behind_hangs(data_path: DataPath) -> None:
    with Load(data_path.gateway.address, [allowed(data_path, 2), *hostile(data_path)]) as load:
        data_path.valkey.process.send_signal(signal.SIGSTOP)
        for sync in data_path.syncs:
            sync.send_signal(signal.SIGSTOP)
        data_path.wait_for_status(503, "unknown")
        load.more(ALLOWED, 20)
    assert load.failures(ALLOWED) == {}
    check_static_stability(data_path)
    assert data_path.upstream.reached_by(*HOSTILE) == {}


def test_flushed_registry_under_load_changes_nothing_for_anybody(data_path: DataPath) -> None:
    with Load(data_path.gateway.address, [allowed(data_path, 2), *hostile(data_path)]) as load:
        for _ in range(3):
            data_path.valkey.flush()
            load.more(ALLOWED, 50)
            wait_until(lambda: is_filled(data_path), "the daemon has filled the registry again")
            load.more("revoked", 20)
    assert load.failures(ALLOWED) == {}
    assert data_path.upstream.reached_by(*HOSTILE) == {}
    # and changes arrive again
    data_path.scene.add("after-the-flush")
    data_path.scene.write()
    data_path.wait_for_status(200, "after-the-flush")
    data_path.scene.revoke("after-the-flush")
    data_path.scene.write()
    data_path.wait_for_status(401, "after-the-flush")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_changes_arrive_after_the_leading_daemon_is_gone(data_path: DataPath, how: signal.Signals) -> None:
    leader = data_path.syncs[0]
    data_path.start_sync()
    wait_until(lambda: "standing by" in data_path.log("sync"), "the second daemon stands by")
    with Load(data_path.gateway.address, [allowed(data_path, 2)]) as load:
        leader.send_signal(how)
        name = f"after-{how.name}"
        data_path.scene.add(name)
        data_path.scene.write()
        data_path.wait_for_status(200, name)
        data_path.scene.revoke(name)
        data_path.scene.write()
        data_path.wait_for_status(401, name)
    assert load.failures(ALLOWED) == {}
    leader.send_signal(signal.SIGCONT)
    data_path.wait_until_well()
    assert data_path.status(name) == 401
