"""Reports on their way from a worker to the stream, with real servers: nothing twice, and nobody is kept waiting."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from kong_app_auth.registry.acl import gateway_acl
from kong_app_auth.registry.connection import Client, connect
from kong_app_auth.registry.keys import Keys
from kong_app_auth.replica import reporting as reporting_module
from kong_app_auth.replica.follower import Follower
from kong_app_auth.replica.reporting import Reporting
from kong_app_auth.reports.codec import MAX_BYTES, MAX_STREAM, decode_entry, encode, node_of
from kong_app_auth.reports.counting import Reporter
from kong_app_auth.reports.datagrams import Sender
from kong_app_auth.reports.records import MAX_AGE, Report, Standing, Usage
from kong_app_auth.reports.tally import Tally
from tests.servers.process import wait_until
from tests.servers.samples import API, sample, uid

KEYS = Keys("eu")
PASS = (uid("credential"), uid("application"), API)
REFUSED = (1_800_000_000.0, "not_registered", 403, "f" * 32, uid("application"), uid("credential"), API, None)


@pytest.fixture
def reporting(directory) -> Iterator[Callable[..., Reporting]]:
    made = []

    def of(server, **options) -> Reporting:
        directory.mkdir(exist_ok=True)
        made.append(Reporting(lambda: connect(server.url, **options), "eu", directory, "gateway-1"))
        return made[-1]

    yield of
    for one in made:
        one.close()


@pytest.fixture
def reporter(directory, monkeypatch) -> Iterator[Reporter]:
    """A worker's counter; `flush` is called by the test."""
    made = Reporter(directory)
    monkeypatch.setattr(made, "_started", True)
    yield made
    made._sender.close()
    made._urgent.close()


def appended(server) -> Report:
    tally = Tally(refusals=100_000)
    with server.client() as client:
        for _, fields in client.xrange(KEYS.reports):
            assert fields[b"node"] == b"gateway-1"
            tally.add(decode_entry(fields))
    return next(tally.take(2**30), Report())


def step_until(reporting, condition) -> None:
    def stepped():
        reporting.step()
        return condition()

    wait_until(stepped)


@pytest.mark.parametrize("server", ["valkey", "redis_server"])
def test_a_gateways_user_appends_what_workers_counted(server, request, reporting, reporter):
    server = request.getfixturevalue(server)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "gateway", "reset", "on", ">secret", *gateway_acl("eu"))
    taken = reporting(server, username="gateway", password="secret")
    taken.step()
    for _ in range(3):
        reporter.allowed(PASS)
    reporter.refused(REFUSED)
    reporter.flush()
    step_until(taken, lambda: appended(server).refusals)
    report = appended(server)
    assert sorted((one.outcome, one.requests) for one in report.usage) == [("allowed", 3), ("not_registered", 1)]
    assert list(report.uses) == [uid("credential")]
    assert report.refusals[0].request_id == "f" * 32
    assert report.lost == 0


def test_in_a_cluster_too(redis_cluster, reporting, reporter):
    taken = reporting(redis_cluster)
    taken.step()
    reporter.allowed(PASS)
    reporter.flush()
    client = connect(redis_cluster.url)
    try:
        step_until(taken, lambda: client.xrange(KEYS.reports))
    finally:
        client.close()


def test_the_stream_is_capped(valkey, reporting, reporter):
    with valkey.client() as client:
        pipeline = client.pipeline()
        for _ in range(MAX_STREAM + 500):
            pipeline.xadd(KEYS.reports, {"v": "1"})
        pipeline.execute()
        taken = reporting(valkey)
        taken.step()
        reporter.allowed(PASS)
        reporter.flush()
        step_until(taken, lambda: client.xlen(KEYS.reports) <= MAX_STREAM + 100)


def test_what_is_no_report_is_lost_and_spoils_nothing(valkey, reporting, directory):
    taken = reporting(valkey)
    taken.step()
    sender = Sender(directory)
    good = Report([Usage(60, None, API, "no_credential", 2)])
    wrong = encode(Report([Usage(60, "x", None, "y", 1)]))
    for data in (
        b"",
        b"rubbish",
        b"\0" * (MAX_BYTES + 10),
        wrong,
        encode(good),
    ):
        assert sender.send(data)
    sender.close()
    step_until(taken, lambda: appended(valkey).usage)
    assert appended(valkey).usage == good.usage
    assert appended(valkey).lost == 4


