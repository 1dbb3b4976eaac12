"""Passwords: what is good enough, and how they are kept: argon2id, in the library's parameters (RFC 9106).

Hashing takes a tenth of a second and 64 MiB on purpose: never do it inside a transaction.
"""

import secrets
import threading
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kong_app_auth.portal.errors import Invalid, InvalidParameter, invalid

MIN_CHARACTERS: Final = 12
"""Length instead of rules about kinds of characters (NIST SP 800-63B, section 3.1.1)."""
MAX_BYTES: Final = 256
_FEW: Final = 4
"""A password of fewer different characters can be tried out."""

_HASHER: Final = PasswordHasher()
_TURNS: Final = threading.BoundedSemaphore(4)
"""As many are hashed at a time: many sign-ins at once must not take all the memory."""


def check_rules(password: str, *, email: str, full_name: str = "", field: str = "password") -> None:
    """Raise Invalid for a password that is too short, too long, or too easy to guess for its owner."""
    text = _normal(password)
    if len(text) < MIN_CHARACTERS:
        raise Invalid(
            InvalidParameter(
                field=field,
                reason=f"must have at least {MIN_CHARACTERS} characters",
                rule="min_length",
                bound=MIN_CHARACTERS,
            )
        )
    if len(text.encode()) > MAX_BYTES:
        raise Invalid(
            InvalidParameter(
                field=field, reason=f"must have at most {MAX_BYTES} bytes", rule="max_length", bound=MAX_BYTES
            )
        )
    if text.casefold() in {email.casefold(), email.partition("@")[0].casefold(), _normal(full_name).casefold()}:
        raise invalid(field, "must not be the name or the e-mail address")
    if len(set(text)) < _FEW:
        raise invalid(field, "must have more than three different characters")


def hashed(password: str) -> str:
    """Give what is kept of a password: argon2id in its encoded form."""
    with _TURNS:
        return _HASHER.hash(_normal(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Say whether a password is the one that was hashed. It takes as long where there is no hash."""
    nobodys = _nobodys()  # also where it is not needed: the first call makes it, whoever calls
    expected = nobodys if password_hash is None else password_hash
    with _TURNS:
        try:
            _HASHER.verify(expected, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Say whether a hash was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    """Give one form of what can be typed in several ways (NFKC, as NIST SP 800-63B asks)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return hashed(secrets.token_hex(16))
