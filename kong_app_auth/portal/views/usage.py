"""Usage, as operators and developers see it."""

from kong_app_auth.portal.contract.usage import UsageView
from kong_app_auth.portal.services.usage import DayOfUsage


def usage_view(one: DayOfUsage) -> UsageView:
    """Give the answer for one row."""
    return UsageView(
        day=one.day.isoformat(),
        application_id=one.application_id,
        api_id=one.api_id,
        outcome=one.outcome,
        status_code=one.status_code,
        requests=one.requests,
    )
