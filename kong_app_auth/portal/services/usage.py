"""Usage by application, API, outcome and day (UTC)."""

from datetime import date, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, cast, extract, func, select

from kong_app_auth.portal.services.ownership import applications_of, the_developer
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.usage import NOBODY, Usage
from kong_app_auth.portal.transaction import Transaction

_SECONDS_OF_A_DAY: Final = 86_400
DAY: Final[ColumnElement[Any]] = cast(extract("epoch", Usage.minute), BigInteger) // _SECONDS_OF_A_DAY
"""Days since 1970."""
REQUESTS: Final[ColumnElement[Any]] = func.sum(Usage.requests)
_EPOCH: Final = date(1970, 1, 1)

Rows = Select[*tuple[Any, ...]]


class DayOfUsage(msgspec.Struct, frozen=True):
    """The requests of one kind on one day. None: the request named no application or API that is known."""

    day: date
    application_id: str | None
    api_id: str | None
    outcome: str
    status_code: int | None
    requests: int


def of_region(tx: Transaction) -> Rows:
    """Select the usage of the caller's region."""
    return _by_day().where(Usage.region == tx.region)


def of_developer(tx: Transaction, portal_id: str, developer_id: str) -> Rows:
    """Select the usage of the applications that a developer can reach. Raises Unauthorized."""
    the_developer(tx, portal_id, developer_id)
    own = applications_of(portal_id, developer_id).with_only_columns(Application.id)
    return of_region(tx).where(Usage.application_id.in_(own))


def page(
    tx: Transaction, statement: Rows, order: tuple[Any, ...], size: int, number: int
) -> tuple[list[DayOfUsage], int]:
    """Give one page, and how many rows there are in all."""
    total = tx.session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    whole = (*order, Usage.application_id, Usage.api_id, Usage.outcome)
    found = tx.session.execute(statement.order_by(*whole).limit(size).offset((number - 1) * size))
    return [
        DayOfUsage(
            _EPOCH + timedelta(days=int(row.day)),
            _known(row.application_id),
            _known(row.api_id),
            row.outcome,
            row.status_code,
            int(row.requests),
        )
        for row in found
    ], total


def _by_day() -> Rows:
    return select(
        DAY.label("day"),
        Usage.application_id,
        Usage.api_id,
        Usage.outcome,
        func.max(Usage.status_code).label("status_code"),
        REQUESTS.label("requests"),
    ).group_by(DAY, Usage.application_id, Usage.api_id, Usage.outcome)


def _known(record_id: str) -> str | None:
    return None if record_id == NOBODY else record_id
