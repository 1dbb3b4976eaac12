"""Statistics for a developer: how often the own applications called, as far as the gateways' plugin sees it.

It sees whether a request was let in, and what a refused one was answered with. It sees no latencies, no sizes, and not
what an upstream answered: so an allowed request has the value `allowed` where others have a status code.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, ColumnElement, String, case, cast, extract, func, literal, or_, select

from kong_app_auth.portal.contract.analytics import Filter, QueryApplicationAnalytics
from kong_app_auth.portal.errors import Invalid, InvalidParameter
from kong_app_auth.portal.services.ownership import applications_of, the_developer
from kong_app_auth.portal.services.time_windows import Window, window
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.usage import Usage
from kong_app_auth.portal.transaction import Transaction

METRICS: Final = ("request_count", "request_per_minute")
LIMIT: Final = 50
"""The most values of a dimension; what is beyond is left out, or taken together as `OTHER` in the second dimension."""
OTHER: Final = "____OTHER____"
_HEX_DIGITS: Final = 32

_STATUS: Final[ColumnElement[Any]] = func.coalesce(cast(Usage.status_code, String), Usage.outcome)
_GROUPED: Final[ColumnElement[Any]] = case(
    (Usage.status_code.is_(None), Usage.outcome), else_=cast(Usage.status_code // 100, String) + "XX"
)
_EPOCH: Final = cast(extract("epoch", Usage.minute), BigInteger)
_COLUMNS: Final[dict[str, Any]] = {
    "api": cast(Usage.api_id, String),
    "application": cast(Usage.application_id, String),
    "status_code": _STATUS,
    "status_code_grouped": _GROUPED,
}


class Row(msgspec.Struct, frozen=True):
    """The requests of one combination of values. `at`: the beginning of its bucket."""

    at: datetime
    values: dict[str, str]
    requests: int


class Found(msgspec.Struct, frozen=True):
    """What was found. `names`: dimension and value to the name of the record, where there still is one."""

    window: Window
    rows: list[Row]
    names: dict[str, dict[str, str]]
    truncated: bool


def query(tx: Transaction, portal_id: str, developer_id: str, asked: QueryApplicationAnalytics) -> Found:
    """Count the requests of the developer's own applications and those of the developer's teams.

    Raises Invalid, Unauthorized.
    """
    the_developer(tx, portal_id, developer_id)
    if asked.metrics[0] not in METRICS:
        raise Invalid(
            InvalidParameter(
                field="metrics",
                reason="is not measured: gateways report requests, no latencies and no sizes",
                rule="enum",
                choices=METRICS,
            )
        )
    if len(set(asked.dimensions)) < len(asked.dimensions):
        raise Invalid(InvalidParameter(field="dimensions", reason="holds one twice", rule="invalid"))
    seen = window(asked.time_range, asked.granularity, "time" in asked.dimensions, tx.now)
    own = applications_of(portal_id, developer_id).with_only_columns(Application.id)
    conditions = [
        Usage.region == tx.region,
        Usage.minute >= seen.start,
        Usage.minute < seen.end,
        Usage.application_id.in_(own),
        *map(_condition, asked.filters),
    ]
    dimensions = [name for name in asked.dimensions if name != "time"]
    columns, truncated = _columns(tx, dimensions, conditions)
    counted = _counted(tx, seen, "time" in asked.dimensions, columns, conditions)
    rows = [
        Row(at, dict(zip(dimensions, values, strict=True)), requests)
        for (at, *values), requests in sorted(counted.items(), key=lambda one: (one[0][0], -one[1], one[0][1:]))
    ]
    if not rows and not asked.dimensions:
        rows = [Row(seen.start, {}, 0)]
    return Found(seen, rows, _names(tx, dimensions, rows), truncated)


def _columns(
    tx: Transaction, dimensions: Sequence[str], conditions: list[ColumnElement[bool]]
) -> tuple[list[ColumnElement[Any]], bool]:
    """The columns to group by. Conditions are added where a dimension has too many values."""
    columns: list[ColumnElement[Any]] = []
    truncated = False
    for number, name in enumerate(dimensions):
        column = _COLUMNS[name]
        most = tx.session.scalars(
            select(column)
            .where(*conditions)
            .group_by(column)
            .order_by(func.sum(Usage.requests).desc())
            .limit(LIMIT + 1)
        ).all()
        if len(most) > LIMIT:
            truncated = True
            kept = column.in_(most[:LIMIT])
            if number == 0:
                conditions.append(kept)
            else:
                column = case((kept, column), else_=literal(OTHER))
        columns.append(column)
    return columns, truncated


def _counted(
    tx: Transaction,
    seen: Window,
    by_time: bool,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
) -> Counter[tuple[Any, ...]]:
    """Requests by the beginning of the bucket and the values of `columns`."""
    slot: ColumnElement[Any] = _EPOCH // seen.slot if by_time else literal(0)
    # Grouped outside of where they are made: PostgreSQL does not see that two expressions with parameters are the same.
    pieces = [column.label(f"value_{number}") for number, column in enumerate((slot, *columns))]
    inner = select(*pieces, Usage.requests.label("requests")).where(*conditions).subquery()
    keys = [inner.c[piece.name] for piece in pieces]
    counted: Counter[tuple[Any, ...]] = Counter()
    for at, *values, requests in tx.session.execute(select(*keys, func.sum(inner.c.requests)).group_by(*keys)):
        begin = seen.bucket(datetime.fromtimestamp(int(at) * seen.slot, UTC)) if by_time else seen.start
        counted[begin, *map(_shown, values)] += int(requests)
    return counted


def _shown(value: Any) -> str:
    """Give a value as clients know it: SQLite keeps ids without their hyphens."""
    text = str(value)
    return str(UUID(text)) if len(text) == _HEX_DIGITS and text.isalnum() else text


def _condition(one: Filter) -> ColumnElement[bool]:
    column = _COLUMNS[one.field]
    match one.field:
        case "status_code":
            values = [str(value) for value in one.value]
        case "status_code_grouped":
            values = [str(value).upper() for value in one.value]
        case "api":
            column, values = Usage.api_id, [str(value) for value in one.value]
        case "application":
            column, values = Usage.application_id, [str(value) for value in one.value]
    found: ColumnElement[bool] = column.in_(values)
    return found if one.operator == "in" else or_(~found, column.is_(None))


def _names(tx: Transaction, dimensions: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    names: dict[str, dict[str, str]] = {}
    for name in dimensions:
        values = {row.values[name] for row in rows} - {OTHER}
        match name:
            case "application":
                chosen = select(Application.id, Application.name).where(Application.id.in_(values))
                names[name] = {row.id: row.name for row in tx.session.execute(chosen)}
            case "api":
                apis = select(Api.id, Api.name, Api.version).where(Api.id.in_(values))
                names[name] = {
                    api_id: f"{own_name} {version or ''}".strip()
                    for api_id, own_name, version in tx.session.execute(apis)
                }
            case _:
                names[name] = {value: value for value in values}
    return names
