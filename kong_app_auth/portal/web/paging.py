"""Pages of lists: `?page=2`."""

from typing import Any, Final

from fastapi import Request
from sqlalchemy import ColumnElement

from kong_app_auth.portal.api.listing import Query

SIZE: Final = 20
MOST: Final = 10_000


def page_of(request: Request, *order: Any, size: int = SIZE, conditions: tuple[ColumnElement[bool], ...] = ()) -> Query:
    """Read which page is wanted; what is no number is the first. `order` ends with the column that makes it total."""
    text = request.query_params.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 1
    return Query(size, min(max(1, number), MOST), conditions, order)
