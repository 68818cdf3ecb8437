"""Google's maps: what is asked at once, what its key opens, and what is no answer of its."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from bus.messages import Position
from maps.builtin_router import leg
from maps.earth import great_circle
from maps.google_geocoding import GoogleGeocoder, place_in
from maps.google_routes import GoogleRouter, matrix_in, way_in
from maps.outside import Answer, Declined, Nonsense
from maps.router import FAR_FROM_ROADS_M, Unanswered
from tests.logged import logged
from tests.map_server import API_KEY, Maps
from tests.maps.doors import BALZERS, SCHAAN, SEA, VADUZ, address
from tests.waiting import PATIENCE as PATIENT


@pytest.fixture
async def router(map_server: Maps) -> AsyncIterator[GoogleRouter]:
    opened = GoogleRouter(API_KEY, base=map_server.address, patience=PATIENT)
    yield opened
    await opened.close()


async def test_no_road_leads_into_the_sea(router: GoogleRouter) -> None:
    matrix = await router.matrix((SCHAAN, SEA), (VADUZ, SEA))
    assert matrix[0][0]
    assert matrix[0][1] is matrix[1][0] is matrix[1][1] is None
    assert await router.route((SCHAAN, SEA, VADUZ)) is None


async def test_a_table_is_asked_for_in_as_few_questions_as_it_takes(
    router: GoogleRouter, map_server: Maps
) -> None:
    along = [Position(lat=47 + step / 100, lon=9.5) for step in range(100)]
    for origins, destinations, questions in ((100, 1, 1), (25, 25, 1), (26, 25, 2), (60, 60, 9)):
        before = len(map_server.calls("computeRouteMatrix"))
        matrix = await router.matrix(along[:origins], along[:destinations])
        assert len(map_server.calls("computeRouteMatrix")) - before == questions
        for row, origin in zip(matrix, along, strict=False):
            for found, destination in zip(row, along, strict=False):
                assert found
                assert found.distance_m == round(great_circle(origin, destination) * 1.35)


async def test_a_long_course_is_put_together_of_its_pieces(
    router: GoogleRouter, map_server: Maps
) -> None:
    stops = [Position(lat=47 + step / 100, lon=9.5) for step in range(100)]
    before = len(map_server.calls("computeRoutes"))
    way = await router.route(stops)
    assert way
    assert len(map_server.calls("computeRoutes")) - before == 4
    assert list(dict.fromkeys(way.line)) == [(stop.lon, stop.lat) for stop in stops]
    ((straight,),) = await router.matrix(stops[:1], stops[-1:])
    assert straight
    assert way.distance_m == pytest.approx(straight.distance_m, rel=0.001)
    assert await router.route([*stops[:50], SEA, *stops[50:99]]) is None


async def test_a_key_that_opens_nothing_is_said_in_the_log_and_not_shown(map_server: Maps) -> None:
    router = GoogleRouter("AIza-s3cret", base=map_server.address, patience=PATIENT)
    geocoder = GoogleGeocoder("AIza-s3cret", base=map_server.address, patience=PATIENT)
    with logged("maps.google_") as logs:
        with pytest.raises(Unanswered, match="SHOP_GOOGLE_API_KEY"):
            await router.matrix((SCHAAN,), (VADUZ,))
        with pytest.raises(Unanswered, match="SHOP_GOOGLE_API_KEY"):
            await geocoder.locate(address("1", "Weg", "Vaduz"))
    await router.close()
    await geocoder.close()
    assert [line["event"] for line in logs] == [
        "maps.google_failed",
        "maps.google_geocoding_failed",
    ]
    assert "s3cret" not in str(logs)


CELL = {"originIndex": 0, "destinationIndex": 0, "status": {}, "condition": "ROUTE_EXISTS"}
WELL = {**CELL, "distanceMeters": 4092, "duration": "420s"}


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        [WELL, WELL, {**WELL, "destinationIndex": 1}],
        [{**WELL, "originIndex": 1}],
        [{**WELL, "originIndex": -1}],
        [{**WELL, "distanceMeters": -1}],
        [{**WELL, "distanceMeters": "4092"}],
        [{**WELL, "duration": "420"}],
        [{**WELL, "duration": "-1s"}],
        [{**WELL, "duration": "NaNs"}],
        [{**WELL, "condition": "MAYBE"}],
        [{**WELL, "condition": None}],
        "a page",
    ],
)
def test_what_is_no_matrix_is_none(said: Any) -> None:
    with pytest.raises((Nonsense, ValidationError)):
        matrix_in(Answer(200, json.dumps(said).encode()), (SCHAAN,), (VADUZ,))


def test_what_is_left_out_of_a_cell_is_zero() -> None:
    ((found,),) = matrix_in(Answer(200, json.dumps([CELL]).encode()), (SCHAAN,), (VADUZ,))
    assert found
    assert (found.distance_m, found.duration_s) == (0, 0)
    body = json.dumps([{**CELL, "condition": "ROUTE_NOT_FOUND"}]).encode()
    assert matrix_in(Answer(200, body), (SCHAAN,), (VADUZ,)) == ((None,),)


def test_a_cell_that_google_failed_at_is_measured_by_geometry_and_the_rest_is_kept() -> None:
    failed = {"originIndex": 0, "destinationIndex": 1, "status": {"code": 13}}
    body = json.dumps([failed, WELL]).encode()
    ((well, guess),) = matrix_in(Answer(200, body), (SCHAAN,), (VADUZ, BALZERS))
    assert well
    assert (well.distance_m, well.source) == (4092, "google")
    assert guess == leg(SCHAAN, BALZERS)


def course(*places: Position) -> dict[str, Any]:
    ends = [{"latLng": {"latitude": each.lat, "longitude": each.lon}} for each in places]
    legs = [{"startLocation": start, "endLocation": end} for start, end in pairwise(ends)]
    line = {"type": "LineString", "coordinates": [[each.lon, each.lat] for each in places]}
    way = {"distanceMeters": 10, "duration": "2.5s", "polyline": {"geoJsonLinestring": line}}
    return {"routes": [{**way, "legs": legs}]}


def test_a_way_that_begins_elsewhere_is_none() -> None:
    there = Answer(200, json.dumps(course(SCHAAN, VADUZ)).encode())
    assert way_in(there, (SCHAAN, VADUZ))
    assert great_circle(VADUZ, BALZERS) > FAR_FROM_ROADS_M
    assert way_in(there, (SCHAAN, BALZERS)) is None
    with pytest.raises(Nonsense):
        way_in(there, (SCHAAN, VADUZ, BALZERS))


@pytest.mark.parametrize(
    ("status", "error", "raises"),
    [
        (400, {"status": "INVALID_ARGUMENT"}, Declined),
        (400, {"details": [{"reason": "API_KEY_INVALID"}]}, Nonsense),
        (400, [], ValidationError),
        (403, {}, Nonsense),
        (429, {}, Nonsense),
        (500, {}, Nonsense),
        (302, {}, Nonsense),
    ],
)
def test_a_refusal_is_of_the_question_or_of_us(status: int, error: Any, raises: Any) -> None:
    with pytest.raises(raises):
        way_in(Answer(status, json.dumps({"error": error}).encode()), (SCHAAN, VADUZ))


def told(status: str, kind: str = "ROOFTOP", **more: Any) -> Answer:
    geometry = {"location": {"lat": 47.1, "lng": 9.5}, "location_type": kind}
    results = [{"geometry": geometry, "types": ["premise"], **more}]
    return Answer(200, json.dumps({"status": status, "results": results}).encode())


@pytest.mark.parametrize(
    ("kind", "partial", "precision"),
    [
        ("ROOFTOP", False, "door"),
        ("RANGE_INTERPOLATED", False, "door"),
        ("ROOFTOP", True, "road"),
        ("GEOMETRIC_CENTER", True, "road"),
        ("APPROXIMATE", False, "city"),
        ("BRAND_NEW", False, "city"),
    ],
)
def test_a_place_is_as_exact_as_google_says(kind: str, partial: bool, precision: str) -> None:
    place = place_in(told("OK", kind, partial_match=partial))
    assert place
    assert place.precision == precision


def test_a_country_is_no_place_to_deliver_to() -> None:
    assert place_in(told("OK", "APPROXIMATE", types=["country", "political"])) is None
    assert place_in(told("ZERO_RESULTS")) is None


@pytest.mark.parametrize(
    ("status", "raises"),
    [
        ("INVALID_REQUEST", Declined),
        ("REQUEST_DENIED", Nonsense),
        ("OVER_QUERY_LIMIT", Nonsense),
        ("UNKNOWN_ERROR", Nonsense),
        ("no word of its", ValidationError),
    ],
)
def test_google_says_why_it_does_not_tell(status: str, raises: Any) -> None:
    with pytest.raises(raises):
        place_in(told(status))
