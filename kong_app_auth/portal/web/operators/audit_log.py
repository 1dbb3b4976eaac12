"""`/operator/audit-log`: who did what, narrowed down, looked at, and taken away as a file."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import ColumnElement, func, or_

from kong_app_auth.portal.api.listing import count
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.audit.recording import AUDITED
from kong_app_auth.portal.errors import Invalid, InvalidParameter, Unprocessable
from kong_app_auth.portal.services import audit_log
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.views.audit import entry_view
from kong_app_auth.portal.web.forms import errors_of
from kong_app_auth.portal.web.operators.lists import Listed, PageOf, asked, is_id, listed
from kong_app_auth.portal.web.rendering import HEADERS, render
from kong_app_auth.portal.web.sessions import OperatorAccess, OperatorReader
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words, words

routes = router("/operator/audit-log", "Pages")

MOST_EXPORTED: Final = 100_000
"""Entries that one file holds; the API's export has no limit."""
BATCH: Final = 500
"""Entries that an export holds in memory at a time."""
MAX_SHOWN: Final = 300
"""Characters of a value on the page; files have all of it."""
FILTERS: Final = ("actor", "action", "kind", "record", "request", "since", "until")
KINDS: Final = tuple(sorted({*AUDITED.values(), "feed"}))
COLUMNS: Final = (
    *("number", "at", "region", "portal_id", "actor_type", "actor_id", "actor_name"),
    *("action", "entity_type", "entity_id", "request_id", "before", "after"),
)
"""The columns of a CSV file."""
_DEEDS: Final = {"create": words("made"), "update": words("changed"), "delete": words("deleted")}
_PAGES: Final = {
    "api": "/operator/apis/",
    "application": "/operator/applications/",
    "auth_strategy": "/operator/strategies/",
    "dcr_provider": "/operator/dcr-providers/",
    "portal": "/operator/portals/",
    "application_registration": "/operator/registrations/",
}
_HARMFUL: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


class Difference(msgspec.Struct, frozen=True):
    """A column, as it was and as it is; None: it was not, or is not any more."""

    name: str
    before: str | None
    after: str | None


class Shown(msgspec.Struct, frozen=True):
    """An entry, with what was done in a word, the page of its record (where there is one), and what differs."""

    entry: AuditEntry
    deed: Words | str
    path: str | None
    differences: tuple[Difference, ...]


@routes.get("", response_class=Response)
def show(access: OperatorReader, request: Request) -> Response:
    """The entries that are asked for, newest first."""
    given = asked(request, *FILTERS)
    errors: dict[str, str] = {}
    found: Listed[AuditEntry] = Listed((), PageOf(1, 1, 0), request.scope["path"])
    try:
        conditions = _conditions(given)
    except Invalid as wrong:
        errors = errors_of(wrong)
    else:
        with access.read() as tx:
            statement = audit_log.all_entries(tx).where(*conditions)
            found = listed(request, tx, statement, AuditEntry.number.desc(), narrowed=given)
    return render(
        access,
        site_of(access),
        "operators/audit_log.html",
        422 if errors else 200,
        found=found,
        shown=[_shown(one) for one in found.rows],
        given=given,
        narrowed=any(given.values()),
        query=found.path.partition("?")[2],
        kinds=[("", "All"), *((one, one.replace("_", " ")) for one in KINDS)],
        most=MOST_EXPORTED,
        errors=errors,
    )


@routes.get("/export.csv", response_class=StreamingResponse)
def export_csv(access: OperatorReader, request: Request) -> StreamingResponse:
    """Everything that the filters let through, oldest first, as a spreadsheet reads it."""
    return _export(access, request, "csv", "text/csv; charset=utf-8")


@routes.get("/export.ndjson", response_class=StreamingResponse)
def export_json(access: OperatorReader, request: Request) -> StreamingResponse:
    """Everything that the filters let through, oldest first, one JSON object a line, as the API writes it."""
    return _export(access, request, "ndjson", "application/x-ndjson")


