"""What is asked ahead: what was asked first, what only reads, and not for ever."""

from plugin_server.habits import FORGET_AFTER, MOST_AHEAD, Habit
from plugin_server.wire.frames import EMPTY, frame


def call(name: str) -> bytes:
    return frame(name.encode()) + EMPTY


METHOD, PATH = call("kong.request.get_method"), call("kong.request.get_path")


def test_nothing_is_asked_ahead_of_a_plugin_that_is_new() -> None:
    assert Habit().calls == ()
    assert Habit().joined == b""


def test_what_was_asked_is_asked_ahead_in_its_order() -> None:
    habit = Habit()
    habit.learn([METHOD, PATH])
    assert habit.calls == (METHOD, PATH)
    assert habit.joined == METHOD + PATH
    habit.learn([PATH, METHOD])
    assert habit.calls == (PATH, METHOD)


def test_what_is_no_longer_asked_is_forgotten_after_a_while() -> None:
    habit = Habit()
    habit.learn([METHOD, PATH])
    for _ in range(FORGET_AFTER - 1):
        habit.learn([METHOD])
        assert habit.calls == (METHOD, PATH)
    habit.learn([METHOD])
    assert habit.calls == (METHOD,)


def test_what_may_have_an_effect_is_not_asked_ahead() -> None:
    habit = Habit()
    habit.learn([call("kong.client.load_consumer"), METHOD])
    assert habit.calls == (METHOD,)


def test_only_so_many_are_asked_ahead() -> None:
    habit = Habit()
    habit.learn([call(f"kong.request.get_{n}") for n in range(2 * MOST_AHEAD)])
    assert len(habit.calls) == MOST_AHEAD
