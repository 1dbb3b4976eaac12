"""axe-core finds nothing on any page, light and dark: WCAG 2.2 AA and its own best practices."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from kong_app_auth.portal.plane import ControlPlane
from scripts.pages_stage import Stage
from scripts.screenshots import developers_pages, operators_pages, public_pages, sign_in, sign_in_operator
from tests.browser.conftest import TIMEOUT

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
"""What differs between light and dark."""
_RUN = """rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(found =>
  found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary)))"""
Pages = Callable[[Stage], dict[str, str]]
SignIn = Callable[[Page, Stage], None]


@pytest.mark.parametrize(
    ("pages", "prepare"),
    [(public_pages, None), (developers_pages, sign_in), (operators_pages, sign_in_operator)],
    ids=["public", "developers", "operators"],
)
def test_no_page_keeps_anybody_out(
    chromium: Browser, on_stage: tuple[Stage, ControlPlane], axe: str, pages: Pages, prepare: SignIn | None
) -> None:
    made = on_stage[0]
    found: dict[str, Any] = {}
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT)
    try:
        page = context.new_page()
        if prepare is not None:
            prepare(page, made)
        for name, url in pages(made).items():
            page.goto(url)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            page.evaluate(axe)
            for scheme, rules in (("light", RULES), ("dark", CONTRAST)):
                page.emulate_media(color_scheme=scheme)
                violations = page.evaluate(_RUN, rules)
                if violations:
                    found[f"{name} ({scheme})"] = violations
    finally:
        context.close()
    assert found == {}


@pytest.mark.parametrize(
    ("pages", "prepare"),
    [(developers_pages, sign_in), (operators_pages, sign_in_operator)],
    ids=["developers", "operators"],
)
def test_no_page_is_wider_than_a_phone(
    chromium: Browser, on_stage: tuple[Stage, ControlPlane], pages: Pages, prepare: SignIn
) -> None:
    made = on_stage[0]
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    context.set_default_timeout(TIMEOUT)
    wide: dict[str, int] = {}
    try:
        page = context.new_page()
        prepare(page, made)
        for name, url in pages(made).items():
            page.goto(url)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 360:
                wide[name] = width
    finally:
        context.close()
    assert wide == {}
