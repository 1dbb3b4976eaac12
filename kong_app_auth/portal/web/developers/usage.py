"""`/usage`: how often the own applications called, by day, API and outcome."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Final

import msgspec
from fastapi import Response
from sqlalchemy import select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.services import ownership, usage
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.usage import Usage
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.refusals import WORDS
from kong_app_auth.portal.web.charts import Bar, Chart, chart
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import Developer
from kong_app_auth.portal.web.sites import site_of

routes = router("/usage", "Pages")

SPANS: Final = {"7": 7, "14": 14, "30": 30}
"""Days back."""
DEFAULT: Final = "14"
MOST_ROWS: Final = 10_000
MOST_APIS: Final = 10
_ALLOWED: Final = "allowed"
_OUTCOMES: Final = {reason.code: words[0] for reason, words in WORDS.items()}


class OfApi(msgspec.Struct, frozen=True):
    """The chart of one API."""

    name: str
    chart: Chart


@routes.get("", response_class=Response)
def show_usage(access: Developer, days: str = DEFAULT, application: str = "") -> Response:
    """Charts by API, and what refused requests were refused for."""
    days = days if days in SPANS else DEFAULT
    with access.read() as tx:
        since = datetime.combine(tx.now.date() - timedelta(days=SPANS[days] - 1), time(), UTC)
        statement = usage.of_developer(tx, access.portal.id, access.developer_id).where(Usage.minute >= since)
        own = ownership.applications_of(access.portal.id, access.developer_id).order_by(Application.name)
        applications = [(one.id, one.name) for one in tx.session.scalars(own.limit(100))]
        if application in dict(applications):
            statement = statement.where(Usage.application_id == application)
        else:
            application = ""
        rows, total = usage.page(tx, statement, (usage.DAY.desc(),), MOST_ROWS, 1)
        names = _names(tx, {row.api_id for row in rows if row.api_id is not None})
        all_days = [since.date() + timedelta(days=number) for number in range(SPANS[days])]
    counts: Counter[tuple[str, object, bool]] = Counter()
    refusals: Counter[str] = Counter()
    for row in rows:
        allowed = row.outcome == _ALLOWED
        counts[names.get(row.api_id or "", "No API"), row.day, allowed] += row.requests
        if not allowed:
            refusals[row.outcome] += row.requests
    of_apis = Counter({name: 0 for name, _, _ in counts})
    for (name, _, _), requests in counts.items():
        of_apis[name] += requests
    charts = [
        OfApi(name, chart([Bar(day, counts[name, day, True], counts[name, day, False]) for day in all_days]))
        for name, _ in of_apis.most_common(MOST_APIS)
    ]
    return render(
        access,
        site_of(access),
        "developers/usage.html",
        charts_of_apis=charts,
        left_out=max(0, len(of_apis) - MOST_APIS),
        cut=total > MOST_ROWS,
        refusals=[(code, _OUTCOMES.get(code, ""), count) for code, count in refusals.most_common()],
        days=days,
        spans=[(one, f"{one} days") for one in SPANS],
        application=application,
        applications=applications,
    )


def _names(tx: Transaction, api_ids: set[str]) -> dict[str, str]:
    found = tx.session.execute(select(Api.id, Api.name, Api.version).where(Api.id.in_(api_ids)))
    return {api_id: f"{name} {version or ''}".strip() for api_id, name, version in found}
