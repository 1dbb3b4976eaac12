"""How gateways and services are told to the portal."""

import threading

import msgspec

from kong_app_auth.sync.kong.failures import Code, Failure
from kong_app_auth.sync.kong.gateways import Gateway
from kong_app_auth.sync.kong.outcome import Outcome, Pass, State
from kong_app_auth.sync.kong.states import MOST_BYTES, Board
from kong_app_auth.sync.kong.wanted import Wanted

A, B = (Gateway(name=name, admin_url=f"http://{name}") for name in ("a", "b"))
AWAY = Failure(Code.NO_RESPONSE, "away")
CONFLICT = Failure(Code.PLUGIN_CONFLICT, "another plugin")
ENFORCED, BLOCKED, PENDING, ABSENT = (
    Outcome(state) for state in (State.ENFORCED, State.BLOCKED, State.PENDING, State.ABSENT)
)


def on(*ids: str) -> Wanted:
    return Wanted(frozenset(ids), frozenset(ids))


def board(*gateways: Gateway) -> tuple[Board, threading.Event]:
    news = threading.Event()
    return Board(gateways, news), news


def told(found: Board, wanted: Wanted) -> dict[str, tuple[str, str | None]]:
    states = found.states(wanted).services
    return {one.id: (one.state, one.error.code if one.error else None) for one in states}


def test_nothing_was_looked_at_yet() -> None:
    found, _ = board(A)
    assert found.states(on("s")).gateways == []
    assert told(found, on("s")) == {"s": ("pending", None)}


def test_a_gateway_and_its_services() -> None:
    found, news = board(A)
    outcomes = {"s": ENFORCED, "t": BLOCKED, "u": Outcome(State.FAILED, CONFLICT)}
    found.put("a", on("s", "u"), Pass(outcomes, put_back=("x", "y")), 100)
    assert news.is_set()
    assert told(found, on("s", "u")) == {
        "s": ("enforced", None),
        "t": ("blocked", None),
        "u": ("failed", "control_plane_error_plugin_conflict"),
    }
    (gateway,) = msgspec.to_builtins(found.states(on("s")))["gateways"]
    assert gateway == {
        "name": "a",
        "mode": "traditional",
        "on_unlink": "open",
        "error": None,
        "checked_at": 100,
        "drift": 2,
    }
    # The same again is no news; what was put back is counted on.
    news.clear()
    found.put("a", on("s", "u"), Pass(outcomes), 110)
    assert not news.is_set()
    assert found.states(on("s")).gateways[0].drift == 2


def test_a_service_of_another_gateway_is_not_missed() -> None:
    found, _ = board(A, B)
    found.put("a", on("s", "t"), Pass({"s": ENFORCED, "t": ABSENT}), 1)
    assert told(found, on("s", "t")) == {"s": ("enforced", None), "t": ("pending", None)}
    found.put("b", on("s", "t"), Pass({"s": ABSENT, "t": ABSENT}), 1)
    assert told(found, on("s", "t")) == {
        "s": ("enforced", None),
        "t": ("failed", "control_plane_error_implementation_not_found"),
    }


def test_a_gateway_that_is_away_has_what_is_to_be_done_there_failed() -> None:
    found, _ = board(A)
    found.put("a", on("s", "t"), Pass({"s": ENFORCED, "t": PENDING}, AWAY), 1)
    assert found.states(on("s")).gateways[0].error == "control_plane_error_no_response"
    assert told(found, on("s", "t", "new")) == {
        "s": ("enforced", None),
        "t": ("failed", "control_plane_error_no_response"),
        "new": ("failed", "control_plane_error_no_response"),
    }
    found.put("a", on("s", "t"), Pass({"s": ENFORCED, "t": ENFORCED}), 2)
    assert told(found, on("s", "t")) == {"s": ("enforced", None), "t": ("enforced", None)}


def test_the_report_is_never_longer_than_the_portal_takes() -> None:
    found, _ = board(A)
    ids = [f"5e000000-0000-4000-8000-{number:012x}" for number in range(20_000)]
    failed = Outcome(State.FAILED, CONFLICT)
    found.put("a", on(*ids), Pass({each: failed if each == ids[-1] else ENFORCED for each in ids}), 1)
    body = found.states(on(*ids)).encode()
    assert len(body) <= MOST_BYTES
    assert [one["id"] for one in msgspec.json.decode(body)["services"]] == [ids[-1]]
