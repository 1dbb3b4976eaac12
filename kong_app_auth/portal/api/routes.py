"""How routes are made: names that match the contract, and the answers that any of them may give."""

from typing import Any

from fastapi import APIRouter


def router(prefix: str, tag: str, **options: Any) -> APIRouter:
    """Make a router under `prefix`, listed under `tag`."""
    return APIRouter(prefix=prefix, tags=[tag], redirect_slashes=False, **options)
