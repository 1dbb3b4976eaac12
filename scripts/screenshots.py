"""Pictures of every page, light and dark, on a phone and on a desktop: to be looked at.

`python -m scripts.screenshots [directory]` (`make screenshots`); without a directory they go to one in /tmp.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page, sync_playwright

from kong_app_auth.portal.web.operators.pages import routers
from scripts.pages_stage import EMAIL, PASSWORD, REQUEST_ID, Stage, stage

CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES: Final = ("light", "dark")
NO_PAGES: Final = (".css", ".csv", ".json", ".jsonl", ".ndjson")
"""How the paths end of what an operator's browser saves instead of showing it."""
QUESTIONS: Final = ("/delete", "/revoke", "/unlink")
"""The questions before what cannot be undone: they are one page with other words, so one of them is enough."""


def public_pages(made: Stage) -> dict[str, str]:
    """Pages for everybody: name to address."""
    paths = ("/", "/apis", "/apis/weather", "/sign-in", "/sign-up", "/sign-up/sent", "/verify-email")
    more = ("/forgotten-password", "/reset-password", "/nowhere")
    return {_name(path): made.portal + path for path in (*paths, *more)}


def developers_pages(made: Stage) -> dict[str, str]:
    """Pages of somebody who is signed in."""
    own, key = f"/applications/{made.application}", f"/applications/{made.application}/credentials/{made.credential}"
    paths = {
        "api-signed-in": "/apis/weather",
        "access": "/apis/ledger/access",
        "access-choose": "/apis/payments/access",
        "applications": "/applications",
        "application-new": "/applications/new",
        "application": own,
        "application-oauth": f"/applications/{made.client_application}",
        "application-edit": f"{own}/edit",
        "key-rotate": f"{key}/rotate",
        "key-rename": f"{key}/rename",
        "teams": "/teams",
        "team": f"/teams/{made.team}",
        "usage": "/usage",
        "why": f"/why?request_id={REQUEST_ID}",
        "account": "/account",
    }
    return {name: made.portal + path for name, path in paths.items()}


def operators_pages(made: Stage) -> dict[str, str]:
    """Every operators' page that is to be looked at; those of a record show one that the stage has."""
    records = {**made.records, "application_id": made.application, "credential_id": made.credential}
    found: dict[str, str] = {}
    for path in _paths_of_operators():
        names = re.findall(r"{(\w+)}", path)
        if all(name in records for name in names):
            found[_name(path)] = made.base + path.format(**records)
    return found


def _paths_of_operators() -> list[str]:
    """The paths of the pages, found by walking, so that none is forgotten."""
    return sorted(
        {
            route.path
            for one in routers()
            for route in one.routes
            if isinstance(route, APIRoute)
            and "GET" in route.methods
            and not route.path.endswith((*NO_PAGES, *QUESTIONS))
        }
        - {"/operator/sign-in"}
        | {"/operator/style", "/operator/apis/{api_id}/unlink"}
    )


def sign_in(page: Page, made: Stage) -> None:
    """Sign in as the developer of the stage."""
    page.goto(f"{made.portal}/sign-in")
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{made.portal}/")


def sign_in_operator(page: Page, made: Stage) -> None:
    """Sign in as the operator of the stage."""
    page.goto(f"{made.base}/operator/sign-in")
    page.fill("#token", made.operator_token)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{made.base}/operator")


def _new_key(page: Page, made: Stage) -> None:
    page.goto(f"{made.portal}/applications/{made.application}")
    page.fill("#display_name", "screenshot")
    page.click("form[action$='/credentials'] button")
    page.wait_for_selector("#the-key")


def _name(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path).strip("-") or "home"


def _pictures(browser: Browser, made: Stage, directory: Path) -> int:
    count = 0
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
            for pages, prepare in (
                (public_pages(made), None),
                (developers_pages(made), sign_in),
                (operators_pages(made), sign_in_operator),
            ):
                context = browser.new_context(**options)
                page = context.new_page()
                if prepare is not None:
                    prepare(page, made)
                for name, url in pages.items():
                    page.goto(url)
                    page.evaluate("document.querySelector('details.operation')?.setAttribute('open', '')")
                    page.screenshot(path=directory / f"{name}-{size}-{scheme}.png", full_page=True)
                    count += 1
                if prepare is sign_in:
                    _new_key(page, made)
                    page.screenshot(path=directory / f"key-{size}-{scheme}.png", full_page=True)
                    count += 1
                context.close()
    return count


def main(arguments: list[str]) -> None:
    """Take all pictures."""
    directory = Path(arguments[0] if arguments else Path(tempfile.gettempdir()) / "kong-app-auth-screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, stage(Path(data)) as (made, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        try:
            count = _pictures(browser, made, directory)
        finally:
            browser.close()
    sys.stdout.write(f"{count} pictures in {directory}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
