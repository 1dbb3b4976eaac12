"""Both drivers against a real plugin server, with a plugin that knows who may enter."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.driver import CompiledDriver, Driver, PythonDriver, Target, make_driver
from bench.kong import ALLOWED, Connection, Protocol, headers
from tests.servers.process import end, start, wait_until

ROOT = Path(__file__).parents[3]
LENGTH = 8
PLUGIN = """
class Plugin:
    def __init__(self, config):
        pass

    def access(self, kong):
        key = kong.request.get_headers(1000)["apikey"]
        if key.startswith("good"):
            kong.service.request.set_headers({"X-Who": key})
            kong.client.authenticate(None, {"id": key})
        elif key.startswith("evil"):
            return
        else:
            kong.response.exit(403, kong.nginx.get_var("kong_request_id"))
"""


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("s")
    (directory / "doorman.py").write_text(PLUGIN)
    path = directory / "s"
    settings = directory / "settings.json"
    settings.write_text(json.dumps({"plugin": "doorman", "socket": str(path), "workers": 1, "log_level": "error"}))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{directory}"}
    process = start([sys.executable, "-m", "plugin_server", settings], directory / "log", env=environment)
    try:
        wait_until(path.exists, "the plugin server is up")
        yield path
    finally:
        end(process, signal.SIGTERM)


@pytest.fixture(params=["compiled", "python"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    if request.param == "python":
        return PythonDriver()
    made = make_driver(tmp_path)
    if not isinstance(made, CompiledDriver):
        pytest.skip("there is no C compiler here")
    return made


def target(socket: Path, tmp_path: Path, *keys: str) -> Target:
    connection = Connection(socket, Protocol.PROTOBUF)
    instance = connection.start_instance("doorman", {})
    connection.close()
    file = tmp_path / "keys"
    file.write_text("".join(keys))
    return Target(socket, Protocol.PROTOBUF, instance, headers(Protocol.PROTOBUF, LENGTH), file, LENGTH)


@pytest.mark.parametrize("connections", [1, 5])
def test_each_answer_is_counted_as_what_it_is(socket: Path, tmp_path: Path, driver: Driver, connections: int) -> None:
    load = driver.run(target(socket, tmp_path, "good0001", "evil0001", "bad00001", "good0002"), connections, events=40)
    assert (load.events, load.allowed, load.unmarked, load.exits, load.lost) == (40, 20, 10, {"403": 10}, 0)


def test_a_run_of_some_time_is_marked_at_both_its_ends(socket: Path, tmp_path: Path, driver: Driver) -> None:
    marks: list[None] = []
    load = driver.run(target(socket, tmp_path, "good0001"), 2, seconds=0.2, mark=lambda: marks.append(None))
    assert len(marks) == 2
    assert load.allowed == load.events > 0
    assert 0 < load.p50_us <= load.p99_us


def test_the_probing_connection_tells_let_in_from_refused(socket: Path, tmp_path: Path) -> None:
    aim = target(socket, tmp_path, "good0001")
    body, at = aim.headers.body, aim.headers.key_at
    connection = Connection(socket, Protocol.PROTOBUF)
    asked = [body[:at] + key + body[at + LENGTH :] for key in (b"good0001", b"bad00001", b"good0001")]
    assert [connection.event(aim.instance, one) for one in asked] == [ALLOWED, 403, ALLOWED]
    connection.close()
