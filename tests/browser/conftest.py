"""A real browser (Debian's Chromium, driven by Playwright), what it looks at, and axe-core to judge that."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import delete

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.developers import Attempt
from scripts.pages_stage import REGION, Stage, stage
from tests.browser.axe_installation import axe_script

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
TIMEOUT = 10_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, for one module: as long as Playwright runs, no other test of this process can run an event loop."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (Debian: apt-get install chromium; or the variable CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser of somebody new, who may copy."""
    made = chromium.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(TIMEOUT)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab whose console stays silent: a refused script or style would be told there."""
    said: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    wrong = [line for line in said if "status of 4" not in line]
    assert wrong == []


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, ControlPlane]]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def on_stage(staged: tuple[Stage, ControlPlane]) -> tuple[Stage, ControlPlane]:
    """A portal with something of everything on its pages, at which nobody has tried to sign in too often."""
    with staged[1].write(System(REGION)) as tx:
        tx.session.execute(delete(Attempt))
    return staged


@pytest.fixture(scope="session")
def axe() -> str:
    if shutil.which("npm") is None:
        pytest.skip("needs npm, for axe-core (Debian: apt-get install nodejs npm)")
    try:
        return axe_script().read_text("utf-8")
    except subprocess.CalledProcessError as failed:
        pytest.skip(f"axe-core could not be installed: {failed.stderr[-500:]}")
