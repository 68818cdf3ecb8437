"""What every router keeps: one suite, run on each adapter."""

from collections.abc import AsyncIterator, Callable

import pytest

from bus.messages import Position
from maps.builtin_router import BuiltinRouter
from maps.earth import great_circle
from maps.google_routes import GoogleRouter
from maps.memory import Memory
from maps.osrm import OsrmRouter
from maps.roads import Roads
from maps.router import Router
from tests.map_server import API_KEY, Maps
from tests.maps.doors import BALZERS, ESCHEN, SCHAAN, VADUZ
from tests.waiting import PATIENCE as PATIENT

BESIDE_THE_DOOR_M = 200
"""How far from a door a way may begin or end."""


@pytest.fixture(params=["builtin", "osrm", "google", "roads over osrm"])
async def router(
    request: pytest.FixtureRequest, memory: Memory, map_server: Maps
) -> AsyncIterator[Router]:
    adapters: dict[str, Callable[[], Router]] = {
        "builtin": BuiltinRouter,
        "osrm": lambda: OsrmRouter(request.getfixturevalue("osrm"), patience=PATIENT),
        "google": lambda: GoogleRouter(API_KEY, base=map_server.address, patience=PATIENT),
        "roads over osrm": lambda: Roads(
            OsrmRouter(request.getfixturevalue("osrm"), patience=PATIENT), memory
        ),
    }
    opened = adapters[request.param]()
    yield opened
    await opened.close()


def near(place: tuple[float, float], door: Position) -> bool:
    """Whether a point of a line is at a door."""
    lon, lat = place
    return great_circle(Position(lat=lat, lon=lon), door) < BESIDE_THE_DOOR_M


async def test_a_row_is_an_origin_and_a_column_a_destination(router: Router) -> None:
    origins, destinations = (VADUZ, SCHAAN, BALZERS), (ESCHEN, VADUZ)
    matrix = await router.matrix(origins, destinations)
    assert [len(row) for row in matrix] == [2, 2, 2]
    for origin, row in zip(origins, matrix, strict=True):
        for destination, cell in zip(destinations, row, strict=True):
            ((alone,),) = await router.matrix((origin,), (destination,))
            assert cell == alone


async def test_a_way_is_no_shorter_than_the_straight_one_nor_three_times_as_long(
    router: Router,
) -> None:
    ((leg,),) = await router.matrix((VADUZ,), (ESCHEN,))
    assert leg
    straight = great_circle(VADUZ, ESCHEN)
    assert straight - BESIDE_THE_DOOR_M < leg.distance_m < 3 * straight
    assert 15 < leg.distance_m / leg.duration_s * 3.6 < 120  # km/h


async def test_an_answer_says_whose_it_is(router: Router) -> None:
    ((leg,),) = await router.matrix((VADUZ,), (SCHAAN,))
    way = await router.route((VADUZ, SCHAAN))
    assert leg
    assert way
    assert leg.source == way.source == router.name


async def test_it_is_no_way_to_where_one_is(router: Router) -> None:
    ((leg,),) = await router.matrix((VADUZ,), (VADUZ,))
    assert leg
    assert (leg.distance_m, leg.duration_s) == (0, 0)


async def test_the_course_of_a_way_leads_past_its_points_in_their_order(router: Router) -> None:
    waypoints = (BALZERS, VADUZ, ESCHEN)
    way = await router.route(waypoints)
    assert way
    assert near(way.line[0], BALZERS)
    assert any(near(place, VADUZ) for place in way.line[1:-1])
    assert near(way.line[-1], ESCHEN)


async def test_a_way_is_as_long_as_its_parts(router: Router) -> None:
    way = await router.route((BALZERS, VADUZ, ESCHEN))
    first, _ = await router.matrix((BALZERS, VADUZ), (VADUZ, ESCHEN))
    second = (await router.matrix((VADUZ,), (ESCHEN,)))[0]
    assert way
    assert first[0]
    assert second[0]
    assert way.distance_m == pytest.approx(first[0].distance_m + second[0].distance_m, rel=0.01)
    assert way.duration_s == pytest.approx(first[0].duration_s + second[0].duration_s, rel=0.01)


async def test_a_hundred_origins_and_destinations_are_measured_at_once(router: Router) -> None:
    along = [Position(lat=47.14 + step / 4000, lon=9.5) for step in range(100)]
    matrix = await router.matrix(along, along)
    assert len(matrix) == 100
    assert {len(row) for row in matrix} == {100}
    assert all(cell is not None for row in matrix for cell in row)


async def test_letting_go_twice_does_no_harm(router: Router) -> None:
    await router.close()
    await router.close()
