import re
import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.configuration import SmtpServer
from kong_app_auth.portal.jobs import jobs
from kong_app_auth.portal.mail import outbox
from kong_app_auth.portal.mail.outbox import send_due
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message
from tests.control_plane.clients import Clients
from tests.control_plane.scenes import Scene
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite
from tests.control_plane.sites import EMAIL, Site
from tests.servers.postgres import PostgresServer
from tests.servers.smtp import Authority, Mailbox, smtp_server

ACTOR = System(region=REGION)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database(lambda _url: None) as made:
        yield made


@contextmanager
def _portal(where: Path | str, clock: Clock, port: int, **smtp: Any) -> Generator[ControlPlane]:
    server = SmtpServer(host="127.0.0.1", port=port, **{"security": "none", "timeout": 10.0, **smtp})
    url = sqlite(where) if isinstance(where, Path) else where
    with control_plane(url, clock, smtp=server, mail_from="portal@example.com") as plane:
        yield plane


def _put(plane: ControlPlane, *recipients: str, **columns: Any) -> None:
    with plane.write(ACTOR) as tx:
        for recipient in recipients:
            given = {"subject": "A subject", "text": "secret text\n", "html": "<p>secret html</p>", **columns}
            tx.session.add(Message(template="reset-password", recipient=recipient, next_attempt_at=tx.now, **given))


def _rows(plane: ControlPlane) -> list[Message]:
    with plane.read(ACTOR) as tx:
        return list(tx.session.scalars(select(Message).order_by(Message.recipient)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_mail_is_sent_once_as_text_and_html_and_its_bodies_are_forgotten(
    tmp_path: Path, clock: Clock, mailbox: Mailbox
) -> None:
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port) as plane:
        _put(plane, EMAIL, subject="Grüße von Dora")
        assert (send_due(plane), send_due(plane)) == (1, 0)
        (row,) = _rows(plane)

    (mail,) = mailbox.received
    assert (mail.sender, mail.recipients) == ("portal@example.com", (EMAIL,))
    assert mail.message["subject"] == "Grüße von Dora"
    assert mail.message["message-id"] == f"<{row.id}@example.com>"
    assert mail.message["auto-submitted"] == "auto-generated"
    assert mail.message["date"] is not None
    assert [part.get_content_type() for part in mail.message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert (row.text, row.html, row.next_attempt_at, row.problem) == ("", "", None, None)
    assert row.sent_at == clock.now


def test_starttls_with_an_authority_of_one_s_own_and_a_login(
    tmp_path: Path, clock: Clock, mailbox: Mailbox, authority: Authority
) -> None:
    smtp = {"security": "starttls", "ca_file": str(authority.file), "username": "portal", "password": "pass word"}
    server = smtp_server(mailbox, starttls=authority.server_context(), login=("portal", "pass word"))
    with server as port, _portal(tmp_path, clock, port, **smtp) as plane:
        _put(plane, EMAIL)
        assert send_due(plane) == 1

    assert (mailbox.received[0].encrypted, mailbox.received[0].user) == (True, "portal")


def test_tls_from_the_start(tmp_path: Path, clock: Clock, mailbox: Mailbox, authority: Authority) -> None:
    smtp = {"security": "tls", "ca_file": str(authority.file)}
    server = smtp_server(mailbox, tls=authority.server_context())
    with server as port, _portal(tmp_path, clock, port, **smtp) as plane:
        _put(plane, EMAIL)
        assert send_due(plane) == 1

    assert mailbox.received[0].encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_not_accepted(
    tmp_path: Path, clock: Clock, mailbox: Mailbox, authority: Authority, security: str
) -> None:
    server = smtp_server(mailbox, **{security: authority.server_context()})  # type: ignore[arg-type]
    with server as port, _portal(tmp_path, clock, port, security=security) as plane:
        _put(plane, EMAIL)
        assert send_due(plane) == 0
        assert _rows(plane)[0].problem == "SSLCertVerificationError"
        assert _rows(plane)[0].text != ""
    assert mailbox.received == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(tmp_path: Path, clock: Clock, mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port, security="starttls") as plane:
        _put(plane, EMAIL)
        assert send_due(plane) == 0
        assert _rows(plane)[0].problem == "SMTPNotSupportedError"
    assert mailbox.received == []


def test_a_wrong_login_is_tried_again_later(
    tmp_path: Path, clock: Clock, mailbox: Mailbox, authority: Authority
) -> None:
    smtp = {"security": "starttls", "ca_file": str(authority.file), "username": "portal", "password": "wrong"}
    server = smtp_server(mailbox, starttls=authority.server_context(), login=("portal", "right"))
    with server as port, _portal(tmp_path, clock, port, **smtp) as plane:
        _put(plane, EMAIL)
        assert send_due(plane) == 0
        (row,) = _rows(plane)
    assert row.problem == "SMTPAuthenticationError: 535"
    assert row.next_attempt_at == clock.now + outbox.FIRST_DELAY


def test_a_server_that_is_away_is_tried_less_and_less_often_until_it_is_back(
    tmp_path: Path, clock: Clock, mailbox: Mailbox
) -> None:
    port = _free_port()
    with _portal(tmp_path, clock, port) as plane:
        _put(plane, "a@example.com", "b@example.com")
        waits = []
        for _ in range(9):
            assert send_due(plane) == 0
            row, other = _rows(plane)
            assert row.next_attempt_at == other.next_attempt_at is not None
            waits.append((row.next_attempt_at - clock.now).total_seconds())
            assert send_due(plane) == 0
            clock.now = row.next_attempt_at
        assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
        assert (row.attempts, row.problem) == (9, "ConnectionRefusedError")
        with smtp_server(mailbox, port=port):
            assert send_due(plane) == 2
    assert {one.recipients[0] for one in mailbox.received} == {"a@example.com", "b@example.com"}


def test_a_mail_that_cannot_be_sent_for_a_day_is_given_up(tmp_path: Path, clock: Clock) -> None:
    with _portal(tmp_path, clock, _free_port()) as plane:
        _put(plane, EMAIL)
        clock.forward(timedelta(hours=24))
        send_due(plane)
        (row,) = _rows(plane)
    assert (row.next_attempt_at, row.sent_at, row.text, row.html) == (None, None, "", "")
    assert row.problem == "ConnectionRefusedError"


def test_a_refused_recipient_holds_up_nobody_else(tmp_path: Path, clock: Clock, mailbox: Mailbox) -> None:
    refusals = {"gone@example.com": "550 No such user", "later@example.com": "451 Later, please"}
    mailbox.refuse = refusals.get
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port) as plane:
        _put(plane, "a@example.com", "gone@example.com", "later@example.com", "z@example.com")
        assert send_due(plane) == 2
        rows = {one.recipient.partition("@")[0]: one for one in _rows(plane)}
        assert (rows["gone"].next_attempt_at, rows["gone"].text) == (None, "")
        assert rows["gone"].problem == "recipient refused: [550]"
        assert rows["later"].next_attempt_at == clock.now + outbox.FIRST_DELAY
        refusals.clear()
        clock.forward(outbox.FIRST_DELAY)
        assert send_due(plane) == 1
    assert [one.recipients[0] for one in mailbox.received][-1] == "later@example.com"


def test_two_portals_at_once_send_every_mail_once(url: str, clock: Clock, mailbox: Mailbox) -> None:
    recipients = [f"dev-{number:02}@example.com" for number in range(3 * outbox.BATCH)]
    with ExitStack() as stack:
        port = stack.enter_context(smtp_server(mailbox))
        planes = [stack.enter_context(_portal(url, clock, port)) for _ in range(2)]
        _put(planes[0], *recipients)
        with ThreadPoolExecutor(2) as pool:
            sent = list(pool.map(send_due, planes))
    assert sum(sent) == len(recipients)
    assert sorted(one.recipients[0] for one in mailbox.received) == recipients


def test_what_a_process_died_over_is_sent_by_another(tmp_path: Path, clock: Clock, mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port) as plane:
        _put(plane, EMAIL)
        assert len(outbox._claim(plane)) == 1
        assert send_due(plane) == 0
        clock.forward(outbox.CLAIM)
        assert send_due(plane) == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"recipient": "dora@example.com\r\nBcc: everybody@example.com"},
        {"recipient": "dora@example.com, everybody@example.com"},
        {"recipient": "no address"},
        {"subject": "Hello\r\nBcc: everybody@example.com"},
    ],
)
def test_no_header_is_smuggled_in(tmp_path: Path, clock: Clock, mailbox: Mailbox, columns: dict[str, str]) -> None:
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port) as plane:
        _put(plane, columns.pop("recipient", EMAIL), **columns)
        assert send_due(plane) == 0
        assert _rows(plane)[0].next_attempt_at is None
    assert mailbox.received == []


