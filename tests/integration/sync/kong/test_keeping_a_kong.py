"""The reconciler against a Kong with a database: what it does, and that it does nothing where nothing is to be done."""

from typing import Any

import pytest

from kong_app_auth.sync.kong import admin_api
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, plugin_id, tags_of
from kong_app_auth.sync.kong.failures import Code
from kong_app_auth.sync.kong.outcome import Outcome, State
from kong_app_auth.sync.kong.plan import OnUnlink
from tests.servers.managed_kong import REGION, ManagedKong, service_id, wanted

ENFORCED = Outcome(State.ENFORCED)


def ours(number: int, name: str = APP_AUTH) -> str:
    return f"/plugins/{plugin_id(REGION, service_id(number), name)}"


def test_linked_services_carry_the_plugin_and_nothing_is_done_twice(kong: ManagedKong) -> None:
    keeper = kong.keeper(realm="weather")
    found = keeper.bring(wanted(0, 1))
    assert (found.changed, found.failure) == (2, None)
    assert found.services == {service_id(0): ENFORCED, service_id(1): ENFORCED}
    carried = kong.carried()
    assert set(carried) == {service_id(0), service_id(1)}
    one = carried[service_id(0)]
    assert one["id"] == plugin_id(REGION, service_id(0), APP_AUTH)
    assert sorted(one["tags"]) == sorted(tags_of(REGION))
    config = one["config"]
    assert (config["region"], config["realm"], config["max_staleness"]) == (REGION, "weather", 3600)
    assert kong.calls(lambda: keeper.bring(wanted(0, 1))) == 1
    # Another daemon, or this one after a restart, finds nothing to do either.
    assert kong.keeper(realm="weather").bring(wanted(0, 1)).changed == 0
    assert kong.carried() == carried


