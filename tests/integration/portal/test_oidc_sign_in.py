"""Developers sign in at a real identity provider (npm's `oidc-provider`), by its pages."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from sqlalchemy import select

from kong_app_auth.demo.identity_provider.configuration import Account
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.developers import Developer, DeveloperIdentity, DeveloperSession
from kong_app_auth.portal.store.teams import TeamMember
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import developer
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite
from tests.control_plane.stage import Stage
from tests.servers.identity_provider import ALICE, MALLORY, Browser, IdentityProvider, changed, identity_provider

SSO = "/api/v3/authenticate/oidc"
SECRET = "a-secret-of-a-website"
PAGES = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def plane_of_all(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path_factory.mktemp("portal")), clock, idp_allow_http_loopback=True) as made:
        yield made


@pytest.fixture
def plane(plane_of_all: ControlPlane, clock: Clock) -> ControlPlane:
    """One for all tests: each has a portal of its own, and an hour in which nobody has tried to sign in yet."""
    clock.forward(timedelta(hours=1))
    return plane_of_all


class Scene:
    """A portal with an identity provider, where `browser` is at both."""

    def __init__(self, plane: ControlPlane, provider: IdentityProvider, **settings: Any) -> None:
        self.plane, self.provider = plane, provider
        self.clients = Clients(plane)
        self.stage = Stage(self.clients, **{"auto_approve_developers": True, **settings})
        self.developer = self.clients.visitor(self.stage.portal)
        self.callback = f"http://portal.test{self.developer.prefix}{SSO}/callback"
        self.client_id = f"portal-{new_id()}"
        provider.web(self.client_id, self.callback)
        self.configure(issuer_url=provider.issuer, client_id=self.client_id, client_secret=SECRET)

    def configure(self, **config: Any) -> None:
        path = f"{self.stage.path}/identity-providers"
        known = self.stage.operator.get(path)
        if known:
            self.stage.operator.patch(f"{path}/{known[0]['id']}", {"config": config})
        else:
            wanted = {"scopes": ["openid", "email", "profile", "groups"], **config}
            self.provider_id = self.stage.operator.post(path, {"type": "oidc", "enabled": True, "config": wanted})["id"]

    def another_browser(self) -> Client:
        return self.clients.visitor(self.stage.portal)

    def set_out(self, browser: Client | None = None, query: str = "") -> str:
        answer = (browser or self.developer).request("GET", SSO + query, expect=302)
        return str(answer.headers["location"])

    def at_provider(self, address: str, account: Account = ALICE) -> str:
        """Sign in there; give path and query to come back to."""
        return self.home(Browser().sign_in(address, account, back_to=self.callback))

    def home(self, address: str) -> str:
        assert address.startswith(self.callback)
        return SSO + "/callback?" + urlsplit(address).query

    def come_back(self, path: str, browser: Client | None = None, **options: Any) -> httpx.Response:
        return (browser or self.developer).request("GET", path, **options)

    def sign_in(self, account: Account = ALICE, browser: Client | None = None, **options: Any) -> httpx.Response:
        path = self.at_provider(self.set_out(browser), account)
        return self.come_back(path, browser, **{"expect": 303, **options})

    def rows(self, record: Any) -> list[Any]:
        with self.plane.read(System(region=REGION)) as tx:
            return list(tx.session.scalars(select(record).where(record.portal_id == self.stage.portal)))

    def teams_of(self, developer_id: str) -> set[str]:
        with self.plane.read(System(region=REGION)) as tx:
            chosen = select(TeamMember.team_id).where(TeamMember.developer_id == developer_id)
            return set(tx.session.scalars(chosen))


@pytest.fixture
def scene(plane: ControlPlane, provider: IdentityProvider) -> Scene:
    return Scene(plane, provider)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


def test_a_developer_signs_in_and_is_led_on(scene: Scene) -> None:
    address = scene.set_out(query="?return_to=/apis%3Fpage=2")
    asked = parse_qs(urlsplit(address).query)
    assert asked["redirect_uri"] == [scene.callback]
    assert asked["code_challenge_method"] == ["S256"]
    kept = next(one for one in scene.developer.http.cookies.jar if one.name == "portalsigninattempt")
    assert kept.path == scene.developer.prefix + SSO
    assert asked["state"][0] not in str(kept.value)

    answer = scene.come_back(scene.at_provider(address), expect=303)

    assert answer.headers["location"] == scene.developer.prefix + "/apis?page=2"
    cookies = answer.headers.get_list("set-cookie")
    assert sum("HttpOnly" in one and "SameSite=lax" in one for one in cookies) == 3
    me = scene.developer.get("/api/v3/developer/me")
    assert (me["email"], me["full_name"]) == (ALICE.email, ALICE.name)
    (made,) = scene.rows(Developer)
    assert (made.status, made.password_hash, made.email_verified_at) == ("approved", None, scene.plane.clock())


def test_the_second_time_it_is_the_same_developer_whatever_the_address_is_now(scene: Scene) -> None:
    scene.sign_in()
    moved = changed(ALICE, email="alice.two@example.com")
    scene.provider.control.put_account(moved)
    scene.provider.control.delete_account(ALICE.email)
    try:
        scene.sign_in(moved)
    finally:
        scene.provider.control.delete_account(moved.email)
        scene.provider.control.put_account(ALICE)

    assert [one.email for one in scene.rows(Developer)] == [ALICE.email]
    assert len(scene.rows(DeveloperSession)) == 2


def test_the_route_of_the_contract_does_the_same(scene: Scene) -> None:
    answer = scene.developer.request("GET", "/api/v3/developer/authenticate/sso", expect=302)

    scene.come_back(scene.at_provider(answer.headers["location"]), expect=303)
    scene.developer.get("/api/v3/developer/me")


def test_teams_follow_the_groups_where_the_operator_wants_it(scene: Scene) -> None:
    mapped, emptied, other = (scene.stage.team() for _ in range(3))
    path = f"{scene.stage.path}/identity-providers/{scene.provider_id}/team-group-mappings"
    scene.stage.operator.post(path, {"team_id": mapped, "group": "weather-team"})
    scene.stage.operator.post(path, {"team_id": emptied, "group": "maps-team"})
    scene.sign_in()
    (who,) = scene.rows(Developer)
    assert scene.teams_of(who.id) == set()

    scene.stage.operator.patch(f"{scene.stage.path}/authentication-settings", {"idp_mapping_enabled": True})
    with scene.plane.write(System(region=REGION)) as tx:
        tx.session.add_all(TeamMember(team_id=one, developer_id=who.id, created_at=tx.now) for one in (emptied, other))
    scene.sign_in()
    assert scene.teams_of(who.id) == {mapped, other}

    scene.provider.control.put_account(changed(ALICE, groups=()))
    try:
        scene.sign_in()
    finally:
        scene.provider.control.put_account(ALICE)
    assert scene.teams_of(who.id) == {other}


def test_what_comes_back_to_another_browser_is_refused(scene: Scene) -> None:
    path = scene.at_provider(scene.set_out())

    assert scene.come_back(path, scene.another_browser()).status_code == 401
    # The victim has set out too, and is sent to the attacker's answer.
    victim = scene.another_browser()
    scene.set_out(victim)
    assert scene.come_back(path, victim).status_code == 401
    assert scene.rows(Developer) == []


def test_an_attempt_is_good_once(scene: Scene) -> None:
    path = scene.at_provider(scene.set_out())
    kept = {one.name: str(one.value) for one in scene.developer.http.cookies.jar}
    scene.come_back(path, expect=303)

    scene.developer.http.cookies.clear()
    replayed = scene.come_back(path, headers={"cookie": f"portalsigninattempt={kept['portalsigninattempt']}"})
    assert replayed.status_code == 401
    assert "set-cookie" not in replayed.headers
    assert len(scene.rows(DeveloperSession)) == 1


def test_a_code_that_was_used_is_refused_by_the_provider(scene: Scene) -> None:
    code = parse_qs(urlsplit(scene.at_provider(scene.set_out())).query)["code"][0]
    second = parse_qs(urlsplit(scene.set_out()).query)["state"][0]

    # A stolen code of another attempt, which the verifier of this one does not open.
    answer = scene.come_back(f"{SSO}/callback?code={code}&state={second}&iss={scene.provider.issuer}")
    assert problem(answer) == (401, "The identity provider's answer cannot be accepted")


@pytest.mark.parametrize("wrong", ["state", "iss", "no iss"])
def test_a_response_that_is_not_the_providers_is_refused(scene: Scene, wrong: str) -> None:
    path = scene.at_provider(scene.set_out())
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    query["state" if wrong == "state" else "iss"] = "https://attacker.example"
    if wrong == "no iss":
        del query["iss"]

    answer = scene.come_back(f"{SSO}/callback", params=query)
    assert answer.status_code == 401
    assert scene.rows(Developer) == []


def test_ten_minutes_are_enough(scene: Scene, clock: Clock) -> None:
    path = scene.at_provider(scene.set_out())
    clock.forward(timedelta(minutes=10))

    assert scene.come_back(path).status_code == 401


def test_settings_that_changed_meanwhile_end_it(scene: Scene) -> None:
    path = scene.at_provider(scene.set_out())
    scene.configure(client_id="another")

    assert scene.come_back(path).status_code == 401


def test_an_attempt_at_one_portal_is_none_at_another(scene: Scene) -> None:
    other = Scene(scene.plane, scene.provider)
    path = scene.at_provider(scene.set_out())
    kept = next(one for one in scene.developer.http.cookies.jar if one.name == "portalsigninattempt")

    answer = other.come_back(path, headers={"cookie": f"portalsigninattempt={kept.value}"})
    assert answer.status_code == 401
    assert other.rows(Developer) == []


def test_who_says_no_at_the_provider_is_led_to_the_sign_in_page(scene: Scene) -> None:
    address = Browser().refuse(scene.set_out(query="?return_to=/apis"), back_to=scene.callback)

    answer = scene.come_back(scene.home(address), headers=PAGES, expect=303)
    assert answer.headers["location"] == f"{scene.developer.prefix}/sign-in?error=cancelled&return_to=%2Fapis"


def test_a_portal_that_has_a_host_of_its_own_is_come_back_to_there(scene: Scene) -> None:
    """Not at what a request says that the host of another portal is."""
    host = scene.stage.operator.get(scene.stage.path)["default_domain"]
    stranger = scene.clients.nobody()

    answer = stranger.request("GET", SSO, headers={"host": f"{host}:8443"}, expect=302)
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == [f"http://{host}:8443{SSO}/callback"]
    assert "Path=/api/v3/authenticate/oidc;" in answer.headers["set-cookie"] + ";"
    assert parse_qs(urlsplit(scene.set_out()).query)["redirect_uri"] == [scene.callback]
    assert stranger.request("GET", SSO, headers={"host": "evil.example"}).status_code == 404
    by_path = scene.developer.request("GET", SSO, headers={"host": "evil.example"}, expect=302)
    assert "evil" not in by_path.headers["location"]


@pytest.mark.parametrize("address", ["//evil.example/", "https://evil.example/", "/api/v3/developer/me", "/\\evil"])
def test_nobody_is_led_to_another_site(scene: Scene, address: str) -> None:
    path = scene.at_provider(scene.set_out(query=f"?return_to={address}"))

    assert scene.come_back(path, expect=303).headers["location"] == scene.developer.prefix + "/"


def test_a_new_developer_waits_where_operators_approve(plane: ControlPlane, provider: IdentityProvider) -> None:
    scene = Scene(plane, provider, auto_approve_developers=False)

    assert scene.sign_in(expect=401).json()["detail"] == "Invalid credentials"
    answer = scene.sign_in(expect=303, headers=PAGES)
    assert "error=not_approved" in answer.headers["location"]
    (waiting,) = scene.rows(Developer)
    assert waiting.status == "pending"

    path = f"{scene.stage.path}/developers/{waiting.id}"
    scene.stage.operator.patch(path, {"status": "approved"})
    scene.sign_in()
    scene.stage.operator.patch(path, {"status": "revoked"})
    scene.sign_in(expect=401)
    assert scene.rows(DeveloperSession) == []
    refused = [one for one in scene.rows(AuditEntry) if one.action == "sign_in_failed"]
    assert {one.after["reason"] for one in refused} == {"not_approved"}


def test_a_verified_address_opens_the_account_that_has_it(scene: Scene) -> None:
    settings: dict[str, Any] = {"email": ALICE.email.upper(), "email_verified_at": scene.plane.clock()}
    known = developer(scene.clients, scene.stage.portal, **settings)

    scene.sign_in()
    assert [one.developer_id for one in scene.rows(DeveloperIdentity)] == [known]


def test_an_address_that_is_not_verified_opens_no_account(scene: Scene) -> None:
    developer(scene.clients, scene.stage.portal, email=MALLORY.email, email_verified_at=scene.plane.clock())

    assert scene.sign_in(MALLORY, expect=409).json()["detail"] == "Another account has this e-mail address"
    assert scene.rows(DeveloperIdentity) == []


def test_an_address_that_was_given_to_somebody_new_does_not_open_the_old_account(scene: Scene) -> None:
    scene.sign_in()
    scene.provider.control.put_account(changed(ALICE, subject="another-person"))
    try:
        scene.sign_in(browser=scene.another_browser(), expect=409)
    finally:
        scene.provider.control.put_account(ALICE)


def test_who_was_deleted_begins_anew(scene: Scene) -> None:
    scene.sign_in()
    (first,) = scene.rows(Developer)
    scene.stage.operator.delete(f"{scene.stage.path}/developers/{first.id}")
    assert scene.rows(DeveloperIdentity) == []

    scene.sign_in()
    assert [one.id for one in scene.rows(Developer)] != [first.id]
    scene.stage.operator.delete(f"{scene.stage.path}?force=true")
    assert scene.rows(DeveloperIdentity) == []


def test_who_came_with_an_unverified_address_gets_no_password_by_mail(scene: Scene) -> None:
    """Else the owner of the address would share the account with whoever named it."""
    scene.sign_in(MALLORY)
    scene.another_browser().post("/api/v3/developer/forgot-password", {"email": MALLORY.email}, expect=200)
    owner = {"email": MALLORY.email, "full_name": "The real one"}
    scene.another_browser().request("POST", "/api/v3/developer", json=owner, expect=201)

    assert scene.stage.mails() == []


def test_userinfo_that_is_refused_leaves_what_the_id_token_says(scene: Scene) -> None:
    """The access tokens of this provider are for an API."""
    scene.configure(claim_mappings={"name": "zoneinfo"})

    scene.sign_in()
    assert [one.full_name for one in scene.rows(Developer)] == [ALICE.email]


def test_a_provider_without_address_lets_nobody_in(scene: Scene) -> None:
    scene.configure(claim_mappings={"email": "postal"})

    assert problem(scene.sign_in(expect=401)) == (401, "The identity provider tells no e-mail address of yours")


def test_keys_that_were_changed_are_fetched_anew(scene: Scene) -> None:
    scene.sign_in()
    scene.provider.rotate(abrupt=True)

    scene.sign_in()


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_clients_authenticate_in_other_ways(plane: ControlPlane, provider: IdentityProvider, method: str) -> None:
    scene = Scene(plane, provider)
    if method == "none":
        public = f"public-{new_id()}"
        provider.control.put_client(
            {
                "client_id": public,
                "token_endpoint_auth_method": "none",
                "redirect_uris": [scene.callback],
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
            }
        )
        scene.stage.operator.delete(f"{scene.stage.path}/identity-providers/{scene.provider_id}")
        scene.configure(issuer_url=provider.issuer, client_id=public)
    scene.sign_in()


def test_a_secret_that_is_wrong_lets_nobody_in_and_is_in_no_answer(scene: Scene) -> None:
    scene.configure(client_secret="not-the-secret-at-all")

    answer = scene.sign_in(expect=401)
    assert "not-the-secret" not in answer.text


def test_without_a_provider_there_is_no_way(scene: Scene) -> None:
    path = scene.at_provider(scene.set_out())
    scene.stage.operator.patch(f"{scene.stage.path}/identity-providers/{scene.provider_id}", {"enabled": False})

    assert scene.developer.request("GET", SSO).status_code == 400
    assert scene.developer.request("GET", "/api/v3/developer/authenticate/sso").status_code == 400
    assert scene.come_back(path).status_code == 400
    answer = scene.developer.request("GET", SSO, headers=PAGES, expect=302)
    assert "error=not_available" in answer.headers["location"]


def test_a_provider_that_is_dead_or_hung_lets_nobody_in(plane: ControlPlane, tmp_path: Path) -> None:
    with identity_provider(tmp_path, "mortal") as mortal:
        scene = Scene(plane, mortal)
        path = scene.at_provider(scene.set_out())
        with mortal.hung():
            assert scene.come_back(path).status_code == 503
        path = scene.at_provider(scene.set_out())
        mortal.take_down()
        assert scene.come_back(path).status_code == 503
        # Another process of the portal has never heard of it.
        stranger = Clients(plane).visitor(scene.stage.portal)
        assert stranger.request("GET", SSO).status_code == 503
        answer = stranger.request("GET", SSO, headers=PAGES, expect=302)
        assert "error=provider_unavailable" in answer.headers["location"]
        mortal.start()
        scene.sign_in()
