"""Registrations, from the request to the decision."""

from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.domain.records import RegistrationState
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.base import new_id
from tests.control_plane.clients import Clients
from tests.control_plane.settings import REGION, control_plane, sqlite
from tests.control_plane.stage import Stage

UNKNOWN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def _own(app: str) -> str:
    return f"/api/v3/applications/{app}/registrations"


def test_a_registration_names_api_and_application_to_both_sides(stage: Stage) -> None:
    me = stage.developer()
    app, api = stage.application(me), stage.api("Maps API")
    made = me.post(_own(app), {"api_id": api})

    assert (made["api_name"], made["api_id"], made["api_slug"]) == ("Maps API", api, f"api-{api}")
    assert made["application_id"] == app
    assert me.get(_own(app))["data"] == [made]
    assert me.get(f"{_own(app)}/{made['id']}") == made
    shown = stage.operator.get(f"{stage.path}/applications/{app}/registrations/{made['id']}")
    assert shown["api"] == {"id": api, "name": "Maps API", "version": api[:8], "entity_type": "api"}
    assert shown["application"] == {"id": app, "name": "App"}
    assert "consumer" not in shown
    assert stage.operator.get(f"{stage.path}/application-registrations")["data"] == [shown]


def test_one_application_registers_once_with_an_api_and_with_many_apis(stage: Stage) -> None:
    me = stage.developer()
    app, apis = stage.application(me), [stage.api(), stage.api()]
    for api in apis:
        me.post(_own(app), {"api_id": api})

    me.post(_own(app), {"api_id": apis[0]}, expect=409)
    stage.operator.post(f"{stage.path}/applications/{app}/registrations", {"api_id": apis[0]}, expect=409)
    assert set(stage.gateway_application(app).registrations) == set(apis)


@pytest.mark.parametrize(
    "body", [{}, {"api_id": "nonsense"}, {"api_id": None}, {"api_id": UNKNOWN, "status": "approved"}]
)
def test_a_developer_asks_and_does_not_decide(stage: Stage, body: dict[str, Any]) -> None:
    me = stage.developer()
    me.post(_own(stage.application(me)), body, expect=400)


def test_strangers_and_visitors_register_nothing(clients: Clients, stage: Stage) -> None:
    app, api = stage.application(stage.developer()), stage.api(visibility="public")

    stage.developer().post(_own(app), {"api_id": api}, expect=404)
    clients.visitor(stage.portal).post(_own(app), {"api_id": api}, expect=401)
    assert stage.gateway_application(app).registrations == {}


def test_members_of_the_owning_team_register_its_application(stage: Stage) -> None:
    me, mate = stage.developer(), stage.developer()
    app = stage.application(me, team_id=stage.team(me, mate))

    mate.post(_own(app), {"api_id": stage.api()})


@pytest.mark.parametrize(("wanted", "status"), [("approved", "approved"), ("pending", "pending"), (None, "pending")])
def test_an_operator_may_say_what_a_new_registration_is(stage: Stage, wanted: str | None, status: str) -> None:
    app = stage.application(stage.developer())
    body = {"api_id": stage.api(), "status": wanted} if wanted is not None else {"api_id": stage.api()}

    made = stage.operator.post(f"{stage.path}/applications/{app}/registrations", body)
    assert made["status"] == status


def test_an_operator_cannot_register_with_what_the_portal_does_not_publish_so(clients: Clients, stage: Stage) -> None:
    all_ = f"{stage.path}/applications/{stage.application(stage.developer())}/registrations"

    stage.operator.post(all_, {"api_id": UNKNOWN}, expect=404)
    stage.operator.post(all_, {"api_id": Stage(clients).api()}, expect=404)
    stage.operator.post(all_, {"api_id": stage.api(auth_strategy_id=stage.strategy("key_auth"))}, expect=400)
    stage.operator.post(all_, {"api_id": stage.api(), "status": "revoked"}, expect=400)


def test_owners_and_operators_are_told(clients: Clients) -> None:
    stage = Stage(clients)
    me = stage.developer()
    app = stage.application(me)
    made = me.post(_own(app), {"api_id": stage.api()})
    one = f"{stage.path}/applications/{app}/registrations/{made['id']}"
    stage.operator.patch(one, {"status": "approved"})
    stage.operator.patch(one, {"status": "approved"})
    stage.operator.patch(one, {"status": "revoked", "reason": "Too many calls"})

    assert sorted(stage.mails()) == ["app-registration-approved", "app-registration-revoked"]


