from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamMember
from tests.control_plane.clients import Clients
from tests.control_plane.developers import developer, signed_in
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.sites import EMAIL, PASSWORD, Site


def _team(clients: Clients, portal_id: str, name: str, *members: str) -> str:
    with clients.plane.write(System(region=REGION)) as tx:
        team = Team(portal_id=portal_id, name=name, description=None)
        tx.session.add(team)
        tx.session.flush()
        tx.session.add_all([TeamMember(team_id=team.id, developer_id=one, created_at=tx.now) for one in members])
        return team.id


def test_a_developer_sees_and_changes_the_own_profile(site: Site, clients: Clients) -> None:
    dora = signed_in(clients, site.portal["id"], email=EMAIL)
    changed = dora.patch("/api/v3/developer/me", {"full_name": "Dora the Second"})

    assert changed["full_name"] == "Dora the Second"
    assert dora.get("/api/v3/developer/me") == changed
    for body in ({"full_name": ""}, {"full_name": "x" * 257}, {"email": "a@example.com", "full_name": "x"}, {}):
        dora.request("PATCH", "/api/v3/developer/me", json=body, expect=400)


def test_a_name_of_256_characters_is_taken_as_the_contract_says(site: Site, clients: Clients) -> None:
    dora = signed_in(clients, site.portal["id"])

    assert dora.patch("/api/v3/developer/me", {"full_name": "x" * 256})["full_name"] == "x" * 250


def test_a_visitor_has_no_profile(site: Site) -> None:
    site.browser.get("/api/v3/developer/me", expect=401)
    site.browser.request("PATCH", "/api/v3/developer/me", json={"full_name": "x"}, expect=401)


def test_an_account_is_deleted_by_its_owner_with_the_password(site: Site) -> None:
    site.with_developer()
    site.sign_in()
    path = "/api/v3/developer/delete-account"
    site.browser.post(path, {"password": "wrong"}, expect=400)
    site.browser.post(path, {"password": PASSWORD}, expect=204)

    assert dict(site.browser.http.cookies) == {}
    with site.clients.plane.read(System(region=REGION)) as tx:
        assert tx.session.scalars(select(Developer)).all() == []
    site.sign_in(expect=401)


def test_who_has_no_password_deletes_the_account_a_moment_after_signing_in(
    site: Site, clients: Clients, clock: Clock
) -> None:
    path = "/api/v3/developer/delete-account"
    slow, quick = (signed_in(clients, site.portal["id"], email=f"{name}@example.com") for name in ("slow", "quick"))
    clock.forward(timedelta(minutes=10))
    for body in ({}, {"email": "slow@example.com"}, {"password": "guessed"}):
        quick.post(path, body, expect=400)
    quick.post(path, {"email": "Quick@example.com"}, expect=204)
    clock.forward(timedelta(seconds=1))

    assert "sign out and in again" in slow.post(path, {"email": "slow@example.com"}, expect=403)["detail"].lower()
    assert slow.get("/api/v3/developer/me")["id"] == slow.developer_id


def test_the_own_password_cannot_be_tried_without_end(site: Site) -> None:
    site.with_developer()
    site.sign_in()
    for _ in range(10):
        site.browser.post("/api/v3/developer/delete-account", {"password": "wrong"}, expect=400)
    site.browser.post("/api/v3/developer/delete-account", {"password": PASSWORD}, expect=429)