def _export(access: OperatorAccess, request: Request, form: str, media_type: str) -> StreamingResponse:
    conditions = _conditions(asked(request, *FILTERS))
    with access.read() as tx:
        until = audit_log.last_number(tx)
        total = count(tx, audit_log.all_entries(tx).where(*conditions, AuditEntry.number <= until))
    if total > MOST_EXPORTED:
        raise Unprocessable(
            f"These are {total} entries, and a file holds at most {MOST_EXPORTED}. Narrow them down by date, or use "
            "the API: GET /v3/audit-log/export"
        )
    name = f"audit-log-{access.operator.region}.{form}"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    pieces = _pieces(access, conditions, until, as_csv=form == "csv")
    return StreamingResponse(pieces, media_type=media_type, headers=headers)


def _pieces(
    access: OperatorAccess, conditions: tuple[ColumnElement[bool], ...], until: int, *, as_csv: bool
) -> Iterator[str]:
    # A transaction a batch: a client that reads slowly holds neither a connection nor an old state of the database.
    if as_csv:
        yield _csv([COLUMNS])
    after = 0
    while True:
        with access.read() as tx:
            found = audit_log.batch(tx, conditions, after, until, BATCH)
            if as_csv:
                written = _csv([_row(one) for one in found])
            else:
                written = "".join(f"{entry_view(one).model_dump_json()}\n" for one in found)
        if not found:
            return
        yield written
        after = found[-1].number


def _csv(rows: list[tuple[str, ...]]) -> str:
    """Write lines of RFC 4180."""
    text = io.StringIO()
    csv.writer(text).writerows([[_harmless(cell) for cell in row] for row in rows])
    return text.getvalue()


def _harmless(cell: str) -> str:
    """Give a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_HARMFUL) else cell


def _row(entry: AuditEntry) -> tuple[str, ...]:
    values = (getattr(entry, name) for name in COLUMNS)
    return tuple(_text(one.astimezone(UTC).isoformat() if isinstance(one, datetime) else one) for one in values)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _conditions(given: Mapping[str, str]) -> tuple[ColumnElement[bool], ...]:
    """Read what the log is to be narrowed down to. Raises Invalid."""
    conditions: list[ColumnElement[bool]] = []
    if actor := given["actor"]:
        named = AuditEntry.actor_name.icontains(actor, autoescape=True)
        conditions.append(or_(named, AuditEntry.actor_id == is_id(actor), AuditEntry.actor_type == actor.lower()))
    for name, column in (("action", AuditEntry.action), ("kind", AuditEntry.entity_type)):
        if given[name]:
            conditions.append(func.lower(column) == given[name].lower().replace(" ", "_"))
    for name, text in (("record", AuditEntry.entity_id), ("request", AuditEntry.request_id)):
        if given[name]:
            conditions.append(text == given[name])
    days = {name: _day(name, given[name]) for name in ("since", "until") if given[name]}
    if "since" in days:
        conditions.append(AuditEntry.at >= days["since"])
    if "until" in days:
        conditions.append(AuditEntry.at < days["until"] + timedelta(days=1))
    return tuple(conditions)


def _day(name: str, text: str) -> datetime:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    # The first and last years have no day before or after them.
    if not 1970 <= found.year < 9999:
        raise Invalid(InvalidParameter(field=name, reason="must be a day, as in 2026-11-24", source="query"))
    return datetime.combine(found, time(), UTC)


def _shown(entry: AuditEntry) -> Shown:
    before, after = entry.before or {}, entry.after or {}
    names = list(dict.fromkeys((*before, *after)))
    base = _PAGES.get(entry.entity_type) if entry.action != "delete" else None
    return Shown(
        entry,
        _DEEDS.get(entry.action, f"{entry.action.replace('_', ' ')}:"),
        None if base is None or entry.entity_id is None else base + entry.entity_id,
        tuple(
            Difference(
                one,
                _short(before[one]) if one in before else None,
                _short(after[one]) if one in after else None,
            )
            for one in names
        ),
    )


def _short(value: Any) -> str:
    text = "–" if value is None or value == "" else _text(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
