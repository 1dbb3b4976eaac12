"""Daemons as real processes on a real Valkey: edits, refusals, takeovers, pauses, losses."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kong_app_auth.domain.records import CredentialState
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys
from kong_app_auth.registry.writer import Position, Writer, read_contents
from kong_app_auth.sync import leadership as leadership_module
from kong_app_auth.sync.contact import Contact
from kong_app_auth.sync.daemon import Daemon, Ending
from kong_app_auth.sync.declarative.document import parse
from kong_app_auth.sync.leadership import Leadership
from kong_app_auth.sync.metrics import SyncMetrics
from kong_app_auth.sync.watch import WatchedFile
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import RedisCluster, RedisServer

ROOT = Path(__file__).parents[3]
KEYS = Keys("eu")
PLAIN_KEY = "kaa_eu_ExampleKeyOnlyForTryingOut0000014B9O62"


def apps(count: int = 1, status: str = "active", note: str = "") -> str:
    """A file with `count` applications of one key each, beside one with a key in plain."""
    head = f"""\
_format_version: "1.0"  # {note}
region: eu
auth_strategies:
  - {{name: keys, strategy_type: key_auth}}
apis:
  - {{name: Weather API, version: v1, implementations: [{{service: {{id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}}}}]}}
portals:
  - name: Production
    default_auth_strategy: keys
    publications: [{{api: Weather API v1}}]
    teams: [{{name: all}}]
    applications:
      - {{name: plain, team: all, credentials: [{{name: k, key: {PLAIN_KEY}}}]}}
"""
    return head + "".join(
        f"      - {{name: app-{i}, team: all, registrations: [{{api: Weather API v1, status: approved}}],"
        f" credentials: [{{name: k, key_sha256: {i:064x}, status: {status}}}]}}\n"
        for i in range(1, count + 1)
    )


def wanted(text: str) -> Contents:
    read = parse(text.encode(), "apps.yaml", "eu")
    assert isinstance(read, Contents)
    return read


def save(path: Path, text: str) -> None:
    """Put the file in place in one step."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


