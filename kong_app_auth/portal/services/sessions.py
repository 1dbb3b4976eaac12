"""Sessions of developers: two random tokens of 256 bits, of which only the SHA-256 is kept.

The access token is shown with every request and lives shortly; the refresh token is shown for two new ones, once. Who
shows a refresh token that was used already has a copy of it, or was copied from: the session ends.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import or_, select

from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Deed, Transaction

MAX_SESSIONS: Final = 20
"""Of one developer. One more ends the one that was refreshed the longest ago."""
GRACE: Final = timedelta(seconds=10)
"""Two tabs of one browser may refresh at the same moment: the later one is refused, and the session goes on."""
FRESH: Final = timedelta(minutes=10)
"""So long after signing in, somebody without a password need not prove again who it is."""
_MAX_DEVICE: Final = 255


class Tokens(msgspec.Struct, frozen=True):
    """What a browser keeps of a session."""

    access: str
    refresh: str

    def __repr__(self) -> str:
        """Leave the tokens out."""
        return "Tokens(…)"


def begin(tx: Transaction, developer: Developer, device: str | None) -> Tokens:
    """Begin a session. `device`: what the browser says that it is."""
    tokens = _new_tokens()
    session = DeveloperSession(
        developer_id=developer.id,
        portal_id=developer.portal_id,
        device=None if device is None else device.replace("\0", "")[:_MAX_DEVICE],
    )
    _give(tx, session, tokens, begun=tx.now)
    tx.session.add(session)
    tx.session.flush()
    for old in own(tx, developer.id)[MAX_SESSIONS:]:
        tx.session.delete(old)
    return tokens


def can_be_refreshed(tx: Transaction, portal_id: str, refresh_token: str) -> bool:
    """Say whether the token is, or was, one of a session. If not, no transaction that writes is needed."""
    return _by_refresh_token(tx, portal_id, refresh_token) is not None


def refresh(tx: Transaction, portal_id: str, refresh_token: str) -> Tokens | None:
    """Give new tokens for a session; None where it ended, where it ends now, or where there is none."""
    session = _by_refresh_token(tx, portal_id, refresh_token)
    if session is None:
        return None
    if session.refresh_digest != digest_of(refresh_token):
        if session.refreshed_at is None or session.refreshed_at + GRACE <= tx.now:
            tx.note(Deed("refresh_token_reused", "developer", session.developer_id, details={"session": session.id}))
            tx.session.delete(session)
        return None
    developer = tx.session.get_one(Developer, session.developer_id)
    if session.refresh_expires_at <= tx.now or developer.status != "approved":
        tx.session.delete(session)
        return None
    tokens = _new_tokens()
    session.previous_refresh_digest = session.refresh_digest
    session.refreshed_at = tx.now
    _give(tx, session, tokens, begun=session.created_at)
    return tokens


def end_by_tokens(tx: Transaction, portal_id: str, access_token: str | None, refresh_token: str | None) -> None:
    """End the session that one of the tokens belongs to, if any; a refresh token that was used already will do."""
    shown = [digest_of(token) for token in (access_token, refresh_token) if token]
    statement = select(DeveloperSession).where(
        DeveloperSession.portal_id == portal_id,
        or_(
            DeveloperSession.access_digest.in_(shown),
            DeveloperSession.refresh_digest.in_(shown),
            DeveloperSession.previous_refresh_digest.in_(shown),
        ),
    )
    for session in tx.session.scalars(statement):
        tx.note(Deed("sign_out", "developer", session.developer_id))
        tx.session.delete(session)


def own(tx: Transaction, developer_id: str) -> Sequence[DeveloperSession]:
    """List the sessions of a developer that have not ended, the one last refreshed first."""
    alive = (DeveloperSession.developer_id == developer_id, DeveloperSession.refresh_expires_at > tx.now)
    statement = select(DeveloperSession).where(*alive)
    return tx.session.scalars(statement.order_by(DeveloperSession.refresh_expires_at.desc(), DeveloperSession.id)).all()


def end(tx: Transaction, developer_id: str, session_id: str) -> None:
    """End a session of a developer. Raises NotFound."""
    session = tx.find(DeveloperSession, session_id)
    if session is None or session.developer_id != developer_id:
        raise NotFound("Session not found")
    tx.note(Deed("sign_out", "developer", developer_id))
    tx.session.delete(session)


def is_fresh(tx: Transaction, session_id: str) -> bool:
    """Say whether somebody has signed in to a session within `FRESH`: proof enough of who it is, without a password."""
    session = tx.find(DeveloperSession, session_id)
    return session is not None and tx.now - session.created_at <= FRESH


def _by_refresh_token(tx: Transaction, portal_id: str, refresh_token: str) -> DeveloperSession | None:
    digest = digest_of(refresh_token)
    return tx.session.scalar(
        select(DeveloperSession).where(
            DeveloperSession.portal_id == portal_id,
            or_(DeveloperSession.refresh_digest == digest, DeveloperSession.previous_refresh_digest == digest),
        )
    )


def _give(tx: Transaction, session: DeveloperSession, tokens: Tokens, *, begun: datetime) -> None:
    settings = tx.configuration
    end = begun + settings.session_lifetime
    session.access_digest = digest_of(tokens.access)
    session.access_expires_at = min(tx.now + settings.access_lifetime, end)
    session.refresh_digest = digest_of(tokens.refresh)
    session.refresh_expires_at = min(tx.now + settings.refresh_lifetime, end)


def _new_tokens() -> Tokens:
    return Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
