"""Signing in and out, sessions that end in the middle of something, and where one is led afterwards."""

import re
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import delete, select, update

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.services import operator_tokens
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.pages import OperatorSession
from kong_app_auth.portal.web.forms import Form
from kong_app_auth.portal.web.resuming import carried, safe_path
from tests.control_plane.settings import REGION, Clock
from tests.unit.portal.web.browser import Browser
from tests.unit.portal.web.people import API, People

EMAIL = "new@example.com"
PASSWORD = "a long enough password"
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/a//evil.example",
    "javascript:alert(1)",
    "/../../x",
    "/apis\r\nX: y",
    "/api/v3/developer/logout",
    "",
    "/" + "x" * 3000,
)


def _token(people: People, mark: str) -> str:
    with people.clients.plane.read(System(REGION)) as tx:
        mails = tx.session.scalars(select(Message.text).order_by(Message.created_at.desc(), Message.id)).all()
    found = next(text for text in mails if mark in text)
    link = re.search(r"http://portal\.test(/p/[^/]+)(/[a-z-]+)#token=([0-9a-f-]{36})", found)
    assert link is not None, found
    return f"{link[2]}#token={link[3]}"


def _account(people: People) -> Browser:
    """Sign up, confirm the address, choose a password: a browser that is at the sign-in page."""
    browser = people.visitor()
    page = browser.send(browser.get("/sign-up").form("/sign-up"), full_name="Nina New", email=EMAIL)
    assert page.heading == "Look into your mail"
    path, _, token = _token(people, "choose a password").partition("#token=")
    page = browser.send(browser.get(path).form("/verify-email"), token=token)
    assert page.heading == "Choose a password"
    page = browser.send(page.form("/reset-password"), new_password="short", expect=422)
    assert "at least 12 characters" in page.element("new_password-error")
    page = browser.send(page.form("/reset-password"), new_password=PASSWORD)
    assert page.heading == "Sign in"
    people.clients.operator().patch(
        f"/v3/portals/{people.world.ids['portalId'][0]}/developers/{_developer(people)}", {"status": "approved"}
    )
    return browser


def _developer(people: People) -> str:
    with people.clients.plane.read(System(REGION)) as tx:
        return tx.session.scalars(select(Developer.id).where(Developer.email == EMAIL)).one()


def _sign_in(browser: Browser, path: str = "/sign-in", password: str = PASSWORD, expect: int = 200) -> str:
    form = browser.get(path).form("/sign-in")
    return browser.send(form, email=EMAIL, password=password, expect=expect).path.removeprefix(browser.prefix)


def test_a_developer_signs_up_confirms_and_signs_in(people: People) -> None:
    browser = _account(people)
    assert _sign_in(browser, password="a wrong password", expect=422) == "/sign-in"
    assert _sign_in(browser) == "/"
    assert browser.get("/account").heading == "Your account"

    page = browser.send(browser.get("/account").form("/sign-out"))
    assert "You are signed out." in page.words
    assert browser.get("/account").heading == "Sign in"


def test_a_link_may_be_pasted_whole_and_works_once(people: People) -> None:
    browser = _account(people)
    browser.send(browser.get("/forgotten-password").form("/forgotten-password"), email=EMAIL)
    link = "http://portal.test/x" + _token(people, "set it here")
    form = browser.get("/reset-password").form("/reset-password")
    assert browser.send(form, token=link, new_password="another long password").heading == "Sign in"
    page = browser.send(form, token=link, new_password="another long password", expect=422)
    assert "used already" in page.words
    page = browser.send(form, token="nonsense", new_password="another long password", expect=422)
    assert "not a link that this portal has sent" in page.words


def test_the_sign_up_page_says_nothing_about_who_is_known(people: People) -> None:
    _account(people)
    answers = []
    for email in (EMAIL, "nobody@example.com"):
        browser = people.visitor()
        for path in ("/sign-up", "/forgotten-password"):
            form = browser.get(path).form(path)
            fields = {"email": email, **({"full_name": "X"} if path == "/sign-up" else {})}
            page = browser.send(form, **fields)
            answers.append((page.path, page.heading))
    assert answers[:2] == answers[2:]


def test_cookies_are_for_these_pages_alone(people: People) -> None:
    browser = _account(people)
    form = browser.get("/sign-in").form("/sign-in")
    response = browser.send(form, email=EMAIL, password=PASSWORD, follow=False, expect=303).response
    cookies = response.headers.get_list("set-cookie")
    assert all("HttpOnly" in one and "SameSite=lax" in one and f"Path={people.prefix}" in one for one in cookies)


