"""The time ranges and buckets of statistics, in the zone of the one who asks."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from kong_app_auth.portal.contract.analytics import AbsoluteTimeRange, Granularity, RelativeTimeRange
from kong_app_auth.portal.errors import invalid

MINUTE: Final = 60
DAY: Final = 86_400
MOST_BUCKETS: Final = 1_500
_STEPS: Final[dict[str, int]] = {
    "minutely": MINUTE,
    "fiveMinutely": 5 * MINUTE,
    "tenMinutely": 10 * MINUTE,
    "thirtyMinutely": 30 * MINUTE,
    "hourly": 60 * MINUTE,
    "twoHourly": 120 * MINUTE,
    "twelveHourly": 720 * MINUTE,
    "daily": DAY,
    "weekly": 7 * DAY,
}
_DEFAULTS: Final = ((3600, "minutely"), (6 * 3600, "fiveMinutely"), (DAY, "thirtyMinutely"), (7 * DAY, "hourly"))
"""Seconds of a range, and the granularity that is taken up to there where none is asked for; beyond: daily."""
_AGO: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "12h": timedelta(hours=12),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_YEARS: Final = range(2000, 2200)


class Window(msgspec.Struct, frozen=True):
    """From `start` to before `end`. `step`: nominal seconds of a bucket; None: it is all one bucket."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    step: int | None

    @property
    def granularity_ms(self) -> int:
        """The length of a bucket, in milliseconds."""
        return (self.step or int((self.end - self.start).total_seconds())) * 1000

    @property
    def slot(self) -> int:
        """Seconds of the pieces that every bucket is made of: zones are off by quarters of an hour."""
        return 900 if self.step is not None and self.step % 900 == 0 else MINUTE

    def bucket(self, moment: datetime) -> datetime:
        """The beginning of the bucket that `moment` is in."""
        if self.step is None:
            return self.start
        return max(_floor(moment, self.step, self.zone), self.start)

    def minutes(self, begin: datetime) -> float:
        """How many minutes of the bucket that begins then are in the window and over; at least one."""
        if self.step is None:
            end = self.end
        elif self.step >= DAY:
            end = _midnight(_local(begin, self.zone).date() + timedelta(seconds=self.step), self.zone)
        else:
            end = _floor(begin, self.step, self.zone) + timedelta(seconds=self.step)
        return max((min(end, self.end) - begin).total_seconds() / MINUTE, 1.0)


def window(
    asked: RelativeTimeRange | AbsoluteTimeRange, granularity: Granularity | None, by_time: bool, now: datetime
) -> Window:
    """Give the window that a query asks for. `by_time`: whether it asks for buckets. Raises Invalid."""
    zone = _zone(asked.tz)
    start, end = _range(asked, zone, now)
    if not by_time:
        if granularity is not None:
            raise invalid("granularity", "is only for queries with the dimension time", "dependent_fields")
        return Window(_floor(start, MINUTE, zone), end, zone, None)
    if granularity == "trend":
        return Window(_floor(start, MINUTE, zone), end, zone, None)
    seconds = (end - start).total_seconds()
    chosen: str = granularity or next((name for most, name in _DEFAULTS if seconds <= most), "daily")
    step = _STEPS.get(chosen)
    if step is None:
        raise invalid("granularity", "is finer than what is counted: minutes")
    if step < DAY and seconds / step > MOST_BUCKETS:
        raise invalid("granularity", "is too fine for this time range")
    floored = _floor(start, step if isinstance(asked, RelativeTimeRange) else MINUTE, zone)
    return Window(floored, end, zone, step)


def _range(asked: RelativeTimeRange | AbsoluteTimeRange, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    if isinstance(asked, AbsoluteTimeRange):
        for name, moment in (("start", asked.start), ("end", asked.end)):
            if moment.tzinfo is None or moment.year not in _YEARS:
                raise invalid(f"time_range.{name}", "must be a time with its zone, of this century")
        if asked.start >= asked.end:
            raise invalid("time_range.end", "must be after start")
        return asked.start.astimezone(UTC), asked.end.astimezone(UTC)
    ago = _AGO.get(asked.time_range)
    if ago is not None:
        return now - ago, now
    begin: Callable[[date], date] = _monday if asked.time_range.endswith("week") else _first
    this = begin(_local(now, zone).date())
    if asked.time_range.startswith("current"):
        return _midnight(this, zone), now
    return _midnight(begin(this - timedelta(days=1)), zone), _midnight(this, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("time_range.tz", "is no time zone, such as Europe/Berlin") from None


def _floor(moment: datetime, step: int, zone: ZoneInfo) -> datetime:
    if step >= DAY:
        day = _local(moment, zone).date()
        return _midnight(day if step == DAY else _monday(day), zone)
    offset = int((_local(moment, zone).utcoffset() or timedelta()).total_seconds())
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp((seconds + offset) // step * step - offset, UTC)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first(day: date) -> date:
    return day.replace(day=1)
