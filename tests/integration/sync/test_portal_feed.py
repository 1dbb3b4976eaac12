"""A real daemon between a portal and a real Valkey: changes, restarts, outages, and whatever a portal may send."""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.domain.records import CredentialState
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.feed import reading
from kong_app_auth.portal.feed.epoch import begin_new_epoch
from kong_app_auth.portal.feed.retention import prune
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.feed import VERSION, decode
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.writer import Position, read_contents
from tests.control_plane.live import served
from tests.control_plane.region import Region
from tests.control_plane.settings import FEED_TOKEN, REGION, Clock, control_plane, sqlite
from tests.servers.portal import portal, prepare
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[3]
KEYS = Keys(REGION)


class Daemon:
    """A daemon process, and the Valkey that it writes to."""

    def __init__(self, server: RedisServer, directory: Path, portal_url: str, name: str = "daemon") -> None:
        self.server = server
        self.log = directory / f"{name}.log"
        self.metrics_port = free_port()
        command = [sys.executable, Path(__file__).with_name("portal_process.py"), server.url, REGION, portal_url]
        self.process = start(
            [*command, FEED_TOKEN, f"127.0.0.1:{self.metrics_port}"],
            self.log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def registry(self) -> tuple[Position, Contents] | None:
        with self.server.client() as client:
            return read_contents(client, KEYS)

    def contents(self) -> Contents | None:
        found = self.registry()
        return None if found is None else found[1]

    def follows(self, plane: ControlPlane) -> None:
        """Wait until the registry is what is in the portal's tables."""
        _, changes = decode(b"".join(reading.snapshot(plane, REGION)).splitlines(), REGION)
        expected = Contents()
        expected.apply(changes)
        wait_until(lambda: self.contents() == expected, f"the registry is what the portal has: {self.log}")

    def last_entry(self) -> bytes:
        with self.server.client() as client:
            newest: Any = client.xrevrange(KEYS.changes, count=1)
            return newest[0][0] if newest else b""

    def beats(self) -> None:
        """Wait until two more heartbeats are in the stream."""
        for _ in range(2):
            before = self.last_entry()
            wait_until(lambda before=before: self.last_entry() != before, "a heartbeat")

    def metric(self, name: str) -> float:
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        (line,) = [line for line in text.splitlines() if line.startswith(name + " ")]
        return float(line.split()[1])

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        events: list[dict[str, Any]] = [
            json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")
        ]
        return [one for one in events if str(one["event"]).startswith(event)]

    def says(self, event: str) -> dict[str, Any]:
        return wait_until(lambda: self.said(event), f"{event!r} is in {self.log}")[-1]


@contextmanager
def daemon(server: RedisServer, directory: Path, portal_url: str, name: str = "daemon") -> Iterator[Daemon]:
    running = Daemon(server, directory, portal_url, name)
    try:
        yield running
    finally:
        end(running.process)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock) as made:
        yield made


@pytest.fixture
def region(plane: ControlPlane) -> Region:
    return Region(plane)


@pytest.fixture
def url(plane: ControlPlane) -> Iterator[str]:
    """A portal in a thread of the test."""
    with served(plane) as found:
        yield found


@pytest.fixture
def running(valkey: RedisServer, tmp_path: Path, url: str, region: Region) -> Iterator[Daemon]:
    with daemon(valkey, tmp_path, url) as made:
        made.follows(region.plane)
        yield made


def test_every_change_in_the_portal_is_soon_in_the_registry(running: Daemon, region: Region) -> None:
    epoch = running.registry()
    application, _ = region.application()
    running.follows(region.plane)
    region.change_registration(application, "rejected")
    running.follows(region.plane)
    region.change(Developer, region.developer, status="revoked")
    running.follows(region.plane)
    region.delete(Application, application)
    running.follows(region.plane)
    after = running.registry()
    assert epoch is not None
    assert after is not None
    assert after[0].epoch == epoch[0].epoch
    # Each was written as what it is, not as the whole.
    assert [one["changes"] for one in running.said("registry written")][1:] == [2, 1, 1, 2]
    assert running.metric("app_auth_sync_portal_up") == 1
    assert running.metric("app_auth_sync_portal_snapshots_total") == 1


def test_a_transaction_is_one_batch_in_the_registry(running: Daemon, region: Region) -> None:
    before = running.registry()
    region.application(keys=400)
    running.follows(region.plane)
    after = running.registry()
    assert before is not None
    assert after is not None
    assert after[0].seq == before[0].seq + 1


def test_a_transaction_of_more_than_a_batch_gets_there_too(running: Daemon, region: Region) -> None:
    application, _ = region.application(keys=1500)
    running.follows(region.plane)
    region.delete(Application, application)
    running.follows(region.plane)


def test_a_daemon_that_was_away_takes_what_it_missed_and_keeps_the_epoch(
    valkey: RedisServer, tmp_path: Path, url: str, region: Region
) -> None:
    with daemon(valkey, tmp_path, url, "first") as first:
        first.follows(region.plane)
        found = first.registry()
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(20) == 0
    region.application()
    with daemon(valkey, tmp_path, url, "second") as second:
        second.follows(region.plane)
        now = second.registry()
    assert found is not None
    assert now is not None
    assert now[0].epoch == found[0].epoch
    assert second.said("registry written")[-1]["changes"] == 2


def test_a_standby_takes_over_with_what_is_newest(running: Daemon, tmp_path: Path, url: str, region: Region) -> None:
    with daemon(running.server, tmp_path, url, "standby") as standby:
        standby.says("standing by")
        region.application()
        running.follows(region.plane)
        end(running.process)
        region.application()
        standby.follows(region.plane)


