"""Developers and the keys of their applications."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from kong_app_auth.domain import api_key, records
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.credentials import Credential, CredentialUse
from tests.control_plane.clients import Clients
from tests.control_plane.developers import SignedInClient
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.stage import Stage

ACTIVE, REVOKED = records.CredentialState.ACTIVE, records.CredentialState.REVOKED


class Owner:
    """A developer with an application, and a shorter way to its keys."""

    def __init__(self, stage: Stage, **application: Any) -> None:
        self.stage = stage
        self.me: SignedInClient = stage.developer()
        self.app = stage.application(self.me, **application)
        self.path = f"/api/v3/applications/{self.app}/credentials"

    def new(self, **body: Any) -> dict[str, Any]:
        return self.stage.key(self.me, self.app, **body)

    def states(self) -> dict[str, str]:
        page = self.me.get(self.path, params={"page[size]": 100})
        return {one["id"]: one["status"] for one in page["data"]}


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


@pytest.fixture
def owner(stage: Stage) -> Owner:
    return Owner(stage)


def test_a_key_is_shown_once_and_known_to_gateways_by_its_digest(owner: Owner) -> None:
    made = owner.new(display_name="Laptop")
    key = made["credential"]

    assert api_key.form_of(key, REGION) is api_key.Form.PLAUSIBLE
    assert (made["display_name"], made["status"], made["expires_at"]) == ("Laptop", "active", None)
    shown = {name: value for name, value in made.items() if name != "credential"}
    assert owner.me.get(owner.path)["data"] == [shown]
    assert owner.stage.operator.get(f"{owner.stage.path}/applications/{owner.app}/credentials")["data"] == [shown]
    heard = owner.stage.gateway_key(key)
    assert (heard.id, heard.application_id, heard.state, heard.expires_at) == (made["id"], owner.app, ACTIVE, None)


def test_no_table_holds_the_key(owner: Owner) -> None:
    key = owner.new()["credential"]

    with owner.stage.plane.database.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        dump = "\n".join(raw.iterdump())
    assert api_key.digest(key).hex() in dump
    assert key not in dump
    assert key[8:40] not in dump


def test_the_audit_log_tells_of_a_key_and_hides_its_digest(owner: Owner) -> None:
    made = owner.new()
    entry = next(one for one in owner.stage.deeds("create") if one.entity_id == made["id"])

    assert (entry.entity_type, entry.actor_type, entry.actor_id) == ("credential", "developer", owner.me.developer_id)
    assert entry.after is not None
    assert entry.after["digest"] == "[hidden]"


def test_the_body_may_be_left_out(owner: Owner) -> None:
    made = owner.me.request("POST", owner.path, expect=201).json()

    assert made["display_name"] == "API key"


def test_a_key_lives_as_long_as_the_strategy_said_when_it_was_made(clients: Clients, clock: Clock) -> None:
    stage = Stage(clients)
    short = stage.strategy("key_auth", ttl={"value": 2, "unit": "weeks"})
    stage.api(auth_strategy_id=short)
    owner = Owner(stage, auth_strategy_id=short)
    made = owner.new()
    end = clock.now + timedelta(weeks=2)
    ttl = {"configs": {"key-auth": {"ttl": {"value": 1, "unit": "days"}}}}
    stage.operator.patch(f"/v2/application-auth-strategies/{short}", ttl)

    assert datetime.fromisoformat(made["expires_at"]) == end
    assert stage.gateway_key(made["credential"]).expires_at == int(end.timestamp())
    clock.forward(timedelta(weeks=2, seconds=-1))
    assert owner.states()[made["id"]] == "active"
    clock.forward(timedelta(seconds=1))
    assert owner.states()[made["id"]] == "expired"


def test_a_key_is_renamed_and_the_gateways_are_not_troubled(owner: Owner) -> None:
    made = owner.new()
    before = owner.stage.changes()
    owner.me.put(f"{owner.path}/{made['id']}", {"display_name": "Laptop"})

    assert owner.me.get(owner.path)["data"][0]["display_name"] == "Laptop"
    assert owner.stage.changes() == before
    owner.me.put(f"{owner.path}/{made['id']}", {}, expect=400)
    owner.me.put(f"{owner.path}/nonsense", {"display_name": "x"}, expect=404)


def test_a_deleted_key_is_gone_at_the_gateway(owner: Owner) -> None:
    made = owner.new()
    owner.me.delete(f"{owner.path}/{made['id']}")

    assert owner.states() == {}
    assert owner.stage.gateway_forgot_key(made["credential"])
    owner.me.delete(f"{owner.path}/{made['id']}", expect=404)


def test_an_application_has_twenty_keys_and_no_more(owner: Owner) -> None:
    made = [owner.new() for _ in range(20)]

    problem = owner.me.post(owner.path, {}, expect=403)
    assert problem["detail"] == "Maximum number of Credentials exceeded. Max Allowed: 20"
    owner.me.delete(f"{owner.path}/{made[0]['id']}")
    owner.new()


def test_only_so_many_keys_that_are_of_no_more_use_are_kept(owner: Owner, clock: Clock) -> None:
    made = owner.new()
    first, keys = made["id"], []
    for _ in range(22):
        clock.forward(timedelta(seconds=1))
        made = owner.me.post(f"{owner.path}/{made['id']}/rotate", {"overlap_seconds": 0})
        keys.append(made["credential"])

    assert len(owner.states()) == 20 + 1
    assert first not in owner.states()
    assert owner.stage.gateway_key(keys[-1]).state is ACTIVE


def test_another_applications_key_is_not_there(stage: Stage, owner: Owner) -> None:
    other = Owner(stage)
    foreign = other.new()["id"]
    mine = stage.application(owner.me)

    for path in (owner.path, f"/api/v3/applications/{mine}/credentials"):
        owner.me.put(f"{path}/{foreign}", {"display_name": "x"}, expect=404)
        owner.me.delete(f"{path}/{foreign}", expect=404)
        owner.me.post(f"{path}/{foreign}/rotate", {"overlap_seconds": 0}, expect=404)
        owner.me.get(f"{path}/{foreign}/usage", expect=404)
    owner.me.get(other.path, expect=404)
    owner.me.post(other.path, {}, expect=404)


def test_rotation_lets_both_keys_in_for_the_overlap_and_then_the_new_one_only(owner: Owner, clock: Clock) -> None:
    old = owner.new(display_name="Laptop")
    new = owner.me.post(f"{owner.path}/{old['id']}/rotate", {"overlap_seconds": 3600})

    assert new["display_name"] == "Laptop"
    assert new["credential"] != old["credential"]
    assert owner.states() == {old["id"]: "active", new["id"]: "active"}
    heard = owner.stage.gateway_key(old["credential"])
    assert (heard.state, heard.expires_at) == (ACTIVE, int(clock.now.timestamp()) + 3600)
    assert owner.stage.gateway_key(new["credential"]).expires_at is None
    clock.forward(timedelta(hours=1))
    assert owner.states() == {old["id"]: "expired", new["id"]: "active"}


def test_a_rotated_key_never_lives_longer_than_it_would_have(owner: Owner, clock: Clock) -> None:
    old = owner.new()
    rotate = f"{owner.path}/{old['id']}/rotate"
    owner.me.post(rotate, {"overlap_seconds": 60})
    owner.me.post(rotate, {"overlap_seconds": 3600, "display_name": "Third"})

    assert owner.stage.gateway_key(old["credential"]).expires_at == int(clock.now.timestamp()) + 60


@pytest.mark.parametrize("overlap", [-1, 30 * 24 * 3600 + 1, "60", None, 1.5])
def test_an_overlap_is_at_most_thirty_days(owner: Owner, overlap: Any) -> None:
    rotate = f"{owner.path}/{owner.new()['id']}/rotate"
    owner.me.post(rotate, {"overlap_seconds": overlap}, expect=400)

    assert len(owner.states()) == 1


def test_at_the_limit_one_rotation_may_overlap_and_any_number_without(owner: Owner) -> None:
    made = [owner.new() for _ in range(20)]

    one, two, three = (f"{owner.path}/{made[number]['id']}/rotate" for number in range(3))
    owner.me.post(one, {"overlap_seconds": 0})
    owner.me.post(two, {"overlap_seconds": 60})
    owner.me.post(three, {"overlap_seconds": 60}, expect=403)
    assert owner.states()[made[2]["id"]] == "active"
    assert owner.stage.gateway_key(made[2]["credential"]).expires_at is None
    owner.me.post(three, {"overlap_seconds": 0})
    owner.me.post(owner.path, {}, expect=403)


def test_a_key_that_is_not_active_is_not_rotated(owner: Owner) -> None:
    expired, revoked = owner.new(), owner.new()
    owner.me.post(f"{owner.path}/{expired['id']}/rotate", {"overlap_seconds": 0})
    owner.stage.operator.delete(f"{owner.stage.path}/applications/{owner.app}/credentials/{revoked['id']}")

    for made in (expired, revoked):
        owner.me.post(f"{owner.path}/{made['id']}/rotate", {"overlap_seconds": 60}, expect=409)


def test_an_operator_revokes_one_key_of_several(owner: Owner) -> None:
    kept, lost = owner.new(), owner.new()
    path = f"{owner.stage.path}/applications/{owner.app}/credentials/{lost['id']}"
    owner.stage.operator.delete(path)
    before = owner.stage.changes()
    owner.stage.operator.delete(path)

    assert owner.states() == {kept["id"]: "active", lost["id"]: "revoked"}
    assert owner.stage.gateway_key(lost["credential"]).state is REVOKED
    assert owner.stage.gateway_key(kept["credential"]).state is ACTIVE
    assert owner.stage.changes() == before
    owner.me.delete(f"{owner.path}/{lost['id']}")
    assert owner.stage.gateway_forgot_key(lost["credential"])


def test_the_last_use_is_told_to_owner_and_operator(owner: Owner, clock: Clock) -> None:
    made = owner.new()
    paths = ((owner.me, owner.path), (owner.stage.operator, f"{owner.stage.path}/applications/{owner.app}/credentials"))

    for who, path in paths:
        assert who.get(f"{path}/{made['id']}/usage") == {"credential_id": made["id"], "last_used_at": None}
    with owner.stage.plane.write(System(region=REGION)) as tx:
        tx.session.add(CredentialUse(credential_id=made["id"], last_used_at=clock.now))
    for who, path in paths:
        told = who.get(f"{path}/{made['id']}/usage")["last_used_at"]
        assert datetime.fromisoformat(told) == clock.now
    owner.me.delete(f"{owner.path}/{made['id']}")
    with owner.stage.plane.read(System(region=REGION)) as tx:
        assert tx.session.get(CredentialUse, made["id"]) is None
        assert tx.session.get(Credential, made["id"]) is None


def test_keys_have_no_secret_to_regenerate(owner: Owner) -> None:
    secret = f"/api/v3/applications/{owner.app}/regenerate-secret"

    owner.me.post(secret, expect=400)
    owner.new()
    owner.me.post(secret, expect=400)
    owner.new()
    owner.me.post(secret, expect=409)


def test_an_oauth_application_has_no_keys(stage: Stage) -> None:
    oidc = stage.strategy()
    stage.api(auth_strategy_id=oidc)
    owner = Owner(stage, auth_strategy_id=oidc, client_id="client-1")

    assert owner.me.get(owner.path)["data"] == []
    owner.me.post(owner.path, {}, expect=400)
    owner.me.put(f"{owner.path}/x", {"display_name": "x"}, expect=400)
    owner.me.delete(f"{owner.path}/x", expect=404)
    owner.me.post(f"/api/v3/applications/{owner.app}/regenerate-secret", expect=400)


def test_a_revoked_developer_makes_no_keys(owner: Owner) -> None:
    path = f"{owner.stage.path}/developers/{owner.me.developer_id}"
    made = owner.new()
    owner.stage.operator.patch(path, {"status": "revoked"})

    owner.me.post(owner.path, {}, expect=401)
    assert owner.stage.gateway_application(owner.app).developer_revoked is True
    assert owner.stage.gateway_key(made["credential"]).application_id == owner.app
