"""The form of an API key: `kaa_<region>_<32 random base62 digits><6 base62 digits of a CRC-32>`.

The checksum covers everything before it. It finds typing errors, and lets secret scanners tell a key from a look-alike
without asking anybody; it is no proof of anything.
"""

import re
import secrets
import zlib
from enum import Enum
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "kaa_"
RANDOM_DIGITS = 32
CHECKSUM_DIGITS = 6
IMPORTED_MIN_LENGTH = 20
MAX_LENGTH = 512

REGION = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Form(Enum):
    """What can be said of a presented key without looking anything up."""

    PLAUSIBLE = "plausible"
    MALFORMED = "malformed"


def valid_region(name: str) -> bool:
    """Say whether `name` can name a region: lower-case letters, digits and inner hyphens, at most 32."""
    return REGION.fullmatch(name) is not None


def checksum(text: str) -> str:
    """CRC-32 of `text` in six base62 digits, most significant first."""
    value, low = divmod(zlib.crc32(text.encode("ascii")), 62 * 62)
    high, middle = divmod(value, 62 * 62)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def mint(region: str) -> str:
    """Make a new key of `region` from the system's random source: 190 bits of it."""
    if not valid_region(region):
        raise ValueError(f"not a region name: {region!r}")
    body = f"{PREFIX}{region}_" + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_DIGITS))
    return body + checksum(body)


def form_of(key: str, region: str) -> Form:
    """Judge the form of a presented key for a gateway of `region`.

    A key of our form must have the right checksum and name this region; a key of another form (an imported one) must be
    visible ASCII of 20 to 512 characters.
    """
    if len(key) < IMPORTED_MIN_LENGTH or len(key) > MAX_LENGTH:
        return Form.MALFORMED
    if key.startswith(PREFIX):
        digits = key.removeprefix(f"{PREFIX}{region}_")
        right = len(digits) == RANDOM_DIGITS + CHECKSUM_DIGITS and digits.isalnum() and key.isascii()
        return Form.PLAUSIBLE if right and key.endswith(checksum(key[:-CHECKSUM_DIGITS])) else Form.MALFORMED
    return Form.PLAUSIBLE if _VISIBLE.fullmatch(key) else Form.MALFORMED


def digest(key: str) -> bytes:
    """SHA-256 of the key's bytes: what is stored in its place. A client may have sent any byte, hence Latin-1."""
    return sha256(key.encode("latin-1", "replace")).digest()
