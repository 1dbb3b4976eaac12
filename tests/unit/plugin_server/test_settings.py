"""Settings: what is wrong with them is told in one line."""

from typing import Any

import msgspec
import pytest

from plugin_server.settings import Companion, ServerSettings


def settings(**changes: Any) -> ServerSettings:
    given: dict[str, Any] = {"plugin": "probe", "socket": "/run/x.sock", **changes}
    return ServerSettings(**given)


def test_the_least_is_enough() -> None:
    assert settings().check() is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"socket": ""}, "empty"),
        ({"socket": "/run/\0"}, "NUL"),
        ({"socket": "/" + "x" * 107}, "107 bytes"),
        ({"socket": "/" + "é" * 54}, "107 bytes"),
        ({"socket_mode": -1}, "mode"),
        ({"socket_mode": 0o1000}, "mode"),
        ({"workers": 0}, "from 1 to 256"),
        ({"workers": 257}, "from 1 to 256"),
        ({"max_connections": 0}, "at least 1"),
        ({"deadline": 0.04}, "deadline"),
        ({"deadline": 60.1}, "deadline"),
        ({"deadline": float("nan")}, "deadline"),
        ({"liveness": 0.4}, "liveness"),
        ({"liveness": 61}, "liveness"),
        ({"log_level": "loud"}, "log level"),
        ({"companions": (Companion(name="c", command=()),)}, "the companion c has no command"),
        ({"companions": (Companion(name="c", command=("a",), liveness=0.1),)}, "the companion c"),
    ],
)
def test_a_wrong_value_is_told(changes: dict[str, Any], told: str) -> None:
    wrong = settings(**changes).check()
    assert wrong is not None
    assert told in wrong
    assert "\n" not in wrong


@pytest.mark.parametrize(
    "changes", [{"socket": "/" + "x" * 106}, {"socket_mode": 0}, {"workers": 256}, {"deadline": 60}, {"liveness": 0.5}]
)
def test_values_at_the_limits_are_right(changes: dict[str, Any]) -> None:
    assert settings(**changes).check() is None


@pytest.mark.parametrize("text", ['{"plugin": "p"}', '{"plugin": "p", "socket": "s", "wokers": 1}', "[]"])
def test_a_missing_or_unknown_name_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=ServerSettings)


def test_the_environment_of_a_companion_is_in_no_repr() -> None:
    companion = Companion(name="c", command=("a",), environment={"URL": "redis://:hunter2@host"})
    assert "hunter2" not in repr(settings(companions=(companion,)))
