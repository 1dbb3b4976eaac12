"""The outbox: mails leave it by SMTP, or into the log where there is no server.

A mail is claimed before it is sent, in a transaction that one process at a time can have: two processes do not send
one mail twice. The claim ends by itself, so that a mail is sent although a process died over it; if it died between
the server's answer and our note of it, the mail is sent again, under the same Message-ID.
"""

import hashlib
import time
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail.smtp import Mail, NotDelivered, SmtpConnection
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message

BATCH: Final = 20
CLAIM: Final = timedelta(minutes=15)
"""Longer than a batch can take. A mail that was claimed and not heard of again is due after it."""
SENDING_SECONDS: Final = 300.0
"""No further mail of a batch is begun after this time, so that the claim outlasts the last one."""
FIRST_DELAY: Final = timedelta(seconds=30)
LONGEST_DELAY: Final = timedelta(hours=1)
GIVEN_UP: Final = timedelta(hours=24)
"""After that long, links in a mail have expired."""
_LOCK: Final = System(region="mail")
"""No region, but its place among the writers: whoever claims mails does it alone, and in nobody's way."""

_log = structlog.get_logger()


class _Claimed(msgspec.Struct, frozen=True):
    """A mail that is ours to send. `attempt` counts from 1."""

    id: str
    mail: Mail
    attempt: int
    template: str


def send_due(plane: ControlPlane) -> int:
    """Send what is due; give how many mails were sent. Never raises for a server that is away or refuses."""
    sent = 0
    while claimed := _claim(plane):
        sent += _send_by_smtp(plane, claimed) if plane.configuration.smtp else _keep_at_home(plane, claimed)
        if len(claimed) < BATCH:
            break
    return sent


def _claim(plane: ControlPlane) -> list[_Claimed]:
    with plane.read(_LOCK) as tx:  # most of the time there is nothing, and no writer needs to wait
        if tx.session.scalar(select(Message.id).where(Message.next_attempt_at <= tx.now).limit(1)) is None:
            return []
    with plane.write(_LOCK) as tx:
        due = select(Message).where(Message.next_attempt_at <= tx.now)
        found = tx.session.scalars(due.order_by(Message.next_attempt_at, Message.id).limit(BATCH)).all()
        for message in found:
            message.next_attempt_at = tx.now + CLAIM
            message.attempts += 1
        return [
            _Claimed(
                one.id,
                Mail(one.id, plane.configuration.mail_from, one.recipient, one.subject, one.text, one.html),
                one.attempts,
                one.template,
            )
            for one in found
        ]


def _send_by_smtp(plane: ControlPlane, claimed: list[_Claimed]) -> int:
    assert plane.configuration.smtp is not None  # noqa: S101  the caller has looked
    sent = 0
    begun = time.monotonic()
    problem: NotDelivered | None = None
    with SmtpConnection(plane.configuration.smtp) as connection:
        for one in claimed:
            if time.monotonic() - begun > SENDING_SECONDS:
                _give_back(plane, one)
                continue
            if problem is None or not problem.away:  # where nobody answers, the others of the batch need not wait
                problem = _send(connection, one.mail)
            sent += problem is None
            _note(plane, one, problem)
    return sent


def _send(connection: SmtpConnection, mail: Mail) -> NotDelivered | None:
    try:
        connection.send(mail)
    except NotDelivered as error:
        return error
    return None


def _give_back(plane: ControlPlane, one: _Claimed) -> None:
    """The claim would end before the mail is sent: it is due again, for whoever is next."""
    with plane.write(_LOCK) as tx:
        message = tx.session.get(Message, one.id)
        if message is not None:
            message.next_attempt_at = tx.now
            message.attempts -= 1


def _note(plane: ControlPlane, one: _Claimed, problem: NotDelivered | None) -> None:
    who = {"mail": one.id, "template": one.template, "recipient": recipient_hash(one.mail.recipient)}
    with plane.write(_LOCK) as tx:
        message = tx.session.get(Message, one.id)
        if message is None:
            return
        if problem is None:
            _done(message)
            message.sent_at, message.problem = tx.now, None
        elif problem.permanent or message.created_at + GIVEN_UP <= tx.now:
            _done(message)
            message.problem = str(problem)[:255]
        else:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(one.attempt - 1, 10))
            message.next_attempt_at = tx.now + delay
            message.problem = str(problem)[:255]
        given_up = message.next_attempt_at is None
    if problem is None:
        _log.info("mail sent", **who)
    elif given_up:
        _log.error("mail given up", problem=str(problem), **who)
    else:
        _log.warning("mail not sent, will be tried again", problem=str(problem), attempt=one.attempt, **who)


def _keep_at_home(plane: ControlPlane, claimed: list[_Claimed]) -> int:
    """There is no server. With the mailbox page, mails are kept for it, and the log has their text."""
    kept = plane.configuration.mailbox
    with plane.write(_LOCK) as tx:
        for one in claimed:
            message = tx.session.get(Message, one.id)
            if message is not None:
                message.next_attempt_at = None
                message.sent_at = tx.now if kept else None
                if not kept:
                    _done(message)
                    message.problem = "no mail server is set"
    for one in claimed:
        who = {"mail": one.id, "template": one.template}
        if kept:
            _log.info("mail", recipient=one.mail.recipient, subject=one.mail.subject, text=one.mail.text, **who)
        else:
            hidden = recipient_hash(one.mail.recipient)
            _log.warning("mail not sent: no mail server is set", recipient=hidden, **who)
    return len(claimed) if kept else 0


def _done(message: Message) -> None:
    message.next_attempt_at = None
    message.text = message.html = ""


def recipient_hash(recipient: str) -> str:
    """Give what the log says of a recipient: enough to follow one's mails, not to read who it is."""
    return hashlib.sha256(recipient.lower().encode()).hexdigest()[:12]