def test_another_service_is_linked(kong: ManagedKong) -> None:
    keeper = kong.keeper()
    keeper.bring(wanted(0))
    found = keeper.bring(wanted(1))
    assert (found.changed, found.put_back) == (2, ())
    assert set(kong.carried()) == {service_id(1)}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"enabled": False}, "enabled"),
        ({"protocols": ["http"]}, "protocols"),
        ({"config": {"reveal_reason": True}}, "config.reveal_reason"),
        ({"config": {"region": "us"}}, "config.region"),
        ({"tags": ["app-auth-managed", "app-auth-region-eu", "mine"]}, "tags"),
        ({"route": {"id": service_id(0)}}, "route"),
        ({"service": {"id": service_id(3)}}, "service"),
        ({"service": None}, "service"),
        ({"instance_name": "other"}, "instance_name"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_changed_by_hand_is_put_back(kong: ManagedKong, change: dict[str, Any], field: str) -> None:
    keeper = kong.keeper()
    keeper.bring(wanted(0))
    before = kong.carried()[service_id(0)]
    kong("PATCH", ours(0), json=change)
    found = keeper.bring(wanted(0))
    assert found.changed == 1
    assert len(found.put_back) == 1
    assert field in found.put_back[0]
    after = kong.carried()[service_id(0)]
    assert {**after, "updated_at": 0, "created_at": 0} == {**before, "updated_at": 0, "created_at": 0}
    assert kong.calls(lambda: keeper.bring(wanted(0))) == 1


def test_what_is_deleted_or_stripped_of_its_tags_by_hand_is_put_back(kong: ManagedKong) -> None:
    keeper = kong.keeper()
    keeper.bring(wanted(0, 1))
    kong("DELETE", ours(0))
    kong("PATCH", ours(1), json={"tags": []})
    found = keeper.bring(wanted(0, 1))
    assert (found.changed, len(found.put_back)) == (2, 2)
    assert {tuple(sorted(one["tags"])) for one in kong.carried().values()} == {tuple(sorted(tags_of(REGION)))}


def test_somebody_elses_plugin_is_a_conflict_until_it_goes(kong: ManagedKong) -> None:
    theirs = {"name": APP_AUTH, "service": {"id": service_id(0)}, "config": {"region": "us"}}
    made = kong("POST", "/plugins", json=theirs)
    keeper = kong.keeper()
    found = keeper.bring(wanted(0, 1))
    conflict = found.services[service_id(0)]
    assert conflict.state is State.FAILED
    assert conflict.failure is not None
    assert conflict.failure.code is Code.PLUGIN_CONFLICT
    assert found.services[service_id(1)] == ENFORCED
    assert found.failure is None
    assert kong.carried()[service_id(0)] == made
    kong("DELETE", f"/plugins/{made['id']}")
    found = keeper.bring(wanted(0, 1))
    assert (found.services[service_id(0)], found.put_back) == (ENFORCED, ())


def test_a_plugin_with_our_tags_that_is_not_ours_is_left_alone(kong: ManagedKong) -> None:
    copied = {"name": APP_AUTH, "service": {"id": service_id(2)}, "tags": list(tags_of(REGION))}
    made = kong("POST", "/plugins", json={**copied, "config": {"region": "eu"}})
    assert kong.keeper().bring(wanted(0)).changed == 1
    assert kong.carried()[service_id(2)] == made


def test_a_service_that_kong_has_not_waits_for_it(kong: ManagedKong) -> None:
    keeper = kong.keeper()
    missing = 7
    kong("DELETE", f"/routes/{service_id(missing)}")
    kong("DELETE", f"/services/{service_id(missing)}")
    found = keeper.bring(wanted(0, missing))
    assert found.services == {service_id(0): ENFORCED, service_id(missing): Outcome(State.ABSENT)}
    assert kong.calls(lambda: keeper.bring(wanted(0, missing))) == 2
    kong.make_services(missing)
    found = keeper.bring(wanted(0, missing))
    assert (found.services[service_id(missing)], found.put_back) == (ENFORCED, ())


def test_blocked_services_are_never_open_on_the_way(kong: ManagedKong) -> None:
    keeper = kong.keeper(OnUnlink.BLOCK)
    keeper.bring(wanted(0, 1))
    found = keeper.bring(wanted(1))
    assert found.services[service_id(0)] == Outcome(State.BLOCKED)
    assert (set(kong.carried()), kong.terminated()) == ({service_id(1)}, {service_id(0)})
    assert kong.calls(lambda: keeper.bring(wanted(1))) == 1
    # After a restart too, and where somebody takes away what blocks.
    again = kong.keeper(OnUnlink.BLOCK)
    assert again.bring(wanted(1)).changed == 0
    kong("DELETE", ours(0, TERMINATION))
    assert len(again.bring(wanted(1)).put_back) == 1
    assert kong.terminated() == {service_id(0)}
    again.bring(wanted(0, 1))
    assert (set(kong.carried()), kong.terminated()) == ({service_id(0), service_id(1)}, set())
    # What was never ours is not blocked.
    assert service_id(2) not in again.bring(wanted(0, 1)).services


def test_with_open_what_blocked_goes(kong: ManagedKong) -> None:
    blocking = kong.keeper(OnUnlink.BLOCK)
    blocking.bring(wanted(0))
    blocking.bring(wanted())
    assert kong.terminated() == {service_id(0)}
    kong.keeper().bring(wanted())
    assert kong.terminated() == set()


def test_a_configuration_that_kong_refuses_is_told_and_nothing_is_lost(kong: ManagedKong) -> None:
    kong.keeper().bring(wanted(0))
    found = kong.keeper(no_such_field=True).bring(wanted(0, 1))
    assert found.failure is None
    outcome = found.services[service_id(1)]
    assert outcome.failure is not None
    assert outcome.failure.code is Code.BAD_REQUEST
    assert set(kong.carried()) == {service_id(0)}


def test_lists_of_several_pages(kong: ManagedKong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "PAGE", 2)
    keeper = kong.keeper()
    everything = wanted(0, 1, 2, 3, 4)
    assert keeper.bring(everything).changed == 5
    assert kong.calls(lambda: keeper.bring(everything)) == 3
    assert keeper.bring(everything).changed == 0
    assert keeper.bring(wanted()).changed == 5
    assert kong.carried() == {}
