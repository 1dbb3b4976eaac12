"""A developer at the pages, in a real browser, with the whole data path behind the portal."""

import re
import shlex
from collections.abc import Iterator
from datetime import timedelta

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import delete, select, update

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import DeveloperSession
from scripts.pages_stage import EMAIL, PASSWORD, REGION, Stage
from scripts.screenshots import sign_in
from tests.browser.stack import Stack, stack
from tests.servers.process import wait_until

Staged = tuple[Stage, ControlPlane]


@pytest.fixture(scope="module")
def whole(chromium: Browser) -> Iterator[Stack]:
    with stack() as made:
        made.set_up()
        yield made


def _link_of_mail(page: Page, portal_url: str) -> str:
    def look() -> str | None:
        page.goto(f"{portal_url}/mailbox")
        found = page.locator("a[href^='mailbox/']")
        if found.count() == 0:
            return None
        page.goto(f"{portal_url}/{found.first.get_attribute('href')}/text")
        link = re.search(r"http\S+#token=[0-9a-f-]{36}", page.inner_text("body"))
        return link[0] if link else None

    found = wait_until(look, "a mail with a link")
    assert found is not None
    return found


def test_from_signing_up_to_a_first_answered_request(whole: Stack, page: Page) -> None:
    page.goto(f"{whole.site}/")
    page.get_by_role("link", name="Weather").click()
    page.get_by_role("link", name="Get access").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("Your name").fill("Nina New")
    page.get_by_label("E-mail address").fill("nina@example.com")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    page.goto(_link_of_mail(page, whole.portal_url))
    assert "token" not in page.url
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("New password").fill("several words of hers")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_label("E-mail address").fill("nina@example.com")
    page.get_by_label("Password").fill("several words of hers")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Weather").click()
    page.get_by_role("link", name="Get access").click()
    page.get_by_label("A new application").check()
    page.get_by_label("Name", exact=False).first.fill("Umbrella")
    page.get_by_role("button", name="Get access").click()
    expect(page.get_by_text("Gateways let the application in.")).to_be_visible()

    page.get_by_label("Name of the key").fill("laptop")
    page.get_by_role("button", name="Make a key").dblclick()
    key = page.locator("#the-key").inner_text()
    command = shlex.split(page.locator("#the-command").inner_text().replace("\\\n", " "))
    assert command == ["curl", f"{whole.gateway_url}/weather", "-H", f"apikey: {key}"]
    name, _, value = command[3].partition(": ")

    wait_until(lambda: httpx.get(command[1], headers={name: value}).status_code == 200, "the gateway lets the key in")
    assert httpx.get(command[1], headers={name: value[:-1] + "x"}).status_code == 401
    page.go_back()
    expect(page.get_by_role("link", name="Rotate laptop")).to_have_count(1)
    assert key not in page.content()

    page.get_by_role("link", name="Rotate laptop").click()
    page.get_by_label("End the old key at once").check()
    page.get_by_role("button", name="Make the new key").click()
    new = page.locator("#the-key").inner_text()
    wait_until(lambda: httpx.get(command[1], headers={name: new}).status_code == 200, "the new key is let in")
    wait_until(lambda: httpx.get(command[1], headers={name: value}).status_code == 401, "the old key has ended")

    refused = httpx.get(command[1], headers={name: value}).json()["request_id"]
    found = page.get_by_role("heading", name="The key's time is over.")

    def explained() -> bool:
        page.goto(f"{whole.site}/why?request_id={refused}")
        return found.count() == 1

    wait_until(explained, "the refusal is known to the portal")


def _keys(plane: ControlPlane, name: str) -> int:
    with plane.read(System(REGION)) as tx:
        return len(tx.session.scalars(select(Credential).where(Credential.display_name == name)).all())


@pytest.mark.parametrize("scripts", [True, False], ids=["with-javascript", "without"])
def test_a_double_click_makes_one_key_and_shows_it(chromium: Browser, on_stage: Staged, scripts: bool) -> None:
    made, plane = on_stage
    context = chromium.new_context(java_script_enabled=scripts)
    try:
        page = context.new_page()
        sign_in(page, made)
        page.goto(f"{made.portal}/applications/{made.application}")
        page.fill("#display_name", f"twice {scripts}")
        page.get_by_role("button", name="Make a key").dblclick()
        expect(page.locator("#the-key")).to_contain_text("kaa_eu_")
        assert _keys(plane, f"twice {scripts}") == 1
    finally:
        context.close()


