"""The compact form of a JWS (RFC 7515, 3.1): three parts of base64url with dots between them."""

from typing import Final

import msgspec

from kong_app_auth.oidc.jose import base64url, header
from kong_app_auth.oidc.jose.header import Header
from kong_app_auth.oidc.jose.outcomes import Failure, Fault

MOST_CHARACTERS: Final = 8192
"""The longest token that a request may bring."""
_JWE_DOTS: Final = 4


class Compact(msgspec.Struct, frozen=True):
    """A token taken apart. Nothing of it is to be believed before its signature has been checked."""

    header: Header
    payload: bytes
    signing_input: bytes
    signature: bytes

    def __repr__(self) -> str:
        """Never show the token."""
        return "Compact(…)"


def read(token: str, most_characters: int = MOST_CHARACTERS) -> Compact | Failure:
    """Take a token apart and read its header; no cryptography."""
    if len(token) > most_characters:
        return Failure(Fault.TOO_LARGE)
    if not token.isascii():
        return Failure(Fault.MALFORMED_TOKEN)
    dots = token.count(".")
    if dots != 2:
        return Failure(Fault.ENCRYPTED if dots == _JWE_DOTS else Fault.MALFORMED_TOKEN)
    signing_input, _, encoded_signature = token.encode("ascii").rpartition(b".")
    encoded_header, _, encoded_payload = signing_input.partition(b".")
    head = header.read(encoded_header)
    if isinstance(head, Failure):
        return head
    try:
        payload = base64url.decode(encoded_payload)
        signature = base64url.decode(encoded_signature)
    except ValueError:
        return Failure(Fault.MALFORMED_TOKEN)
    return Compact(head, payload, signing_input, signature)
