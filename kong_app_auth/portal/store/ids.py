"""Ids as clients send them."""

import uuid


def canonical(text: str | None) -> str | None:
    """Give a UUID in its canonical text form; None for anything else, which no record can have as its id."""
    if text is None or len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
