"""Answers that are kept for a while, and one question at a time."""

import threading
import time

import pytest

from kong_app_auth.oidc import proofs
from kong_app_auth.oidc.proofs import Proofs
from tests.servers.process import wait_until

KEY, OTHER, LANE = b"key", b"other", b"lane"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Proofs[str]:
    return Proofs(3, clock)


def later() -> float:
    return time.monotonic() + 20


def put(kept: Proofs[str], key: bytes, answer: str = "answer", seconds: float = 10) -> str | None:
    return kept.obtain(key, key, later(), lambda: (answer, seconds))


def test_an_answer_is_kept_for_its_time(kept: Proofs[str], clock: Clock) -> None:
    assert put(kept, KEY, "first") == "first"
    assert put(kept, KEY, "second") == "first"
    clock.now += 10
    assert kept.get(KEY) is None
    assert put(kept, KEY, "second") == "second"


def test_one_that_is_not_to_be_kept_is_not(kept: Proofs[str]) -> None:
    assert put(kept, KEY, "first", 0) == "first"
    assert put(kept, KEY, "second", -1) == "second"
    assert len(kept) == 0


def test_what_was_forgotten_is_asked_anew(kept: Proofs[str]) -> None:
    put(kept, KEY, "first")
    kept.forget(KEY)
    kept.forget(OTHER)
    assert put(kept, KEY, "second") == "second"


def test_it_is_bounded(kept: Proofs[str]) -> None:
    for number in range(3):
        put(kept, b"%d" % number)
    assert kept.get(b"0") == "answer"
    put(kept, b"3")
    assert (kept.get(b"0"), kept.get(b"1"), len(kept)) == ("answer", None, 3)


class Slow:
    """A question whose answer the test gives."""

    def __init__(self, kept: Proofs[str]) -> None:
        self.kept = kept
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.asked = 0
        self.answers: list[str | None] = []
        self.threads: list[threading.Thread] = []

    def ask(self) -> tuple[str, float]:
        self.asked += 1
        self.begun.set()
        assert self.go_on.wait(20)
        return f"answer {self.asked}", 0.0

    def start(self, key: bytes) -> None:
        def run() -> None:
            self.answers.append(self.kept.obtain(key, LANE, later(), self.ask))

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def waiting(self) -> int:
        question = self.kept._asking.get(LANE)
        return 0 if question is None else question.waiting

    def finish(self) -> list[str | None]:
        self.go_on.set()
        for thread in self.threads:
            thread.join()
        return self.answers


def test_those_who_want_the_same_share_the_answer(kept: Proofs[str]) -> None:
    slow = Slow(kept)
    slow.start(KEY)
    assert slow.begun.wait(20)
    for _ in range(3):
        slow.start(KEY)
    wait_until(lambda: slow.waiting() == 3)
    assert slow.finish() == ["answer 1"] * 4
    assert slow.asked == 1


def test_those_who_want_something_else_ask_one_after_another(kept: Proofs[str]) -> None:
    slow = Slow(kept)
    slow.start(KEY)
    assert slow.begun.wait(20)
    slow.start(OTHER)
    wait_until(lambda: slow.waiting() == 1)
    assert sorted(map(str, slow.finish())) == ["answer 1", "answer 2"]


def test_who_cannot_wait_any_longer_gets_nothing(kept: Proofs[str]) -> None:
    slow = Slow(kept)
    slow.start(KEY)
    assert slow.begun.wait(20)
    assert kept.obtain(KEY, LANE, time.monotonic() - 1, slow.ask) is None
    assert slow.finish() == ["answer 1"]


def test_too_many_are_turned_away(kept: Proofs[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "MOST_WAITING", 1)
    slow = Slow(kept)
    slow.start(KEY)
    assert slow.begun.wait(20)
    slow.start(KEY)
    wait_until(lambda: slow.waiting() == 1)
    assert kept.obtain(KEY, LANE, later(), slow.ask) is None
    assert slow.finish() == ["answer 1"] * 2


def test_a_question_that_raises_leaves_the_lane_free(kept: Proofs[str]) -> None:
    def ask() -> tuple[str, float]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept.obtain(KEY, LANE, later(), ask)
    assert kept.obtain(KEY, LANE, later(), lambda: ("answer", 1.0)) == "answer"