class Region:
    """A Valkey, an apps.yaml and the daemons that were started."""

    def __init__(self, server: RedisServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.file = directory / "apps.yaml"
        self.client = server.client()
        self.started: list[Running] = []

    def start(self, name: str = "a", *, file: Path | None = None, metrics: str | None = None) -> "Running":
        running = Running(self, name, file or self.file, metrics)
        self.started.append(running)
        return running

    def contents(self) -> Contents | None:
        found = read_contents(self.client, KEYS)
        return None if found is None else found[1]

    def becomes(self, text: str) -> None:
        expected = wanted(text)
        wait_until(lambda: self.contents() == expected, "the registry is what the file says")

    def position(self) -> Position:
        found = read_contents(self.client, KEYS)
        assert found is not None
        return found[0]

    def close(self) -> None:
        for running in self.started:
            end(running.process)
        self.client.close()


class Running:
    def __init__(self, region: Region, name: str, file: Path, metrics: str | None) -> None:
        self.log = region.directory / f"{name}.log"
        command = [sys.executable, Path(__file__).with_name("sync_process.py"), region.server.url, "eu", file]
        self.process = start(
            [*command, *([metrics] if metrics else [])],
            self.log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def events(self) -> list[dict[str, object]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        read = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                read.append(json.loads(line))
        return read

    def said(self, event: str) -> list[dict[str, object]]:
        return [one for one in self.events() if str(one["event"]).startswith(event)]

    def says(self, event: str) -> dict[str, object]:
        return wait_until(lambda: self.said(event), f"{event!r} is in {self.log}")[-1]


@pytest.fixture
def region(valkey: RedisServer, tmp_path: Path) -> Iterator[Region]:
    made = Region(valkey, tmp_path)
    try:
        yield made
    finally:
        made.close()


def heartbeats(region: Region) -> Callable[[], bool]:
    """A condition that holds once two more entries are in the stream."""
    before = region.client.xinfo_stream(KEYS.changes)["entries-added"]
    return lambda: region.client.xinfo_stream(KEYS.changes)["entries-added"] >= before + 2


def test_an_edit_reaches_the_registry_in_the_same_epoch(region: Region) -> None:
    save(region.file, apps(2))
    daemon = region.start()
    region.becomes(apps(2))
    first = region.position()
    save(region.file, apps(2, "revoked"))
    region.becomes(apps(2, "revoked"))
    assert region.position().epoch == first.epoch
    contents = region.contents()
    assert contents is not None
    assert contents.credentials[(1).to_bytes(32, "big")].state is CredentialState.REVOKED
    written = wait_until(lambda: (found := daemon.said("registry written"))[1:] and found)[-1]
    assert (written["changes"], written["seq"], written["new_epoch"]) == (2, region.position().seq, False)


def test_a_broken_edit_is_refused_and_a_good_one_after_it_taken(region: Region) -> None:
    save(region.file, apps(2))
    daemon = region.start()
    region.becomes(apps(2))
    before = region.position()
    save(region.file, apps(3).replace("name: app-2,", "nam: app-2,"))
    refused = daemon.says("source refused as a whole")
    assert (refused["complaints"], refused["stays_in_force"]) == (2, "the last good state")
    complaint = daemon.said("source refused")[0]
    assert (complaint["file"], complaint["line"], complaint["path"]) == (
        str(region.file),
        15,
        "portals[0].applications[2]",
    )
    wait_until(heartbeats(region))
    assert region.position() == before
    save(region.file, apps(4))
    region.becomes(apps(4))


def test_a_daemon_that_starts_with_a_broken_file_keeps_what_is_there_and_gateways_in_touch(region: Region) -> None:
    save(region.file, apps(2))
    first = region.start("first")
    region.becomes(apps(2))
    end(first.process, signal.SIGTERM)
    save(region.file, "region: eu\n")
    before = region.position()
    second = region.start("second")
    assert second.says("source refused as a whole")["stays_in_force"] == "what is in the registry"
    second.says("leading")
    wait_until(heartbeats(region))
    assert region.position() == before
    save(region.file, apps(3))
    region.becomes(apps(3))
    assert region.position().epoch == before.epoch


def test_a_daemon_without_a_good_file_writes_nothing_into_an_empty_registry(region: Region) -> None:
    daemon = region.start()
    daemon.says("apps file cannot be read")
    daemon.says("the registry is empty and there is no good source")
    assert region.client.keys("*") == [KEYS.lease.encode()]
    save(region.file, apps(1))
    region.becomes(apps(1))


def test_a_file_that_goes_away_stays_in_force(region: Region) -> None:
    save(region.file, apps(2))
    daemon = region.start()
    region.becomes(apps(2))
    before = region.position()
    region.file.unlink()
    daemon.says("apps file cannot be read")
    wait_until(heartbeats(region))
    assert region.position() == before
    assert len(daemon.said("apps file cannot be read")) == 1


def test_when_the_one_that_writes_is_killed_the_other_takes_over(region: Region) -> None:
    save(region.file, apps(1))
    first = region.start("first")
    first.says("leading")
    second = region.start("second")
    second.says("standing by")
    region.becomes(apps(1))
    first.process.kill()
    second.says("leading")
    save(region.file, apps(2))
    region.becomes(apps(2))
    assert len(second.said("standing by")) == 1


def test_when_the_one_that_writes_is_stopped_the_lease_is_free_at_once(region: Region) -> None:
    save(region.file, apps(1))
    daemon = region.start()
    region.becomes(apps(1))
    end(daemon.process, signal.SIGTERM)
    assert daemon.process.returncode == 0
    assert region.client.get(KEYS.lease) is None
    assert daemon.said("sync daemon ends")


def test_a_paused_daemon_that_wakes_up_cannot_write(region: Region) -> None:
    """Each has its own file, so that a write of the wrong one would show."""
    files = {name: region.directory / f"{name}.yaml" for name in ("first", "second")}
    save(files["first"], apps(1))
    save(files["second"], apps(2))
    first = region.start("first", file=files["first"])
    region.becomes(apps(1))
    second = region.start("second", file=files["second"])
    second.says("standing by")
    first.process.send_signal(signal.SIGSTOP)
    second.says("leading")
    region.becomes(apps(2))
    save(files["first"], apps(3))
    first.process.send_signal(signal.SIGCONT)
    first.says("writing was refused")
    first.says("standing by")
    wait_until(lambda: len(first.said("source accepted")) == 2)
    wait_until(heartbeats(region))
    assert region.contents() == wanted(apps(2))
    assert not second.said("writing was refused")


def test_a_daemon_paused_in_the_middle_of_a_load_leaves_the_other_to_do_it_whole(region: Region) -> None:
    files = {name: region.directory / f"{name}.yaml" for name in ("first", "second")}
    save(files["first"], apps(6000))
    save(files["second"], apps(2000, "revoked"))
    first = region.start("first", file=files["first"])
    wait_until(lambda: region.client.hget(KEYS.meta, "seq"), "the load has begun")
    first.process.send_signal(signal.SIGSTOP)
    region.start("second", file=files["second"]).says("registry written")
    first.process.send_signal(signal.SIGCONT)
    first.says("writing was refused")
    first.says("standing by")
    assert region.contents() == wanted(apps(2000, "revoked"))


def test_a_flushed_registry_is_built_again_in_a_new_epoch(region: Region) -> None:
    save(region.file, apps(2))
    region.start()
    region.becomes(apps(2))
    before = region.position()
    save(region.file, "broken: [")  # the last good state is what counts
    region.server.flush()
    region.becomes(apps(2))
    assert region.position().epoch != before.epoch


def test_a_server_that_is_away_is_waited_for(region: Region) -> None:
    save(region.file, apps(2))
    daemon = region.start()
    region.becomes(apps(2))
    region.server.kill()
    daemon.says("redis is away")
    save(region.file, apps(3))
    wait_until(lambda: len(daemon.said("source accepted")) == 2)
    region.server.restart()
    daemon.says("redis is back")
    region.becomes(apps(3))
    assert len(daemon.said("redis is away")) == 1


def test_a_registry_of_a_newer_version_is_left_alone(region: Region) -> None:
    save(region.file, apps(2))
    end_first = region.start("first")
    region.becomes(apps(2))
    end(end_first.process, signal.SIGTERM)
    region.client.hset(KEYS.meta, "schema", "99")
    before = region.client.hgetall(KEYS.meta)
    save(region.file, apps(3))
    second = region.start("second")
    assert second.process.wait(20) == 1
    assert second.said("the registry was written by a newer version")
    assert region.client.hgetall(KEYS.meta) == before


def test_metrics_are_served_where_they_are_asked_for(region: Region) -> None:
    save(region.file, apps(2))
    address = f"127.0.0.1:{free_port()}"
    daemon = region.start(metrics=address)
    daemon.says("registry written")
    save(region.file, "broken: [")
    daemon.says("source refused as a whole")
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        values = dict(line.split(" ") for line in answer.read().decode().splitlines() if not line.startswith("#"))
    assert float(values["app_auth_sync_leader"]) == 1
    assert float(values["app_auth_sync_redis_up"]) == 1
    assert float(values["app_auth_sync_registry_seq"]) == region.position().seq
    assert float(values["app_auth_sync_changes_total"]) == 9
    assert float(values["app_auth_sync_refused_edits_total"]) == 1
    assert float(values["app_auth_sync_source_good"]) == 0
    assert float(values["app_auth_sync_last_success_timestamp_seconds"]) > 0


def test_no_log_holds_a_key_or_a_digest(region: Region) -> None:
    save(region.file, apps(2).replace("name: app-2", f"nam: {PLAIN_KEY}"))
    daemon = region.start()
    daemon.says("source refused as a whole")
    save(region.file, apps(2))
    daemon.says("registry written")
    region.server.kill()
    daemon.says("redis is away")
    text = daemon.log.read_text()
    assert PLAIN_KEY not in text
    assert f"{1:064x}" not in text


def test_an_address_that_is_taken_is_a_wrong_setting(region: Region) -> None:
    daemon = region.start(metrics=f"127.0.0.1:{region.server.port}")
    assert daemon.process.wait(20) == 2
    assert daemon.said("metrics cannot be served")


def test_a_long_write_keeps_the_heartbeats_going(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(region.server.url)
    try:
        metrics = SyncMetrics()
        leading = Leadership(Writer(client, "eu"), Contact(metrics), metrics)
        assert leading.acquire()
        assert isinstance(leading.begin_epoch(), Position)
        assert isinstance(leading.complete(), Position)
        monkeypatch.setattr(leadership_module, "BEAT_EVERY", 0.0)
        leading.beat_if_due()
        wait_until(lambda: leading.beat_if_due() or region.client.xlen(KEYS.changes) >= 2)
        before = region.client.xlen(KEYS.changes)
        assert isinstance(leading.write([]), Position)
        assert region.client.xlen(KEYS.changes) == before + 2  # a heartbeat and the batch
    finally:
        client.close()


def test_a_cluster_holds_a_region_too(redis_cluster: RedisCluster, tmp_path: Path) -> None:
    file = tmp_path / "apps.yaml"
    save(file, apps(2))
    client = connect(redis_cluster.url)
    stop = threading.Event()
    daemon = Daemon(lambda: connect(redis_cluster.url), WatchedFile(file, "eu"), "eu", SyncMetrics())

    def holds(text: str) -> bool:
        found = read_contents(client, KEYS)
        return found is not None and found[1] == wanted(text)

    with contextlib.closing(client), ThreadPoolExecutor(1) as pool:
        running = pool.submit(daemon.run, stop)
        try:
            wait_until(lambda: holds(apps(2)))
            save(file, apps(3))
            wait_until(lambda: holds(apps(3)))
        finally:
            stop.set()
        assert running.result() is Ending.STOPPED


def test_a_wrong_url_ends_the_process_before_it_begins_and_shows_no_password() -> None:
    answer = subprocess.run(
        [sys.executable, Path(__file__).with_name("sync_process.py"), "redis://u:secret@h:1:2", "eu", "f"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert answer.returncode == 2
    assert "wrong setting" in answer.stdout
    assert "secret" not in answer.stdout + answer.stderr
