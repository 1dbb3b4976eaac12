"""Lists on operators' pages: a page of them, what they are narrowed down to, and the way to the next page."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Request
from sqlalchemy import ColumnElement, Select, or_, select

from kong_app_auth.portal.services import portals
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.paging import SIZE, page_of

MAX_SEARCH = 200

Row = TypeVar("Row")


class PageOf(msgspec.Struct, frozen=True):
    """Which page of a list: what the macro `pagination` takes."""

    number: int
    size: int
    total: int


class Listed(msgspec.Struct, Generic[Row], frozen=True):
    """A page of a list. `path`: the list's own with what it is narrowed down to, without the number of the page."""

    rows: Sequence[Row]
    page: PageOf
    path: str


def listed(
    request: Request, tx: Transaction, statement: Select[Row], *order: Any, narrowed: dict[str, str], size: int = SIZE
) -> Listed[Row]:
    """Run `statement` for the page that is asked for. `order` ends with the column that makes it total."""
    query = page_of(request, *order, size=size)
    rows, total = query.records(tx, statement)
    given = urlencode({name: value for name, value in narrowed.items() if value})
    path: str = request.scope["path"]
    return Listed(rows, PageOf(query.number, query.size, total), f"{path}?{given}" if given else path)


def asked(request: Request, *names: str) -> dict[str, str]:
    """Give what a list is to be narrowed down to: the named parameters of the query, empty where they are not there."""
    return {name: request.query_params.get(name, "").strip()[:MAX_SEARCH].replace("\0", "") for name in names}


def holds(text: str, *columns: Any) -> ColumnElement[bool]:
    """Say of a record whether one of its columns has `text` in it, whatever the case."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def is_id(text: str) -> str:
    """Give an id as records have it; that of no record where `text` is none."""
    return ids.canonical(text) or ids.NONE


def portals_by_id(tx: Transaction) -> dict[str, Portal]:
    """Give the region's portals by id, in the order of their names."""
    return {one.id: one for one in tx.session.scalars(portals.all_portals(tx).order_by(Portal.name))}


def some(tx: Transaction, statement: Select[Any]) -> bool:
    """Say whether a statement finds anything."""
    return tx.session.scalar(select(statement.exists())) is True
