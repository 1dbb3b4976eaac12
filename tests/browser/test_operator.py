"""An operator at the pages, in a real browser: from an empty region to a developer's key that is let in and cut off."""

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.stack import SERVICE, Stack, stack
from tests.control_plane.clients import Client
from tests.servers.process import wait_until
from tests.system.portal_path import PASSWORD
from tests.system.scene import service_id

EMAIL = "dev@example.com"


@pytest.fixture(scope="module")
def empty(chromium: Browser) -> Iterator[Stack]:
    with stack() as made:
        yield made


def _sign_in(page: Page, made: Stack) -> None:
    page.goto(f"{made.portal_url}/operator")
    page.get_by_label("Operator token").fill(made.operator_token)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="From here to the first answered request")).to_be_visible()


def _open_an_api(page: Page) -> None:
    page.get_by_role("link", name="Make a portal").click()
    page.get_by_label("Name", exact=True).fill("Acme")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()

    page.get_by_role("link", name="Approvals").click()
    page.get_by_role("link", name="Create an API").click()
    page.get_by_label("Name", exact=True).fill("Weather")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="Publish in Acme").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.")).to_be_visible()


def _link(page: Page, made: Stack) -> None:
    assert made.call() == 200, "before an operator links it, the service is open"
    page.get_by_role("link", name="Link it to a Gateway Service").click()
    page.get_by_label("Id of the Gateway Service").fill(service_id(SERVICE))
    page.get_by_role("button", name="Link", exact=True).click()
    wait_until(lambda: made.call() == 401, "the gateway guards the service")

    def enforced() -> bool:
        page.reload()
        return page.get_by_text("The plugin is on the service").count() == 1

    wait_until(enforced, "the page says so")


def _signed_up(made: Stack) -> Client:
    portal = made.operator.get("/v3/portals")["data"][0]
    developer = made.signed_up(portal, EMAIL)
    developer.post("/api/v3/developer/authenticate", {"username": EMAIL, "password": PASSWORD}, expect=401)
    return developer


def _with_a_key(developer: Client) -> tuple[str, str]:
    api = developer.get("/api/v3/apis")["data"][0]["id"]
    application = developer.post("/api/v3/applications", {"name": "Umbrella"}, expect=201)["id"]
    path = f"/api/v3/applications/{application}"
    key = developer.post(f"{path}/credentials", {"display_name": "laptop"}, expect=201)["credential"]
    developer.post(f"{path}/registrations", {"api_id": api}, expect=201)
    return application, key


def test_from_a_first_start_to_a_key_that_is_let_in_and_cut_off(empty: Stack, page: Page) -> None:
    made = empty
    _sign_in(page, made)
    _open_an_api(page)
    _link(page, made)

    developer = _signed_up(made)
    page.goto(f"{made.portal_url}/operator")
    expect(page.get_by_text("1 developer waits")).to_be_visible()
    page.get_by_role("button", name="Approve Some Body").click()
    made.sign_in(developer, EMAIL)
    application, key = _with_a_key(developer)
    wait_until(lambda: made.call(key) == 403, "a registration that waits is refused")

    page.goto(f"{made.portal_url}/operator")
    page.get_by_role("button", name="Approve Umbrella").click()
    expect(page.get_by_text("Nobody waits for you")).to_be_visible()
    wait_until(lambda: made.call(key) == 200, "the approved application is let in")

    page.goto(f"{made.portal_url}/operator/applications")
    page.get_by_role("link", name="Umbrella").click()
    page.get_by_role("link", name="Open Weather").click()
    for choice, status in (("Rejected", 403), ("Approved", 200), ("Revoked", 403), ("Approved", 200)):
        page.get_by_label(choice, exact=True).check()
        page.get_by_label("Reason").fill(f"It is {choice}")
        page.get_by_role("button", name="Save the decision").click()
        expect(page.locator("dd", has_text=f"It is {choice}")).to_be_visible()
        wait_until(lambda status=status: made.call(key) == status, f"the gateway answers {status}: {choice}")

    page.goto(f"{made.portal_url}/operator/applications/{application}")
    page.get_by_role("link", name="Revoke… laptop").click()
    page.get_by_role("button", name="Yes, revoke it").click()
    expect(page.get_by_text("The key is revoked")).to_be_visible()
    wait_until(lambda: made.call(key) == 401, "the revoked key is refused")

    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("main")).to_contain_text(re.compile("revoke", re.IGNORECASE))
    page.get_by_role("link", name="Region").click()
    expect(page.get_by_role("main")).to_contain_text("here")

    def in_step() -> bool:
        page.reload()
        return page.get_by_role("row", name=socket.gethostname()).get_by_text("in step").count() == 1

    wait_until(in_step, "the gateway node is in step")
