"""Roads are the great circle times 1.3, driven at 50 km/h."""

from math import acos, cos, pi, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Position
from maps.builtin_router import leg
from maps.contract import Leg
from maps.earth import EARTH_RADIUS_M, great_circle

positions = st.builds(
    Position, lat=st.floats(-90, 90, width=32), lon=st.floats(-180, 180, width=32)
)
MILLIMETRE = 0.001

VADUZ = Position(lat=47.14151, lon=9.52154)
ZURICH = Position(lat=47.36667, lon=8.55)


def by_law_of_cosines(a: Position, b: Position) -> float:
    lat_a, lat_b, lon = radians(a.lat), radians(b.lat), radians(a.lon - b.lon)
    return EARTH_RADIUS_M * acos(sin(lat_a) * sin(lat_b) + cos(lat_a) * cos(lat_b) * cos(lon))


def test_a_degree_of_a_meridian_has_its_length() -> None:
    degree = great_circle(Position(lat=47, lon=9.5), Position(lat=48, lon=9.5))
    assert degree == pytest.approx(EARTH_RADIUS_M * pi / 180, abs=MILLIMETRE)


def test_the_poles_are_half_a_world_apart_at_any_longitude() -> None:
    way = great_circle(Position(lat=90, lon=0), Position(lat=-90, lon=123))
    assert way == pytest.approx(EARTH_RADIUS_M * pi, abs=MILLIMETRE)


def test_the_way_across_the_date_line_is_short() -> None:
    way = great_circle(Position(lat=0, lon=179.5), Position(lat=0, lon=-179.5))
    assert way == pytest.approx(EARTH_RADIUS_M * pi / 180, abs=MILLIMETRE)


def test_a_road_is_three_tenths_longer_and_driven_at_fifty() -> None:
    straight = great_circle(VADUZ, ZURICH)
    assert straight == pytest.approx(by_law_of_cosines(VADUZ, ZURICH), abs=0.1)
    assert leg(VADUZ, ZURICH).distance_m == round(straight * 1.3)
    kilometre = leg(Position(lat=0, lon=0), Position(lat=0, lon=1 / 1.3 / 111.195_080_234))
    assert kilometre == Leg(distance_m=1000, duration_s=72, source="builtin")


def test_it_is_no_way_to_where_one_is() -> None:
    assert leg(VADUZ, VADUZ) == Leg(distance_m=0, duration_s=0, source="builtin")


@given(positions, positions)
def test_the_way_back_is_as_long(a: Position, b: Position) -> None:
    assert great_circle(a, b) == pytest.approx(great_circle(b, a), abs=MILLIMETRE)


@given(positions, positions, positions)
def test_no_detour_is_shorter(a: Position, b: Position, c: Position) -> None:
    # Near the antipodes the haversine formula loses half of its digits, which is decimetres.
    assert great_circle(a, c) <= great_circle(a, b) + great_circle(b, c) + 1.0


@given(positions, positions)
def test_no_way_is_longer_than_half_around_the_world(a: Position, b: Position) -> None:
    assert 0 <= great_circle(a, b) <= EARTH_RADIUS_M * pi + MILLIMETRE
