"""Counting in a worker: everything once, within bounds, whoever takes the reports or not."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.reports import counting
from kong_app_auth.reports.codec import decode
from kong_app_auth.reports.counting import MOST_REFUSALS, MOST_WAITING, Reporter
from kong_app_auth.reports.datagrams import Receiver, Sender
from kong_app_auth.reports.records import Report
from kong_app_auth.reports.tally import Tally
from tests.servers.process import wait_until
from tests.servers.samples import API, uid

AT = 1_800_000_000.5
PASS = (uid("credential"), uid("application"), API)


def refused(number: int, request_id: str | None = None, reason: str = "not_registered"):
    request_id = request_id or f"{number:032x}"
    return (AT, reason, 403, request_id, uid("application"), uid("credential"), API, uid("service"))


class Follower:
    """Takes what comes."""

    def __init__(self, directory: Path) -> None:
        self.receiver = Receiver(directory)

    def report(self) -> Report:
        tally = Tally(refusals=100_000)
        while (data := self.receiver.receive(0)) is not None:
            tally.add(decode(data))
        return next(tally.take(2**30), Report())


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    made = Follower(tmp_path)
    yield made
    made.receiver.close()


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def reporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: list[int]) -> Iterator[Reporter]:
    """A reporter without its thread: `flush` is called by the test."""
    made = Reporter(tmp_path, lost.append)
    monkeypatch.setattr(made, "_started", True)
    yield made
    made._sender.close()
    made._urgent.close()


def test_requests_are_counted_with_the_last_use_of_their_credentials(reporter: Reporter, follower: Follower) -> None:
    before = int(time.time())
    for _ in range(1000):
        reporter.allowed(PASS)
    reporter.allowed((uid("another"), uid("application"), API))
    reporter.flush()
    report = follower.report()
    assert sum(one.requests for one in report.usage) == 1001
    assert {(one.application_id, one.api_id, one.outcome) for one in report.usage} == {
        (uid("application"), API, "allowed")
    }
    assert set(report.uses) == {uid("credential"), uid("another")}
    assert before <= report.uses[uid("another")] <= time.time()
    assert report.lost == 0


def test_a_refusal_is_counted_and_kept(reporter: Reporter, follower: Follower) -> None:
    reporter.refused(refused(1))
    reporter.flush()
    report = follower.report()
    assert [(one.outcome, one.requests, one.minute) for one in report.usage] == [
        ("not_registered", 1, int(AT) - int(AT) % 60)
    ]
    (found,) = report.refusals
    assert (found.request_id, found.at, found.status) == (f"{1:032x}", int(AT), 403)
    assert (found.application_id, found.credential_id, found.service_id) == (
        uid("application"),
        uid("credential"),
        uid("service"),
    )
    assert report.uses == {}, "a refused credential was not used"


def test_what_is_no_id_is_left_out_and_spoils_nothing(reporter: Reporter, follower: Follower) -> None:
    reporter.refused((AT, "no_credential", 401, None, None, None, None, "weather"))
    reporter.refused((AT, "no_credential", 401, "a b", None, None, None, "weather"))
    reporter.refused((AT, "no_credential", 401, "good", "x", "y", "z", "weather"))
    reporter.allowed(("one", "two", "three"))
    reporter.flush()
    report = follower.report()
    assert sum(one.requests for one in report.usage) == 4
    assert [one.request_id for one in report.refusals] == ["good"]
    assert report.uses == {}


def test_a_flood_of_refusals_is_counted_whole_and_kept_in_part(
    reporter: Reporter, follower: Follower, lost: list[int]
) -> None:
    for number in range(MOST_REFUSALS + 100):
        reporter.refused(refused(number))
    reporter.flush()
    report = follower.report()
    assert sum(one.requests for one in report.usage) == MOST_REFUSALS + 100
    assert len(report.refusals) == MOST_REFUSALS
    assert report.lost == 100
    assert lost == [100]


def test_what_waits_is_bounded(reporter: Reporter, follower: Follower) -> None:
    for _ in range(MOST_WAITING + 10):
        reporter.allowed(PASS)
    for number in range(MOST_REFUSALS + MOST_WAITING + 10):
        reporter.refused(refused(number))
    reporter.flush()
    report = follower.report()
    assert sum(one.requests for one in report.usage) == 2 * MOST_WAITING + MOST_REFUSALS
    assert report.lost == 20 + MOST_WAITING


def test_without_a_follower_reports_wait_and_are_bounded(reporter: Reporter, tmp_path: Path) -> None:
    for number in range(3):
        for one in range(MOST_REFUSALS):
            reporter.refused(refused(number * MOST_REFUSALS + one))
        reporter.allowed(PASS)
        reporter.flush()
    follower = Follower(tmp_path)
    try:
        reporter.flush()
        report = follower.report()
    finally:
        follower.receiver.close()
    assert sum(one.requests for one in report.usage) == 3 * MOST_REFUSALS + 3
    assert len(report.refusals) == MOST_REFUSALS
    assert report.lost == 2 * MOST_REFUSALS
    reporter.flush()


def test_a_follower_that_does_not_read_stops_nobody(reporter: Reporter, follower: Follower) -> None:
    for _ in range(3000):
        reporter.allowed(PASS)
        reporter.flush()
    total = 0
    while (report := follower.report()).usage:
        total += sum(one.requests for one in report.usage)
        reporter.flush()
    assert total == 3000


def test_many_threads_lose_nothing(reporter: Reporter, follower: Follower) -> None:
    def count() -> None:
        for number in range(2000):
            reporter.allowed(PASS)
            if number % 10 == 0:
                reporter.refused(refused(number))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    total = 0
    while any(thread.is_alive() for thread in threads):
        reporter.flush()
        total += sum(one.requests for one in follower.report().usage)
    reporter.flush()
    total += sum(one.requests for one in follower.report().usage)
    assert total == 4 * 2200


def test_a_thread_starts_with_the_first_request_and_reports_by_itself(
    tmp_path: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a daemon and ends with the process: here it goes on with nothing to report."""
    monkeypatch.setattr(counting, "FLUSH_EVERY", (0.01, 0.02))
    before = threading.active_count()
    reporter = Reporter(tmp_path)
    assert threading.active_count() == before
    reporter.allowed(PASS)
    reporter.refused(refused(1))
    assert threading.active_count() == before + 1
    seen: list[Report] = []

    def both() -> bool:
        seen.append(follower.report())
        return sum(one.requests for report in seen for one in report.usage) == 2

    wait_until(both, "both requests")


