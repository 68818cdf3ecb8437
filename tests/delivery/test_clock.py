"""What clocks show around the world, also on the days on which they are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from delivery.clock import Clock, TimeZone, local_day, moment, span, weekday

ZURICH = ZoneInfo("Europe/Zurich")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
APIA = ZoneInfo("Pacific/Apia")

FORWARD = date(2026, 3, 29)
"""02:00 is followed by 03:00 in Zurich."""
BACK = date(2026, 10, 25)
"""03:00 is followed by 02:00 in Zurich."""


def utc(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T{clock}:00+00:00")


@pytest.mark.parametrize(
    ("zone", "day", "window", "expected"),
    [
        (ZURICH, date(2026, 3, 28), ("09:00", "12:00"), ("08:00", "11:00")),
        (ZURICH, FORWARD, ("09:00", "12:00"), ("07:00", "10:00")),
        (ZURICH, BACK, ("09:00", "12:00"), ("08:00", "11:00")),
        (ZURICH, date(2026, 7, 1), ("09:00", "12:00"), ("07:00", "10:00")),
        (KATHMANDU, date(2026, 7, 1), ("09:00", "12:00"), ("03:15", "06:15")),
        (ZoneInfo("UTC"), date(2026, 7, 1), ("09:00", "12:00"), ("09:00", "12:00")),
    ],
)
def test_a_window_is_told_in_utc(
    zone: ZoneInfo, day: date, window: tuple[str, str], expected: tuple[str, str]
) -> None:
    assert span(day, *window, zone) == (utc(day, expected[0]), utc(day, expected[1]))


@pytest.mark.parametrize(
    ("day", "window", "hours"),
    [
        (FORWARD, ("00:00", "04:00"), 3),
        (FORWARD, ("01:00", "03:00"), 1),
        (FORWARD, ("03:00", "04:00"), 1),
        (BACK, ("00:00", "04:00"), 5),
        (BACK, ("01:00", "03:00"), 3),
        (BACK, ("03:00", "04:00"), 1),
        (BACK, ("00:00", "24:00"), 25),
        (FORWARD, ("00:00", "24:00"), 23),
    ],
)
def test_a_window_is_as_long_as_the_clocks_say_that_day(
    day: date, window: tuple[str, str], hours: int
) -> None:
    found = span(day, *window, ZURICH)
    assert found is not None
    assert found[1] - found[0] == timedelta(hours=hours)


def test_what_the_clocks_leave_out_is_not_offered() -> None:
    assert span(FORWARD, "02:00", "03:00", ZURICH) is None
    assert span(FORWARD, "02:30", "03:00", ZURICH) is None
    assert span(FORWARD, "02:15", "02:45", ZURICH) == (
        utc(FORWARD, "01:15"),
        utc(FORWARD, "01:45"),
    )


def test_a_time_that_comes_twice_is_its_first_one() -> None:
    assert moment(BACK, "02:30", ZURICH) == utc(BACK, "00:30")
    assert span(BACK, "02:00", "02:30", ZURICH) == (utc(BACK, "00:00"), utc(BACK, "00:30"))


def test_a_day_that_a_country_skips_has_no_windows() -> None:
    """Samoa went to sleep on 29 December 2011 and woke on the 31st."""
    skipped = date(2011, 12, 30)
    assert span(skipped, "09:00", "12:00", APIA) is None
    before, after = (span(skipped + timedelta(days=n), "09:00", "12:00", APIA) for n in (-1, 1))
    assert before == (utc(date(2011, 12, 29), "19:00"), utc(date(2011, 12, 29), "22:00"))
    assert after == (utc(skipped, "19:00"), utc(skipped, "22:00"))


def test_beyond_the_date_line_it_is_another_day() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert local_day(noon, APIA) == date(2026, 11, 24)
    assert local_day(noon, ZoneInfo("Pacific/Pago_Pago")) == date(2026, 11, 23)
    assert span(date(2026, 11, 24), "09:00", "12:00", APIA) == (
        utc(date(2026, 11, 23), "20:00"),
        utc(date(2026, 11, 23), "23:00"),
    )


def test_a_day_ends_at_24() -> None:
    assert moment(FORWARD, "24:00", ZURICH) == moment(date(2026, 3, 30), "00:00", ZURICH)
    assert weekday(FORWARD) == "sun"


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from([ZURICH, KATHMANDU, APIA, ZoneInfo("America/Sao_Paulo"), ZoneInfo("UTC")])


@given(st.dates(date(2011, 1, 1), date(2040, 1, 1)), clocks, clocks, zones)
def test_a_window_is_on_its_day_and_never_backwards(
    day: date, start: str, end: str, zone: ZoneInfo
) -> None:
    found = span(day, start, end, zone)
    if found is not None:
        begins, ends = found
        assert begins < ends
        assert local_day(begins, zone) == day
        assert begins.utcoffset() == ends.utcoffset() == timedelta(0)


@given(st.dates(date(2012, 1, 1), date(2040, 1, 1)), clocks)
def test_where_clocks_are_never_changed_they_show_what_was_said(day: date, clock: str) -> None:
    shown = moment(day, clock, KATHMANDU).astimezone(KATHMANDU)
    assert (shown.date(), shown.strftime("%H:%M")) == (day, clock)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (TimeZone, "Europe/Vadutz"),
        (TimeZone, "../../etc/passwd"),
        (TimeZone, ""),
        (Clock, "9:00"),
        (Clock, "24:01"),
        (Clock, "09:60"),
        (Clock, "09:00\n"),
    ],
)
def test_what_is_no_time_is_refused(kind: type, wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(wrong)
    assert TypeAdapter(TimeZone).validate_python("Europe/Vaduz") == "Europe/Vaduz"
