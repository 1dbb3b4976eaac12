"""Forms that may be sent once: a double click, a second press of a button or a reload makes nothing twice."""

from datetime import timedelta
from typing import Final

from kong_app_auth.portal.store.pages import UsedForm
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Transaction

REMEMBERED: Final = timedelta(days=1)
"""Who sends a form that is older may send it twice."""


def use(tx: Transaction, token: str) -> bool:
    """Use a form up, in the transaction that does what the form asks for; False where it was used already."""
    digest = digest_of(token)
    if tx.session.get(UsedForm, digest) is not None:
        return False
    tx.session.add(UsedForm(digest=digest, expires_at=tx.now + REMEMBERED))
    tx.session.flush()
    return True
