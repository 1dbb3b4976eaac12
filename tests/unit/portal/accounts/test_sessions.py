from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.services import sessions
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite
from tests.control_plane.sites import EMAIL, PASSWORD, Site

ME = "/api/v3/developer/me"


@pytest.fixture
def signed_in(site: Site) -> Site:
    site.with_developer()
    site.sign_in()
    return site


def _refresh(browser: Client, expect: int = 204) -> None:
    browser.post("/api/v3/developer/refresh", expect=expect)


def _status(site: Site, status: str) -> None:
    with site.clients.plane.write(System(region=REGION)) as tx:
        tx.session.scalars(select(Developer)).one().status = status


def test_unknown_wrong_pending_rejected_and_revoked_get_the_same_answer(site: Site) -> None:
    site.with_developer()
    answers = [site.sign_in(email="nobody@example.com", expect=401), site.sign_in(password="wrong" * 3, expect=401)]
    for status in ("pending", "rejected", "revoked"):
        _status(site, status)
        answers.append(site.sign_in(expect=401))

    assert len({repr({**answer, "instance": ""}) for answer in answers}) == 1


def test_the_address_is_not_minded_by_case(site: Site) -> None:
    site.with_developer()

    site.sign_in(email=EMAIL.upper())


def test_the_cookies_are_for_this_portal_and_for_no_script(site: Site) -> None:
    site.with_developer()
    body = {"username": EMAIL, "password": PASSWORD}
    answer = site.browser.request("POST", "/api/v3/developer/authenticate", json=body, expect=204)

    access, refresh = answer.headers.get_list("set-cookie")
    root = site.browser.prefix
    assert access.startswith("portalaccesstoken=")
    assert access.partition("; ")[2] == f"HttpOnly; Max-Age=1209600; Path={root}; SameSite=lax"
    assert refresh.startswith("portalrefreshtoken=")
    assert refresh.partition("; ")[2] == f"HttpOnly; Max-Age=1209600; Path={root}/api/v3/developer; SameSite=lax"
    assert answer.headers["cache-control"] == "no-store"


