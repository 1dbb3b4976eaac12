"""Finding the API key that a client presented: in a header or, where that is allowed, in the query."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import cast
from urllib.parse import unquote_to_bytes

import msgspec


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
