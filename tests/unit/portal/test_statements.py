"""How many SQL statements a request takes: a number that does not grow with what is there."""

import re
from collections.abc import Callable

import pytest

from kong_app_auth.portal.plane import ControlPlane
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import developer
from tests.control_plane.inhabited import World, inhabited
from tests.control_plane.statements import counted
from tests.unit.portal.test_authorization import ROUTES, _filled, _for_members, _for_operators

MOST_TO_READ = 9
"""Who asks, the record that the path names, the count, the ids of the page, its records, and what hangs on them."""
LISTS = {
    "/v3/portals/{portalId}/applications",
    "/v3/portals/{portalId}/application-registrations",
    "/v3/portals/{portalId}/developers",
    "/v3/apis",
    "/v3/apis/{apiId}/registrations",
    "/v3/api-publications",
    "/v3/api-implementations",
}
MOST_TO_WRITE = 30


@pytest.fixture
def world(clients: Clients) -> World:
    return inhabited(clients)


def _counts(plane: ControlPlane, client: Client, world: World, chosen: Callable[[str, str], bool]) -> dict[str, int]:
    found: dict[str, int] = {}
    for method, path in ROUTES:
        if method == "GET" and chosen(method, path) and "export" not in path:
            with counted(plane) as statements:
                client.request("GET", _filled(path, world))
            found[path] = len(statements)
    return found


def test_reading_takes_few_statements(clients: Clients, plane: ControlPlane, operator: Client, world: World) -> None:
    member = clients.visitor(world.ids["portalId"][0])
    member.http.headers["cookie"] = world.cookie

    found = _counts(plane, operator, world, _for_operators) | _counts(plane, member, world, _for_members)
    assert {path: count for path, count in found.items() if count > MOST_TO_READ} == {}


def _more(clients: Clients, operator: Client, world: World) -> None:
    """Make five more of everything that the lists show."""
    portal = world.ids["portalId"][0]
    for number in range(5):
        api = operator.post("/v3/apis", {"name": f"API {number}", "version": "v1"})["id"]
        operator.put(f"/v3/apis/{api}/publications/{portal}", {})
        service = f"11111111-2222-4333-8444-{number:012}"
        operator.post(f"/v3/apis/{api}/implementations", {"service": {"control_plane_id": service, "id": service}})
        owner = {"type": "developer", "id": developer(clients, portal)}
        application = operator.post(
            f"/v3/portals/{portal}/applications",
            {"name": f"App {number}", "owner": owner, "auth_strategy_id": world.ids["authStrategyId"][0]},
        )["id"]
        for one in (api, world.ids["apiId"][0]):
            operator.post(f"/v3/portals/{portal}/applications/{application}/registrations", {"api_id": one})


def test_lists_take_as_many_statements_for_many_records_as_for_few(
    clients: Clients, plane: ControlPlane, operator: Client, world: World
) -> None:
    def counts() -> dict[str, int]:
        found: dict[str, int] = {}
        for path in LISTS:
            with counted(plane) as statements:
                operator.get(re.sub(r"\{(\w+)\}", lambda name: world.ids[name[1]][0], path))
            found[path] = len(statements)
        return found

    few = counts()
    _more(clients, operator, world)
    assert counts() == few


def test_a_new_key_takes_few_statements(clients: Clients, plane: ControlPlane, world: World) -> None:
    member = clients.visitor(world.ids["portalId"][0])
    member.http.headers["cookie"] = world.cookie
    with counted(plane) as statements:
        member.post(f"/api/v3/applications/{world.ids['applicationId'][0]}/credentials", {"display_name": "second"})

    assert len(statements) <= MOST_TO_WRITE, statements
