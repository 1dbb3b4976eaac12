"""API keys of applications: made, renamed, rotated, imported, revoked, deleted.

How many: an application has at most `max_credentials` keys that are active. A rotation may take it one over while the
old key and the new one are both good. Of the keys that are expired or revoked as many more are kept for the lists; the
oldest of them go when a new key is made.

A key is shown once, in the answer that makes it. What is stored is its hex SHA-256.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, delete, select

from kong_app_auth.domain import api_key
from kong_app_auth.portal.contract.credentials import (
    CreateCredential,
    ImportCredential,
    RotateCredential,
    UpdateCredential,
)
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services.strategies import ttl
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import Credential, CredentialUse
from kong_app_auth.portal.transaction import Deed, Transaction

DEFAULT_NAME: Final = "API key"
"""What a key is called that got no name."""


def credentials_of(application: Application) -> Select[Credential]:
    """Select the keys of an application; one of an OAuth client has none here."""
    return select(Credential).where(Credential.application_id == application.id)


def the_credential(tx: Transaction, application: Application, credential_id: str) -> Credential:
    """Give a key of an application. Raises NotFound."""
    found = tx.find(Credential, credential_id)
    if found is None or found.application_id != application.id:
        raise NotFound("Credential not found")
    return found


def status(credential: Credential, now: datetime) -> str:
    """Say whether a key is active, expired or revoked at `now`; a gateway says the same."""
    if credential.status != "active":
        return "revoked"
    return "expired" if credential.expires_at is not None and credential.expires_at <= now else "active"


def create(tx: Transaction, application: Application, wanted: CreateCredential | None) -> tuple[Credential, str]:
    """Make a key, good for as long as the strategy says now; give its record and the key.

    Raises Invalid for an application of OAuth clients; Forbidden where it has as many as one may have.
    """
    _needs_keys(application)
    _make_room(tx, application, most=tx.configuration.max_credentials)
    name = (wanted.display_name if wanted is not None else None) or DEFAULT_NAME
    return _mint(tx, application, name)


def rotate(
    tx: Transaction, application: Application, credential_id: str, wanted: RotateCredential
) -> tuple[Credential, str]:
    """Make the successor of an active key, which ends after the overlap, or earlier if it was to end earlier.

    Raises NotFound, Invalid; Conflict where the key is not active; Forbidden where the overlap would make two keys
    more than an application may have.
    """
    _needs_keys(application)
    old = the_credential(tx, application, credential_id)
    if status(old, tx.now) != "active":
        raise Conflict("Only an active key can be rotated")
    end = (tx.now + timedelta(seconds=wanted.overlap_seconds)).replace(microsecond=0)
    old.expires_at = end if old.expires_at is None else min(old.expires_at, end)
    tx.session.flush()
    _make_room(tx, application, most=tx.configuration.max_credentials + 1)
    return _mint(tx, application, wanted.display_name or old.display_name)


def take_over(tx: Transaction, application: Application, wanted: ImportCredential) -> Credential:
    """Import a key that exists already, as an operator. It ends when it is said, at the latest as a new key would.

    Raises Invalid, Forbidden; Conflict where the region has the key already, and never says whose it is.
    """
    _needs_keys(application)
    digest, end = _imported_digest(tx, wanted), _imported_end(tx, application, wanted)
    known = select(Credential.id).where(Credential.region == tx.region, Credential.digest == digest)
    if tx.session.scalar(known) is not None:
        raise Conflict("This key cannot be imported: it is known already")
    _make_room(tx, application, most=tx.configuration.max_credentials)
    credential = _add(tx, application, wanted.display_name or DEFAULT_NAME, digest, end)
    form = "key" if wanted.key is not None else "key_sha256"
    tx.note(Deed("import_key", "credential", credential.id, application.portal_id, {"given_as": form}))
    return credential


def rename(tx: Transaction, application: Application, credential_id: str, wanted: UpdateCredential) -> None:
    """Give a key another name. Raises NotFound, Invalid."""
    _needs_keys(application)
    the_credential(tx, application, credential_id).display_name = wanted.display_name
    tx.session.flush()


def revoke(tx: Transaction, application: Application, credential_id: str) -> None:
    """End a key for good, at once; it stays in the lists. Raises NotFound."""
    the_credential(tx, application, credential_id).status = "revoked"
    tx.session.flush()


def remove(tx: Transaction, application: Application, credential_id: str) -> None:
    """Delete a key. Raises NotFound."""
    _forget(tx, the_credential(tx, application, credential_id))
    tx.session.flush()


def refuse_new_secret(tx: Transaction, application: Application) -> None:
    """Refuse `regenerate-secret`: only clients of a DCR provider have a secret that a portal could renew.

    Raises Conflict where the application has several credentials, as the contract has it; else Invalid.
    """
    if len(tx.session.scalars(credentials_of(application).limit(2)).all()) > 1:
        raise Conflict("The application has more than one credential: add and remove credentials instead")
    raise invalid("applicationId", "has no client secret that this portal could renew", source="path")


def last_used_at(tx: Transaction, credential: Credential) -> datetime | None:
    """Say when a gateway last let a key in."""
    found = tx.session.get(CredentialUse, credential.id)
    return None if found is None else found.last_used_at


def _needs_keys(application: Application) -> None:
    if application.auth_strategy.strategy_type != "key_auth":
        raise invalid("applicationId", "has an OAuth client and no API keys", source="path")


def _make_room(tx: Transaction, application: Application, *, most: int) -> None:
    """See to it that one more key does not make it more than `most`, and let go of the oldest that are over."""
    keys = tx.session.scalars(credentials_of(application).order_by(Credential.created_at, Credential.id)).all()
    over: Sequence[Credential] = [key for key in keys if status(key, tx.now) != "active"]
    if len(keys) - len(over) >= most:
        raise Forbidden(f"Maximum number of Credentials exceeded. Max Allowed: {tx.configuration.max_credentials}")
    for key in over[: max(0, len(over) - tx.configuration.max_credentials)]:
        _forget(tx, key)


def _mint(tx: Transaction, application: Application, name: str) -> tuple[Credential, str]:
    key = api_key.mint(tx.region)
    credential = _add(tx, application, name, api_key.digest(key).hex(), _latest_end(tx, application))
    return credential, key


def _add(tx: Transaction, application: Application, name: str, digest: str, end: datetime | None) -> Credential:
    credential = Credential(
        region=tx.region,
        application_id=application.id,
        display_name=name,
        digest=digest,
        status="active",
        expires_at=end,
    )
    tx.session.add(credential)
    tx.session.flush()
    return credential


def _forget(tx: Transaction, credential: Credential) -> None:
    tx.session.execute(delete(CredentialUse).where(CredentialUse.credential_id == credential.id))
    tx.session.delete(credential)


def _latest_end(tx: Transaction, application: Application) -> datetime | None:
    """When a key that is made now ends, by its strategy. Whole seconds, as gateways count."""
    span = ttl(application.auth_strategy)
    return None if span is None else (tx.now + span).replace(microsecond=0)


def _imported_end(tx: Transaction, application: Application, wanted: ImportCredential) -> datetime | None:
    latest = _latest_end(tx, application)
    if wanted.expires_at is None:
        return latest
    if wanted.expires_at.tzinfo is None:
        raise invalid("expires_at", "must be a time with its zone, as in RFC 3339", "is_date_time")
    if wanted.expires_at <= tx.now:
        raise invalid("expires_at", "must be in the future")
    if latest is not None and wanted.expires_at > latest:
        raise invalid("expires_at", f"must not be after {latest.isoformat()}, by the TTL of the auth strategy")
    return wanted.expires_at.replace(microsecond=0)


def _imported_digest(tx: Transaction, wanted: ImportCredential) -> str:
    if wanted.key_sha256 is not None and wanted.key is None:
        return wanted.key_sha256.lower()
    if wanted.key is None or wanted.key_sha256 is not None:
        both = ("key", "key_sha256")
        reason = "give the key or its SHA-256, one of the two"
        raise Invalid(*(InvalidParameter(field=one, reason=reason) for one in both))
    if api_key.form_of(wanted.key, tx.region) is not api_key.Form.PLAUSIBLE:
        raise invalid("key", "must be visible ASCII; a key of this product's form must be whole and of this region")
    return api_key.digest(wanted.key).hex()
