"""What is said of an arrival, from what the router said and where the goods were seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.arrival import (
    ASKED_EVERY,
    MAX_POINTS,
    Arrival,
    Course,
    due_in,
    eta,
    left,
    unanswered,
)
from delivery.contract import Sighting

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
NORTH = tuple((9.5, 47.0 + step / 100) for step in range(11))
"""A road that leads 0.1 degrees to the north."""
THERE = NOON + timedelta(seconds=1_000)


def seen(lat: float, after: float = 0, lon: float = 9.5) -> Sighting:
    return Sighting(lat=lat, lon=lon, at=NOON + timedelta(seconds=after))


def said(of: Sighting, course: Course | None = None) -> Arrival:
    return Arrival(of, NOON, course or Course.of(11_000, THERE, NORTH))


def test_the_router_is_asked_at_the_first_sighting_and_not_again_until_the_next() -> None:
    assert due_in(None, seen(47), NOON) == timedelta(0)
    later = NOON + timedelta(hours=5)
    assert due_in(said(seen(47)), seen(47), later) is None


@given(st.floats(min_value=0, max_value=100))
def test_after_a_sighting_the_router_is_asked_once_fifteen_seconds_have_passed(
    seconds: float,
) -> None:
    now = NOON + timedelta(seconds=seconds)
    wait = due_in(said(seen(47)), seen(47.01, after=seconds), now)
    assert wait == max(NOON + ASKED_EVERY - now, timedelta(0))


def test_a_router_that_said_nothing_is_asked_again_in_its_time() -> None:
    silent = unanswered(None, seen(47), NOON)
    assert left(silent, seen(47)) is None
    assert due_in(silent, seen(47), NOON) == ASKED_EVERY
    assert due_in(silent, seen(47), NOON + ASKED_EVERY) == timedelta(0)


def test_what_the_router_said_before_it_fell_silent_stands() -> None:
    now = NOON + timedelta(seconds=20)
    silent = unanswered(said(seen(47)), seen(47.05, after=20), now)
    rest = left(silent, seen(47.05, after=20))
    assert rest is not None
    assert rest.distance_m == 5_500
    assert due_in(silent, seen(47.05, after=20), now) == ASKED_EVERY


def test_of_a_course_that_has_been_driven_in_part_the_rest_is_left() -> None:
    rest = left(said(seen(47)), seen(47.055, after=8))
    assert rest is not None
    assert (rest.distance_m, rest.there) == (4_950, THERE)
    assert rest.points == ((9.5, 47.055), *((9.5, lat) for _, lat in rest.points[1:]))
    assert [lat for _, lat in rest.points[1:]] == [47.06, 47.07, 47.08, 47.09, 47.1]


def test_where_a_road_bends_what_is_left_begins_where_the_goods_are() -> None:
    east, north = [(9.5 + step / 100, 47.0) for step in range(11)], [(9.6, 47.1), (9.6, 47.2)]
    rest = left(said(seen(47), Course.of(20_000, THERE, [*east, *north])), seen(47.1, lon=9.6))
    assert rest is not None
    assert rest.points == ((9.6, 47.1), (9.6, 47.2))


def test_goods_beside_the_road_are_as_far_as_the_nearest_point_of_it() -> None:
    rest = left(said(seen(47)), seen(47.05, lon=9.51))
    assert rest is not None
    assert rest.distance_m == 5_500
    assert rest.points[0] == (9.51, 47.05)


def test_at_the_door_nothing_is_left() -> None:
    rest = left(said(seen(47)), seen(47.1))
    assert rest is not None
    assert (rest.distance_m, rest.points) == (0, ())
    here = Course.of(0, NOON, [(9.5, 47.0)])
    assert left(said(seen(47), here), seen(47)) == here
    again = Course.of(0, NOON, [(9.5, 47.0), (9.5, 47.0)])
    assert left(said(seen(47), again), seen(47.2)) == again


@given(
    st.lists(st.tuples(st.floats(9, 10), st.floats(46, 48)), min_size=2, max_size=30),
    st.floats(46, 48),
)
def test_what_is_left_is_never_more_than_there_was(
    line: list[tuple[float, float]], lat: float
) -> None:
    rest = left(said(seen(47), Course.of(9_000, THERE, line)), seen(lat))
    assert rest is not None
    assert 0 <= rest.distance_m <= 9_000


def test_a_long_course_is_drawn_with_few_points_and_keeps_its_ends() -> None:
    winding = [(9.5 + step / 10_000, 47 + step % 7 / 10_000) for step in range(5_000)]
    course = Course.of(1, NOON, winding)
    assert len(course.points) <= MAX_POINTS
    assert (course.points[0], course.points[-1]) == (winding[0], winding[-1])


@pytest.mark.parametrize(
    ("after", "told"), [(0, True), (999.9, True), (1_000, False), (9e4, False)]
)
def test_an_arrival_is_told_only_while_it_is_to_come(after: float, told: bool) -> None:
    course = Course.of(11_000, THERE, NORTH)
    then = eta(course, NOON + timedelta(seconds=after))
    assert then == (THERE if told else None)