def test_while_redis_is_away_reports_wait_and_are_bounded(valkey, reporting, reporter):
    taken = reporting(valkey)
    taken.step()
    valkey.kill()
    with capture_logs() as logs:
        for round_ in range(6):
            for number in range(500):
                reporter.refused((*REFUSED[:3], f"{round_}-{number}", *REFUSED[4:]))
            reporter.flush()
            taken.step()
        taken.append()
        taken.append()
        valkey.restart()
        step_until(taken, lambda: appended(valkey).usage)
    assert [log["event"] for log in logs] == ["reports cannot be appended", "reports are appended again"]
    report = appended(valkey)
    assert sum(one.requests for one in report.usage) == 3000
    assert len(report.refusals) == 2000
    assert report.lost == 1000


def test_an_answer_that_was_lost_makes_nothing_count_twice(valkey, reporting, reporter, directory):
    """The entry was appended and nobody said so: what it held is taken for lost."""
    taken = reporting(valkey)
    taken.step()

    class Deaf:
        def __init__(self, client: Client) -> None:
            self.client = client

        def ping(self) -> bool:
            return self.client.ping()

        def close(self) -> None:
            self.client.close()

        def xadd(self, *arguments, **options):
            self.client.xadd(*arguments, **options)
            raise TimeoutError

    taken._client = Deaf(connect(valkey.url))
    reporter.allowed(PASS)
    reporter.flush()
    step_until(taken, lambda: appended(valkey).usage)
    step_until(taken, lambda: appended(valkey).lost)
    assert [one.requests for one in appended(valkey).usage] == [1]


def test_a_user_without_the_right_loses_nothing_until_it_is_given(valkey, reporting, reporter):
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "gateway", "reset", "on", ">secret", *gateway_acl("eu"), "-xadd")
        taken = reporting(valkey, username="gateway", password="secret")
        taken.step()
        reporter.allowed(PASS)
        reporter.flush()
        taken.step()
        taken.append()
        assert client.xlen(KEYS.reports) == 0
        client.execute_command("ACL", "SETUSER", "gateway", "+xadd")
    taken.append()
    assert [one.requests for one in appended(valkey).usage] == [1]


def test_the_follower_reports_beside_following_and_at_its_end(valkey, region_of, directory, reporter, reader):
    region = region_of(valkey)
    position = region.begin(sample("a"))
    stop = threading.Event()
    follower = Follower(lambda: connect(valkey.url), "eu", directory)
    running = threading.Thread(target=follower.run, args=(stop,))
    running.start()
    try:
        wait_until(lambda: reader(directory, "position") == position)
        wait_until((directory / "reports").exists)
        reporter.allowed(PASS)
        reporter.flush()
        with valkey.client() as client:
            wait_until(lambda: _requests(client) == 1)
            reporter.allowed(PASS)
            reporter.flush()
            stop.set()
            region.heartbeat()
            running.join()
            wait_until(lambda: _requests(client) == 2)
    finally:
        stop.set()
        running.join()
    wait_until(lambda: not (directory / "reports").exists())


def _requests(client) -> int:
    found = [decode_entry(fields) for _, fields in client.xrange(KEYS.reports)]
    return sum(usage.requests for report in found for usage in report.usage)


def test_a_node_says_how_far_its_copy_is(valkey, region_of, directory, reader, monkeypatch):
    monkeypatch.setattr(reporting_module, "STANDING_EVERY", 0.0)
    monkeypatch.setattr(reporting_module, "APPEND_EVERY", (0.0, 0.01))
    region = region_of(valkey)
    position = region.begin(sample("a"))
    stop = threading.Event()
    follower = Follower(lambda: connect(valkey.url), "eu", directory)
    running = threading.Thread(target=follower.run, args=(stop,))
    running.start()
    try:
        with valkey.client() as client:

            def standing() -> Standing | None:
                entries = client.xrevrange(KEYS.reports, count=1)
                return decode_entry(entries[0][1]).standing if entries else None

            wait_until(lambda: reader(directory, "position") == position)
            region.heartbeat()
            wait_until(lambda: standing() == Standing(position.epoch, position.seq, 0))
            assert node_of(client.xrevrange(KEYS.reports, count=1)[0][1]) == socket.gethostname()[:64]
            moved = region.become(sample("b"))
            wait_until(lambda: standing() is not None and standing().seq == moved.seq)
    finally:
        stop.set()
        running.join()


