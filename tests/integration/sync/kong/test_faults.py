"""An Admin API that is away, slow, broken or strange: nothing is lost, and the next look mends it."""

import json
from collections.abc import Iterator

import pytest

from kong_app_auth.sync.kong import admin_api
from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.failures import Code, KongFailed
from kong_app_auth.sync.kong.outcome import Outcome, State
from kong_app_auth.sync.kong.plan import OnUnlink, Policy
from kong_app_auth.sync.kong.traditional import TraditionalKong
from tests.servers.faulty_admin import CUT, HANG, Fault, FaultyAdmin, faulty_admin
from tests.servers.managed_kong import REGION, ManagedKong, service_id, wanted
from tests.servers.process import free_port

TOKEN = "a token of the Admin API"


@pytest.fixture
def front(kong: ManagedKong) -> Iterator[FaultyAdmin]:
    with faulty_admin(kong.admin_url) as front:
        yield front


@pytest.fixture
def keeper(front: FaultyAdmin) -> Iterator[TraditionalKong]:
    api = AdminApi(Access(url=front.url, token=TOKEN))
    yield TraditionalKong(api, Policy(REGION, {}, OnUnlink.BLOCK), first_wait=0.0)
    api.close()


FAULTS: dict[str, tuple[Fault, Code]] = {
    "hanging": (HANG, Code.NO_RESPONSE),
    "cut off": (CUT, Code.NO_RESPONSE),
    "internal error": ((500, b'{"message":"An unexpected error occurred"}'), Code.INTERNAL_ERROR),
    "unavailable": ((503, b"no JSON"), Code.UNAVAILABLE),
    "overloaded": ((429, b"{}"), Code.UNAVAILABLE),
    "another service": ((200, b"<html>"), Code.INVALID_RESPONSE),
    "another JSON": ((200, b'{"data": [{"id": 1}]}'), Code.INVALID_RESPONSE),
    "no rights": ((401, b'{"message":"Unauthorized"}'), Code.BAD_REQUEST),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_look_that_fails_changes_nothing_and_the_next_one_mends_it(
    kong: ManagedKong, front: FaultyAdmin, keeper: TraditionalKong, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.bring(wanted(0))
    fault, code = FAULTS[name]
    front.fault = lambda _method, _path: fault
    with monkeypatch.context() as impatient:
        impatient.setattr(admin_api, "READ_TIMEOUT", 0.2)
        found = keeper.bring(wanted(1))
    assert found.failure is not None
    assert found.failure.code is code
    assert TOKEN not in found.failure.message
    assert (found.changed, found.services) == (0, {service_id(1): Outcome(State.PENDING)})
    assert set(kong.carried()) == {service_id(0)}
    front.fault = lambda _method, _path: None
    assert keeper.bring(wanted(1)).failure is None
    assert (set(kong.carried()), kong.terminated()) == ({service_id(1)}, {service_id(0)})


def test_nobody_listens() -> None:
    api = AdminApi(Access(url=f"http://127.0.0.1:{free_port()}"))
    found = TraditionalKong(api, Policy(REGION)).bring(wanted(0))
    assert found.failure is not None
    assert found.failure.code is Code.NO_RESPONSE
    api.close()


def test_where_what_blocks_cannot_be_put_the_plugin_stays(
    kong: ManagedKong, front: FaultyAdmin, keeper: TraditionalKong
) -> None:
    keeper.bring(wanted(0, 1))
    front.fault = lambda method, _path: (500, b"{}") if method == "PUT" else None
    found = keeper.bring(wanted())
    assert {one.state for one in found.services.values()} == {State.FAILED}
    assert (set(kong.carried()), kong.terminated()) == ({service_id(0), service_id(1)}, set())
    front.fault = lambda method, _path: (500, b"{}") if method == "DELETE" else None
    keeper.bring(wanted())
    front.fault = lambda _method, _path: None
    found = keeper.bring(wanted())
    assert {one.state for one in found.services.values()} == {State.BLOCKED}
    assert (set(kong.carried()), kong.terminated()) == (set(), {service_id(0), service_id(1)})


def test_one_service_that_fails_does_not_hold_up_the_others(
    kong: ManagedKong, front: FaultyAdmin, keeper: TraditionalKong
) -> None:
    front.fault = lambda method, _path: (500, b"{}") if method == "PUT" and front.asked("PUT") == 2 else None
    found = keeper.bring(wanted(0, 1, 2))
    assert sorted(one.state.value for one in found.services.values()) == ["enforced", "enforced", "failed"]
    assert keeper.bring(wanted(0, 1, 2)).changed == 1
    assert set(kong.carried()) == {service_id(0), service_id(1), service_id(2)}


def test_an_admin_api_that_goes_away_in_the_middle_is_left_at_once(
    kong: ManagedKong, front: FaultyAdmin, keeper: TraditionalKong, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.fault = lambda method, _path: HANG if method == "PUT" and front.asked("PUT") > 1 else None
    # Long enough for answers on a busy machine.
    monkeypatch.setattr(admin_api, "READ_TIMEOUT", 2.0)
    found = keeper.bring(wanted(0, 1, 2, 3))
    assert found.failure is not None
    assert (found.changed, front.asked("PUT")) == (1, 2)
    assert sorted(one.state.value for one in found.services.values()) == ["enforced", "pending", "pending", "pending"]
    front.fault = lambda _method, _path: None
    assert keeper.bring(wanted(0, 1, 2, 3)).changed == 3
    assert len(kong.carried()) == 4


def test_a_service_that_goes_on_failing_is_asked_for_less_and_less(kong: ManagedKong, front: FaultyAdmin) -> None:
    kong("POST", "/plugins", json={"name": "app-auth", "service": {"id": service_id(0)}, "config": {"region": "us"}})
    api = AdminApi(Access(url=front.url))
    patient = TraditionalKong(api, Policy(REGION), first_wait=60.0)
    patient.bring(wanted(0))
    tried = front.asked("PUT")
    assert patient.bring(wanted(0)).services[service_id(0)].state is State.FAILED
    assert front.asked("PUT") == tried
    # What is wanted is another thing now: that is worth a try.
    patient.bring(wanted(0, 1))
    assert front.asked("PUT") > tried
    api.close()


def test_kong_that_keeps_something_else_than_it_was_given(front: FaultyAdmin, keeper: TraditionalKong) -> None:
    kept = {"id": "1", "name": "app-auth", "service": {"id": service_id(0)}, "config": {"region": "us"}}
    front.fault = lambda method, _path: (200, json.dumps(kept).encode()) if method == "PUT" else None
    outcome = keeper.bring(wanted(0)).services[service_id(0)]
    assert outcome.failure is not None
    assert outcome.failure.code is Code.DATA_CONSTRAINT_ERROR


def test_the_token_is_shown_to_the_admin_api_and_no_redirect_is_followed(front: FaultyAdmin) -> None:
    api = AdminApi(Access(url=front.url, token=TOKEN))
    assert repr(Access(url=front.url, token=TOKEN)) == f"Access({front.url})"
    api.plugins()
    assert front.requests[-1][2]["Kong-Admin-Token"] == TOKEN
    front.fault = lambda _method, _path: (302, b"{}")
    with pytest.raises(KongFailed):
        api.plugins()
    api.use_token(None)
    front.fault = lambda _method, _path: None
    api.plugins()
    assert "Kong-Admin-Token" not in front.requests[-1][2]
    api.close()


@pytest.mark.parametrize(
    "following", ["http://127.0.0.2/plugins", "//127.0.0.2/plugins", "/consumers", "/plugins?size=1000"]
)
def test_pages_lead_nowhere_else_and_end(front: FaultyAdmin, following: str) -> None:
    page = json.dumps({"data": [], "next": following}).encode()
    front.fault = lambda _method, _path: (200, page)
    api = AdminApi(Access(url=front.url))
    with pytest.raises(KongFailed, match="do not end"):
        api.plugins()
    assert len(front.requests) == 1
    api.close()


def test_an_answer_that_is_too_long_is_not_read(front: FaultyAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "MOST_BYTES", 100_000)
    front.fault = lambda _method, _path: (200, b'{"data": [' + b" " * 200_000 + b"]}")
    api = AdminApi(Access(url=front.url))
    with pytest.raises(KongFailed, match="too long"):
        api.plugins()
    api.close()
