"""Where a van is when, and what its driver says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.drive import MOST_SIGHTINGS, Drive, along
from maps.contract import Way

BEND = ((9.50, 47.10), (9.60, 47.10), (9.60, 47.20))


def way(duration_s: int = 600) -> Way:
    return Way(distance_m=18_000, duration_s=duration_s, source="test", line=BEND)


def test_a_van_sets_out_drives_arrives_and_delivers() -> None:
    reports = list(Drive(way(), speed=20, every=5).reports(picked_up=False))
    assert [report.status for report in reports] == [
        "picked_up",
        *["en_route"] * 5,
        "arrived",
        "delivered",
    ]
    assert [report.after for report in reports] == [0, 5, 10, 15, 20, 25, 30, 30]
    first, last = reports[0].position, reports[-1].position
    assert (first.lon, first.lat) == BEND[0]
    assert (last.lon, last.lat) == BEND[-1]


def test_what_is_on_the_van_is_not_picked_up_again() -> None:
    reports = list(Drive(way(), speed=600, every=1).reports(picked_up=True))
    assert [report.status for report in reports] == ["arrived", "delivered"]


@given(st.integers(0, 100_000), st.floats(0.1, 1000), st.floats(0.05, 60))
def test_a_drive_never_has_more_reports_than_a_delivery_takes(
    duration_s: int, speed: float, every: float
) -> None:
    drive = Drive(way(duration_s), speed, every)
    reports = list(drive.reports(picked_up=False))
    assert len(reports) <= MOST_SIGHTINGS + 2
    times = [report.after for report in reports]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(duration_s / speed)
    assert [report.status for report in reports[-2:]] == ["arrived", "delivered"]


@given(st.integers(1, 50))
def test_the_parts_of_a_way_are_as_long_as_each_other(parts: int) -> None:
    places = along(((9.5, 0.0), (9.5, 1.0)), parts)
    steps = [b.lat - a.lat for a, b in pairwise(places)]
    assert steps == pytest.approx([1 / parts] * parts, abs=1e-5)
