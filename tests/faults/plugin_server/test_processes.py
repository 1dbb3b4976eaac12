"""Processes of a server that are killed, stopped or hang: nothing passes unanswered, and all is back."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kong_side.client import KongConnection, ServerClosedError, ask_once, start_once
from tests.kong_side.server import PluginServer, freeze, is_alive, plugin_server, voluntary_switches, worker_of
from tests.servers.process import PATIENCE, free_port, wait_until

LIVENESS = 0.8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PluginServer]:
    address = f"127.0.0.1:{free_port()}"
    with plugin_server(tmp_path / "x", liveness=LIVENESS, metrics_address=address) as server:
        yield server


def connections_to(
    server: PluginServer, instance: int, pid: int, *, to_it: bool, how_many: int
) -> list[KongConnection]:
    """Connections kept by this worker, or by others. `instance` does `pid`."""
    found: list[KongConnection] = []
    others: list[KongConnection] = []
    while len(found) < how_many:
        kong = KongConnection(server.socket)
        (found if (worker_of(kong.event(instance)) == pid) is to_it else others).append(kong)
    for kong in others:
        kong.close()
    return found


def test_a_killed_worker_fails_closed_and_is_replaced(server: PluginServer, tmp_path: Path) -> None:
    until = tmp_path / "until"
    pid_of = start_once(server.socket, {"do": "pid"})
    sleeping = start_once(server.socket, {"do": "sleep", "until": str(until)})
    victim, *_ = workers = sorted(server.workers())
    held = connections_to(server, pid_of, victim, to_it=True, how_many=2)
    others = connections_to(server, pid_of, victim, to_it=False, how_many=2)
    try:
        held[0].begin(sleeping)
        os.kill(victim, signal.SIGKILL)
        for kong in others:
            assert worker_of(kong.event(pid_of)) in workers
        for kong in held:  # closed, and never the end of an event
            with pytest.raises(ServerClosedError):
                kong.receive_frame()
        assert victim not in server.answering(pid_of, 2)
        for kong in others:
            assert worker_of(kong.event(pid_of)) in workers
    finally:
        for kong in (*held, *others):
            kong.close()
    wait_until(lambda: server.metric('plugin_server_worker_restarts_total{reason="ended"') == 1, "it is counted")


def test_workers_killed_under_load_let_nothing_pass_and_lose_only_what_they_held(server: PluginServer) -> None:
    """Every client refused; where a connection is lost Kong starts anew, and so does the client here."""
    number = start_once(server.socket, {"do": "deny"})
    stop = threading.Event()
    outcomes: list[int] = []
    lost: list[int] = []
    wrong: list[str] = []

    def client() -> None:
        while not stop.is_set():
            try:
                outcomes.append(ask_once(server.socket, number).status)
            except ServerClosedError:
                lost.append(1)
            except Exception as error:
                wrong.append(repr(error))
                return

    clients = [threading.Thread(target=client) for _ in range(6)]
    for thread in clients:
        thread.start()
    try:
        for kills in range(1, 4):
            before = server.workers()
            wait_until(lambda: len(outcomes) > 100 * kills, "answers")  # noqa: B023
            os.kill(min(before), signal.SIGKILL)
            wait_until(lambda: len(server.workers()) == 2 and server.workers() != before, "a new worker")  # noqa: B023
    finally:
        stop.set()
        for thread in clients:
            thread.join(PATIENCE)
    assert wrong == []
    assert set(outcomes) == {401}
    assert len(lost) <= 3 * 6


def test_a_worker_that_hangs_is_killed_and_replaced(server: PluginServer) -> None:
    pid_of = start_once(server.socket, {"do": "pid"})
    victim = min(server.workers())
    held = connections_to(server, pid_of, victim, to_it=True, how_many=1)
    try:
        freeze(victim)
        held[0].begin(pid_of)
        with pytest.raises(ServerClosedError):
            held[0].receive_frame()
        wait_until(lambda: not is_alive(victim), "it is gone")
        assert victim not in server.answering(pid_of, 2)
    finally:
        held[0].close()
    wait_until(lambda: server.metric('plugin_server_worker_restarts_total{reason="hung"') == 1, "it is counted")


def test_a_worker_whose_threads_are_all_stuck_is_replaced(tmp_path: Path) -> None:
    never = tmp_path / "never"
    with plugin_server(tmp_path / "x", workers=1, max_connections=2, deadline=0.1, liveness=LIVENESS) as server:
        number = start_once(server.socket, {"do": "sleep", "until": str(never)})
        (stuck,) = server.workers()
        assert [ask_once(server.socket, number).status for _ in range(2)] == [503, 503]
        wait_until(lambda: not is_alive(stuck), "it is killed")
        assert ask_once(server.socket, start_once(server.socket)).status == 200


def test_a_server_that_was_stopped_as_a_whole_kills_none_of_its_workers(server: PluginServer) -> None:
    """As a suspended container is: each process finds that time has passed, and none is to blame."""
    assert server.process is not None
    pid_of = start_once(server.socket, {"do": "pid"})
    workers = server.workers()
    with KongConnection(server.socket) as kong:
        before = worker_of(kong.event(pid_of))
        pids = server.pids()
        for pid in pids:
            freeze(pid)
        time.sleep(2 * LIVENESS)  # the length of the stop is what is tested, it waits for nothing
        supervisor = server.process.pid
        used = voluntary_switches(supervisor)
        os.kill(supervisor, signal.SIGCONT)
        wait_until(lambda: voluntary_switches(supervisor) > used + 2, "the supervisor has looked about")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert worker_of(kong.event(pid_of)) == before
    assert server.workers() == workers
    assert not server.events("worker hangs and is killed")


def test_a_plugin_that_ends_its_process_costs_that_worker_only(server: PluginServer) -> None:
    dies = start_once(server.socket, {"do": "die"})
    pid_of = start_once(server.socket, {"do": "pid"})
    with pytest.raises(ServerClosedError):
        ask_once(server.socket, dies)
    server.answering(pid_of, 2)


# The zygote


def test_workers_live_on_without_their_zygote_and_are_replaced_by_a_new_one(server: PluginServer) -> None:
    pid_of = start_once(server.socket, {"do": "pid"})
    workers, (zygote,) = server.workers(), server.zygotes()
    with KongConnection(server.socket) as kong:
        before = worker_of(kong.event(pid_of))
        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: server.zygotes() - {zygote}, "a new zygote")
        assert worker_of(kong.event(pid_of)) == before
        assert server.workers() == workers
        os.kill(min(workers - {before}), signal.SIGKILL)
        assert before in server.answering(pid_of, 2)
        assert worker_of(kong.event(pid_of)) == before


def test_a_zygote_that_hangs_is_replaced_when_it_is_needed(server: PluginServer) -> None:
    pid_of = start_once(server.socket, {"do": "pid"})
    (zygote,) = server.zygotes()
    freeze(zygote)
    os.kill(min(server.workers()), signal.SIGKILL)
    server.answering(pid_of, 2)
    assert zygote not in server.zygotes()


def test_a_zygote_that_cannot_load_again_does_not_spin(server: PluginServer) -> None:
    pid_of = start_once(server.socket, {"do": "pid"})
    probe = server.plugins / "probe.py"
    good = probe.read_text()
    probe.write_text("broken")
    os.kill(min(server.zygotes()), signal.SIGKILL)
    failed = "plugin cannot be loaded again; the workers that live go on"
    wait_until(lambda: server.events(failed), "it is told")
    wait_until(lambda: len(server.events(failed)) >= 2, "it is tried again")
    first, second = (entry["timestamp"] for entry in server.events(failed)[:2])
    assert int(second[17:19]) - int(first[17:19]) in {1, 2, 3, -58, -57, -59}  # about two seconds later
    assert len(server.answering(pid_of, 2)) == 2
    probe.write_text(good)
    os.kill(min(server.workers()), signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2, "it is replaced once the code is good again")


def test_a_worker_that_dies_at_once_does_not_spin(tmp_path: Path) -> None:
    server = PluginServer(tmp_path / "x")
    born = tmp_path / "born"
    source = server.plugins / "probe.py"
    # Workers end before they wait for a connection: what a plugin does in a fork may be as bad as that.
    source.write_text(
        source.read_text()
        + f"\nos.register_at_fork(after_in_child=lambda: (open({str(born)!r}, 'a').write('x'), os._exit(1)))\n"
    )
    try:
        process = server.launch()
        ended = "worker ended and is replaced"
        wait_until(lambda: len(server.events(ended)) >= 4, "workers die")
        begun, started = len(server.events(ended)), time.monotonic()
        wait_until(lambda: len(server.events(ended)) >= begun + 4, "and are tried again")
        assert time.monotonic() - started > 0.7  # two at a time, half a second between
        assert process.poll() is None
        assert server.stop() == 0
    finally:
        server.clean_up()


# The supervisor


def test_nothing_remains_of_a_server_whose_supervisor_is_killed_and_a_new_one_starts_at_once(
    tmp_path: Path,
) -> None:
    script = (
        "import os, time\nwhile True:\n    os.write(int(os.environ['PLUGIN_SERVER_WATCHDOG_FD']), b'x')\n"
        "    time.sleep(0.02)\n"
    )
    companion = {"name": "follower", "command": ["python3", "-c", script]}
    started, until = tmp_path / "started", tmp_path / "until"
    with plugin_server(tmp_path / "x", companions=[companion]) as server, KongConnection(server.socket) as kong:
        number = start_once(server.socket, {"do": "deny"})
        sleeping = start_once(server.socket, {"do": "sleep", "started": str(started), "until": str(until)})
        wait_until(lambda: len(server.pids()) == 5, "all of it runs")
        old = server.pids()
        sequence = kong.begin(sleeping)
        wait_until(started.exists, "a worker has an event in hand")
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()  # at once: the old workers may still be there
        assert ask_once(server.socket, number).status == 401
        until.touch()
        assert kong.follow(sequence).status == 200  # what was in hand is finished
        wait_until(lambda: not any(is_alive(pid) for pid in old), "nothing of the old one remains")
        assert ask_once(server.socket, number).status == 401
        assert server.socket.exists()


# Companions


def companion_server(directory: Path, script: str, liveness: float = 10.0) -> PluginServer:
    command = ["python3", "-c", f"import os, time\nFD = int(os.environ['PLUGIN_SERVER_WATCHDOG_FD'])\n{script}"]
    return PluginServer(
        directory,
        companions=[{"name": "c", "command": command, "environment": {"SECRET": "hunter2"}, "liveness": liveness}],
        metrics_address=f"127.0.0.1:{free_port()}",
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_companion_that_is_killed_or_hangs_is_started_again(tmp_path: Path, how: signal.Signals) -> None:
    pids = tmp_path / "pids"
    script = (
        f"open({str(pids)!r}, 'a').write(str(os.getpid()) + ' ')\n"
        "while True:\n    os.write(FD, b'x')\n    time.sleep(0.02)\n"
    )
    server = companion_server(tmp_path / "x", script, liveness=0.6)
    try:
        server.start()
        workers = server.workers()
        wait_until(pids.exists, "it runs")
        first = int(wait_until(lambda: pids.read_text().split())[0])
        os.kill(first, how)
        wait_until(lambda: len(pids.read_text().split()) == 2, "it runs again")
        wait_until(lambda: not is_alive(first), "the old one is gone")
        assert server.workers() == workers
        wait_until(lambda: server.metric("plugin_server_companion_restarts_total") == 1, "it is counted")
        assert server.stop() == 0
        assert not server.pids()
        assert "hunter2" not in server.log()
    finally:
        server.clean_up()


def test_a_companion_that_ends_at_once_or_cannot_start_is_tried_ever_more_slowly(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    server = companion_server(tmp_path / "x", f"open({str(runs)!r}, 'a').write('x')\n")
    server.settings["companions"].append({"name": "none", "command": ["/no/such/program"]})
    server.settings["companions"].append({"name": "nul", "command": ["a\0b"]})
    try:
        server.start()
        wait_until(lambda: runs.exists() and len(runs.read_text()) == 3, "it is tried again")
        times = [entry["timestamp"] for entry in server.events("companion ended and is started again")]
        assert len(times) in {2, 3}
        assert {entry["companion"] for entry in server.events("companion cannot be started")} == {"none", "nul"}
        assert ask_once(server.socket, start_once(server.socket)).status == 200
    finally:
        server.clean_up()


# Logs that cannot be written


def test_a_log_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    server = PluginServer(tmp_path / "x")
    try:
        server.start(log=Path("/dev/full"))
        raising = start_once(server.socket, {"do": "raises", "error": "ValueError"})
        pid_of = start_once(server.socket, {"do": "pid"})
        assert [ask_once(server.socket, raising).status for _ in range(4)] == [500] * 4
        victim = min(server.workers())
        os.kill(victim, signal.SIGKILL)
        assert victim not in server.answering(pid_of, 2)
        assert server.stop() == 0
    finally:
        server.clean_up()
