"""Reading the `credentials` of an application: API keys, in plain or as their SHA-256."""

import re
from hashlib import sha256

from kong_app_auth.domain.api_key import IMPORTED_MIN_LENGTH, MAX_LENGTH, PREFIX, Form, digest, form_of
from kong_app_auth.domain.records import Credential, CredentialState
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Reading

MOST_CREDENTIALS = 20
"""Keys an application, revoked ones included."""

_FIELDS = ("id", "name", "key", "key_sha256", "status", "expires_at")
_STATES = {"active": CredentialState.ACTIVE, "revoked": CredentialState.REVOKED}
_SHA_256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_OF_NOTHING = sha256(b"").digest()


def read_credentials(
    application: Fields, application_id: str, application_path: tuple[str, ...], reading: Reading
) -> None:
    """Read an application's keys into the contents, by digest. `application_path` are the names that lead to it."""
    names: set[str] = set()
    for count, fields in enumerate(application.maps("credentials", _FIELDS), start=1):
        if count == MOST_CREDENTIALS + 1:
            application.complain("credentials", f"an application has at most {MOST_CREDENTIALS} keys")
        name = fields.text("name", required=not fields.has("id"))
        if name is not None and name in names:
            fields.complain("name", "another credential of this application has the same name")
        names.add(name or "")
        found = _digest(fields, reading.region)
        state = fields.choice("status", _STATES, default=CredentialState.ACTIVE)
        expires_at = fields.time("expires_at")
        credential_id = reading.id_of("credential", fields, *application_path, name or "")
        if found is None or state is None:
            continue
        if reading.once("key", found.hex(), fields, "key" if fields.has("key") else "key_sha256"):
            reading.contents.credentials[found] = Credential(credential_id, application_id, state, expires_at)


def _digest(fields: Fields, region: str) -> bytes | None:
    if fields.has("key") == fields.has("key_sha256"):
        fields.complain(None, 'a credential has one of "key" and "key_sha256"')
        return None
    if fields.has("key"):
        key = fields.text("key", secret=True)
        problem = None if key is None else _problem_with_key(key, region)
        if problem is not None:
            fields.complain("key", problem)
        return None if key is None or problem is not None else digest(key)
    text = fields.text("key_sha256", secret=True)
    if text is None:
        return None
    if not _SHA_256.fullmatch(text):
        fields.complain("key_sha256", "must be the SHA-256 of the key in 64 hexadecimal digits")
        return None
    found = bytes.fromhex(text)
    if found == _OF_NOTHING:
        fields.complain("key_sha256", "is the SHA-256 of nothing at all")
        return None
    return found


def _problem_with_key(key: str, region: str) -> str | None:
    """Say what is wrong with a key, without a piece of it."""
    if form_of(key, region) is not Form.MALFORMED:
        return None
    if not key.startswith(PREFIX):
        return f"must have {IMPORTED_MIN_LENGTH} to {MAX_LENGTH} characters of visible ASCII"
    if not key.startswith(f"{PREFIX}{region}_"):
        return f"begins with {PREFIX} but is no key of the region {region}"
    return f"begins with {PREFIX} but its length or its checksum is wrong: it is mistyped or cut"
