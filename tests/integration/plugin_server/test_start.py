"""Starting: the command line, the settings, and who owns the socket."""

import grp
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.kong_side.client import ask_once, start_once
from tests.kong_side.server import PLUGINS, PluginServer, plugin_server
from tests.servers.process import PATIENCE, free_port, wait_until


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[PluginServer]:
    server = PluginServer(tmp_path / "x")
    try:
        yield server
    finally:
        server.clean_up()


def exit_of(server: PluginServer, **settings: Any) -> tuple[int, str]:
    """Start a server that must not start; give its exit code and its one plain line."""
    server.settings.update(settings)
    before = len(server.log())
    code = server.launch().wait(PATIENCE)
    plain = [line for line in server.log()[before:].splitlines() if not line.startswith("{")]
    assert len(plain) == 1, plain
    return code, plain[0]


# The command line


def run(*arguments: str, path: Path = PLUGINS) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "plugin_server", *arguments],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


def test_dump_prints_what_kong_asks_for() -> None:
    done = run("--dump", "probe")
    assert (done.returncode, done.stderr) == (0, b"")
    assert msgspec.json.decode(done.stdout) == {
        "Protocol": "ProtoBuf:1",
        "Plugins": [
            {
                "Name": "probe",
                "Phases": ["access"],
                "Version": "1.2.3",
                "Priority": 960,
                "Schema": {
                    "name": "probe",
                    "fields": [
                        {
                            "config": {
                                "type": "record",
                                "fields": [
                                    {
                                        "do": {
                                            "type": "string",
                                            "default": "nothing",
                                            "description": "What an event does.",
                                        }
                                    }
                                ],
                            }
                        }
                    ],
                },
            }
        ],
    }


BROKEN_PLUGINS = {
    "raises": "raise RuntimeError('at import')",
    "exits": "import sys; sys.exit(0)",
    "odd_name": "name = 5\nclass Plugin:\n    def access(self, kong): pass",
}


def test_dump_of_what_is_no_plugin_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for name, source in BROKEN_PLUGINS.items():
        (tmp_path / f"{name}.py").write_text(source)
        done = run("--dump", name, path=tmp_path)
        assert (done.returncode, done.stdout) == (2, b"")
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(b"usage: ")
    assert len(done.stderr.splitlines()) == 1


# Settings

# What a process finds wrong; the checks of values are unit tests.
WRONG_SETTINGS: list[dict[str, Any]] = [
    {"workers": 0},
    {"log_level": "loud"},
    {"socket_group": "no-such-group-here"},
    {"socket": "/proc/no/such/place.sock"},
    {"metrics_address": "nonsense"},
    {"metrics_address": "127.0.0.1:70000"},
    {"wokers": 3},
]


@pytest.mark.parametrize("wrong", WRONG_SETTINGS, ids=lambda wrong: str(wrong)[:50])
def test_wrong_settings_are_one_line_and_exit_code_2(unstarted: PluginServer, wrong: dict[str, Any]) -> None:
    code, line = exit_of(unstarted, **wrong)
    assert code == 2
    assert "Traceback" not in line
    assert "None" not in line
    wait_until(lambda: not unstarted.pids(), "nothing of it remains")


def test_a_settings_file_that_cannot_be_read_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for text in (b"{", b'{"plugin": "\xff"}'):
        (tmp_path / "settings.json").write_bytes(text)
        done = run(str(tmp_path / "settings.json"))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert run(str(tmp_path / "none")).returncode == 2


@pytest.mark.parametrize("broken", [*BROKEN_PLUGINS, "no_such_plugin"])
def test_a_plugin_that_cannot_be_loaded_is_one_line_and_exit_code_2(unstarted: PluginServer, broken: str) -> None:
    if broken in BROKEN_PLUGINS:
        (unstarted.plugins / f"{broken}.py").write_text(BROKEN_PLUGINS[broken])
    code, line = exit_of(unstarted, plugin=broken)
    assert code == 2
    assert "Traceback" not in line
    assert not unstarted.socket.exists()
    wait_until(lambda: not unstarted.pids(), "nothing of it remains")


# The socket


def test_a_second_server_on_a_live_socket_is_refused_and_does_the_first_no_harm(unstarted: PluginServer) -> None:
    unstarted.start()
    first = unstarted.process
    code, line = exit_of(unstarted)
    assert (code, line) == (2, f"another server is running on {unstarted.socket}")
    unstarted.process = first
    assert ask_once(unstarted.socket, start_once(unstarted.socket)).status == 200


def test_a_socket_that_a_stranger_listens_on_is_refused(unstarted: PluginServer) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(unstarted.socket))
        stranger.listen()
        code, line = exit_of(unstarted)
    assert (code, line) == (2, f"another server answers on {unstarted.socket}")
    assert unstarted.socket.exists()


def test_a_stale_socket_is_taken_over(unstarted: PluginServer) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(unstarted.socket))
    unstarted.start()
    assert ask_once(unstarted.socket, start_once(unstarted.socket)).status == 200


def test_a_file_in_the_place_of_the_socket_is_left_alone(unstarted: PluginServer) -> None:
    unstarted.socket.write_text("precious")
    code, line = exit_of(unstarted)
    assert code == 2
    assert str(unstarted.socket) in line
    assert unstarted.socket.read_text() == "precious"


def test_a_directory_in_the_place_of_the_socket_is_left_alone(unstarted: PluginServer) -> None:
    unstarted.socket.mkdir()
    assert exit_of(unstarted)[0] == 2
    assert unstarted.socket.is_dir()


