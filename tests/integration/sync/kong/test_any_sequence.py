"""Whatever sequence of links, publications and changes by hand: what is wanted is there in the end, by no call more."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, plugin_id
from kong_app_auth.sync.kong.outcome import State
from kong_app_auth.sync.kong.plan import OnUnlink
from kong_app_auth.sync.kong.wanted import wanted_of
from tests.servers.managed_kong import REGION, ManagedKong, contents, service_id

SERVICES = 3
services = st.integers(0, SERVICES - 1)
BY_HAND: list[dict[str, Any]] = [
    {"enabled": False},
    {"config": {"region": "us", "reveal_reason": True}},
    {"protocols": ["http"]},
    {"tags": []},
    {"route": {"id": service_id(0)}},
    {"service": {"id": service_id(2)}},
    {"service": None},
]
STRIPPED, GLOBAL = 3, 6
moves = st.lists(
    st.one_of(
        st.tuples(st.just("link"), services, services),
        st.tuples(st.just("unlink"), services, st.just(0)),
        st.tuples(st.just("publish"), services, st.just(0)),
        st.tuples(st.just("withdraw"), services, st.just(0)),
        st.tuples(st.just("delete"), services, st.just(0)),
        st.tuples(st.just("change"), services, st.integers(0, len(BY_HAND) - 1)),
        st.tuples(st.just("unblock"), services, st.integers(0, len(BY_HAND) - 1)),
        st.tuples(st.just("look"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.parametrize("on_unlink", list(OnUnlink), ids=lambda one: one.value)
@example(moves=[("change", 0, STRIPPED), ("unlink", 0, 0)])
@example(moves=[("change", 0, GLOBAL), ("unlink", 0, 0)])
@example(moves=[("unlink", 0, 0), ("look", 0, 0), ("unblock", 0, STRIPPED), ("link", 0, 0)])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves)
def test_what_is_wanted_is_there_in_the_end(kong: ManagedKong, on_unlink: OnUnlink, moves: list[Any]) -> None:
    keeper = kong.keeper(on_unlink)
    # Two services carry the plugin already when it begins.
    links = {0: 0, 1: 1}
    accepting = {0, 1}
    blocked: set[str] = set()

    def look() -> None:
        carrying = {one["id"] for one in kong.plugins()}
        wanted = wanted_of(contents(accepting, links))
        found = keeper.bring(wanted)
        assert found.failure is None
        for number in range(SERVICES):
            ours = {plugin_id(REGION, service_id(number), name) for name in (APP_AUTH, TERMINATION)}
            if service_id(number) in wanted.enforced:
                blocked.discard(service_id(number))
            elif carrying & ours:
                blocked.add(service_id(number))

    look()
    for what, one, other in moves:
        if what == "link":
            links = {service: api for service, api in links.items() if api != other} | {one: other}
        elif what == "unlink":
            links.pop(one, None)
        elif what == "publish":
            accepting.add(one)
        elif what == "withdraw":
            accepting.discard(one)
        elif what == "look":
            look()
        else:
            _by_hand(kong, what, one, other)
    look()
    wanted = wanted_of(contents(accepting, links))
    if on_unlink is OnUnlink.OPEN:
        blocked = set()
    _says_what_is_there(kong, wanted.enforced, blocked)
    assert kong.calls(lambda: _finds_nothing(keeper, wanted)) == 1
    # What is left over for the next example goes by the same way: everything is unlinked and open.
    kong.keeper().bring(wanted_of(contents(set(), {})))
    for one in kong.plugins():
        kong("DELETE", f"/plugins/{one['id']}")


def _by_hand(kong: ManagedKong, what: str, number: int, change: int) -> None:
    path = f"/plugins/{plugin_id(REGION, service_id(number), TERMINATION if what == 'unblock' else APP_AUTH)}"
    if what == "delete":
        kong("DELETE", path)
        return
    if any(one["id"] == path.rpartition("/")[2] for one in kong.plugins()):
        # Kong refuses two plugins of one name on one service, and fields that the plugin has not.
        answer = kong.session.patch(kong.admin_url + path, json=BY_HAND[change], timeout=10)
        assert answer.status_code in (200, 400, 409)


def _finds_nothing(keeper: Any, wanted: Any) -> None:
    found = keeper.bring(wanted)
    assert (found.changed, found.put_back, found.failure) == (0, (), None)
    assert {one.state for one in found.services.values()} <= {State.ENFORCED, State.BLOCKED}


def _says_what_is_there(kong: ManagedKong, enforced: frozenset[str], blocked: set[str]) -> None:
    there = kong.plugins()
    assert {(one["name"], one["service"]["id"]) for one in there} == (
        {(APP_AUTH, one) for one in enforced} | {(TERMINATION, one) for one in blocked}
    )
    for one in there:
        assert one["id"] == plugin_id(REGION, one["service"]["id"], one["name"])
        assert (one["enabled"], one["route"], len(one["protocols"])) == (True, None, 4)
        if one["name"] == APP_AUTH:
            assert (one["config"]["region"], one["config"]["reveal_reason"]) == (REGION, False)