def test_a_new_epoch_and_what_is_too_old_lead_to_a_snapshot(running: Daemon, region: Region, clock: Clock) -> None:
    with region.write() as tx:
        begin_new_epoch(tx)
    running.says("portal cannot go on")
    region.application()
    running.follows(region.plane)
    assert running.metric("app_auth_sync_portal_snapshots_total") == 2

    running.process.send_signal(signal.SIGSTOP)
    region.application()
    clock.forward(timedelta(days=30))
    prune(region.plane)
    running.process.send_signal(signal.SIGCONT)
    running.follows(region.plane)


def test_while_the_portal_is_dead_or_hangs_heartbeats_go_on_and_nothing_is_lost(
    valkey: RedisServer, tmp_path: Path
) -> None:
    database = sqlite(tmp_path)
    prepare(database)
    with control_plane(database) as plane, portal(database, tmp_path) as real:
        region = Region(plane)
        with daemon(valkey, tmp_path, real.base) as running:
            running.follows(plane)
            before = running.contents()

            real.kill()
            problem = running.says("portal is away")["problem"]
            assert "connect" in problem
            assert running.metric("app_auth_sync_portal_up") == 0
            running.beats()
            assert running.contents() == before
            region.application()
            real.start()
            running.follows(plane)
            running.says("portal is back")
            assert running.metric("app_auth_sync_portal_up") == 1

            real.process.send_signal(signal.SIGSTOP)
            running.beats()
            running.beats()
            assert running.metric("app_auth_sync_portal_lag_seconds") > 2
            real.process.send_signal(signal.SIGCONT)
            region.application()
            running.follows(plane)
            assert FEED_TOKEN not in running.log.read_text()


def test_while_redis_is_away_changes_are_kept(running: Daemon, region: Region) -> None:
    running.server.kill()
    running.says("redis is away")
    for _ in range(3):
        region.application()
    running.server.restart()
    running.follows(region.plane)


def test_the_registry_is_put_right_when_it_was_flushed(running: Daemon, region: Region) -> None:
    region.application()
    running.follows(region.plane)
    running.server.flush()
    running.follows(region.plane)


def state(client: Any, key: str) -> int:
    return int(client.hget(KEYS.table(Table.CREDENTIALS), key)[0])


def test_a_key_is_refused_within_a_second_of_the_answer(running: Daemon, region: Region) -> None:
    """The portal's part of the way: from the commit to the registry. It is the median that is held here."""
    _, keys = region.application(keys=15)
    running.follows(region.plane)
    with region.plane.read(System(REGION)) as tx:
        found = {one.digest: one.id for one in tx.session.scalars(select(Credential))}
    taken = []
    with running.server.client() as client:
        for key in keys:
            region.change(Credential, found[key], status="revoked")
            begin = time.monotonic()
            wait_until(lambda key=key: state(client, key) == CredentialState.REVOKED)
            taken.append(time.monotonic() - begin)
    assert sorted(taken)[len(taken) // 2] < 1


class Answers(BaseHTTPRequestHandler):
    """A portal that answers what a test wants: `answers` holds status, headers and body by the end of the path."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rpartition("/")[2]
        self.asked.append((path, self.headers.get("Authorization", "")))
        status, headers, body = self.answers[path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def answering(**answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    handler = type("Handler", (Answers,), {"answers": answers, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


HEADER = {"version": VERSION, "region": REGION, "cursor": "ab-1"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((200, {}, b""), "no feed"),
        ((200, {}, b"<html>"), "no feed"),
        ((200, {}, lines(HEADER)), "cut off"),
        ((200, {}, lines({**HEADER, "region": "us"}, {"records": 0})), "another region"),
        ((200, {}, lines(HEADER, ["apis", "x", 1], {"records": 1})), "no record"),
        ((200, {}, b"{" + b"x" * 2_000_000), "too long"),
        ((200, {"Content-Encoding": "gzip"}, b"x"), "compressed"),
        ((200, {"Content-Length": "5000"}, lines(HEADER)), "cut off"),
        ((401, {}, b""), "status 401"),
        ((302, {"Location": "http://127.0.0.1:1/stolen"}, b""), "status 302"),
        ((500, {}, b"secret" * 100), "status 500"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_no_feed_changes_nothing(
    valkey: RedisServer, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], problem: str
) -> None:
    with answering(snapshot=answer) as (url, _), daemon(valkey, tmp_path, url) as running:
        assert problem in running.says("portal is away")["problem"]
        assert running.contents() is None
        assert running.process.poll() is None
        assert "secret" not in running.log.read_text()


def test_a_newer_portal_ends_the_daemon(valkey: RedisServer, tmp_path: Path) -> None:
    newer = (200, {}, lines({"version": VERSION + 1}))
    with answering(snapshot=newer) as (url, _), daemon(valkey, tmp_path, url) as running:
        assert running.process.wait(20) == 1
        assert running.said("the portal is of a newer version")


def test_a_portal_that_cannot_go_on_from_its_own_snapshots_is_not_asked_without_end(
    valkey: RedisServer, tmp_path: Path
) -> None:
    good = (200, {}, lines(HEADER, {"records": 0}))
    with answering(snapshot=good, changes=(410, {}, b"")) as (url, asked), daemon(valkey, tmp_path, url) as running:
        wait_until(lambda: len(asked) >= 8, "it was asked some times")
        assert asked[0] == ("snapshot", f"Bearer {FEED_TOKEN}")
        begin = len(asked)
        running.beats()
        assert len(asked) - begin < 8


def test_a_portal_that_takes_connections_and_says_nothing_stops_nothing(valkey: RedisServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with daemon(valkey, tmp_path, url) as running:
            running.says("the registry is empty")
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(20) == 0