def test_a_developer_sees_the_own_teams_and_who_is_in_them(site: Site, clients: Clients) -> None:
    portal_id = site.portal["id"]
    dora = signed_in(clients, portal_id, email="dora@example.com")
    others = [developer(clients, portal_id, email=f"{name}@example.com", full_name=name) for name in ("ann", "bob")]
    mine = _team(clients, portal_id, "Beta", dora.developer_id, *others)
    _team(clients, portal_id, "Alpha", dora.developer_id)
    not_mine = _team(clients, portal_id, "Gamma", *others)

    listed = dora.get("/api/v3/developer/teams")
    assert [one["name"] for one in listed["data"]] == ["Alpha", "Beta"]
    page = dora.get("/api/v3/developer/teams", params={"page[size]": 1, "page[number]": 2})
    assert ([one["name"] for one in page["data"]], page["meta"]["page"]["total"]) == (["Beta"], 2)
    assert dora.get(f"/api/v3/developer/teams/{mine}")["description"] is None
    found = dora.get(f"/api/v3/developer/teams/{mine}/developers")
    assert {one["email"] for one in found["data"]} == {"dora@example.com", "ann@example.com", "bob@example.com"}
    for team_id in (not_mine, "00000000-0000-4000-8000-000000000000", "no-id"):
        dora.get(f"/api/v3/developer/teams/{team_id}", expect=404)
        dora.get(f"/api/v3/developer/teams/{team_id}/developers", expect=404)
    dora.get("/api/v3/developer/teams", params={"filter[name]": "x"}, expect=400)


def test_the_portal_says_what_it_is(site_with: Callable[..., Site]) -> None:
    site = site_with(name="Staging", display_name="Try it out", authentication_enabled=False)
    context = site.browser.get("/api/v3/portal")

    assert context["portal_id"] == site.portal["id"]
    assert context["name"] == "Try it out"
    assert context["canonical_domain"] == site.portal["default_domain"]
    assert (context["authentication_enabled"], context["basic_auth_enabled"]) == (False, True)
    site.clients.nobody().get("/api/v3/portal", expect=404)


UNSAFE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "", {"email": EMAIL, "full_name": "x"}),
    ("POST", "/verify-email", {"token": "00000000-0000-4000-8000-000000000000"}),
    ("POST", "/authenticate", {"username": EMAIL, "password": "x"}),
    ("POST", "/refresh", {}),
    ("POST", "/logout", {}),
    ("POST", "/forgot-password", {"email": EMAIL}),
    ("POST", "/reset-password", {"token": "00000000-0000-4000-8000-000000000000", "password": "x"}),
    ("PATCH", "/me", {"full_name": "x"}),
    ("POST", "/change-password", {"current_password": "x", "new_password": "x"}),
    ("POST", "/delete-account", {"password": "x"}),
    ("DELETE", "/sessions", {}),
    ("DELETE", "/sessions/00000000-0000-4000-8000-000000000000", {}),
)


def test_every_unsafe_route_of_accounts_is_in_the_list_above(clients: Clients) -> None:
    from kong_app_auth.portal.api.developers import accounts, portal, sessions, teams

    routers = (accounts.routes, portal.routes, sessions.routes, teams.routes)
    found = {
        (method, str(getattr(route, "path", "")).removeprefix("/api/v3/developer").partition("{")[0])
        for router in routers
        for route in router.routes
        for method in getattr(route, "methods", ())
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    assert found == {(method, path.partition("0000")[0]) for method, path, _ in UNSAFE}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_another_site_cannot_make_a_browser_do_anything(site: Site, clients: Clients, headers: dict[str, str]) -> None:
    dora = signed_in(clients, site.portal["id"], email=EMAIL)
    for method, path, body in UNSAFE:
        dora.request(method, f"/api/v3/developer{path}", json=body, headers=headers, expect=403)
    dora.get("/api/v3/developer/me")


def test_a_form_of_another_site_is_no_json(site: Site) -> None:
    body = b'{"email": "dora@example.com", "full_name": "x"}'
    headers = {"content-type": "text/plain"}
    site.browser.request("POST", "/api/v3/developer", content=body, headers=headers, expect=400)


def test_the_portal_s_own_pages_may(site: Site) -> None:
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://testserver"}):
        body = {"email": EMAIL, "full_name": "Dora"}
        site.browser.request("POST", "/api/v3/developer", json=body, headers=headers, expect=201)
