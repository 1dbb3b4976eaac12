"""Statistics for developers (`/api/v3/stats`)."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, NotNull, Output

Metric = Literal[
    "request_count",
    "request_per_minute",
    "response_latency_average",
    "response_size_average",
    "response_size_sum",
    "request_size_average",
    "request_size_sum",
]
Dimension = Literal["api", "application", "status_code", "status_code_grouped", "time"]
Granularity = Literal[
    "tenSecondly",
    "thirtySecondly",
    "minutely",
    "fiveMinutely",
    "tenMinutely",
    "thirtyMinutely",
    "hourly",
    "twoHourly",
    "twelveHourly",
    "daily",
    "weekly",
    "trend",
]
Relative = Literal[
    "15m",
    "1h",
    "6h",
    "12h",
    "24h",
    "7d",
    "30d",
    "current_week",
    "current_month",
    "previous_week",
    "previous_month",
]
MAX_VALUES = 500
PlainId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class RelativeTimeRange(Input):
    """From some time ago until now, or a calendar's week or month, in the zone `tz`."""

    model_config = ConfigDict(extra="ignore")  # the contract does not forbid more

    type: Literal["relative"]
    time_range: Relative
    tz: Zone = "Etc/UTC"


class AbsoluteTimeRange(Input):
    """From one moment to another."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["absolute"]
    start: Moment
    end: Moment
    tz: Zone = "Etc/UTC"


class _Filter(Input):
    """Which values of a dimension are counted, or are not."""

    operator: Literal["in", "not_in"]


class ApiFilter(_Filter):
    """By API."""

    field: Literal["api"]
    value: Annotated[list[PlainId], Field(max_length=MAX_VALUES)]


class ApplicationFilter(_Filter):
    """By application."""

    field: Literal["application"]
    value: Annotated[list[PlainId], Field(max_length=MAX_VALUES)]


class StatusCodeFilter(_Filter):
    """By status code."""

    field: Literal["status_code"]
    value: Annotated[list[Annotated[int, Field(ge=100, le=999)]], Field(max_length=MAX_VALUES)]


class StatusCodeGroupedFilter(_Filter):
    """By class of status codes, such as `4XX`."""

    field: Literal["status_code_grouped"]
    value: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[0-9][xX][xX]$")]], Field(max_length=MAX_VALUES)]


Filter = Annotated[
    ApiFilter | ApplicationFilter | StatusCodeFilter | StatusCodeGroupedFilter, Field(discriminator="field")
]
TimeRange = Annotated[RelativeTimeRange | AbsoluteTimeRange, Field(discriminator="type")]


class QueryApplicationAnalytics(Input):
    """The body of `query-application-analytics`."""

    metrics: Annotated[list[Metric], Field(min_length=1, max_length=1)] = ["request_count"]  # noqa: RUF012
    dimensions: Annotated[list[Dimension], Field(max_length=2)] = []  # noqa: RUF012
    granularity: Annotated[Granularity | None, NotNull] = None
    time_range: TimeRange = RelativeTimeRange(type="relative", time_range="1h")
    filters: Annotated[list[Filter], Field(max_length=50)] = []  # noqa: RUF012


class DisplayEntry(Output):
    """How a value is shown."""

    name: str
    deleted: bool
    is_other_group: bool


class AnalyticsMeta(Output):
    """What was asked, and how to read the answer."""

    display: dict[str, dict[str, DisplayEntry]]
    metric_names: list[str]
    metric_units: dict[str, str]
    start: Moment
    end: Moment
    truncated: bool
    limit: int
    granularity_ms: int
    query_id: str


class AnalyticsEvent(Output):
    """One record: `event` holds the dimensions' values and the metric."""

    event: dict[str, Any]
    timestamp: Moment


class AnalyticsAnswer(Output):
    """The answer of `query-application-analytics`."""

    meta: AnalyticsMeta
    data: list[AnalyticsEvent]


class AnalyticsSettings(Output):
    """What can be asked."""

    percentiles: bool
    retention_ms: int


class AnalyticsConfig(Output):
    """The answer of `get-application-analytics-config`."""

    analytics: AnalyticsSettings | None