def test_a_node_without_a_copy_says_so(valkey, reporting):
    taken = reporting(valkey)
    taken._standing = lambda: Standing(None, None, MAX_AGE)
    with valkey.client() as client:
        step_until(taken, lambda: client.xlen(KEYS.reports) == 1)
        (found,) = [decode_entry(fields) for _, fields in client.xrange(KEYS.reports)]
    assert found == Report(standing=Standing(None, None, MAX_AGE))


def test_following_does_not_wait_for_reports(valkey, region_of, directory, reader):
    """Reports go to a server that hangs; changes and heartbeats of the other one are taken as ever."""
    region = region_of(valkey)
    region.begin(sample("a"))
    follower = Follower(lambda: connect(valkey.url), "eu", directory)
    hangs = threading.Event()

    def hanging() -> Client:
        hangs.wait(30)
        raise OSError

    follower._reporting = Reporting(hanging, "eu", directory, "gateway-1")
    stop = threading.Event()
    running = threading.Thread(target=follower.run, args=(stop,))
    running.start()
    sender = Sender(directory)
    try:
        wait_until((directory / "reports").exists)
        assert sender.send(encode(Report(lost=1)))
        position = region.become(sample("a", "b"))
        wait_until(lambda: reader(directory, "position") == position)
        before = time.time()
        region.heartbeat()
        wait_until(lambda: reader(directory, "last_heard") >= before - 1)
    finally:
        hangs.set()
        stop.set()
        region.heartbeat()
        running.join()
        sender.close()


def unknown_keys(server) -> list[list[str]]:
    with server.client() as client:
        reports = [decode_entry(fields) for _, fields in client.xrange(KEYS.reports)]
    return [report.unknown_keys for report in reports if report.unknown_keys]


class TestUnknownKeys:
    """A request waits for the key: the news does not wait for the other reports."""

    def test_are_appended_at_once_and_once_a_second_for_an_issuer(self, valkey, reporting, reporter, monkeypatch):
        monkeypatch.setattr(reporting_module, "APPEND_EVERY", (60.0, 60.0))
        monkeypatch.setattr(reporting_module, "UNKNOWN_KEY_EVERY", 60.0)
        both = ["https://one.example.com", "https://two.example.com"]
        taken = reporting(valkey)
        taken.step()  # the first append, of nothing
        reporter.allowed(PASS)
        reporter.flush()
        for _ in range(3):
            reporter._unknown_keys.clear()  # as another worker would
            for issuer in both:
                reporter.unknown_key(issuer)

        def told() -> list[str]:
            return sorted(issuer for report in unknown_keys(valkey) for issuer in report)

        step_until(taken, lambda: len(told()) >= 2)
        step_until(taken, lambda: taken._unknown_keys == set(both))
        taken.step()
        assert told() == both
        assert not appended(valkey).usage, "that goes with the next append"
        monkeypatch.setattr(reporting_module, "UNKNOWN_KEY_EVERY", 0.0)
        step_until(taken, lambda: len(told()) >= 4)
        taken.step()
        assert told() == sorted(both * 2), "what was heard within the second is told once, when it is over"

    def test_while_redis_is_away_are_not_kept(self, valkey, reporting, reporter, monkeypatch):
        monkeypatch.setattr(reporting_module, "APPEND_EVERY", (0.05, 0.06))
        taken = reporting(valkey)
        taken.step()
        valkey.kill()
        try:
            reporter.unknown_key("https://one.example.com")
            step_until(taken, lambda: taken._trouble is not None)
        finally:
            valkey.restart()
        reporter.allowed(PASS)
        reporter.flush()
        step_until(taken, lambda: appended(valkey).usage)
        assert unknown_keys(valkey) == []
        reporter._unknown_keys.clear()
        taken._told.clear()
        reporter.unknown_key("https://one.example.com")
        step_until(taken, lambda: unknown_keys(valkey) == [["https://one.example.com"]])
