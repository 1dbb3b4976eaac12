"""The feed of real portals: long polls, several processes, kills in the middle of commits, a million records."""

import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import insert

from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.feed import BadFeed, decode
from tests.control_plane.region import Region
from tests.control_plane.settings import FEED_TOKEN, REGION, control_plane
from tests.servers.portal import Portal, portal, prepare
from tests.servers.process import end, start, wait_until

ROOT = Path(__file__).parents[3]


class Follower:
    """Follows a portal's feed over HTTP as a daemon does, and notes every cursor."""

    def __init__(self, running: Portal) -> None:
        self.running = running
        answer = running.feed("snapshot")
        assert answer.status_code == 200, answer.text
        header, changes = decode(answer.content.splitlines(), REGION)
        self.cursor = header.cursor
        self.contents = Contents()
        self.contents.apply(changes)

    def step(self, wait: float = 0.0) -> int:
        """Take what is new; give how many changes."""
        answer = self.running.feed("changes", params={"after": self.cursor, "wait": wait})
        assert answer.status_code == 200, answer.text
        header, changes = decode(answer.content.splitlines(), REGION)
        found = list(changes)
        self.contents.apply(found)
        self.cursor = header.cursor
        return len(found)

    def seq(self) -> int:
        return int(self.cursor.rpartition("-")[2])


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Portal]:
    with portal(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal for questions that change nothing."""
    directory = tmp_path_factory.mktemp("portal")
    url = f"sqlite:///{directory / 'portal.db'}"
    prepare(url)
    with portal(url, directory) as made:
        yield made


def test_a_change_of_another_process_ends_a_wait(database_url: str, tmp_path: Path) -> None:
    with portal(database_url, tmp_path) as running, control_plane(database_url) as plane:
        region = Region(plane)
        follower = Follower(running)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(follower.step, 25.0)
            wait_until(lambda: waited_for(running) == 1, "it waits")
            region.application()
            begin = time.monotonic()
            assert waiting.result() == 2
            assert time.monotonic() - begin < 10  # and not only when the wait is over
        assert follower.contents == Follower(running).contents


def waited_for(running: Portal) -> int:
    text = requests.get(
        f"{running.base}/internal/v1/metrics", headers={"Authorization": f"Bearer {FEED_TOKEN}"}, timeout=10
    ).text
    (line,) = [line for line in text.splitlines() if line.startswith("app_auth_portal_feed_waiting ")]
    return int(float(line.split()[1]))


def open_files(running: Portal) -> list[str]:
    """What the process has open; what is closed while we look is none of it."""
    found: list[str] = []
    for file in Path(f"/proc/{running.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(file.readlink()))
    return found


def test_many_may_wait_and_hold_neither_threads_nor_connections(running: Portal, sqlite_url: str) -> None:
    with ThreadPoolExecutor(60) as pool, control_plane(sqlite_url) as plane:
        region = Region(plane)
        asked = {"after": Follower(running).cursor, "wait": 25}
        waiting = [pool.submit(running.feed, "changes", params=asked) for _ in range(60)]
        wait_until(lambda: waited_for(running) == 60, "all wait")
        assert sum(file.endswith("portal.db") for file in open_files(running)) < 30
        region.application()  # one transaction: an answer holds all of it, or would have come before it
        answers = {one.result().content for one in waiting}
        assert len(answers) == 1
        assert all(one.result().status_code == 200 for one in waiting)


def test_one_that_goes_away_is_not_waited_for(running: Portal) -> None:
    follower = Follower(running)
    with pytest.raises(requests.Timeout):
        running.feed("changes", params={"after": follower.cursor, "wait": 25}, timeout=0.5)
    wait_until(lambda: waited_for(running) == 0, "nobody waits any more")


def test_too_many_waiters_are_told_to_come_back(running: Portal) -> None:
    asked = {"after": Follower(running).cursor, "wait": 25}
    with ThreadPoolExecutor(64) as pool:
        for _ in range(64):
            pool.submit(running.feed, "changes", params=asked)
        wait_until(lambda: waited_for(running) == 64, "all wait")
        answer = running.feed("changes", params=asked)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        running.process.send_signal(signal.SIGTERM)


def test_a_signal_ends_waits_with_an_answer(running: Portal) -> None:
    follower = Follower(running)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(follower.step, 25.0)
        wait_until(lambda: waited_for(running) == 1, "it waits")
        running.process.send_signal(signal.SIGTERM)
        assert waiting.result() == 0
    assert running.process.wait(20) == 0


@pytest.mark.parametrize("token", ["", "wrong", FEED_TOKEN + "-us", "ü" * 20])
@pytest.mark.parametrize("path", ["snapshot", "changes?after=ab-0"])
def test_without_the_token_of_the_region_there_is_nothing(idle: Portal, token: str, path: str) -> None:
    answer = idle.feed(path, token=token.encode().decode("latin-1"))
    assert answer.status_code == 401
    assert answer.json()["status"] == 401


@pytest.mark.parametrize(
    "query", ["", "?after=" + "a" * 65, "?after=ab-0&wait=26", "?after=ab-0&wait=-1", "?after=a-0&wait=x"]
)
def test_wrong_parameters_are_a_problem(idle: Portal, query: str) -> None:
    assert idle.feed(f"changes{query}").status_code == 400


@pytest.mark.parametrize("after", ["none", "ab-0", "ab-99999999999999999999"])
def test_a_cursor_that_cannot_be_followed_is_gone(idle: Portal, after: str) -> None:
    Follower(idle)
    answer = idle.feed("changes", params={"after": after, "wait": 25})
    assert answer.status_code == 410
    assert answer.headers["content-type"] == "application/problem+json"


def test_two_portals_that_write_at_once_leave_no_gap_and_lose_nothing(postgres_url: str, tmp_path: Path) -> None:
    with control_plane(postgres_url) as plane:
        region = Region(plane)
        with portal(postgres_url, tmp_path, "a") as one, portal(postgres_url, tmp_path, "b") as other:
            followers = [Follower(one), Follower(other)]
            writers = [write(postgres_url, region, tmp_path / f"writer{n}.log") for n in range(2)]
            try:
                begin = followers[0].seq()
                while followers[0].seq() < begin + 60:
                    for follower in followers:
                        follower.step(5.0)
            finally:
                for writer in writers:
                    end(writer)
            for follower in followers:
                while follower.step():
                    pass
                assert follower.contents == Follower(one).contents


def write(url: str, region: Region, log: Path):  # type: ignore[no-untyped-def]
    command = [sys.executable, Path(__file__).with_name("writing_portal.py"), url]
    return start(
        [*command, region.portal, region.api, region.strategy, region.developer],
        log,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_killed_in_the_middle_of_commits_the_feed_is_what_is_in_the_tables(database_url: str, tmp_path: Path) -> None:
    with control_plane(database_url) as plane, portal(database_url, tmp_path) as running:
        region = Region(plane)
        follower = Follower(running)
        for attempt in range(2):
            log = tmp_path / f"writer{attempt}.log"
            writer = write(database_url, region, log)
            try:
                before = follower.seq()
                while follower.seq() < before + 5 + attempt:
                    follower.step(5.0)
            finally:
                end(writer)
            while follower.step():
                pass
            assert follower.contents == Follower(running).contents


def test_a_portal_that_is_killed_loses_no_cursor(sqlite_url: str, running: Portal) -> None:
    with control_plane(sqlite_url) as plane:
        region = Region(plane)
        follower = Follower(running)
        region.application()
        running.kill()
        region.application()
        running.start()
        assert follower.step() == 4


def test_a_snapshot_is_of_one_moment(database_url: str, tmp_path: Path) -> None:
    with control_plane(database_url) as plane, portal(database_url, tmp_path) as running:
        region = Region(plane)
        for _ in range(5):
            region.application(keys=3)
        writer = write(database_url, region, tmp_path / "writer.log")
        try:
            for _ in range(10):
                follower = Follower(running)
                # Every application of the writers has two keys from its first moment.
                owners = [credential.application_id for credential in follower.contents.credentials.values()]
                assert set(owners) == set(follower.contents.applications)
                follower.step(5.0)
        finally:
            end(writer)


def resident(running: Portal) -> int:
    """Bytes of memory that the portal holds."""
    (line,) = [
        line
        for line in Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    ]
    return int(line.split()[1]) * 1024


def many(plane_url: str, region: Region, count: int) -> None:
    """Put records into the tables past the feed: a snapshot is of the tables."""
    with control_plane(plane_url) as plane, plane.database.engine.begin() as connection:
        times = {"created_at": plane.clock(), "updated_at": plane.clock()}
        owner = {"portal_id": region.portal, "auth_strategy_id": region.strategy, "developer_id": region.developer}
        applications = [new_id() for _ in range(count // 10)]
        connection.execute(
            insert(Application),
            [{"id": one, "name": one, "labels": {}, "scopes": [], **owner, **times} for one in applications],
        )
        for begin in range(0, count, 10_000):
            connection.execute(
                insert(Credential),
                [
                    {
                        "id": new_id(),
                        "region": REGION,
                        "application_id": applications[number % len(applications)],
                        "display_name": "key",
                        "digest": f"{number:064x}",
                        "status": "active",
                        **times,
                    }
                    for number in range(begin, min(count, begin + 10_000))
                ],
            )


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_a_snapshot_is_streamed_in_constant_memory(
    database_url: str, tmp_path: Path, pause: float, request: pytest.FixtureRequest
) -> None:
    size = request.config.getoption("--snapshot-credentials")
    with control_plane(database_url) as plane:
        region = Region(plane)
    many(database_url, region, size)
    with portal(database_url, tmp_path) as running:
        running.feed("changes", params={"after": "ab-0"})
        before = most = resident(running)
        number, line = 0, b""
        with running.feed("snapshot", stream=True) as answer:
            for number, line in enumerate(answer.iter_lines(64 * 1024)):  # noqa: B007  the last one counts
                if number % 5000 == 0:
                    most = max(most, resident(running))
                    time.sleep(pause if number < 20_000 else 0)
        assert number - 1 == size + size // 10 + 3
        assert json.loads(line) == {"records": number - 1}
        assert most - before < 30 * 1024 * 1024


def test_a_reader_that_goes_away_in_the_middle_of_a_snapshot_gives_its_place_back(
    sqlite_url: str, tmp_path: Path
) -> None:
    with control_plane(sqlite_url) as plane:
        region = Region(plane)
    many(sqlite_url, region, 20_000)
    with portal(sqlite_url, tmp_path) as running:
        for _ in range(10):
            with running.feed("snapshot", stream=True) as answer:
                assert answer.status_code in (200, 503)
                next(answer.iter_content(1000))
        wait_until(lambda: running.feed("snapshot", stream=True).status_code == 200, "there is a place")


def test_an_answer_that_breaks_off_is_known_as_such(sqlite_url: str, tmp_path: Path) -> None:
    with control_plane(sqlite_url) as plane:
        region = Region(plane)
    many(sqlite_url, region, 20_000)
    with portal(sqlite_url, tmp_path) as running, running.feed("snapshot", stream=True) as answer:
        _, changes = decode(answer.iter_lines(512), REGION)
        next(changes)
        running.kill()
        with pytest.raises((requests.RequestException, BadFeed)):
            list(changes)


def test_the_files_of_the_database_are_its_owners_alone(sqlite_url: str, running: Portal, tmp_path: Path) -> None:
    Follower(running)
    for file in tmp_path.glob("portal.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
