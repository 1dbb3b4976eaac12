"""Lists as in the contract: pages, filters and sorting, from the query to SQL.

`page[size]` (1 to 100, default 10), `page[number]` (from 1), `sort=name,created_at desc`, and filters, either short
(`filter[name]=x`) or with an operation (`filter[name][contains]=x`). What a list does not know is a 400.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request
from sqlalchemy import ColumnElement, Select, String, UnaryExpression, cast, func, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from kong_app_auth.portal.contract.common import ListOf, PageMeta, PaginatedMeta, storable
from kong_app_auth.portal.errors import Invalid, InvalidParameter, invalid
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.transaction import Transaction

DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 100
MAX_NUMBER: Final = 1_000_000
MAX_VALUE: Final = 1024
MAX_CHOICES: Final = 100

_FILTER = re.compile(
    r"(?P<parameter>filter|applicationfilter)\[(?P<field>[A-Za-z0-9_.-]{1,64})\](?:\[(?P<operation>[a-z]{1,16})\])?"
)
_SORT = re.compile(r"(?P<field>[A-Za-z0-9_.]{1,64})(?:\s+(?P<direction>asc|desc))?", re.IGNORECASE)

Column = InstrumentedAttribute[Any] | ColumnElement[Any]
MapFilter = Callable[[str, str, str], ColumnElement[bool]]
"""Makes the SQL of a filter from key, operation and value."""


class FieldKind(Enum):
    """What a filter's values are, and which operations it knows. Choices are compared letter by letter."""

    TEXT = "text"
    UUID = "uuid"
    BOOLEAN = "boolean"
    TIME = "time"
    CHOICE = "choice"

    @property
    def operations(self) -> frozenset[str]:
        """The operations of its filters."""
        return _OPERATIONS[self]


_OPERATIONS: Final = {
    FieldKind.TEXT: frozenset({"eq", "neq", "contains", "oeq", "ocontains"}),
    FieldKind.UUID: frozenset({"eq", "neq", "oeq", "contains"}),
    FieldKind.BOOLEAN: frozenset({"eq"}),
    FieldKind.TIME: frozenset({"eq", "lt", "lte", "gt", "gte"}),
    FieldKind.CHOICE: frozenset({"eq", "neq", "oeq", "contains", "ocontains"}),
}


class Field(msgspec.Struct, frozen=True):
    """A filter: its column, what it holds, and (for a choice) the values there are."""

    column: Any
    kind: FieldKind = FieldKind.TEXT
    choices: tuple[str, ...] = ()


Record = TypeVar("Record")
Written = TypeVar("Written")


class Query(msgspec.Struct, frozen=True):
    """What a client asks of a list."""

    size: int
    number: int
    conditions: tuple[ColumnElement[bool], ...]
    order: tuple[Any, ...]
    """Ends with the column that makes the order total."""
    plain: bool = False
    """Whether nothing is filtered, and the order is the list's own."""

    def page(
        self,
        tx: Transaction,
        statement: Select[Record],
        view: Callable[[Record], Written],
    ) -> ListOf[Written]:
        """Run `statement` for this page; two SQL statements, and what its loader options add."""
        found, total = self.records(tx, statement)
        return self.written([view(one) for one in found], total)

    def records(self, tx: Transaction, statement: Select[Record]) -> tuple[Sequence[Record], int]:
        """Give the records of this page, and how many there are in all.

        First their ids: a page far down the list is found in an index then, and nothing is loaded or computed for the
        records before it.
        """
        statement = statement.where(*self.conditions)
        counted = statement.order_by(None).options().with_only_columns(func.count(), maintain_column_froms=True)
        total = tx.session.scalar(counted) or 0
        offset = (self.number - 1) * self.size
        tie = self.order[-1].element if isinstance(self.order[-1], UnaryExpression) else self.order[-1]
        wanted = statement.options().with_only_columns(tie, maintain_column_froms=True).order_by(*self.order)
        ids = tx.session.scalars(wanted.limit(self.size).offset(offset)).all()
        if not ids:
            return [], total
        found = {getattr(one, str(tie.key)): one for one in tx.session.scalars(statement.where(tie.in_(ids))).unique()}
        return [found[one] for one in ids if one in found], total

    def written(self, data: list[Written], total: int) -> ListOf[Written]:
        """Give the page's body."""
        meta = PaginatedMeta(page=PageMeta(number=self.number, size=self.size, total=total))
        return ListOf(meta=meta, data=data)


