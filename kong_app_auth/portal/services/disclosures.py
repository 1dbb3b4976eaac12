"""Leaked keys: whoever has found one hands it in, and it is revoked.

Everything is the same whether the key is real or not: the answer, the look-up in every region, and a transaction that
writes. What a hit does more (a revocation and its mail) can only be timed by somebody who holds a working key, and who
could have asked a gateway. The key and its digest are written nowhere.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from kong_app_auth.domain import api_key
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import credentials, rate_limits
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.transaction import Deed, Transaction

KIND: Final = "disclose_key"
LIMIT: Final = 60
"""Keys that one address may hand in within `WINDOW`: a scanner finds several at a time."""
WINDOW: Final = timedelta(minutes=10)


def disclose(plane: ControlPlane, address: str, key: str, request_id: str) -> None:
    """Revoke `key` in whichever region it is active, and tell its owner. Raises TooManyRequests for the address."""
    with plane.write(System(region=""), request_id=request_id) as tx:
        rate_limits.check(tx, KIND, address, limit=LIMIT, window=WINDOW)
    # No stored key has other characters, though some would have the same bytes on the wire.
    digest = api_key.digest(key).hex() if key.isascii() else ""
    for region in plane.configuration.regions:
        with plane.write(System(region, "key disclosure"), request_id=request_id) as tx:
            _revoke(tx, digest)


def _revoke(tx: Transaction, digest: str) -> None:
    same = (Credential.region == tx.region, Credential.digest == digest)
    credential = tx.session.scalar(select(Credential).where(*same))
    if credential is None or credentials.status(credential, tx.now) != "active":
        return
    credential.status = "revoked"
    tx.session.flush()
    application = credential.application
    tx.note(Deed(KIND, "credential", credential.id, application.portal_id))
    notices.key_disclosed(tx, the_portal(tx, application.portal_id), application, credential)
