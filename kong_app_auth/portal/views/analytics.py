"""Statistics, as developers see them."""

from typing import Final

from kong_app_auth.portal.contract.analytics import (
    AnalyticsAnswer,
    AnalyticsConfig,
    AnalyticsEvent,
    AnalyticsMeta,
    AnalyticsSettings,
    DisplayEntry,
    Metric,
)
from kong_app_auth.portal.services.analytics import LIMIT, OTHER, Found, Row
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.reports.records import ALLOWED

_UNITS: Final = {"request_count": "count", "request_per_minute": "count/minute"}
_WORDS: Final = {ALLOWED: "Allowed (the upstream's own status is not known)", OTHER: "Other"}


def analytics_view(tx: Transaction, found: Found, metric: Metric) -> AnalyticsAnswer:
    """Give the answer to a query."""
    return AnalyticsAnswer(
        meta=AnalyticsMeta(
            display={dimension: _display(dimension, found) for dimension in found.names},
            metric_names=[metric],
            metric_units={metric: _UNITS[metric]},
            start=found.window.start,
            end=found.window.end,
            truncated=found.truncated,
            limit=LIMIT,
            granularity_ms=found.window.granularity_ms,
            query_id=tx.request_id,
        ),
        data=[
            AnalyticsEvent(event={**row.values, metric: _value(found, metric, row)}, timestamp=row.at)
            for row in found.rows
        ],
    )


def config_view(tx: Transaction) -> AnalyticsConfig:
    """Give what can be asked: there are no latencies, so no percentiles of them."""
    retention = tx.configuration.usage_retention
    return AnalyticsConfig(
        analytics=AnalyticsSettings(percentiles=False, retention_ms=int(retention.total_seconds()) * 1000)
    )


def _value(found: Found, metric: Metric, row: Row) -> int | float:
    return row.requests if metric == "request_count" else row.requests / found.window.minutes(row.at)


def _display(dimension: str, found: Found) -> dict[str, DisplayEntry]:
    """Name each value. One whose record is gone goes by its id."""
    shown: dict[str, DisplayEntry] = {}
    for value in dict.fromkeys(row.values[dimension] for row in found.rows):
        name = found.names[dimension].get(value)
        shown[value] = DisplayEntry(
            name=_WORDS.get(value) or name or value,
            deleted=name is None and value != OTHER,
            is_other_group=value == OTHER,
        )
    return shown
