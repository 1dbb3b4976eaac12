"""Bearer tokens of operators: made on the portal's machine, shown once, kept as a digest."""

import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import Select, select

from kong_app_auth.portal.errors import NotFound, invalid
from kong_app_auth.portal.store.operators import OperatorToken
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Transaction

PREFIX: Final = "kaop_"
"""What tokens begin with: people and scanners know one when they see it."""
MAX_NAME: Final = 255


def create(tx: Transaction, name: str, scope: str, expires_at: datetime | None = None) -> tuple[OperatorToken, str]:
    """Make a token for the transaction's region; give its record and its text, which is kept nowhere.

    `expires_at` None: never. Raises Invalid.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise invalid("name", f"must have 1 to {MAX_NAME} characters")
    if scope not in ("read", "write"):
        raise invalid("scope", "must be read or write", "enum")
    if expires_at is not None and expires_at <= tx.now:
        raise invalid("expires_at", "must be in the future")
    text = PREFIX + secrets.token_urlsafe(32)
    token = OperatorToken(
        name=name,
        digest=digest_of(text),
        region=tx.region,
        scope=scope,
        expires_at=expires_at,
    )
    tx.session.add(token)
    tx.session.flush()
    return token, text


def revoke(tx: Transaction, token_id: str) -> OperatorToken:
    """Let a token of the region open nothing from now on; one that is revoked already stays so. Raises NotFound."""
    found = tx.find(OperatorToken, token_id)
    if found is None or found.region != tx.region:
        raise NotFound("Token not found")
    if found.revoked_at is None:
        found.revoked_at = tx.now
        tx.session.flush()
    return found


def all_tokens(tx: Transaction) -> Select[OperatorToken]:
    """Select the region's tokens, oldest first: those that are revoked or expired too."""
    here = select(OperatorToken).where(OperatorToken.region == tx.region)
    return here.order_by(OperatorToken.created_at, OperatorToken.id)