def test_a_directory_of_any_length_will_do(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120)
    directory.mkdir()
    receiver, sender = Receiver(directory), Sender(directory)
    try:
        assert sender.send(b"hello")
        assert receiver.receive(1) == b"hello"
        assert receiver.in_place()
    finally:
        receiver.close()
        assert not sender.send(b"nobody")
        sender.close()


def test_a_socket_left_behind_is_replaced_and_only_the_owner_may_write(tmp_path: Path) -> None:
    first = Receiver(tmp_path)
    second = Receiver(tmp_path)
    sender = Sender(tmp_path)
    try:
        assert not first.in_place()
        assert (tmp_path / "reports").stat().st_mode & 0o777 == 0o600
        first.close()
        assert sender.send(b"hello")
        assert second.receive(1) == b"hello"
    finally:
        second.close()
        sender.close()


class TestUnknownKeys:
    ISSUER = "https://issuer.example.com"

    def heard(self, follower: Follower) -> list[list[str]]:
        heard = []
        while (data := follower.receiver.receive(0)) is not None:
            heard.append(decode(data).unknown_keys)
        return heard

    def test_are_told_at_once_and_once_a_second_for_an_issuer(
        self, reporter: Reporter, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(100):
            reporter.unknown_key(self.ISSUER)
            reporter.unknown_key("another")
        assert self.heard(follower) == [[self.ISSUER], ["another"]]
        monkeypatch.setattr(counting, "UNKNOWN_KEY_EVERY", 0.0)
        reporter.unknown_key(self.ISSUER)
        assert self.heard(follower) == [[self.ISSUER]]

    def test_within_a_second_are_told_with_the_next_reports(self, reporter: Reporter, follower: Follower) -> None:
        """The issuer may have rotated since: nobody may be forgotten for somebody else's nonsense a moment before."""
        reporter.flush()
        reporter.unknown_key(self.ISSUER)
        assert self.heard(follower) == [[self.ISSUER]]
        reporter.flush()
        assert self.heard(follower) == []
        reporter.unknown_key(self.ISSUER)
        reporter.flush()
        reporter.flush()
        assert self.heard(follower) == [[self.ISSUER]]

    def test_are_told_again_where_nobody_heard(self, reporter: Reporter, tmp_path: Path) -> None:
        reporter.unknown_key(self.ISSUER)
        follower = Follower(tmp_path)
        try:
            reporter.unknown_key(self.ISSUER)
            assert self.heard(follower) == [[self.ISSUER]]
        finally:
            follower.receiver.close()

    def test_of_a_name_that_is_too_long_are_not_told(self, reporter: Reporter, follower: Follower) -> None:
        reporter.unknown_key("x" * 321)
        assert self.heard(follower) == []

    def test_stand_for_themselves(self, reporter: Reporter, follower: Follower) -> None:
        reporter.allowed(PASS)
        reporter.unknown_key(self.ISSUER)
        assert self.heard(follower) == [[self.ISSUER]]
        reporter.flush()
        assert follower.report().usage

    def test_what_is_remembered_is_bounded(
        self, reporter: Reporter, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(counting, "_MOST_ISSUERS", 3)
        for number in range(10):
            reporter.unknown_key(f"issuer {number}")
        assert len(reporter._unknown_keys) <= 3