def test_a_stale_session_is_renewed_on_the_way(people: People, clock: Clock) -> None:
    browser = people.with_session()
    clock.forward(timedelta(minutes=20))

    assert browser.get("/account").heading == "Your account"
    clock.forward(timedelta(minutes=20))
    assert "Your account" in browser.get("/apis").words  # a page that is there for visitors, too


def test_a_form_that_took_long_is_sent_without_anybody_noticing(people: People, clock: Clock) -> None:
    browser = people.with_session()
    form = browser.get("/account").form("/account")
    clock.forward(timedelta(minutes=20))

    page = browser.send(form, full_name="Nina Newer")
    assert page.form("/account").fields["full_name"] == "Nina Newer"


def test_what_was_typed_is_kept_while_somebody_signs_in_again(people: People, clock: Clock) -> None:
    browser = _account(people)
    _sign_in(browser)
    form = browser.get("/applications/new").form("/applications/new")
    clock.forward(timedelta(days=30))

    page = browser.send(form, name="Umbrella", description="with <b>bold</b> words", expect=401)
    assert page.heading == "Sign in"
    page = browser.send(page.form("/sign-in"), email=EMAIL, password="a wrong password", expect=422)
    page = browser.send(page.form("/sign-in"), email=EMAIL, password=PASSWORD)
    assert page.heading == "What you typed is still here"
    assert "with <b>bold</b> words" in page.words
    assert "Umbrella" not in people.developer().get("/applications").words
    page = browser.send(page.form("/applications/new"))
    assert page.heading == "Umbrella"


def test_passwords_are_never_carried_along(people: People, clock: Clock) -> None:
    browser = _account(people)
    _sign_in(browser)
    form = browser.get("/account").form("/account/password")
    clock.forward(timedelta(days=30))

    page = browser.send(form, current_password=PASSWORD, new_password="the new secret password", expect=401)
    assert PASSWORD not in page.text
    assert "the new secret password" not in page.text


def test_two_tabs_that_renew_at_once_both_go_on(people: People, clock: Clock) -> None:
    browser = people.with_session()
    clock.forward(timedelta(minutes=20))
    old = dict(browser.http.cookies)
    assert browser.get("/account").heading == "Your account"
    slower = people.visitor()
    root = people.prefix
    slower.http.cookies.set("portalaccesstoken", old["portalaccesstoken"], path=root)
    slower.http.cookies.set("portalrefreshtoken", old["portalrefreshtoken"], path=f"{root}/api/v3/developer")

    response = slower.http.get(f"{root}/account", follow_redirects=False)
    response = slower.http.get(response.headers["location"], follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, f"{root}/account")
    assert "set-cookie" not in response.headers
    assert browser.get("/account").heading == "Your account"


