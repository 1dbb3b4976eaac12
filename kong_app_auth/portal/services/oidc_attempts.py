"""An attempt to sign in by OpenID Connect, as the browser keeps it: sealed, for one portal, for ten minutes, once.

The browser that comes back must be the one that set out, or an attacker could sign somebody in as the attacker (login
CSRF, RFC 6749, 10.12) or spend a stolen code. The cookie holds everything, so nothing is written for those who set out
and never come back, and any process of the portal can go on with it.
"""

import hmac
from datetime import timedelta
from typing import Final

import msgspec

from kong_app_auth.oidc.sign_in import Client, Request
from kong_app_auth.portal.services import used_forms
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Sealed

LIFETIME: Final = timedelta(minutes=10)
MAX_SEALED: Final = 4000
"""Characters: browsers keep cookies of 4096 bytes."""


class Attempt(msgspec.Struct, frozen=True, tag="oidc sign-in", forbid_unknown_fields=True):
    """What was asked for. `client`: a digest of the provider and of what we are there; `until`: Unix time."""

    portal_id: str
    client: str
    request: Request
    return_to: str
    until: float

    def __repr__(self) -> str:
        """Leave the random texts out."""
        return f"Attempt({self.portal_id})"


def begin(tx: Transaction, portal_id: str, client: Client, request: Request, return_to: str) -> str:
    """Give the sealed attempt for the browser to keep."""
    until = (tx.now + LIFETIME).timestamp()
    attempt = Attempt(portal_id, named(client), request, return_to, until)
    return tx.vault.seal(msgspec.json.encode(attempt).decode())


def come_back(tx: Transaction, portal_id: str, sealed: str | None, state: str | None) -> Attempt | None:
    """Give the attempt that a browser comes back from; None where it has none, or not of this portal and `state`."""
    if sealed is None or state is None or len(sealed) > MAX_SEALED or not sealed.isascii():
        return None
    try:
        attempt = msgspec.json.decode(tx.vault.open(sealed), type=Attempt)
    except (Sealed, msgspec.MsgspecError):
        return None
    known = hmac.compare_digest(attempt.request.state.encode(), state.encode("utf-8", "replace"))
    if not known or attempt.portal_id != portal_id or attempt.until <= tx.now.timestamp():
        return None
    return attempt


def use(tx: Transaction, attempt: Attempt) -> bool:
    """Use an attempt up, whatever becomes of it; False where it was already."""
    return used_forms.use(tx, f"oidc {attempt.request.state}")


def named(client: Client) -> str:
    """Say which provider and which client there it is. Who changes one of them ends what is under way."""
    return digest_of(f"{client.issuer}\0{client.client_id}")
