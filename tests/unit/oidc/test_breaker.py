"""When a provider is left alone, and when it is tried again."""

import pytest

from kong_app_auth.oidc.breaker import FAILURES, MOST_AT_ONCE, REST, Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def ask(breaker: Breaker, *, well: bool) -> bool:
    if not breaker.enter():
        return False
    breaker.leave(well=well)
    return True


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        assert ask(breaker, well=False)
    assert ask(breaker, well=True)
    for _ in range(FAILURES):
        assert ask(breaker, well=False)
    assert not ask(breaker, well=True)


def test_one_request_finds_out_after_the_rest(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        ask(breaker, well=False)
    clock.now += REST[0]
    assert breaker.enter()
    assert not breaker.enter()
    breaker.leave(well=True)
    for _ in range(FAILURES):
        assert ask(breaker, well=False)


def test_the_rest_doubles_up_to_a_limit(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        ask(breaker, well=False)
    rest, longest = REST
    for _ in range(8):
        clock.now += rest - 0.01
        assert not ask(breaker, well=False)
        clock.now += 0.02
        assert ask(breaker, well=False)
        rest = min(2 * rest, longest)
    clock.now += longest
    assert ask(breaker, well=True)
    assert ask(breaker, well=True)


def test_not_too_many_are_inside(breaker: Breaker) -> None:
    assert all(breaker.enter() for _ in range(MOST_AT_ONCE))
    assert not breaker.enter()
    breaker.leave(well=True)
    assert breaker.enter()


def test_what_was_under_way_when_it_opened_changes_nothing(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES + 1):
        assert breaker.enter()
    for _ in range(FAILURES + 1):
        breaker.leave(well=False)
    clock.now += REST[0]
    assert breaker.enter()