class Listing:
    """What a list can be asked: use it as a dependency, `Annotated[Query, Depends(Listing(…))]`.

    `sorts`: names to columns; `tie`: the column that makes the order total, usually the id. `default`: what it is
    sorted by when nothing is said. `more`: names of query parameters that the route reads itself. `parameter`: the name
    of the filter's parameter. `maps`: filters by what stands under a key, `filter[labels.env]=dev`, by the name before
    the dot.
    """

    def __init__(
        self,
        *,
        tie: Column,
        filters: Mapping[str, Field] | None = None,
        sorts: Mapping[str, Column] | None = None,
        default: Sequence[Any] = (),
        more: frozenset[str] = frozenset(),
        parameter: str = "filter",
        maps: Mapping[str, MapFilter] | None = None,
    ) -> None:
        self._tie = tie
        self._filters = filters or {}
        self._sorts = sorts or {}
        self._default = tuple(default)
        self._more = more
        self._parameter = parameter
        self._maps = maps or {}

    def __call__(self, request: Request) -> Query:
        """Read the query of a request. Raises Invalid."""
        size, number = DEFAULT_SIZE, 1
        conditions: list[ColumnElement[bool]] = []
        order: tuple[Any, ...] = self._default
        for name, value in request.query_params.multi_items():
            if len(value) > MAX_VALUE:
                raise Invalid(
                    InvalidParameter(
                        field=name, reason="is too long", rule="max_length", source="query", bound=MAX_VALUE
                    )
                )
            if not storable(value):
                raise invalid(name, "holds a NUL or half a surrogate pair", source="query")
            if name == "page[size]":
                size = _number(name, value, DEFAULT_SIZE, MAX_SIZE)
            elif name == "page[number]":
                number = _number(name, value, 1, MAX_NUMBER)
            elif name == "sort" and self._sorts:
                order = self._order(value)
            elif name not in self._more:
                conditions.append(self._condition(name, value))
        plain = not conditions and order is self._default
        return Query(size, number, tuple(conditions), (*order, self._tie), plain)

    def _order(self, text: str) -> tuple[Any, ...]:
        order: list[Any] = []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            found = _SORT.fullmatch(part)
            column = self._sorts.get(found["field"]) if found else None
            if found is None or column is None:
                choices = tuple(sorted(self._sorts))
                raise Invalid(
                    InvalidParameter(
                        field="sort", reason="is not sortable by", rule="enum", source="query", choices=choices
                    )
                )
            descending = (found["direction"] or "asc").lower() == "desc"
            order.append(column.desc() if descending else column.asc())
        return tuple(order) or self._default

    def _condition(self, name: str, value: str) -> ColumnElement[bool]:
        found = _FILTER.fullmatch(name)
        if found is None or found["parameter"] != self._parameter:
            raise invalid(name, "is not a known parameter", "unknown_property", "query")
        operation = found["operation"] or "eq"
        of_map, _, key = found["field"].partition(".")
        if key and of_map in self._maps and operation in FieldKind.TEXT.operations:
            return self._maps[of_map](key, operation, value)
        field = self._filters.get(found["field"])
        if field is None:
            raise invalid(name, "is not a known parameter", "unknown_property", "query")
        if operation not in field.kind.operations:
            raise invalid(name, "is not an operation of this filter", "unknown_property", "query")
        return condition(name, field, operation, value)


def condition(name: str, field: Field, operation: str, text: str) -> ColumnElement[bool]:
    """Make the SQL of one filter. Raises Invalid where its value is none of the field's."""
    column = field.column
    several = operation in ("oeq", "ocontains")
    parts = [part.strip() for part in text.split(",")][:MAX_CHOICES] if several else [text]
    values = [_value(name, field, part, partial="contains" in operation) for part in parts]
    match operation:
        case "eq" | "oeq":
            return or_all([_equal(column, field, value) for value in values])
        case "neq":
            return not_(_equal(column, field, values[0]))
        case "contains" | "ocontains":
            tests = [func.lower(_text(column, field)).contains(str(value).lower(), autoescape=True) for value in values]
            return or_all(tests)
        case _:
            moment = values[0]
            comparisons: dict[str, ColumnElement[bool]] = {
                "lt": column < moment,
                "lte": column <= moment,
                "gt": column > moment,
                "gte": column >= moment,
            }
            return comparisons[operation]


def or_all(tests: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Any of them."""
    return or_(*tests)


def _equal(column: Any, field: Field, value: Any) -> ColumnElement[bool]:
    # Names are compared as people write them: Konnect's text filters do not mind the case.
    if field.kind is FieldKind.TEXT:
        return func.lower(column) == str(value).lower()
    equal: ColumnElement[bool] = column == value
    return equal


def _text(column: Any, field: Field) -> Any:
    return cast(column, String) if field.kind is FieldKind.UUID else column


def _value(name: str, field: Field, text: str, *, partial: bool) -> Any:
    match field.kind:
        case FieldKind.UUID if not partial:
            # What is no UUID is no record's id either, so it matches nothing.
            return ids.canonical(text) or ids.NONE
        case FieldKind.BOOLEAN:
            if text.lower() not in ("true", "false"):
                raise invalid(name, "must be true or false", "is_boolean", "query")
            return text.lower() == "true"
        case FieldKind.TIME:
            return _time(name, text)
        case FieldKind.CHOICE if not partial and field.choices and text not in field.choices:
            raise Invalid(
                InvalidParameter(
                    field=name, reason="is none of the choices", rule="enum", source="query", choices=field.choices
                )
            )
        case _:
            return text


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid(name, "must be a time with its zone, as in RFC 3339", "is_date_time", "query")
    return moment


def _number(name: str, text: str, default: int, most: int) -> int:
    if text == "":  # the contract allows them to be empty
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if number < 1:
        raise Invalid(
            InvalidParameter(field=name, reason="must be a number from 1", rule="min", source="query", bound=1)
        )
    if number > most:
        raise Invalid(
            InvalidParameter(field=name, reason=f"must be at most {most}", rule="max", source="query", bound=most)
        )
    return number


def count(tx: Transaction, statement: Select[Any]) -> int:
    """How many rows a statement has."""
    return tx.session.scalar(select(func.count()).select_from(statement.subquery())) or 0
