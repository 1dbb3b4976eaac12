"""base64url without padding (RFC 7515, 2), and in the one canonical form only.

The standard library's decoder passes over foreign characters and takes stray bits at the end. Then one token would have
many spellings: a cache or a list of revoked tokens that knows one of them would not know the others.
"""

from binascii import Error, a2b_base64, b2a_base64
from typing import Final

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_FROM_STANDARD: Final = bytes.maketrans(b"+/", b"-_")


def decode(text: bytes) -> bytes:
    """Decode; ValueError for all that `encode` would not have written."""
    try:
        data = a2b_base64(text.translate(_TO_STANDARD) + b"==")
    except Error:
        raise ValueError("not base64url") from None
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data


def encode(data: bytes) -> bytes:
    """Encode, without padding."""
    return b2a_base64(data, newline=False).translate(_FROM_STANDARD).rstrip(b"=")
