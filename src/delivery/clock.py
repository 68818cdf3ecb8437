"""What a local clock shows as a moment in UTC, also on the days on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, StringConstraints

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEK: tuple[Weekday, ...] = get_args(Weekday)

Clock = Annotated[str, StringConstraints(pattern=r"^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""A time of the day, `09:00`; the day ends at `24:00`."""


def _time_zone(name: str) -> str:
    if name not in _known():
        raise ValueError(f"{name} is no IANA time zone: write Europe/Zurich, say, or UTC")
    return name


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""A time zone of the IANA database, `Europe/Zurich`."""


def weekday(day: date) -> Weekday:
    """Which day of the week it is."""
    return WEEK[day.weekday()]


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Which day it is there."""
    return moment.astimezone(zone).date()


def moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """When a clock there shows this.

    A time that comes twice is its first one; one that is left out comes as much later as the clocks
    are put forward (RFC 5545, section 3.3.5).
    """
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def span(day: date, start: str, end: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """From when to when it is, there; nothing where the clocks leave all of it out, or the day."""
    begins, ends = moment(day, start, zone), moment(day, end, zone)
    if begins >= ends or local_day(begins, zone) != day:
        return None
    return begins, ends
