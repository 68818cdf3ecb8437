"""Maps answers on the bus, whatever carries the question."""

import mongomock
import pytest

from bus.dispatch import Bus
from bus.messages import Address, Position, Refused
from bus.platform import Platform
from bus.transport import InProcess, Loopback
from maps.builtin_geocoder import BuiltinGeocoder
from maps.builtin_router import BuiltinRouter
from maps.contract import Directions, Leg, Locate, Measure, MeasureMatrix, Place
from maps.module import register

NOWHERE = Address(house_number="1", road="Weg", district="Nowhere", postcode="1", country="LI")


@pytest.fixture(params=[InProcess, Loopback])
def bus(request: pytest.FixtureRequest) -> Bus:
    platform = Platform(mongomock.MongoClient(), None, "test", request.param())
    register(platform)
    return platform.bus


async def test_an_address_is_located(bus: Bus) -> None:
    balzers = NOWHERE.model_copy(update={"district": "Balzers"})
    place = await bus.ask(Locate(address=balzers))
    assert (place.precision, place.source) == ("city", "builtin")
    assert (place.position.lat, place.position.lon) == pytest.approx((47.067, 9.502), abs=0.01)


async def test_an_address_on_no_map_is_refused(bus: Bus) -> None:
    with pytest.raises(Refused) as refused:
        await bus.ask(Locate(address=NOWHERE))
    assert refused.value.code == "unknown_address"
    assert refused.value.details == {"country": "LI", "district": "Nowhere"}


async def test_many_origins_are_measured_at_once(bus: Bus) -> None:
    here, there = Position(lat=0, lon=0), Position(lat=0, lon=1)
    legs = await bus.ask(Measure(origins=(here, there), destination=there))
    assert legs == (
        Leg(distance_m=144_554, duration_s=10_408, source="builtin"),
        Leg(distance_m=0, duration_s=0, source="builtin"),
    )


async def test_an_address_that_carries_its_position_is_taken_as_it_is(bus: Bus) -> None:
    door = Position(lat=47.139822, lon=9.517628)
    place = await bus.ask(Locate(address=NOWHERE.model_copy(update={"position": door})))
    assert place == Place(position=door, precision="door", source="address")


async def test_a_matrix_has_a_row_for_each_origin(bus: Bus) -> None:
    here, there = Position(lat=0, lon=0), Position(lat=0, lon=1)
    matrix = await bus.ask(MeasureMatrix(origins=(here, there), destinations=(there,)))
    assert [[cell.distance_m for cell in row if cell] for row in matrix] == [[144_554], [0]]


async def test_a_way_has_a_course(bus: Bus) -> None:
    here, there = Position(lat=0, lon=0), Position(lat=0, lon=1)
    way = await bus.ask(Directions(waypoints=(here, there)))
    assert way
    assert (way.distance_m, way.line) == (144_554, ((0.0, 0.0), (1.0, 0.0)))


async def test_who_knows_the_roads_and_the_doors_is_let_go_of_with_the_shop() -> None:
    closed = []

    class Roads(BuiltinRouter):
        async def close(self) -> None:
            closed.append("roads")

    class Doors(BuiltinGeocoder):
        async def close(self) -> None:
            closed.append("doors")

    platform = Platform(mongomock.MongoClient(), None, "test", InProcess())
    register(platform, Roads(), Doors())
    await platform.start(work=False)
    assert closed == []
    await platform.stop()
    assert sorted(closed) == ["doors", "roads"]
