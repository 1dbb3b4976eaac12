"""SIGHUP brings in new code and new settings and loses no request; SIGTERM finishes what is in hand."""

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin_server.wire.frames import frame
from plugin_server.wire.values import to_struct
from tests.kong_side.client import KongConnection, Outcome, ServerClosedError, ask_once, event_call, start_once
from tests.kong_side.server import PluginServer, is_alive, plugin_server, worker_of
from tests.servers.process import PATIENCE, free_port, wait_until

GET_HEADERS = "kong.request.get_headers"
SET_HEADERS = "kong.service.request.set_headers"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PluginServer]:
    with plugin_server(tmp_path / "x", metrics_address=f"127.0.0.1:{free_port()}") as server:
        yield server


class Load:
    """Clients that send events on kept connections, each checked, until told to stop."""

    def __init__(self, server: PluginServer, instance: int, clients: int) -> None:
        self._server = server
        self._instance = instance
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.versions: Counter[str] = Counter()
        self.per_client = [0] * clients
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]

    def _run(self, client: int) -> None:
        count = 0
        try:
            with KongConnection(self._server.socket) as kong:
                while not self._stop.is_set():
                    marker = f"{client}-{count}"
                    answer = to_struct({"marker": marker, "host": "example"}).SerializeToString()
                    outcome = kong.event(self._instance, {GET_HEADERS: answer})
                    sent = outcome.struct(SET_HEADERS)
                    assert (outcome.status, sent["marker"], len(outcome.calls)) == (200, marker, 4)
                    self.versions[str(sent["x-version"])] += 1
                    count += 1
                    self.per_client[client] = count
        except (OSError, ServerClosedError, AssertionError) as error:
            self.failures.append(f"client {client} after {count} events: {error!r}")

    def goes_on(self) -> None:
        """Wait until every client has had some answers more."""
        before = list(self.per_client)
        wait_until(
            lambda: self.failures or all(now > then + 3 for now, then in zip(self.per_client, before, strict=True)),
            "every client is answered",
        )
        assert self.failures == []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def rewrite(server: PluginServer, version: str) -> None:
    source = server.plugins / "probe.py"
    text = source.read_text()
    begin = text.index('VERSION = "')
    source.write_text(text[:begin] + f'VERSION = "{version}"' + text[text.index("\n", begin) :])


@contextmanager
def in_thread(work: Callable[[], Outcome]) -> Generator[list[Outcome | Exception]]:
    """Run an event beside the test; its outcome is in the list afterwards."""
    outcomes: list[Outcome | Exception] = []

    def run() -> None:
        try:
            outcomes.append(work())
        except Exception as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcomes
    finally:
        thread.join(PATIENCE)


def status_of(outcomes: list[Outcome | Exception]) -> int:
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], Outcome), outcomes
    return outcomes[0].status


def test_reloads_under_load_lose_no_event_and_no_connection(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "allow"})
    before = server.workers()
    with Load(server, number, 8) as load:
        for version, workers in (("2", 3), ("3", 1), ("4", 2), ("5", 2)):
            rewrite(server, version)
            server.write_settings(workers=workers, environment={"PROBE_SETTING": f"setting {version}"})
            server.reload()
            wait_until(lambda: load.failures or load.versions[version], "a connection is served by new code")  # noqa: B023
            load.goes_on()
            wait_until(lambda: len(server.workers()) == workers, "the old workers are gone")  # noqa: B023
        load.goes_on()
    assert load.failures == []
    assert not before & server.workers()
    wait_until(lambda: len(server.zygotes()) == 1, "the old zygotes are gone")
    pid = start_once(server.socket, {"do": "pid"})
    assert ask_once(server.socket, pid).value("kong.response.set_header", "X-Setting") == "setting 5"
    assert server.metric('plugin_server_reloads_total{outcome="done"') == 4
    assert server.metric("plugin_server_worker_restarts_total") == 0
    wait_until(
        lambda: server.metric('plugin_server_events_total{outcome="finished"') == sum(load.per_client) + 1,
        "no count of the old workers is lost",
    )


