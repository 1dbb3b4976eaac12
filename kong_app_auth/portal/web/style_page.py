"""`/operator/style`: every part that pages are made of, to be looked at."""

from datetime import UTC, date, datetime

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.web.charts import Bar, chart
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import OperatorReader
from kong_app_auth.portal.web.sites import site_of

routes = router("/operator/style", "Pages")


@routes.get("", response_class=Response)
def style_page(access: OperatorReader) -> Response:
    """Show the parts."""
    bars = [Bar(date(2026, 11, number), 40 * number % 97 * 10, 7 * number % 31) for number in range(1, 15)]
    at = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
    return render(access, site_of(access), "style.html", at=at, chart=chart(bars))