def test_the_owner_is_told_of_what_an_operator_approves_for_them(stage: Stage) -> None:
    all_ = f"{stage.path}/applications/{stage.application(stage.developer())}/registrations"
    stage.operator.post(all_, {"api_id": stage.api(), "status": "pending"})
    assert stage.mails() == []
    stage.operator.post(all_, {"api_id": stage.api(), "status": "approved"})

    assert stage.mails() == ["app-registration-approved"]


def test_operators_are_told_of_what_waits_for_them_and_only_of_that(tmp_path: Path) -> None:
    with control_plane(sqlite(tmp_path), notify={REGION: ("ops@example.com",)}) as plane:
        stage = Stage(Clients(plane))
        me = stage.developer()
        app = stage.application(me)
        me.post(_own(app), {"api_id": stage.api(auto_approve_registrations=True)})
        assert stage.mails() == []
        me.post(_own(app), {"api_id": stage.api()})

        assert stage.mails() == ["app-registration-requested"]


def test_a_reason_belongs_to_one_decision(stage: Stage) -> None:
    me = stage.developer()
    app = stage.application(me)
    made = me.post(_own(app), {"api_id": stage.api()})
    one = f"{stage.path}/applications/{app}/registrations/{made['id']}"

    def reason() -> object:
        told = stage.operator.get(f"{one}/fields")["reason"]
        assert me.get(f"{_own(app)}/{made['id']}/fields")["reason"] == told
        return told

    stage.operator.patch(one, {"status": "rejected", "reason": "No contract"})
    assert reason() == "No contract"
    stage.operator.patch(one, {"status": "rejected"})
    assert reason() == "No contract"
    stage.operator.patch(one, {"reason": "No contract yet"})
    assert reason() == "No contract yet"
    stage.operator.patch(one, {"status": "approved"})
    assert reason() is None
    stage.operator.patch(one, {"reason": "x" * 1001}, expect=400)
    stage.operator.patch(one, {"status": "perhaps"}, expect=400)
    assert stage.operator.patch(one, {})["status"] == "approved"


def test_a_deleted_registration_is_gone_at_the_gateway_and_can_be_asked_for_again(stage: Stage) -> None:
    me = stage.developer()
    app, api, other = stage.application(me), stage.api(auto_approve_registrations=True), stage.api()
    me.post(_own(app), {"api_id": other})
    made = me.post(_own(app), {"api_id": api})
    one = f"{stage.path}/applications/{app}/registrations/{made['id']}"
    assert stage.gateway_application(app).registrations[api] is RegistrationState.APPROVED
    stage.operator.delete(one)

    assert set(stage.gateway_application(app).registrations) == {other}
    stage.operator.get(one, expect=404)
    stage.operator.delete(one, expect=404)
    me.get(f"{_own(app)}/{made['id']}", expect=404)
    me.post(_own(app), {"api_id": api})


def test_another_applications_registration_is_not_there(stage: Stage) -> None:
    me = stage.developer()
    app, other, api = stage.application(me), stage.application(me), stage.api()
    made = me.post(_own(other), {"api_id": api})
    wrong = f"{stage.path}/applications/{app}/registrations/{made['id']}"

    me.get(f"{_own(app)}/{made['id']}", expect=404)
    me.delete(f"{_own(app)}/{made['id']}", expect=404)
    stage.operator.get(wrong, expect=404)
    stage.operator.patch(wrong, {"status": "approved"}, expect=404)
    stage.operator.put(f"{wrong}/consumer", {"id": UNKNOWN}, expect=404)
    stage.operator.delete(f"{wrong}/consumer", expect=404)


