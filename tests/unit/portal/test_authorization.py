"""Who may call what: every route, with every kind of caller."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute

from kong_app_auth.portal.application import routers
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import developer, session, signed_in
from tests.control_plane.inhabited import World, inhabited
from tests.control_plane.settings import FEED_TOKEN

ROUTES = sorted(
    (
        (method, route.path)
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ),
    key=lambda one: (one[0] == "DELETE", one[1], one[0]),
)
PUBLIC = {
    ("POST", "/v3/key-disclosures"),
    ("POST", "/api/v3/key-disclosures"),
    ("GET", "/api/v3/portal"),
    ("GET", "/api/v3/apis"),
    ("POST", "/api/v3/developer"),
    ("POST", "/api/v3/developer/authenticate"),
    ("GET", "/api/v3/developer/authenticate/sso"),
    ("GET", "/api/v3/authenticate/oidc"),
    ("GET", "/api/v3/authenticate/oidc/callback"),
    ("POST", "/api/v3/developer/forgot-password"),
    ("POST", "/api/v3/developer/logout"),
    ("POST", "/api/v3/developer/refresh"),
    ("POST", "/api/v3/developer/reset-password"),
    ("POST", "/api/v3/developer/verify-email"),
    ("GET", "/mailbox"),
}
"""Routes for everybody. Whoever adds one here says why in the review."""
PUBLIC_CATALOGUE = re.compile(r"/api/v3/apis/\{[^}]+\}(/specifications(/\{[^}]+\}(/raw)?)?|/actions)?")
"""What a public API shows to everybody; the tests of the catalogue say what is hidden."""
OPERATORS = ("/v3/", "/v2/")


def _is_public(method: str, path: str) -> bool:
    return (method, path) in PUBLIC or (method == "GET" and bool(PUBLIC_CATALOGUE.fullmatch(path)))


@pytest.fixture
def world(clients: Clients) -> World:
    return inhabited(clients)


def _filled(path: str, world: World) -> str:
    def value(found: re.Match[str]) -> str:
        words = found[1].split("_")
        camel = words[0] + "".join(word.capitalize() for word in words[1:])
        return world.ids.get(camel, ["11111111-1111-4111-8111-111111111111"])[0]

    return re.sub(r"\{([a-z_]+)(?::[a-z]+)?\}", value, path).replace("{region}", "eu")


def _statuses(client: Client, world: World, chosen: Callable[[str, str], bool]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for method, path in ROUTES:
        if chosen(method, path):
            body: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
            found[method, path] = client.request(method, _filled(path, world), **body).status_code
    return found


def _for_operators(method: str, path: str) -> bool:
    return path.startswith(OPERATORS) and not _is_public(method, path)


def _for_members(method: str, path: str) -> bool:
    return path.startswith("/api/v3/") and not _is_public(method, path)


def _wrong(found: dict[tuple[str, str], int], *right: int) -> dict[tuple[str, str], int]:
    assert found
    return {route: status for route, status in found.items() if status not in right}


def test_nobody_gets_in_anywhere(clients: Clients, world: World) -> None:
    nobody = clients.nobody()
    at_portal = clients.visitor(world.ids["portalId"][0])

    assert _wrong(_statuses(nobody, world, _for_operators), 401) == {}
    assert _wrong(_statuses(at_portal, world, _for_members), 401) == {}
    assert _wrong(_statuses(nobody, world, lambda _, path: path.startswith("/internal/v1/regions")), 401) == {}


@pytest.mark.parametrize("columns", [{"expires_at": "past"}, {"revoked_at": "past"}])
def test_a_token_that_ended_is_nobodys(clients: Clients, world: World, columns: dict[str, Any]) -> None:
    ended = clients.operator(**{name: clients.plane.clock() for name in columns})

    assert _wrong(_statuses(ended, world, _for_operators), 401) == {}


def test_a_developer_is_no_operator_and_no_daemon(clients: Clients, world: World) -> None:
    member = signed_in(clients, world.ids["portalId"][0])
    member.prefix = ""

    assert _wrong(_statuses(member, world, _for_operators), 401) == {}
    assert _wrong(_statuses(member, world, lambda _, path: path.startswith("/internal/v1/regions")), 401) == {}


@pytest.mark.parametrize("status", ["pending", "revoked", "rejected"])
def test_a_developer_who_is_not_approved_is_not_signed_in(clients: Clients, world: World, status: str) -> None:
    portal = world.ids["portalId"][0]
    refused = session(clients, portal, developer(clients, portal, status=status))

    assert _wrong(_statuses(refused, world, _for_members), 401) == {}


def test_a_session_of_another_portal_is_none_here(clients: Clients, world: World, operator: Client) -> None:
    other = next(one["id"] for one in operator.get("/v3/portals")["data"] if one["id"] != world.ids["portalId"][0])
    stranger = signed_in(clients, other)
    stranger.prefix = f"/p/{world.slug}"

    assert _wrong(_statuses(stranger, world, _for_members), 401) == {}


def test_what_is_another_portals_is_not_there(clients: Clients, world: World, operator: Client) -> None:
    other = next(one["id"] for one in operator.get("/v3/portals")["data"] if one["id"] != world.ids["portalId"][0])
    stranger = signed_in(clients, other)
    mine = re.compile(r"\{(application|registration|credential|team)")

    found = _statuses(stranger, world, lambda method, path: _for_members(method, path) and bool(mine.search(path)))
    assert _wrong(found, 404, 400) == {}
    assert 400 not in {status for (method, _), status in found.items() if method in ("GET", "DELETE")}


def test_what_is_another_developers_is_not_there(clients: Clients, world: World) -> None:
    neighbour = signed_in(clients, world.ids["portalId"][0])
    mine = re.compile(r"\{(application|registration|credential|team)")

    found = _statuses(neighbour, world, lambda method, path: _for_members(method, path) and bool(mine.search(path)))
    assert _wrong(found, 404, 400) == {}
    assert 400 not in {status for (method, _), status in found.items() if method in ("GET", "DELETE")}


def test_an_operator_who_reads_reads_everything_and_writes_nothing(clients: Clients, world: World) -> None:
    reader = clients.operator(scope="read")

    found = _statuses(reader, world, _for_operators)
    assert _wrong({one: status for one, status in found.items() if one[0] == "GET"}, 200, 404) == {}
    assert _wrong({one: status for one, status in found.items() if one[0] != "GET"}, 403) == {}


def test_an_operator_of_another_region_finds_nothing(clients: Clients, world: World) -> None:
    stranger = clients.operator(region="us")

    found = _statuses(stranger, world, lambda method, path: _for_operators(method, path) and "{" in path)
    assert _wrong(found, 404, 400) == {}
    assert 400 not in {status for (method, _), status in found.items() if method in ("GET", "DELETE")}
    for method, path in ROUTES:
        if method == "GET" and _for_operators(method, path) and "{" not in path:
            answer = stranger.request(method, path)
            body = answer.json() if answer.headers["content-type"] == "application/json" else {}
            # The audit log has the making of this operator's own token.
            others = [one for one in body.get("data", []) if one.get("region") != "us"]
            assert others == [], f"{path} shows another region"


def test_an_operator_who_writes_is_refused_nothing(clients: Clients, world: World) -> None:
    found = _statuses(clients.operator(), world, _for_operators)

    assert {one: status for one, status in found.items() if status in (401, 403, 405) or status >= 500} == {}


def test_a_developer_is_let_in_at_home(clients: Clients, world: World) -> None:
    client = clients.visitor(world.ids["portalId"][0])
    client.http.headers["cookie"] = world.cookie

    found = _statuses(client, world, _for_members)
    assert {one: status for one, status in found.items() if status in (401, 405) or status >= 500} == {}


def test_a_regions_token_opens_that_regions_feed_only(clients: Clients, world: World) -> None:
    daemon = clients.nobody()
    daemon.http.headers["authorization"] = f"Bearer {FEED_TOKEN}-us"

    assert _wrong(_statuses(daemon, world, lambda _, path: path.startswith("/internal/v1/regions")), 401, 403) == {}


def test_a_portal_without_authentication_knows_no_sessions(clients: Clients, world: World, operator: Client) -> None:
    portal = world.ids["portalId"][0]
    member = signed_in(clients, portal)
    operator.patch(f"/v3/portals/{portal}", {"authentication_enabled": False})

    member.get("/api/v3/developer/me", expect=401)
