"""Ids for what has none in the file: UUIDs of version 5 (RFC 9562) from kind, region and path of names."""

import json
import re
from uuid import UUID, uuid5

_NAMESPACE = UUID("5f2b6c1e-7a0d-5c43-9d0e-3f1f0a7c9b52")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def derived_id(kind: str, region: str, *names: str) -> str:
    """Make the id of a `kind` of thing by the names that lead to it.

    It depends on nothing else in the file: not on the order, not on other entries, not on explicit ids of its parents.
    """
    return str(uuid5(_NAMESPACE, json.dumps([kind, region, *names], ensure_ascii=False)))


def canonical_id(text: str) -> str | None:
    """Bring a written UUID to its canonical lower-case form; None where it is none."""
    lower = text.lower()
    return lower if _UUID.fullmatch(lower) else None
