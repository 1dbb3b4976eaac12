"""`/api/v3/stats`."""

from typing import Annotated

from fastapi import Body

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.contract.analytics import AnalyticsAnswer, AnalyticsConfig, QueryApplicationAnalytics
from kong_app_auth.portal.services import analytics
from kong_app_auth.portal.views.analytics import analytics_view, config_view

routes = router("/api/v3/stats", "Application Analytics")


@routes.post("")
def query_application_analytics(
    access: Member, asked: Annotated[QueryApplicationAnalytics, Body(default_factory=QueryApplicationAnalytics)]
) -> AnalyticsAnswer:
    """`query-application-analytics`."""
    with access.read() as tx:
        found = analytics.query(tx, access.portal.id, access.developer_id, asked)
        return analytics_view(tx, found, asked.metrics[0])


@routes.get("/config")
def get_application_analytics_config(access: Member) -> AnalyticsConfig:
    """`get-application-analytics-config`."""
    with access.read() as tx:
        return config_view(tx)