def test_behind_tls_the_cookies_are_secure(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = sqlite(tmp_path_factory.mktemp("tls"))
    with control_plane(url, public_url="https://portal.test") as plane:
        clients = Clients(plane)
        site = Site(clients, clients.operator(), auto_approve_developers=True)
        site.with_developer()
        body = {"username": EMAIL, "password": PASSWORD}
        answer = site.browser.request("POST", "/api/v3/developer/authenticate", json=body, expect=204)
    assert all("; Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


def test_at_its_own_host_name_the_cookies_are_for_the_whole_host(signed_in: Site) -> None:
    browser = signed_in.clients.nobody()
    browser.http.headers["host"] = signed_in.portal["default_domain"]
    body = {"username": EMAIL, "password": PASSWORD}
    answer = browser.request("POST", "/api/v3/developer/authenticate", json=body, expect=204)

    access, refresh = answer.headers.get_list("set-cookie")
    assert "; Path=/; " in access
    assert "; Path=/api/v3/developer; " in refresh


def test_tokens_are_kept_as_digests_only(signed_in: Site) -> None:
    cookies = dict(signed_in.browser.http.cookies)
    with signed_in.clients.plane.read(System(region=REGION)) as tx:
        kept = tx.session.scalars(select(DeveloperSession)).one()
    assert len(cookies) == 2
    assert not any(value in repr(vars(kept)) for value in cookies.values())


def test_the_access_token_ends_and_a_refresh_gives_two_new_ones(signed_in: Site, clock: Clock) -> None:
    before = dict(signed_in.browser.http.cookies)
    clock.forward(timedelta(minutes=15))
    signed_in.browser.get(ME, expect=401)
    _refresh(signed_in.browser)

    signed_in.browser.get(ME)
    after = dict(signed_in.browser.http.cookies)
    assert not set(before.values()) & set(after.values())


def test_a_session_ends_however_often_it_is_refreshed(signed_in: Site, clock: Clock) -> None:
    for _ in range(9):
        clock.forward(timedelta(days=10) - timedelta(minutes=1))
        _refresh(signed_in.browser)
    signed_in.browser.get(ME)
    clock.forward(timedelta(minutes=9))

    signed_in.browser.get(ME, expect=401)
    _refresh(signed_in.browser, expect=401)


def test_an_old_access_token_is_nothing_after_the_refresh(signed_in: Site) -> None:
    thief = signed_in.another_browser()
    thief.http.cookies.set("portalaccesstoken", signed_in.browser.http.cookies["portalaccesstoken"])
    thief.get(ME)
    _refresh(signed_in.browser)

    thief.get(ME, expect=401)


def test_a_refresh_token_that_is_used_again_ends_the_session(signed_in: Site, clock: Clock) -> None:
    thief = signed_in.another_browser()
    thief.http.cookies.set("portalrefreshtoken", signed_in.browser.http.cookies["portalrefreshtoken"])
    _refresh(signed_in.browser)
    clock.forward(sessions.GRACE)
    _refresh(thief, expect=401)

    signed_in.browser.get(ME, expect=401)
    _refresh(signed_in.browser, expect=401)


def test_two_tabs_that_refresh_at_once_do_not_end_the_session(signed_in: Site) -> None:
    tab = signed_in.another_browser()
    tab.http.cookies.set("portalrefreshtoken", signed_in.browser.http.cookies["portalrefreshtoken"])
    _refresh(signed_in.browser)
    _refresh(tab, expect=401)

    signed_in.browser.get(ME)


def test_a_refresh_token_ends_too(signed_in: Site, clock: Clock) -> None:
    token = signed_in.browser.http.cookies["portalrefreshtoken"]
    clock.forward(timedelta(days=14))
    browser = signed_in.another_browser()
    browser.http.cookies.set("portalrefreshtoken", token)

    _refresh(browser, expect=401)


def test_a_refresh_needs_a_token_of_this_portal(site_with: Callable[..., Site], signed_in: Site) -> None:
    other = site_with(name="Other", description="another").browser
    _refresh(other, expect=401)
    other.http.cookies.set("portalrefreshtoken", signed_in.browser.http.cookies["portalrefreshtoken"])
    _refresh(other, expect=401)
    other.http.cookies.set("portalaccesstoken", signed_in.browser.http.cookies["portalaccesstoken"])
    other.get(ME, expect=401)


def test_a_revoked_developer_is_out_at_once(signed_in: Site) -> None:
    _status(signed_in, "revoked")

    signed_in.browser.get(ME, expect=401)
    _refresh(signed_in.browser, expect=401)


def test_signing_out_ends_the_session_and_clears_the_cookies(signed_in: Site) -> None:
    copied = signed_in.another_browser()
    for name, value in signed_in.browser.http.cookies.items():
        copied.http.cookies.set(name, value)
    signed_in.browser.post("/api/v3/developer/logout", expect=204)

    assert dict(signed_in.browser.http.cookies) == {}
    copied.get(ME, expect=401)
    _refresh(copied, expect=401)


def test_who_is_not_signed_in_can_sign_out(site: Site) -> None:
    site.browser.post("/api/v3/developer/logout", expect=204)


def test_own_sessions_are_listed_and_ended(signed_in: Site) -> None:
    other, third = signed_in.another_browser(), signed_in.another_browser()
    other.http.headers["user-agent"] = "Other/1.0"
    for browser in (other, third):
        signed_in.sign_in(browser)
    listed = signed_in.browser.get("/api/v3/developer/sessions")["data"]
    assert len(listed) == 3
    assert [one["current"] for one in listed].count(True) == 1
    others = next(one for one in listed if one["device"] == "Other/1.0")

    signed_in.browser.delete(f"/api/v3/developer/sessions/{others['id']}")
    other.get(ME, expect=401)
    signed_in.browser.delete("/api/v3/developer/sessions")
    third.get(ME, expect=401)
    signed_in.browser.get(ME)
    signed_in.browser.delete(f"/api/v3/developer/sessions/{others['id']}", expect=404)


def test_another_developer_s_session_is_not_there(signed_in: Site) -> None:
    with signed_in.clients.plane.read(System(region=REGION)) as tx:
        session_id = tx.session.scalars(select(DeveloperSession.id)).one()
    signed_in.register("mallory@example.com")
    signed_in.reset(signed_in.verify()["token"])
    mallory = signed_in.another_browser()
    signed_in.sign_in(mallory, email="mallory@example.com")

    mallory.delete(f"/api/v3/developer/sessions/{session_id}", expect=404)
    signed_in.browser.get(ME)


def test_a_developer_has_a_bounded_number_of_sessions(signed_in: Site, clock: Clock) -> None:
    plane = signed_in.clients.plane
    for _ in range(sessions.MAX_SESSIONS):
        clock.forward(timedelta(seconds=1))
        with plane.write(System(region=REGION)) as tx:
            sessions.begin(tx, tx.session.scalars(select(Developer)).one(), None)

    with plane.read(System(region=REGION)) as tx:
        assert len(tx.session.scalars(select(DeveloperSession)).all()) == sessions.MAX_SESSIONS
    signed_in.browser.get(ME, expect=401)


def test_failed_sign_ins_of_an_account_are_limited_from_one_address(signed_in: Site, clock: Clock) -> None:
    for _ in range(9):  # one has signed in already
        signed_in.sign_in(password="wrong password", expect=401)
    signed_in.sign_in(expect=429)
    signed_in.sign_in(email="another@example.com", expect=401)
    clock.forward(timedelta(minutes=15))
    signed_in.sign_in()


def test_signing_in_and_failing_to_are_on_the_record(signed_in: Site) -> None:
    signed_in.sign_in(email="nobody@example.com", expect=401)

    with signed_in.clients.plane.read(System(region=REGION)) as tx:
        found = tx.session.scalars(select(AuditEntry).where(AuditEntry.action.like("sign_in%"))).all()
        assert [(one.action, one.entity_id is None) for one in found] == [("sign_in", False), ("sign_in_failed", True)]
        everything = repr([(one.before, one.after) for one in tx.session.scalars(select(AuditEntry))])
    assert PASSWORD not in everything
    assert "argon2" not in everything


def test_there_is_no_identity_provider_yet(site: Site) -> None:
    site.browser.get("/api/v3/developer/authenticate/sso", expect=400)
