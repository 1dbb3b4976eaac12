"""Requests that another site makes a browser send, forms of another session, forms that are sent twice."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.web.forms import Form, Unreadable, is_secret, parsed
from tests.control_plane.settings import REGION, Clock
from tests.unit.portal.web.browser import Browser, Page
from tests.unit.portal.web.people import API, ROUTES, People, of_operators

POSTS = [path for method, path in ROUTES if method == "POST" and not path.endswith("/renew")]


def _deeds(people: People) -> int:
    with people.clients.plane.read(System(REGION)) as tx:
        return tx.session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def _who(people: People, path: str) -> Browser:
    return people.operator() if of_operators(path) else people.developer()


@pytest.mark.parametrize("audience", ["developers", "operators"])
@pytest.mark.parametrize("token", ["", "0" * 64])
def test_no_form_is_taken_without_the_sessions_token(people: People, audience: str, token: str) -> None:
    paths = [path for path in POSTS if of_operators(path) == (audience == "operators")]
    browser = _who(people, paths[0])
    before = _deeds(people)
    fields = {"name": "x", "email": "a@b.example", "status": "rejected", "theme": "dark", "form_token": token}

    statuses = {
        path: browser.http.post(
            browser.prefix + people.address(path), data=fields, headers={"sec-fetch-site": "same-origin"}
        ).status_code
        for path in paths
    }

    assert {path: status for path, status in statuses.items() if status != 403} == {}
    assert len(statuses) > 10
    assert _deeds(people) == before


@pytest.mark.parametrize("audience", ["developers", "operators"])
@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
def test_no_form_is_taken_from_another_site(people: People, audience: str, headers: dict[str, str]) -> None:
    paths = [path for path in POSTS if of_operators(path) == (audience == "operators")]
    browser = _who(people, paths[0])
    token = browser.get("/operator/style" if audience == "operators" else "/account").forms[0].fields["form_token"]
    before = _deeds(people)

    for path in paths:
        address = browser.prefix + people.address(path)
        response = browser.http.post(address, data={"form_token": token, "name": "x"}, headers=headers)
        assert response.status_code == 403, path
    assert _deeds(people) == before


NONSENSE = (
    "",
    "x",
    "\u202e\U0001f4a9" * 40,
    "y" * 3000,
    "-1",
    "99999999999",
    "../../etc",
    "[]",
    "{}",
    "null",
    "*",
    "https://[",
)
"""What people never type: in each field another, in three turns."""


def _names_of_fields(browser: Browser, people: People, audience: str) -> list[str]:
    names: set[str] = {"portal_id", "registration", "developer", "status", "decision", "type", "provider_type"}
    for method, path in ROUTES:
        if method == "GET" and of_operators(path) == (audience == "operators") and "/static/" not in path:
            response = browser.http.get(browser.prefix + people.address(path), follow_redirects=True)
            if response.headers.get("content-type", "").startswith("text/html"):
                names |= {name for form in Page(response, 0.0).forms for name in form.fields}
    return sorted(names - {"form_token", "once"})


@pytest.mark.parametrize("audience", ["developers", "operators"])
def test_nonsense_in_any_field_is_told_and_never_an_error_of_ours(people: People, audience: str) -> None:
    paths = [path for path in POSTS if of_operators(path) == (audience == "operators")]
    paths = [path for path in paths if not path.endswith(("/delete", "/sign-out", "/sessions/end", "/theme"))]
    browser = _who(people, paths[0])
    names = _names_of_fields(browser, people, audience)
    assert len(names) > 10
    token = browser.get("/operator/style" if audience == "operators" else "/account").forms[0].fields["form_token"]
    strange: dict[tuple[str, int], int] = {}
    for path in paths:
        address = browser.prefix + people.address(path)
        for turn in range(3):
            texts = {name: NONSENSE[(place + 4 * turn) % len(NONSENSE)] for place, name in enumerate(names)}
            fields = texts | {"form_token": token, "once": f"once-of-this-test-{turn}{len(path):04}"}
            response = browser.http.post(address, data=fields, headers={"sec-fetch-site": "same-origin"})
            if response.status_code not in (200, 303, 400, 401, 403, 404, 409, 422, 429, 503):
                strange[path, turn] = response.status_code
    assert strange == {}


def test_a_token_is_good_in_its_own_session_only(people: People) -> None:
    mine = people.developer().get("/account").form("/account")
    for other in (people.neighbour(), people.visitor()):
        page = other.post(
            "/account", {**mine.fields, "full_name": "Mallory"}, expect=403 if other.http.cookies else 401
        )
        assert "Mallory" not in people.developer().get("/account").text
        assert page.status in (401, 403)


def test_a_visitors_token_is_bound_to_the_browser(people: People) -> None:
    form = people.visitor().get("/sign-up").form("/sign-up")
    page = people.visitor().send(form, expect=403, full_name="Eve", email="eve@example.com")
    assert page.heading == "What you typed is still here"


@pytest.mark.parametrize(
    "body",
    [b"a=%ff", b"a=%00", b"&".join(b"f%d=1" % n for n in range(400)), b"a=" + b"x" * 300_000, b"a=%ED%A0%80"],
    ids=["no-utf-8", "nul", "many-fields", "long", "surrogate"],
)
def test_what_is_no_form_is_refused(people: People, body: bytes) -> None:
    browser = people.developer()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = browser.http.post(f"{browser.prefix}/account", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")


def test_json_is_no_form(people: People) -> None:
    browser = people.developer()
    response = browser.http.post(f"{browser.prefix}/account", json={"full_name": "x"})
    assert response.status_code == 400


def test_what_somebody_typed_is_kept_but_no_secret() -> None:
    form = parsed(b"name=Umbrella&password=hunter2&new_password=x&token=t&api_key=k&client_secret=s&key_names=a&once=o")
    assert form.kept() == [("name", "Umbrella"), ("key_names", "a")]
    assert "hunter2" not in repr(form)
    assert is_secret("Client_Secret")
    assert not is_secret("client_id")


def test_a_form_is_read_as_people_type() -> None:
    form = parsed(b"name=+Umbrella+&note=a%0D%0Ab&box=1&box=2&empty=&half")
    assert (form.text("name"), form.text("note"), form.several("box")) == ("Umbrella", "a\nb", ["1", "2"])
    assert form.optional("empty") is None
    assert form.flag("box")
    assert not form.flag("empty")
    assert "half" in form
    assert Form().text("name", "default") == "default"


@pytest.mark.parametrize("body", [b"a=%C3%28", b"a=b%00"])
def test_bytes_that_are_no_text_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parsed(body)


def test_a_double_click_makes_one_key_and_shows_it_twice(people: People) -> None:
    developer = people.developer()
    address = f"/applications/{people.world.ids['applicationId'][0]}"
    form = developer.get(address).form("/credentials")

    first = developer.send(form, display_name="production")
    second = developer.send(form, display_name="production")

    assert first.element("the-key") == second.element("the-key")
    assert first.response.headers["cache-control"] == "no-store"
    assert first.element("the-key") not in str(first.response.request.url)
    assert _keys(developer, address) == 2
    people.forget_keys()  # a minute later, or in another process
    third = developer.send(form, display_name="production")
    assert "its key was shown then" in third.words
    assert _keys(developer, address) == 2


def _keys(browser: Browser, address: str) -> int:
    return sum(one.endswith("/rename") for one in browser.get(address).links)


def test_a_form_that_makes_something_needs_its_once(people: People) -> None:
    developer = people.developer()
    form = developer.get(f"/applications/{people.world.ids['applicationId'][0]}").form("/credentials")
    developer.send(form, once="", expect=400)


def test_a_double_click_makes_one_application(people: People) -> None:
    developer = people.developer()
    form = developer.get("/applications/new").form("/applications/new")
    for _ in range(2):
        developer.send(form, name="Umbrella")
    assert developer.get("/applications").words.count("Umbrella") == 1

    form = developer.get(f"/apis/{API}/access").form("/access")
    for _ in range(2):
        developer.send(form, application="new", name="Sunshade")
    assert developer.get("/applications").words.count("Sunshade") == 1


def test_a_key_is_not_for_the_neighbour_who_copies_the_form(people: People) -> None:
    developer, neighbour = people.developer(), people.neighbour()
    form = developer.get(f"/applications/{people.world.ids['applicationId'][0]}").form("/credentials")
    developer.send(form, display_name="mine")
    token = neighbour.get("/account").form("/account").fields["form_token"]

    page = neighbour.send(form, form_token=token, expect=404)
    assert "the-key" not in page.text


def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(people: People) -> None:
    developer = people.developer()
    form = developer.get("/applications/new").form("/applications/new")
    page = developer.send(form, name="x" * 256, description="kept", expect=422)

    assert "This must have at most 255 characters." in page.element("name-error")
    again = page.form("/applications/new")
    assert again.fields["description"] == "kept"
    assert again.fields["once"] != form.fields["once"]
    assert developer.send(again, name="Good").heading == "Good"


def test_who_has_no_password_deletes_the_account_on_its_page(people: People) -> None:
    neighbour = people.neighbour()
    page = neighbour.get("/account")
    form = page.form("/account/delete")
    assert "password" not in form.fields

    wrong = neighbour.send(form, email="other@example.com", expect=422)
    assert "This is not your e-mail address." in wrong.element("email-error")
    neighbour.send(form, email=_address(page.words))
    assert neighbour.get("/account").path.endswith("/sign-in")


def test_who_has_no_password_and_signed_in_long_ago_is_told_to_do_so_again(people: People, clock: Clock) -> None:
    neighbour = people.neighbour()
    clock.forward(timedelta(minutes=11))
    page = neighbour.get("/account")
    assert "sign out and in again" in page.words

    page = neighbour.send(page.form("/account/delete"), email=_address(page.words), expect=422)
    assert "Sign out and in again, then delete the account within ten minutes." in page.words
    assert neighbour.get("/account").heading == "Your account"


def _address(words: str) -> str:
    found = re.search(r"dev-\w+@example\.com", words)
    assert found
    return found[0]
