"""A real OSRM beside geometry: real doors, real roads, and the sea."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from bus.messages import Position
from maps.builtin_router import leg
from maps.contract import Leg
from maps.earth import great_circle
from maps.osrm import OsrmRouter, matrix_in
from maps.outside import Answer
from maps.router import FAR_FROM_ROADS_M
from tests.maps.doors import BALZERS, ESCHEN, PLANKEN, SCHAAN, SEA, VADUZ, real
from tests.waiting import PATIENCE as PATIENT


@pytest.fixture
async def router(osrm: str) -> AsyncIterator[OsrmRouter]:
    opened = OsrmRouter(osrm, patience=PATIENT)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("origin", "door", "by_road_m", "by_geometry_m", "minutes"),
    [
        (SCHAAN, VADUZ, 4_092, 4_551, 7),
        (SCHAAN, ESCHEN, 6_351, 6_192, 9),
        (SCHAAN, BALZERS, 11_179, 13_248, 14),
        (ESCHEN, PLANKEN, 9_715, 3_595, 13),  # it lies behind a mountain
    ],
)
async def test_real_roads_beside_geometry(
    router: OsrmRouter,
    origin: Position,
    door: Position,
    by_road_m: int,
    by_geometry_m: int,
    minutes: int,
) -> None:
    ((found,),) = await router.matrix((origin,), (door,))
    assert found
    assert found.distance_m == pytest.approx(by_road_m, rel=0.02)
    assert found.duration_s == pytest.approx(minutes * 60, rel=0.25)
    assert leg(origin, door).distance_m == by_geometry_m


async def test_every_real_address_is_reached_and_none_by_less_than_the_straight_way(
    router: OsrmRouter,
) -> None:
    doors = list(real())[::5]
    measured = 0
    for first in range(0, len(doors), 100):
        some = doors[first : first + 100]
        (row,) = await router.matrix((SCHAAN,), some)
        for door, found in zip(some, row, strict=True):
            assert found
            # From the door to the nearest road it goes on foot: 426 m at the most remote one.
            assert great_circle(SCHAAN, door) - 450 < found.distance_m < 25_000
            measured += 1
    assert measured >= 100


async def test_no_road_leads_into_the_sea(router: OsrmRouter) -> None:
    matrix = await router.matrix((SCHAAN, SEA), (VADUZ, SEA))
    assert matrix[0][0]
    assert matrix[0][1] is matrix[1][0] is matrix[1][1] is None
    assert await router.route((SCHAAN, SEA)) is None
    assert await router.route((SCHAAN, SEA, VADUZ)) is None


async def test_a_door_may_be_some_way_from_the_road_but_not_any(router: OsrmRouter) -> None:
    degree = 111_195
    hut = Position(lat=47.05, lon=9.6)  # on a mountain
    ((found,),) = await router.matrix((SCHAAN,), (hut,))
    assert found
    north = 47.28  # of all roads of Liechtenstein, the most northern ones are at 47.27
    beyond = Position(lat=north + FAR_FROM_ROADS_M / degree, lon=9.53)
    assert await router.matrix((SCHAAN,), (beyond,)) == ((None,),)


async def test_the_course_of_a_way_follows_the_road(router: OsrmRouter) -> None:
    way = await router.route((ESCHEN, PLANKEN))
    assert way
    assert len(way.line) > 100
    places = [Position(lat=lat, lon=lon) for lon, lat in way.line]
    along = sum(great_circle(*pair) for pair in pairwise(places))
    assert along == pytest.approx(way.distance_m, rel=0.01)


def test_a_negative_distance_is_measured_by_geometry_and_the_rest_is_kept() -> None:
    body = b"""{"code": "Ok", "distances": [[-0.5, 4092.1]], "durations": [[0, 420]],
        "sources": [{"location": [9.51, 47.167]}],
        "destinations": [{"location": [9.51, 47.167]}, {"location": [9.5227, 47.1371]}]}"""
    next_door = Position(lat=47.1674, lon=9.5102)
    ((near, far),) = matrix_in(Answer(200, body), (SCHAAN,), (next_door, VADUZ))
    assert near == leg(SCHAAN, next_door)
    assert far == Leg(distance_m=4092, duration_s=420, source="osrm")