def test_the_lists_are_filtered_and_sorted(stage: Stage) -> None:
    me, you = stage.developer(), stage.developer()
    apis = [stage.api("Weather API"), stage.api("Maps API")]
    mine, yours = stage.application(me, name="Mine"), stage.application(you, name="Yours")
    for who, app, api in ((me, mine, apis[0]), (me, mine, apis[1]), (you, yours, apis[0])):
        who.post(_own(app), {"api_id": api})
    first = me.get(_own(mine), params={"filter[api_name]": "weather api"})["data"]
    stage.operator.patch(f"{stage.path}/applications/{mine}/registrations/{first[0]['id']}", {"status": "approved"})

    def count(path: str, **params: str) -> int:
        return int(stage.operator.get(path, params=params)["meta"]["page"]["total"])

    everything = f"{stage.path}/application-registrations"
    assert count(everything) == 3
    assert count(everything, **{"filter[developer_id]": me.developer_id}) == 2
    assert count(everything, **{"filter[developer_id][neq]": me.developer_id}) == 1
    assert count(everything, **{"filter[application_name][contains]": "your"}) == 1
    assert count(everything, **{"filter[status]": "approved"}) == 1
    found = stage.operator.get(everything, params={"sort": "status,developer_id desc"})["data"]
    assert [one["status"] for one in found] == ["approved", "pending", "pending"]
    assert count(f"{stage.path}/applications/{mine}/registrations", **{"filter[status]": "pending"}) == 1
    stage.operator.get(f"{stage.path}/applications/{mine}/registrations", params={"sort": "developer_id"}, expect=400)
    assert len(me.get(_own(mine), params={"filter[api_name][contains]": "API"})["data"]) == 2
    assert len(me.get(_own(mine), params={"filter[status]": "approved"})["data"]) == 1
    assert len(me.get(_own(mine), params={"filter[id]": first[0]["id"]})["data"]) == 1
    me.get(_own(mine), params={"filter[status]": "perhaps"}, expect=400)


def test_registrations_at_one_control_plane_share_a_consumer(stage: Stage) -> None:
    me = stage.developer()
    app = stage.application(me)
    here, there = new_id(), new_id()
    apis = [stage.api() for _ in range(4)]
    for api, gateway in zip(apis, (here, here, there, here), strict=True):
        stage.implement(api, gateway)
    all_ = f"{stage.path}/applications/{app}/registrations"
    made = [stage.operator.post(all_, {"api_id": api})["id"] for api in apis[:3]]
    stage.operator.put(f"{all_}/{made[0]}/consumer", {"id": UNKNOWN}, expect=204)
    made.append(stage.operator.post(all_, {"api_id": apis[3]})["id"])

    shown = [stage.operator.get(f"{all_}/{one}").get("consumer") for one in made]
    shared = {"id": UNKNOWN, "control_plane_id": here}
    assert shown == [shared, shared, None, shared]
    stage.operator.delete(f"{all_}/{made[1]}/consumer")
    stage.operator.delete(f"{all_}/{made[1]}/consumer")
    assert [stage.operator.get(f"{all_}/{one}").get("consumer") for one in made] == [None] * 4


def test_an_api_without_implementation_has_no_consumer(stage: Stage) -> None:
    me = stage.developer()
    app = stage.application(me)
    made = me.post(_own(app), {"api_id": stage.api()})
    consumer = f"{stage.path}/applications/{app}/registrations/{made['id']}/consumer"

    stage.operator.put(consumer, {"id": UNKNOWN}, expect=400)
    stage.operator.put(consumer, {"id": "nonsense"}, expect=400)


def test_a_new_default_strategy_changes_no_application(stage: Stage) -> None:
    me = stage.developer()
    app, api = stage.application(me), stage.api()
    other = stage.strategy("key_auth")
    stage.operator.patch(stage.path, {"default_application_auth_strategy_id": other})

    assert me.get(f"/api/v3/applications/{app}")["auth_strategy"]["id"] == stage.key_auth
    me.post(_own(app), {"api_id": api})
    assert me.post("/api/v3/applications", {"name": "Later"})["auth_strategy"]["id"] == other


def test_two_apis_with_two_strategies_need_two_applications(stage: Stage) -> None:
    me = stage.developer()
    oidc = stage.strategy()
    weather, maps, keyed = (stage.api(auth_strategy_id=one) for one in (oidc, oidc, stage.key_auth))
    app = stage.application(me, auth_strategy_id=oidc, client_id="client-1")

    me.post(_own(app), {"api_id": weather})
    me.post(_own(app), {"api_id": maps})
    me.post(_own(app), {"api_id": keyed}, expect=400)
    me.post(_own(stage.application(me)), {"api_id": keyed})


def test_an_unpublished_api_is_registered_with_no_more(stage: Stage) -> None:
    me = stage.developer()
    app, api = stage.application(me), stage.api()
    with stage.plane.write(System(region=REGION)) as tx:
        for publication in tx.session.query(Publication).filter_by(api_id=api):
            tx.session.delete(publication)

    me.post(_own(app), {"api_id": api}, expect=404)
