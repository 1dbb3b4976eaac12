"""Finding what a client presented: an API key in a header or, where that is allowed, in the query; or a token, or a
client id with its secret, in the header `Authorization`.
"""

import string
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, cast
from urllib.parse import unquote_to_bytes

import msgspec

AUTHORIZATION: Final = "authorization"
MAX_TOKEN: Final = 8192
"""Characters of a token. Longer ones are refused unread."""
MAX_CLIENT_ID: Final = 255
MAX_CLIENT_SECRET: Final = 1024
"""Characters, decoded."""
_MAX_BASIC: Final = 8192
_TOKEN_CHARACTERS: Final = (string.ascii_letters + string.digits + "-._~+/").encode("ascii")


class Place(Enum):
    """Where the key was."""

    HEADER = "header"
    QUERY = "query"


class PresentedKey(msgspec.Struct, frozen=True):
    """A key with the place and the name it was found under."""

    text: str
    place: Place
    name: str

    def __repr__(self) -> str:
        """Say where the key was, never what it is."""
        return f"PresentedKey(place={self.place.value}, name={self.name!r})"


class Absence(Enum):
    """Why there is no one key to judge."""

    NOTHING = "nothing"
    DUPLICATE = "duplicate"


class BearerToken(msgspec.Struct, frozen=True):
    """A token of the form that RFC 6750 (2.1) gives it; what is in it is judged elsewhere."""

    text: str

    def __repr__(self) -> str:
        """Never show the token."""
        return f"BearerToken({len(self.text)} characters)"


class ClientSecret(msgspec.Struct, frozen=True):
    """A client id with its secret, decoded as RFC 6749 (2.3.1) says."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        """Never show the secret, nor an id that may be a secret in the wrong place."""
        return "ClientSecret(…)"


class Flaw(Enum):
    """Why the header `Authorization` cannot be judged."""

    TWICE = "two Authorization headers"
    TOKEN = "not the form of a bearer token"  # noqa: S105  what is wrong with one
    BASIC = "not the form of a client id and its secret"


def key_in_headers(headers: Mapping[str, object], names: Sequence[str]) -> PresentedKey | Absence:
    """Find the key under one of the lower-case `names`; two of them are a duplicate, an empty value is nothing.

    A value is a string, or a list of them where the client sent the header more than once.
    """
    found: PresentedKey | None = None
    for name in names:
        value = headers.get(name)
        if not value:
            continue
        if isinstance(value, list | tuple):
            values = cast("Sequence[object]", value)
            if len(values) != 1:
                return Absence.DUPLICATE
            value = values[0]
        if not isinstance(value, str) or not value:
            continue
        if found is not None:
            return Absence.DUPLICATE
        found = PresentedKey(value, Place.HEADER, name)
    return found or Absence.NOTHING


def authorization(headers: Mapping[str, object]) -> BearerToken | ClientSecret | Flaw | None:
    """Read the header `Authorization` (RFC 6750, 2.1; RFC 7617, 2); None where there is none, or of another scheme.

    A value is a string, or a list of them where the client sent the header more than once. The scheme may be written
    in any case; exactly one blank follows it.
    """
    value = headers.get(AUTHORIZATION)
    if isinstance(value, list | tuple):
        values = cast("Sequence[object]", value)
        if len(values) > 1:
            return Flaw.TWICE
        value = values[0] if values else None
    if not isinstance(value, str):
        return None
    scheme, _, credentials = value.partition(" ")
    match scheme.lower():
        case "bearer":
            return BearerToken(credentials) if _is_token(credentials) else Flaw.TOKEN
        case "basic":
            return _client_secret(credentials) or Flaw.BASIC
        case _:
            return None


def _is_token(text: str) -> bool:
    """Say whether it is a b64token of RFC 6750, 2.1. A third of the time of a regular expression, on each request."""
    if not 0 < len(text) <= MAX_TOKEN or not text.isascii():
        return False
    body = text.rstrip("=")
    return body != "" and not body.encode("ascii").translate(None, _TOKEN_CHARACTERS)


def _client_secret(credentials: str) -> ClientSecret | None:
    """Decode base64, then each half: clients encode both as a form's fields before they join them."""
    if len(credentials) > _MAX_BASIC or not credentials.isascii():
        return None
    try:
        joined = b64decode(credentials, validate=True).decode("ascii")
    except ValueError:
        return None
    encoded_id, colon, encoded_secret = joined.partition(":")
    client_id, secret = _decoded(encoded_id), _decoded(encoded_secret)
    if not colon or not _printable(client_id, MAX_CLIENT_ID) or not _printable(secret, MAX_CLIENT_SECRET):
        return None
    return ClientSecret(client_id, secret)


def _printable(text: str, most: int) -> bool:
    """RFC 6749, appendix A.1 and A.2: visible ASCII and blanks."""
    return 0 < len(text) <= most and text.isascii() and text.isprintable()


def key_in_query(raw_query: str, names: Sequence[str]) -> PresentedKey | Absence:
    """Find the key in an undecoded query string, as nginx reads one; a bare or an empty argument is nothing."""
    found: PresentedKey | None = None
    for name, value, _ in _arguments(raw_query):
        if name not in names or not value:
            continue
        if found is not None:
            return Absence.DUPLICATE
        found = PresentedKey(value, Place.QUERY, name)
    return found or Absence.NOTHING


def query_without(raw_query: str, names: Iterable[str]) -> str:
    """Take the arguments called `names` out of an undecoded query string and leave the rest to the letter."""
    hidden = frozenset(names)
    return "&".join(part for name, _, part in _arguments(raw_query) if name not in hidden)


def _arguments(raw_query: str) -> Iterable[tuple[str, str, str]]:
    """Lower-case name, value and original text of each argument."""
    for part in raw_query.split("&"):
        name, _, value = part.partition("=")
        yield _decoded(name).lower(), _decoded(value), part


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")).decode("latin-1")
