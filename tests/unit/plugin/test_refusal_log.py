"""The log of refusals: whole lines, written by a thread of its own, bounded."""

import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from kong_app_auth.refusal_log import MOST_WAITING, Refusal, RefusalLog
from plugin_server.metrics import snapshot
from tests.servers.process import wait_until

AT = 1_800_000_000.0
FULL = Refusal("no_credential", 401, "r", "s", "a", "c", "d")
BARE = Refusal("no_credential", 401, None, None, None)


class Written:
    """What has gone to standard error so far."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture
        self._read = b""

    def getvalue(self) -> bytes:
        self._read += self._capture.readouterr().err
        return self._read


@pytest.fixture
def written(capsysbinary: pytest.CaptureFixture[bytes]) -> Written:
    return Written(capsysbinary)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> RefusalLog:
    """A log without its thread: `write` is called by the test."""
    made = RefusalLog()
    monkeypatch.setattr(made, "_started", True)
    return made


def test_a_line_is_an_object_without_what_is_not_known(log: RefusalLog, written: Written) -> None:
    for at, refusal in ((1_800_000_000.25, FULL), (1_800_000_000.0, BARE)):
        log.add(at, refusal)
    log.write()
    assert [json.loads(line) for line in written.getvalue().splitlines()] == [
        {
            "event": "request refused",
            "level": "info",
            "timestamp": "2027-01-15T08:00:00.250000Z",
            "reason": "no_credential",
            "status": 401,
            "request_id": "r",
            "service_id": "s",
            "application_id": "a",
            "credential_id": "c",
            "detail": "d",
        },
        {
            "event": "request refused",
            "level": "info",
            "timestamp": "2027-01-15T08:00:00.000000Z",
            "reason": "no_credential",
            "status": 401,
        },
    ]


def test_characters_that_break_lines_are_escaped(log: RefusalLog, written: Written) -> None:
    log.add(AT, Refusal("no_credential", 401, 'a"\n\x00\xff', detail="\u2028"))
    log.write()
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["request_id"] == 'a"\n\x00\xff'


def test_a_stream_that_cannot_be_written_to_loses_lines_and_nothing_else(
    log: RefusalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=full))
        log.add(AT, BARE)
        log.write()
    monkeypatch.undo()


def test_a_line_is_written_once(log: RefusalLog, written: Written) -> None:
    log.add(AT, BARE)
    log.write()
    log.write()
    assert written.getvalue().count(b"\n") == 1


def test_what_comes_too_fast_is_dropped_and_counted(log: RefusalLog, written: Written) -> None:
    name = ("app_auth_refusals_not_logged_total",)
    before = snapshot().get(name, 0)
    for _ in range(MOST_WAITING + 3):
        log.add(AT, BARE)
    log.write()
    assert written.getvalue().count(b"\n") == MOST_WAITING
    assert snapshot()[name] == before + 3


def test_many_threads_lose_no_line(log: RefusalLog, written: Written) -> None:
    def add() -> None:
        for _ in range(500):
            log.add(AT, BARE)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        log.write()
    log.write()
    lines = written.getvalue().splitlines()
    assert len(lines) == 4000
    assert {json.loads(line)["reason"] for line in lines} == {"no_credential"}


def test_a_thread_starts_with_the_first_refusal_and_writes_by_itself(written: Written) -> None:
    """It is a daemon and ends with the process: here it goes on with nothing to write."""
    before = threading.active_count()
    log = RefusalLog()
    assert threading.active_count() == before
    log.add(AT, BARE)
    log.add(AT, BARE)
    assert threading.active_count() == before + 1
    wait_until(lambda: written.getvalue().count(b"\n") == 2, "both lines")