def test_the_copy_button_copies(context: BrowserContext, page: Page, on_stage: Staged) -> None:
    made = on_stage[0]
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, made)
    page.goto(f"{made.portal}/applications/{made.application}")
    page.fill("#display_name", "copied")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("button", name="Copy your key").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#the-key").inner_text()


def test_what_was_typed_survives_the_end_of_a_session(page: Page, on_stage: Staged) -> None:
    made, plane = on_stage
    sign_in(page, made)
    page.goto(f"{made.portal}/applications/new")
    page.get_by_label("Name", exact=True).fill("Typed for long")
    page.get_by_label("Description").fill("with much thought")
    with plane.write(System(REGION)) as tx:
        tx.session.execute(delete(DeveloperSession))
    page.get_by_role("button", name="Make the application").click()

    expect(page.get_by_text("what you typed is kept")).to_be_visible()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("with much thought")).to_be_visible()
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", name="Typed for long")).to_be_visible()


def test_a_session_that_needs_renewal_is_renewed_behind_a_form(page: Page, on_stage: Staged) -> None:
    made, plane = on_stage
    sign_in(page, made)
    page.goto(f"{made.portal}/account")
    page.get_by_label("Your name").fill("Dora Renewed")
    with plane.write(System(REGION)) as tx:
        tx.session.execute(update(DeveloperSession).values(access_expires_at=tx.now - timedelta(minutes=1)))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Dora Renewed")


def test_two_tabs_of_which_one_signs_out(context: BrowserContext, page: Page, on_stage: Staged) -> None:
    made = on_stage[0]
    sign_in(page, made)
    page.goto(f"{made.portal}/applications/new")
    page.get_by_label("Name", exact=True).fill("In the other tab")
    other = context.new_page()
    other.goto(f"{made.portal}/account")
    other.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    sign_in(other, made)

    page.get_by_role("button", name="Make the application").click()
    expect(page.get_by_role("heading", name="What you typed is still here")).to_be_visible()
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", name="In the other tab")).to_be_visible()


def test_back_after_signing_out_shows_nothing_private(page: Page, on_stage: Staged) -> None:
    made = on_stage[0]
    sign_in(page, made)
    page.goto(f"{made.portal}/applications")
    expect(page.get_by_role("link", name="Umbrella")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_everything_can_be_reached_by_keyboard(page: Page, on_stage: Staged) -> None:
    made = on_stage[0]
    page.goto(f"{made.portal}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.goto(f"{made.portal}/sign-in")
    page.get_by_label("E-mail address").focus()
    page.keyboard.type(EMAIL)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Your account")).to_be_visible()


def test_the_catalogue_is_searched_while_one_types(page: Page, on_stage: Staged) -> None:
    made = on_stage[0]
    page.goto(f"{made.portal}/apis")
    expect(page.get_by_role("link", name="Payments")).to_be_visible()
    page.get_by_label("Search the APIs").press_sequentially("forecast")
    expect(page.get_by_role("link", name="Payments")).to_have_count(0)
    expect(page.get_by_role("link", name="Weather")).to_be_visible()
    assert page.url.endswith("?q=forecast")


def test_a_registration_that_waits_is_looked_at_again(page: Page, on_stage: Staged) -> None:
    made, plane = on_stage
    sign_in(page, made)
    page.clock.install()
    page.goto(f"{made.portal}/applications/{made.application}")
    row = page.get_by_role("row", name="Maps v2")
    expect(row.get_by_text("pending")).to_be_visible()
    with plane.write(System(REGION)) as tx:
        waiting = tx.session.scalars(select(Registration).where(Registration.status == "pending")).one()
        waiting.status = "approved"
    page.clock.fast_forward(10_000)
    expect(row.get_by_text("approved", exact=True)).to_be_visible()
    with plane.write(System(REGION)) as tx:
        tx.session.get_one(Registration, waiting.id).status = "pending"