@pytest.mark.parametrize("to", ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_nobody_is_led_elsewhere(shared: People, to: str) -> None:
    visitor, root = shared.visitor(), shared.prefix
    asked = quote(to, safe="")
    form = visitor.get(f"/sign-in?return_to={asked}").form("/sign-in")
    assert form.fields["return_to"] == "/"
    renew = f"{root}/api/v3/developer/renew?return_to={asked}"
    for path in (renew, renew + "&public=1"):
        location = visitor.http.get(path, follow_redirects=False).headers["location"]
        assert urlsplit(location).netloc == ""
        assert location.startswith(root + "/")
        assert "evil" not in location
    form = visitor.get("/apis").form("/theme")
    location = visitor.send(form, theme="dark", return_to=to, follow=False, expect=303).response.headers["location"]
    assert location == root + "/"


@pytest.mark.parametrize("text", ["/", "/apis?q=a", "/applications/1/edit", "/apis/a/access?application=b&c=d"])
def test_own_paths_are_kept(text: str) -> None:
    assert safe_path(text) == text


@pytest.mark.parametrize(
    "fields", ["", "[", "{}", '["a"]', '[["a"]]', '[["a", 1]]', '[["a", "b", "c"]]', "null"], ids=range(8)
)
def test_what_is_carried_along_is_what_was_put_there(fields: str) -> None:
    assert carried(Form({"kept_path": ["/apis"], "kept_fields": [fields]})) is None
    good = Form({"kept_path": ["/apis"], "kept_fields": ['[["a", "b"]]']})
    assert carried(good) == ("/apis", [("a", "b")])
    assert carried(Form({"kept_path": ["//evil"], "kept_fields": ['[["a", "b"]]']})) is None


def test_the_theme_is_kept_and_comes_with_the_page(people: People) -> None:
    visitor = people.visitor()
    page = visitor.send(visitor.get("/apis").form("/theme"), theme="dark")
    assert page.path == f"{people.prefix}/apis"
    assert 'data-theme="dark"' in page.text
    page = visitor.send(page.form("/theme"), theme="")
    assert "data-theme" not in page.text
    assert "hostile" not in visitor.send(page.form("/theme"), theme='"><script>hostile').text


def test_a_message_is_shown_once_and_is_one_of_ours(people: People) -> None:
    visitor = people.visitor()
    visitor.http.cookies.set("flash", "<script>alert(1)</script>", path=people.prefix)
    assert "alert(1)" not in visitor.get("/apis").text
    developer = people.developer()
    page = developer.send(developer.get("/account").form("/account"), full_name="Dora")
    assert "Saved." in page.words
    assert "Saved." not in developer.get("/account").words


def test_an_operators_session_is_not_the_token(people: People) -> None:
    operator = people.operator()
    values = [one.value or "" for one in operator.http.cookies.jar]
    assert not any(people.world.operator_token in one for one in values)
    form = people.clients.nobody().http
    form.base_url = "http://portal.test"
    browser = Browser(form)
    page = browser.send(browser.get("/operator/sign-in").form("/operator/sign-in"), token="kaop_wrong", expect=422)
    assert "kaop_wrong" not in page.text
    response = browser.send(
        page.form("/operator/sign-in"), token=people.world.operator_token, follow=False, expect=303
    ).response
    cookie = next(one for one in response.headers.get_list("set-cookie") if one.startswith("operatorsession="))
    assert all(word in cookie for word in ("HttpOnly", "Path=/operator", "SameSite=strict", "Max-Age=43200"))
    with people.clients.plane.read(System(REGION)) as tx:
        assert all(people.world.operator_token not in one.digest for one in tx.session.scalars(select(OperatorSession)))


def test_an_operators_session_ends_with_the_token(people: People, clock: Clock) -> None:
    for ends in ("revoked", "expired", "late", "signed out"):
        with people.clients.plane.write(System(REGION)) as tx:
            end = tx.now + timedelta(hours=1) if ends == "expired" else None
            token, text = operator_tokens.create(tx, ends, "write", end)
            token_id = token.id
        browser = Browser(people.clients.nobody().http)
        browser.http.base_url = "http://portal.test"
        page = browser.send(browser.get("/operator/sign-in").form("/operator/sign-in"), token=text)
        assert page.path == "/operator"
        if ends == "revoked":
            with people.clients.plane.write(System(REGION)) as tx:
                operator_tokens.revoke(tx, token_id)
        elif ends == "signed out":
            kept = browser.http.cookies.get("operatorsession")
            browser.send(page.form("/operator/sign-out"))
            browser.http.cookies.set("operatorsession", str(kept), domain="portal.test", path="/operator")
        else:
            clock.forward(timedelta(hours=2 if ends == "expired" else 13))
        assert browser.get("/operator").path == "/operator/sign-in", ends


def test_an_operators_form_is_kept_while_signing_in_again(people: People, clock: Clock) -> None:
    operator = people.operator()
    form = operator.get("/operator/style").form("/operator/theme")
    form.action = "/operator/style/nothing"
    clock.forward(timedelta(hours=13))
    page = operator.send(form, return_to="/operator", expect=404)
    form.action = "/operator/sign-out"
    page = operator.send(form, return_to="/operator", expect=401)
    page = operator.send(page.form("/operator/sign-in"), token=people.world.operator_token)
    assert page.heading == "What you typed is still here"


def test_a_session_of_another_portal_opens_no_page(people: People) -> None:
    developer = people.developer()
    other = people.clients.operator().get("/v3/portals")["data"]
    elsewhere = next(one["id"] for one in other if one["id"] != people.world.ids["portalId"][0])
    with people.clients.plane.write(System(REGION)) as tx:
        tx.session.execute(update(DeveloperSession).values(portal_id=elsewhere))
    assert developer.get("/account").heading == "Sign in"


def test_a_developer_who_is_revoked_sees_no_page_any_more(people: People) -> None:
    developer = people.developer()
    with people.clients.plane.write(System(REGION)) as tx:
        tx.session.get_one(Developer, people.world.ids["developerId"][0]).status = "revoked"
    assert developer.get(f"/apis/{API}/access").heading == "Sign in"


def test_what_an_operator_typed_survives_the_end_of_the_session(people: People) -> None:
    operator = people.operator()
    form = operator.get("/operator/portals/new").form("/portals/new")
    with people.clients.plane.write(System(REGION)) as tx:
        tx.session.execute(delete(OperatorSession))

    page = operator.send(form, name="Typed for long", expect=401)
    assert "what you typed is kept" in page.words
    page = operator.send(page.form("/operator/sign-in"), token=people.world.operator_token)
    assert page.heading == "What you typed is still here"
    page = operator.send(page.form("/portals/new"))
    assert page.heading == "Typed for long"