def test_the_longest_path_that_the_system_allows(unstarted: PluginServer) -> None:
    unstarted.socket = unstarted.directory / ("s" * (107 - len(str(unstarted.directory)) - 1))
    assert len(str(unstarted.socket)) == 107
    unstarted.settings["socket"] = str(unstarted.socket)
    unstarted.start()


def test_mode_and_group_of_the_socket(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgroups()[-1] if os.getgroups() else os.getgid())
    with plugin_server(tmp_path / "x", socket_mode=0o600, socket_group=group.gr_name) as server:
        found = server.socket.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, group.gr_gid)
        assert sorted(entry.name for entry in server.directory.iterdir()) == [
            "log",
            "plugins",
            "s.sock",
            "s.sock.instances",
            "s.sock.lock",
            "settings.json",
        ]


def test_instances_survive_a_restart_and_numbers_are_not_given_twice(unstarted: PluginServer) -> None:
    unstarted.start()
    old = start_once(unstarted.socket, {"do": "deny"})
    assert unstarted.stop() == 0
    unstarted.start()
    assert ask_once(unstarted.socket, old).status == 401
    assert start_once(unstarted.socket) > old


def test_an_instance_database_that_cannot_be_read_is_made_anew(unstarted: PluginServer) -> None:
    database = Path(f"{unstarted.socket}.instances")
    database.write_bytes(os.urandom(9000))
    unstarted.start()
    assert ask_once(unstarted.socket, start_once(unstarted.socket)).status == 200


def test_an_instance_database_that_cannot_be_had_is_one_line_and_exit_code_2(unstarted: PluginServer) -> None:
    Path(f"{unstarted.socket}.instances").mkdir()
    code, line = exit_of(unstarted)
    assert code == 2
    assert "instance database" in line


# What the outside is told


def test_ready_and_metrics(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with plugin_server(tmp_path / "x", metrics_address=address) as server:
        number = start_once(server.socket, {"do": "deny"})
        wait_until(lambda: server.http("/ready") == (200, '{"ready":true,"waiting_for":null}'), "it is ready")
        for _ in range(3):
            assert ask_once(server.socket, number).status == 401
        wait_until(lambda: server.metric('plugin_server_events_total{outcome="exit"') == 3, "all are counted")
        assert server.metric('plugin_server_events_total{phase="access"') == 3
        assert server.metric("plugin_server_events_seconds_total") > 0
        assert server.metric("plugin_server_workers") == 2
        assert server.metric("plugin_server_ready") == 1
        assert server.http("/other")[0] == 404


def test_the_metrics_address_may_be_of_ipv6(tmp_path: Path) -> None:
    with plugin_server(tmp_path / "x", metrics_address=f"[::1]:{free_port()}") as server:
        server.settings["metrics_address"] = str(server.settings["metrics_address"]).replace("[::1]", "::1")
        assert server.http("/other")[0] == 404


def test_a_plugin_that_waits_for_something_is_not_ready_and_serves(tmp_path: Path) -> None:
    server = PluginServer(tmp_path / "x", metrics_address=f"127.0.0.1:{free_port()}", workers=1)
    source = server.plugins / "probe.py"
    waiting = tmp_path / "waiting"
    waiting.touch()
    source.write_text(
        source.read_text() + f"\n\ndef ready():\n    return 'a file' if Path({str(waiting)!r}).exists() else None\n"
    )
    try:
        server.start()
        wait_until(lambda: server.http("/ready") == (503, '{"ready":false,"waiting_for":"a file"}'), "it waits")
        assert ask_once(server.socket, start_once(server.socket)).status == 200
        waiting.unlink()
        wait_until(lambda: server.http("/ready")[0] == 200, "it is ready")
    finally:
        server.clean_up()


@pytest.mark.parametrize(
    ("body", "told"),
    [("return True", "its ready() gave True"), ("raise OSError('no file')", "its ready() raised OSError")],
)
def test_a_ready_function_that_is_wrong_costs_no_worker(tmp_path: Path, body: str, told: str) -> None:
    server = PluginServer(tmp_path / "x", metrics_address=f"127.0.0.1:{free_port()}")
    source = server.plugins / "probe.py"
    source.write_text(source.read_text() + f"\n\ndef ready():\n    {body}\n")
    try:
        server.start()
        wait_until(lambda: told in server.http("/ready")[1], "it tells what is wrong")
        assert server.http("/ready")[0] == 503
        assert ask_once(server.socket, start_once(server.socket)).status == 200
        assert not server.events("worker ended and is replaced")
    finally:
        server.clean_up()


@pytest.mark.parametrize("count", ["COUNTER.inc(401)", "[COUNTER.inc('x' * 100 + str(n)) for n in range(2000)]"])
def test_counts_that_cannot_be_told_cost_neither_worker_nor_server(tmp_path: Path, count: str) -> None:
    server = PluginServer(tmp_path / "x")
    source = server.plugins / "probe.py"
    source.write_text(
        source.read_text() + "\n\nfrom plugin_server.metrics import Counter\n"
        f"COUNTER = Counter('probe_total', 'Of a test.', ('status',))\n{count}\n"
    )
    try:
        server.start()
        wait_until(lambda: len(server.events("message cannot be read")) > 3, "it tells so")
        assert ask_once(server.socket, start_once(server.socket)).status == 200
        assert not server.events("worker ended and is replaced")
    finally:
        server.clean_up()
