"""The thread of a gateway: it looks when it is told to, tries again after a failure, and never ends by itself."""

import threading
from collections.abc import Callable

import pytest

from kong_app_auth.sync.kong import gateway_thread
from kong_app_auth.sync.kong.failures import Code, Failure
from kong_app_auth.sync.kong.gateway_thread import GatewayThread
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.kong.wanted import Wanted

PATIENCE = 10.0
AWAY = Pass(failure=Failure(Code.NO_RESPONSE, "away"))


class Kong:
    """Answers looks with what a test says, and counts them."""

    def __init__(self, *answers: Pass | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.forgotten = threading.Event()

    def bring(self, wanted: Wanted, go_on: Callable[[], bool]) -> Pass:
        assert wanted == Wanted()
        assert go_on()
        self.looks += 1
        answer = self.answers.pop(0) if self.answers else Pass()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forget(self) -> None:
        self.forgotten.set()


def run(kong: Kong, wanted: Callable[[], Wanted | None], until: threading.Event) -> list[Pass]:
    """Run a thread that looks once an hour by itself until a condition, and give what came of its looks."""
    passes: list[Pass] = []

    def passed(_name: str, _wanted: Wanted, found: Pass) -> None:
        passes.append(found)
        if found.failure is None:
            until.set()

    thread = GatewayThread("edge", kong, wanted, passed, lambda _: until.set(), check_every=3600)
    stop = threading.Event()
    running = threading.Thread(target=thread.run, args=(stop,))
    running.start()
    assert until.wait(PATIENCE)
    stop.set()
    thread.wake()
    running.join(PATIENCE)
    assert not running.is_alive()
    return passes


def test_a_look_that_fails_is_made_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_thread, "FIRST_WAIT", 0.001)
    kong = Kong(AWAY, ValueError("secret"), AWAY)
    passes = run(kong, Wanted, threading.Event())
    assert [one.failure and one.failure.code for one in passes] == [
        Code.NO_RESPONSE,
        Code.INTERNAL_ERROR,
        Code.NO_RESPONSE,
        None,
    ]
    assert passes[1].failure is not None
    assert "secret" not in passes[1].failure.message


def test_a_gateway_of_another_daemon_is_not_touched() -> None:
    kong = Kong()
    assert run(kong, lambda: None, threading.Event()) == []
    assert kong.looks == 0
    assert kong.forgotten.is_set()