def test_idle_connections_are_handed_over_with_what_kong_still_owes(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "owe", "calls": 5})
    with KongConnection(server.socket) as kong, KongConnection(server.socket) as idle:
        idle.event(number)
        sequence = kong.begin(number)
        for _ in range(5):  # the calls and the end, read; not a reply is written yet
            kong.receive_frame()
            kong.receive_frame()
        assert kong.receive_frame() == b""
        kong.receive_frame()
        kong.sock.sendall(b"\0\0\0\0" * 2 + b"\0\0")  # two replies and a half, then a reload, then the rest
        server.reload()
        wait_until(lambda: len(server.workers()) == 2, "the old workers are gone")
        kong.sock.sendall(b"\0\0" + b"\0\0\0\0" * 2)
        assert kong.event(number).status == 200
        assert idle.event(number).status == 200
        assert sequence


def test_a_frame_that_has_half_arrived_is_handed_over(server: PluginServer) -> None:
    with KongConnection(server.socket) as kong:
        number = kong.start_instance({"do": "deny"})
        half = frame(event_call(number))
        kong.sock.sendall(half[:7])
        server.reload()
        wait_until(lambda: len(server.workers()) == 2, "the old workers are gone")
        kong.sock.sendall(half[7:])
        assert kong.receive_frame() == b"kong.response.exit"


def test_an_event_in_hand_is_finished_by_the_worker_that_has_it(server: PluginServer, tmp_path: Path) -> None:
    started, until, done = tmp_path / "started", tmp_path / "until", tmp_path / "done"
    config = {"do": "sleep", "started": str(started), "until": str(until), "done": str(done), "call_after": True}
    number = start_once(server.socket, config)
    with KongConnection(server.socket) as kong, in_thread(lambda: kong.event(number)) as outcomes:
        wait_until(started.exists, "the plugin works")
        rewrite(server, "2")
        server.reload()
        assert not outcomes
        until.touch()
    assert status_of(outcomes) == 200
    assert done.exists()


def test_connections_opened_during_a_reload_are_served(server: PluginServer) -> None:
    number = start_once(server.socket, {"do": "deny"})
    stop = threading.Event()
    failures: list[str] = []
    answered = [0, 0, 0]

    def refused(client: int) -> None:
        try:
            while not stop.is_set():
                assert ask_once(server.socket, number).status == 401
                answered[client] += 1
        except (OSError, ServerClosedError, AssertionError) as error:
            failures.append(repr(error))

    clients = [threading.Thread(target=refused, args=(client,)) for client in range(3)]
    for client in clients:
        client.start()
    for _ in range(3):
        server.reload()
        before = list(answered)
        wait_until(lambda: failures or all(a > b + 20 for a, b in zip(answered, before, strict=True)), "refusals")  # noqa: B023
    stop.set()
    for client in clients:
        client.join(PATIENCE)
    assert failures == []


@pytest.mark.parametrize(
    "source",
    ["def", "raise RuntimeError('new code')", "x = 1", "import os; os._exit(1)", "import sys; sys.exit()"],
)
def test_broken_code_keeps_the_old(server: PluginServer, source: str) -> None:
    number = start_once(server.socket, {"do": "pid"})
    workers = server.workers()
    probe = server.plugins / "probe.py"
    good = probe.read_text()
    with KongConnection(server.socket) as kong:
        probe.write_text(source)
        server.reload("reload failed")
        assert worker_of(kong.event(number)) in workers
        assert server.workers() == workers
        wait_until(lambda: len(server.zygotes()) == 1, "the zygote that failed is gone")
        probe.write_text(good)
        rewrite(server, "2")
        server.reload()
        wait_until(lambda: kong.event(number).value("kong.response.set_header", "X-Version") == "2", "new code")


@pytest.mark.parametrize("settings", ["{", '{"plugin": "probe", "socket": "/tmp/x", "workers": 0}', None])
def test_broken_settings_keep_the_old(server: PluginServer, settings: str | None) -> None:
    number = start_once(server.socket, {"do": "pid"})
    workers = server.workers()
    if settings is None:
        server.settings_file.unlink()
    else:
        server.settings_file.write_text(settings)
    server.reload("reload refused")
    assert worker_of(ask_once(server.socket, number)) in workers
    assert server.workers() == workers
    assert server.metric('plugin_server_reloads_total{outcome="refused"') == 1


