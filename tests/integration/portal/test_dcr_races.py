"""Clients at DCR providers where things happen while others are under way: nothing is lost, nothing goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services.dcr_agreement import agree_due
from tests.control_plane.settings import Clock, control_plane, sqlite
from tests.integration.portal.test_dynamic_clients import APPLICATIONS, HOUR, Stage, bridged
from tests.servers.dcr_bridge import Bridge, dcr_bridge


class BusyBridge(Bridge):
    """A bridge during whose next answer something else happens."""

    meanwhile: Callable[[], object] | None = None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().answer(method, path, body)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock, idp_allow_private=True, idp_allow_http_loopback=True) as made:
        yield made


@pytest.fixture
def bridge() -> Iterator[BusyBridge]:
    busy = BusyBridge()
    with dcr_bridge(busy):
        yield busy


@pytest.fixture
def stage(plane: ControlPlane, bridge: BusyBridge) -> Stage:
    return bridged(plane, bridge)


def test_a_change_while_the_provider_hears_of_the_one_before_is_told_too(stage: Stage, bridge: BusyBridge) -> None:
    path = f"{APPLICATIONS}/{stage.application()['id']}"
    stage.dora.patch(path, {"name": "First"})
    bridge.meanwhile = lambda: stage.dora.patch(path, {"name": "Second"})
    agree_due(stage.plane)
    agree_due(stage.plane)
    assert bridge.heard("application_name") == [("First",), ("Second",)]
    assert stage.records()[0].owed == []


def test_a_change_while_the_provider_refuses_the_one_before_is_told_too(stage: Stage, bridge: BusyBridge) -> None:
    path = f"{APPLICATIONS}/{stage.application()['id']}"
    stage.dora.patch(path, {"name": "First"})
    away: dict[str, Any] = {}

    def refuse() -> None:
        stage.dora.patch(path, {"name": "Second"})
        away.update(bridge.clients)
        bridge.clients.clear()

    bridge.meanwhile = refuse
    agree_due(stage.plane)
    bridge.clients.update(away)
    agree_due(stage.plane)
    assert bridge.heard("application_name") == [("Second",)]


def test_a_registration_that_ends_while_the_bridge_hears_of_its_beginning(stage: Stage, bridge: BusyBridge) -> None:
    path = f"{APPLICATIONS}/{stage.application()['id']}"
    registration = stage.dora.post(f"{path}/registrations", {"api_id": stage.api})["id"]
    bridge.meanwhile = lambda: stage.dora.delete(f"{path}/registrations/{registration}")
    agree_due(stage.plane)
    agree_due(stage.plane)
    assert bridge.heard("event_type") == [("add_registration",), ("remove_registration",)]


def test_a_secret_that_leaves_does_so_though_the_other_is_renewed_before(
    stage: Stage, bridge: BusyBridge, clock: Clock
) -> None:
    path = f"{APPLICATIONS}/{stage.application()['id']}"
    second = stage.dora.post(f"{path}/credentials", {"display_name": "second"})
    stage.dora.delete(f"{path}/credentials/{second['id']}")
    stage.dora.post(f"{path}/regenerate-secret")
    agree_due(stage.plane)
    (client,) = bridge.clients.values()
    assert client["more"] == {}, "it would be good for ever"
    assert agree_due(stage.plane) == 0, "there is nothing left to do"
    assert len(stage.dora.get(f"{path}/credentials")["data"]) == 1


def test_a_provider_whose_clients_are_still_to_be_deleted_stays(stage: Stage, bridge: BusyBridge, clock: Clock) -> None:
    made = stage.application()
    stage.dora.delete(f"{APPLICATIONS}/{made['id']}")
    stage.operator.delete(f"/v3/apis/{stage.api}")
    stage.operator.delete(f"/v2/application-auth-strategies/{stage.strategy}")
    stage.operator.request("DELETE", f"/v2/dcr-providers/{stage.provider}", expect=403)
    clock.forward(HOUR)
    agree_due(stage.plane)
    stage.operator.delete(f"/v2/dcr-providers/{stage.provider}")
    assert bridge.clients == {}
