"""Lists that are paged by cursor (`page[after]`, `page[before]`), oldest first.

A cursor is where a page begins or ends, sealed: nobody can read it, make one, or take it to another list. A record that
comes or goes while somebody turns the pages makes no other one appear twice or not at all.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Request
from sqlalchemy import ColumnElement, Select, and_, or_

from kong_app_auth.portal.api.listing import Field, Listing
from kong_app_auth.portal.contract.cursors import CursorListOf, CursorMeta, CursorMetaPage
from kong_app_auth.portal.errors import Invalid, invalid
from kong_app_auth.portal.store.base import Entity
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Sealed

AFTER: Final = "page[after]"
BEFORE: Final = "page[before]"

Record = TypeVar("Record", bound=Entity)
Written = TypeVar("Written")


class Position(msgspec.Struct, frozen=True):
    """A record's place in the order of a list."""

    created_at: datetime
    id: str


class CursorQuery(msgspec.Struct, frozen=True):
    """What a client asks of a list. `parameters`: the query without its cursor; it goes into the links."""

    record: type[Entity]
    path: str
    parameters: tuple[tuple[str, str], ...]
    size: int
    conditions: tuple[ColumnElement[bool], ...]
    after: str | None
    before: str | None

    def page(
        self, tx: Transaction, statement: Select[Record], view: Callable[[Record], Written]
    ) -> CursorListOf[Written]:
        """Run `statement` for this page: at most two SQL statements. Raises Invalid for a cursor that is none."""
        statement = statement.where(*self.conditions)
        backwards = self.before is not None
        start = self._read(tx, BEFORE if backwards else AFTER, self.before or self.after)
        onwards = statement if start is None else statement.where(self._beyond(start, backwards=backwards))
        found = list(tx.session.scalars(self._ordered(onwards, backwards=backwards).limit(self.size + 1)).unique())
        more_onwards, found = len(found) > self.size, found[: self.size]
        if backwards:
            found.reverse()
        more_behind = bool(found) and start is not None and self._any(tx, statement, found, backwards=backwards)
        has_next, has_previous = (more_behind, more_onwards) if backwards else (more_onwards, more_behind)
        meta = CursorMetaPage(
            first=self._link(),
            next=self._link(AFTER, self._write(tx, found[-1])) if has_next else None,
            previous=self._link(BEFORE, self._write(tx, found[0])) if has_previous else None,
            size=self.size,
        )
        return CursorListOf(meta=CursorMeta(page=meta), data=[view(one) for one in found])

    def _any(self, tx: Transaction, statement: Select[Record], found: list[Record], *, backwards: bool) -> bool:
        """Say whether there is something on the side that we came from."""
        edge = found[-1] if backwards else found[0]
        behind = self._beyond(Position(edge.created_at, edge.id), backwards=not backwards)
        return tx.session.scalar(statement.where(behind).with_only_columns(self.record.id).limit(1)) is not None

    def _ordered(self, statement: Select[Record], *, backwards: bool) -> Select[Record]:
        created_at, record_id = self.record.created_at, self.record.id
        if backwards:
            return statement.order_by(created_at.desc(), record_id.desc())
        return statement.order_by(created_at, record_id)

    def _beyond(self, position: Position, *, backwards: bool) -> ColumnElement[bool]:
        created_at, record_id = self.record.created_at, self.record.id
        same = created_at == position.created_at
        if backwards:
            return or_(created_at < position.created_at, and_(same, record_id < position.id))
        return or_(created_at > position.created_at, and_(same, record_id > position.id))

    def _write(self, tx: Transaction, record: Entity) -> str:
        return tx.vault.seal(json.dumps([self.path, record.created_at.isoformat(), record.id]))

    def _read(self, tx: Transaction, parameter: str, cursor: str | None) -> Position | None:
        if cursor is None:
            return None
        try:
            path, created_at, record_id = json.loads(tx.vault.open(cursor))
        except (Sealed, UnicodeEncodeError):
            raise _unknown(parameter) from None
        if path != self.path:
            raise _unknown(parameter)
        return Position(datetime.fromisoformat(created_at), record_id)

    def _link(self, parameter: str | None = None, cursor: str = "") -> str:
        parameters = [*self.parameters, *([] if parameter is None else [(parameter, cursor)])]
        return self.path if not parameters else f"{self.path}?{urlencode(parameters)}"


class CursorListing:
    """What such a list of `record` can be asked: use it as a dependency, `Annotated[CursorQuery, Depends(…)]`."""

    def __init__(self, record: type[Entity], filters: Mapping[str, Field]) -> None:
        self._record = record
        self._listing = Listing(tie=record.id, filters=filters, more=frozenset({AFTER, BEFORE}))

    def __call__(self, request: Request) -> CursorQuery:
        """Read the query of a request. Raises Invalid."""
        if "page[number]" in request.query_params:
            raise invalid("page[number]", "this list is paged by cursor", "unknown_property", "query")
        query = self._listing(request)
        # The contract allows them to be empty.
        after, before = (request.query_params.get(name) or None for name in (AFTER, BEFORE))
        if after is not None and before is not None:
            raise invalid(BEFORE, f"cannot be combined with {AFTER}", source="query")
        asked: list[tuple[str, Any]] = request.query_params.multi_items()
        return CursorQuery(
            self._record,
            request.url.path,
            tuple((name, value) for name, value in asked if name not in (AFTER, BEFORE)),
            query.size,
            query.conditions,
            after,
            before,
        )


def _unknown(parameter: str) -> Invalid:
    return invalid(parameter, "is no cursor of this list", source="query")