def test_a_reload_asked_for_during_a_reload_is_not_forgotten(server: PluginServer, tmp_path: Path) -> None:
    """The second one may bring what the first has already read past."""
    number = start_once(server.socket, {"do": "pid"})
    loading, go_on = tmp_path / "loading", tmp_path / "go-on"
    probe = server.plugins / "probe.py"
    good = probe.read_text()
    probe.write_text(
        f"import time\nfrom pathlib import Path\nPath({str(loading)!r}).touch()\n"
        f"while not Path({str(go_on)!r}).exists():\n    time.sleep(0.005)\n" + good.replace('"1"', '"2"', 1)
    )
    server.signal(signal.SIGHUP)
    wait_until(loading.exists, "the first loads")
    probe.write_text(good)
    rewrite(server, "3")
    server.write_settings(environment={"PROBE_SETTING": "third"})
    server.signal(signal.SIGHUP)
    go_on.touch()

    def newest() -> bool:
        outcome = ask_once(server.socket, number)
        return (
            outcome.value("kong.response.set_header", "X-Version"),
            outcome.value("kong.response.set_header", "X-Setting"),
        ) == ("3", "third")

    wait_until(newest, "what the second brought is in force")


def test_a_companion_that_is_slow_to_end_holds_no_request_up(tmp_path: Path) -> None:
    term, released = tmp_path / "term", tmp_path / "released"
    script = (
        "import os, signal, time, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(term)!r}).touch())\n"
        f"while not pathlib.Path({str(released)!r}).exists():\n"
        "    os.write(int(os.environ['PLUGIN_SERVER_WATCHDOG_FD']), b'x'); time.sleep(0.02)\n"
    )
    companion = {"name": "slow", "command": ["python3", "-c", script]}
    with plugin_server(tmp_path / "x", companions=[companion]) as server, KongConnection(server.socket) as kong:
        number = kong.start_instance({"do": "pid"})
        before = worker_of(kong.event(number))
        wait_until(lambda: len(server.pids()) == 5, "the companion runs")
        server.signal(signal.SIGHUP)
        wait_until(term.exists, "the companion is asked to end")
        wait_until(lambda: worker_of(kong.event(number)) != before, "a new worker answers")
        assert len(server.events("reload begins")) == 1
        assert not released.exists()
        assert not server.events("companion hangs and is replaced")
        # Four of the new generation and the supervisor; the old companion is there still, the new one is not.
        wait_until(lambda: len(server.pids()) == 5, "only the old companion runs")
        released.touch()


def test_sigterm_finishes_what_is_in_hand_and_leaves_nothing(server: PluginServer, tmp_path: Path) -> None:
    started, until = tmp_path / "started", tmp_path / "until"
    number = start_once(server.socket, {"do": "sleep", "started": str(started), "until": str(until)})
    pids = server.pids()
    with (
        KongConnection(server.socket) as idle,
        KongConnection(server.socket) as kong,
        in_thread(lambda: kong.event(number)) as outcomes,
    ):
        idle.event(start_once(server.socket))
        wait_until(started.exists, "the plugin works")
        server.signal(signal.SIGTERM)
        wait_until(lambda: not server.socket.exists(), "the socket is taken away")
        with pytest.raises(OSError), socket.socket(socket.AF_UNIX) as late:
            late.connect(str(server.socket))
        assert not outcomes
        until.touch()
    assert status_of(outcomes) == 200
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0
    assert not server.pids()
    assert not any(is_alive(pid) for pid in pids)
    assert not server.socket.exists()


def test_sigterm_during_a_reload_ends_promptly(server: PluginServer) -> None:
    for _ in range(3):
        server.signal(signal.SIGHUP)
        time.sleep(0)
    server.signal(signal.SIGTERM)
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0
    assert not server.pids()
    assert not server.events("worker hangs and is killed")


def test_sigterm_ends_a_server_whose_plugin_still_loads(tmp_path: Path) -> None:
    server = PluginServer(tmp_path / "x")
    loading = tmp_path / "loading"
    (server.plugins / "probe.py").write_text(
        f"import time\nfrom pathlib import Path\nPath({str(loading)!r}).touch()\ntime.sleep(600)\n"
    )
    try:
        server.launch()
        wait_until(loading.exists, "the plugin loads")
        assert server.stop() == 0
        assert not server.pids()
        assert not server.socket.exists()
    finally:
        server.clean_up()
