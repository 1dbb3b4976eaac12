"""One-time tokens that developers get by mail: version 4 UUIDs (122 random bits), of which only the SHA-256 is kept."""

import uuid
from typing import Final, Literal

from sqlalchemy import select

from kong_app_auth.portal.errors import Gone, NotFound
from kong_app_auth.portal.store.developers import Developer, DeveloperToken
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Transaction

Purpose = Literal["verify_email", "reset_password"]
_UNKNOWN: Final = "The token is unknown"
_USED_UP: Final = "The token was used, or it has expired; ask for a new one"
_BARRED: Final = frozenset({"revoked", "rejected"})
"""Developers with these statuses use no tokens: they could not sign in anyhow."""


def issue(tx: Transaction, developer: Developer, purpose: Purpose) -> str:
    """Make a token for a developer; give its text, which is kept nowhere."""
    token = str(uuid.uuid4())
    tx.session.add(
        DeveloperToken(
            developer_id=developer.id,
            purpose=purpose,
            digest=digest_of(token),
            expires_at=tx.now + tx.configuration.token_lifetime,
        )
    )
    return token


def look(tx: Transaction, portal_id: str, token: str, purpose: Purpose) -> tuple[DeveloperToken, Developer]:
    """Find a token of a portal that can still be used, and whose it is. Raises NotFound; Gone where it is used up."""
    found = tx.session.execute(
        select(DeveloperToken, Developer)
        .join(Developer, Developer.id == DeveloperToken.developer_id)
        .where(
            DeveloperToken.digest == digest_of(token.lower()),
            DeveloperToken.purpose == purpose,
            Developer.portal_id == portal_id,
        )
    ).first()
    if found is None:
        raise NotFound(_UNKNOWN)
    known, developer = found
    if known.used_at is not None or known.expires_at <= tx.now or developer.status in _BARRED:
        raise Gone(_USED_UP)
    return known, developer


def use(tx: Transaction, portal_id: str, token: str, purpose: Purpose) -> Developer:
    """Use a token up; give whose it is. Raises NotFound; Gone where it is used up already."""
    known, developer = look(tx, portal_id, token, purpose)
    known.used_at = tx.now
    return developer


def use_up(tx: Transaction, developer: Developer) -> None:
    """Use up all tokens of a developer: links in older mails lead nowhere any more."""
    open_ones = (DeveloperToken.developer_id == developer.id, DeveloperToken.used_at.is_(None))
    for token in tx.session.scalars(select(DeveloperToken).where(*open_ones)):
        token.used_at = tx.now
