"""Ids as clients send them."""

import uuid
from typing import Final

NONE: Final = "00000000-0000-0000-0000-000000000000"
"""The id of no record."""


def canonical(text: str | None) -> str | None:
    """Give a UUID in its canonical text form; None for anything else, which no record can have as its id."""
    if text is None or len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
