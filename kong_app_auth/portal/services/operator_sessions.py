"""Operators at the pages: a token is shown once, and a session stands for it until it ends.

The browser keeps a random text of 256 bits, never the token; the session ends with the token, whatever comes first: its
expiry, its revocation, or the longest time that a session lasts.
"""

import secrets
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import select

from kong_app_auth.portal.actors import Operator
from kong_app_auth.portal.store.operators import OperatorToken
from kong_app_auth.portal.store.pages import OperatorSession
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Deed, Transaction

LONGEST: Final = timedelta(hours=12)


class Found(msgspec.Struct, frozen=True):
    """A session that is good, and whose it is."""

    session_id: str
    operator: Operator


def holder(tx: Transaction, token: str) -> Operator | None:
    """Say whose token it is, in whatever region; None where it opens nothing (any more)."""
    found = tx.session.scalar(select(OperatorToken).where(OperatorToken.digest == digest_of(token)))
    if found is None or found.revoked_at is not None:
        return None
    return None if found.expires_at is not None and found.expires_at <= tx.now else _operator(found)


def begin(tx: Transaction, operator: Operator) -> str:
    """Begin a session in the operator's name; give the text that the browser keeps."""
    text = secrets.token_urlsafe(32)
    token = tx.session.get_one(OperatorToken, operator.id)
    end = tx.now + LONGEST
    tx.session.add(
        OperatorSession(
            operator_token_id=operator.id,
            digest=digest_of(text),
            expires_at=end if token.expires_at is None else min(end, token.expires_at),
        )
    )
    tx.note(Deed("sign_in", "operator_token", operator.id))
    tx.session.flush()
    return text


def find(tx: Transaction, text: str) -> Found | None:
    """Give the session that a browser shows, in whatever region; None where there is none, or where it has ended."""
    row = tx.session.execute(
        select(OperatorSession.id, OperatorToken)
        .join(OperatorToken, OperatorToken.id == OperatorSession.operator_token_id)
        .where(
            OperatorSession.digest == digest_of(text),
            OperatorSession.expires_at > tx.now,
            OperatorToken.revoked_at.is_(None),
        )
    ).first()
    return None if row is None else Found(row[0], _operator(row[1]))


def end(tx: Transaction, session_id: str) -> None:
    """End a session."""
    session = tx.find(OperatorSession, session_id)
    if session is not None:
        tx.note(Deed("sign_out", "operator_token", session.operator_token_id))
        tx.session.delete(session)


def _operator(token: OperatorToken) -> Operator:
    return Operator(token.id, token.name, token.region, token.scope == "write")