def test_no_body_and_no_address_is_in_the_log(tmp_path: Path, clock: Clock, mailbox: Mailbox) -> None:
    mailbox.refuse = lambda recipient: "550 dora@example.com unknown" if recipient.startswith("gone") else None
    with smtp_server(mailbox) as port, _portal(tmp_path, clock, port) as plane, capture_logs() as logs:
        _put(plane, EMAIL, "gone@example.com")
        send_due(plane)
    assert {one["event"] for one in logs} == {"mail sent", "mail given up"}
    assert not re.search(r"secret|example\.com|subject", repr(logs))


def test_a_developer_signs_up_by_mail(url: str, clock: Clock, mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as port, _portal(url, clock, port) as plane:
        clients = Clients(plane)
        site = Site(clients, clients.operator(), auto_approve_developers=True)
        site.register()
        send_due(plane)
        (mail,) = mailbox.received
        for kind in ("plain", "html"):
            part = mail.message.get_body((kind,))
            assert part is not None
            found = re.search(r"http://portal\.test(/p/[a-z0-9-]+)/verify-email#token=([0-9a-f-]+)", part.get_content())
            assert found is not None
            assert found[1] == site.browser.prefix
        answer = site.browser.post("/api/v3/developer/verify-email", {"token": found[2]}, expect=202)
        site.reset(answer["token"])
        site.sign_in()
        site.browser.post("/api/v3/developer/refresh", expect=204)
        site.browser.post("/api/v3/developer/logout", expect=204)


def test_the_owner_of_a_key_is_warned_by_mail(url: str, clock: Clock, mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as port, _portal(url, clock, port) as plane:
        with plane.write(ACTOR) as tx:
            Scene(tx).credential.expires_at = tx.now + timedelta(days=30)
        clock.forward(timedelta(days=16))
        for job in (*jobs(), *jobs()):
            job.run(plane)
        clock.forward(timedelta(days=60))
        for job in jobs():
            job.run(plane)
        assert _rows(plane) == []
    assert [one.message["subject"] for one in mailbox.received] == ["An API key of Umbrella expires soon"]
