"""Who developers are at identity providers."""

from sqlalchemy import select

from kong_app_auth.portal.store.developers import Developer, DeveloperIdentity
from kong_app_auth.portal.transaction import Transaction


def owner(tx: Transaction, portal_id: str, issuer: str, subject: str) -> Developer | None:
    """Give the developer of a portal who is `subject` at an issuer (OpenID Connect Core 1.0, 5.7)."""
    return tx.session.scalar(
        select(Developer)
        .join(DeveloperIdentity, DeveloperIdentity.developer_id == Developer.id)
        .where(
            DeveloperIdentity.portal_id == portal_id,
            DeveloperIdentity.issuer == issuer,
            DeveloperIdentity.subject == subject,
        )
    )


def has_any(tx: Transaction, developer_id: str, issuer: str | None = None) -> bool:
    """Say whether a developer is known to an issuer, or to any."""
    found = select(DeveloperIdentity.id).where(DeveloperIdentity.developer_id == developer_id).limit(1)
    return tx.session.scalar(found if issuer is None else found.where(DeveloperIdentity.issuer == issuer)) is not None


def link(tx: Transaction, developer: Developer, issuer: str, subject: str) -> None:
    """Let `subject` at an issuer be this developer."""
    tx.session.add(
        DeveloperIdentity(developer_id=developer.id, portal_id=developer.portal_id, issuer=issuer, subject=subject)
    )
    tx.session.flush()
