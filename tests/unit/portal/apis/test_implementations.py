from typing import Any

import pytest

from kong_app_auth.domain import records
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.registry.keys import Table
from tests.control_plane.clients import Client, Clients
from tests.control_plane.feed import heard


@pytest.fixture
def api(operator: Client) -> str:
    found: str = operator.post("/v3/apis", {"name": "Weather API"})["id"]
    return found


def _service(service_id: str | None = None) -> dict[str, Any]:
    return {"service": {"control_plane_id": new_id(), "id": service_id or new_id()}}


def test_an_api_is_linked_to_a_gateway_service(operator: Client, plane: ControlPlane, api: str) -> None:
    wanted = _service()
    made = operator.post(f"/v3/apis/{api}/implementations", wanted)

    assert made["service"] == {**wanted["service"], "auth_strategy_sync_error": None}
    assert operator.get(f"/v3/apis/{api}/implementations/{made['id']}") == made
    service_id = wanted["service"]["id"]
    assert heard(plane, Table.SERVICES, service_id) == records.Service(service_id, api)


def test_an_api_is_linked_to_a_control_plane(operator: Client, api: str) -> None:
    control_plane = {"control_plane_id": new_id()}
    made = operator.post(f"/v3/apis/{api}/implementations", {"control_plane": control_plane})

    assert made["control_plane"] == {**control_plane, "access_control_enforcement_enabled": False}
    assert "service" not in made


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"service": None},
        {"service": None, "control_plane": {"control_plane_id": "fd4e1b98-3629-4dd3-acc0-759a726ffee2"}},
        {"service": {"id": "dd4e1b98-3629-4dd3-acc0-759a726ffee2"}},
        {"service": {"control_plane_id": "x", "id": "dd4e1b98-3629-4dd3-acc0-759a726ffee2"}},
        {
            "service": {
                "control_plane_id": "fd4e1b98-3629-4dd3-acc0-759a726ffee2",
                "id": "dd4e1b98-3629-4dd3-acc0-759a726ffee2",
            },
            "control_plane": {"control_plane_id": "fd4e1b98-3629-4dd3-acc0-759a726ffee2"},
        },
    ],
)
def test_an_implementation_is_a_service_or_a_control_plane(operator: Client, api: str, body: dict[str, Any]) -> None:
    operator.post(f"/v3/apis/{api}/implementations", body, expect=400)


def test_an_api_has_one_implementation(operator: Client, api: str) -> None:
    operator.post(f"/v3/apis/{api}/implementations", _service())

    problem = operator.post(f"/v3/apis/{api}/implementations", _service(), expect=409)
    assert problem["detail"] == "An implementation already exists for this API"


def test_a_service_implements_one_api_of_a_region(clients: Clients, operator: Client, api: str) -> None:
    service = _service()
    operator.post(f"/v3/apis/{api}/implementations", service)
    other = operator.post("/v3/apis", {"name": "Maps API"})["id"]

    problem = operator.post(f"/v3/apis/{other}/implementations", service, expect=409)
    assert problem["detail"] == "This gateway service is already linked to another API"
    american = clients.operator(region="us")
    there = american.post("/v3/apis", {"name": "Maps API"})["id"]
    american.post(f"/v3/apis/{there}/implementations", service)


def test_unlinking_takes_the_service_back_and_another_api_may_have_it(
    operator: Client, plane: ControlPlane, api: str
) -> None:
    service_id = new_id()
    made = operator.post(f"/v3/apis/{api}/implementations", _service(service_id))
    operator.delete(f"/v3/apis/{api}/implementations/{made['id']}")

    operator.get(f"/v3/apis/{api}/implementations/{made['id']}", expect=404)
    assert heard(plane, Table.SERVICES, service_id) is None

    other = operator.post("/v3/apis", {"name": "Maps API"})["id"]
    operator.post(f"/v3/apis/{other}/implementations", _service(service_id))
    assert heard(plane, Table.SERVICES, service_id) == records.Service(service_id, other)


def test_an_implementation_is_there_under_its_own_api_only(clients: Clients, operator: Client, api: str) -> None:
    made = operator.post(f"/v3/apis/{api}/implementations", _service())
    other = operator.post("/v3/apis", {"name": "Maps API"})["id"]

    for client, place in ((operator, other), (clients.operator(region="us"), api)):
        client.get(f"/v3/apis/{place}/implementations/{made['id']}", expect=404)
        client.delete(f"/v3/apis/{place}/implementations/{made['id']}", expect=404)
    clients.operator(region="us").post(f"/v3/apis/{api}/implementations", _service(), expect=404)


def test_implementations_are_filtered_and_sorted(clients: Clients, operator: Client, api: str) -> None:
    made = operator.post(f"/v3/apis/{api}/implementations", _service())
    other = operator.post("/v3/apis", {"name": "Maps API"})["id"]
    control_plane = new_id()
    operator.post(f"/v3/apis/{other}/implementations", {"control_plane": {"control_plane_id": control_plane}})

    def found(**params: str) -> list[str]:
        return [one["api_id"] for one in operator.get("/v3/api-implementations", params=params)["data"]]

    assert sorted(found()) == sorted((api, other))
    assert found(sort="api_id desc") == sorted((api, other), reverse=True)
    for params, expected in (
        ({"filter[id]": made["id"]}, [api]),
        ({"filter[api_id][neq]": api}, [other]),
        ({"filter[service_id][eq]": made["service"]["id"]}, [api]),
        ({"filter[control_plane_id]": control_plane}, [other]),
        ({"filter[created_at][gt]": "2026-11-23T12:00:00Z"}, []),
    ):
        assert found(**params) == expected
    assert clients.operator(region="us").get("/v3/api-implementations")["data"] == []
