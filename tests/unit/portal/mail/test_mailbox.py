from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail.outbox import send_due
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite

ACTOR = System(region=REGION)
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def development(tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    with control_plane(sqlite(tmp_path), clock, mailbox=True) as made:
        yield made


def _put(plane: ControlPlane, **columns: Any) -> str:
    given = {
        "subject": "Set a new password",
        "text": "Open LINK\n",
        "html": "<html><head></head>LINK</html>",
        **columns,
    }
    with plane.write(ACTOR) as tx:
        message = Message(template="x", recipient="dora@example.com", next_attempt_at=tx.now, **given)
        tx.session.add(message)
        tx.session.flush()
        return message.id


def _row(plane: ControlPlane) -> Message:
    with plane.read(ACTOR) as tx:
        return tx.session.scalars(select(Message)).one()


def _page(client: Client, path: str) -> str:
    return client.request("GET", path, expect=200).text


def test_in_development_a_mail_is_in_the_log_and_in_the_mailbox(development: ControlPlane) -> None:
    mail_id = _put(development)
    with capture_logs() as logs:
        assert (send_due(development), send_due(development)) == (1, 0)
    assert [(one["event"], one["recipient"], one["text"]) for one in logs] == [
        ("mail", "dora@example.com", "Open LINK\n")
    ]
    browser = Clients(development).nobody()
    assert f'href="mailbox/{mail_id}"' in _page(browser, "/mailbox")
    assert "dora@example.com" in _page(browser, f"/mailbox/{mail_id}")
    assert "LINK" in _page(browser, f"/mailbox/{mail_id}/html")
    assert _page(browser, f"/mailbox/{mail_id}/text") == "Open LINK\n"
    browser.request("GET", "/mailbox/00000000-0000-4000-8000-000000000000", expect=404)
    browser.request("GET", "/mailbox/no-id", expect=404)


def test_a_mail_can_run_nothing_in_the_mailbox(development: ControlPlane) -> None:
    mail_id = _put(development, subject=EVIL, html=f"<html><head></head>{EVIL}</html>")
    browser = Clients(development).nobody()

    for path in ("/mailbox", f"/mailbox/{mail_id}"):
        assert EVIL not in _page(browser, path)
        assert "default-src 'none'" in browser.request("GET", path).headers["content-security-policy"]
    assert '<iframe sandbox="allow-top-navigation-by-user-activation"' in _page(browser, f"/mailbox/{mail_id}")
    policy = browser.request("GET", f"/mailbox/{mail_id}/html").headers["content-security-policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation;")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy


def test_without_the_setting_there_is_no_mailbox_and_no_log_of_a_mail(plane: ControlPlane, clients: Clients) -> None:
    mail_id = _put(plane)
    with capture_logs() as logs:
        assert (send_due(plane), send_due(plane)) == (0, 0)
    for path in ("/mailbox", f"/mailbox/{mail_id}", f"/mailbox/{mail_id}/html", f"/mailbox/{mail_id}/text"):
        clients.nobody().request("GET", path, expect=404)
    assert [one["event"] for one in logs] == ["mail not sent: no mail server is set"]
    assert "LINK" not in repr(logs)
    assert "example.com" not in repr(logs)
    row = _row(plane)
    assert (row.text, row.html, row.sent_at, row.problem) == ("", "", None, "no mail server is set")
