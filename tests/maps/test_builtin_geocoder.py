"""An address is placed in the middle of its town."""

import asyncio
from typing import Any

import pytest

from bus.messages import Address, Position
from maps import gazetteer
from maps.builtin_geocoder import BuiltinGeocoder
from maps.contract import Place
from maps.gazetteer import Gazetteer
from tests.maps.doors import address

VADUZ = Position(lat=47.14151, lon=9.52154)


def at(**fields: Any) -> Address:
    return address("12", "Im Bretscha", **{"district": "Vaduz", **fields})


async def test_an_address_without_a_position_is_in_the_middle_of_its_town() -> None:
    place = await BuiltinGeocoder().locate(at())
    assert place == Place(position=VADUZ, precision="city", source="builtin")


@pytest.mark.parametrize(
    "fields",
    [
        {"district": "vaduz", "sub_district": "Schaan", "state": "Zürich"},
        {"district": "Oberland", "sub_district": "Vaduz", "state": "Schaan"},
        {"district": "Oberland", "sub_district": "Ebenholz", "state": "Vaduz"},
    ],
)
async def test_the_district_is_looked_for_first_then_its_part_then_the_state(
    fields: dict[str, str],
) -> None:
    place = await BuiltinGeocoder().locate(at(**fields))
    assert place
    assert place.position == VADUZ


async def test_what_is_no_town_is_not_found() -> None:
    geocoder = BuiltinGeocoder()
    assert await geocoder.locate(at(district="Nowhere", sub_district="Ditto")) is None
    assert await geocoder.locate(at(country="XX")) is None


async def test_a_country_is_read_once_however_many_ask_and_one_gives_up() -> None:
    reads = []

    def load(country: str) -> Gazetteer:
        reads.append(country)
        return gazetteer.load(country)

    geocoder = BuiltinGeocoder(load)
    impatient = asyncio.create_task(geocoder.locate(at()))
    await asyncio.sleep(0)
    impatient.cancel()
    places = await asyncio.gather(*(geocoder.locate(at()) for _ in range(5)))
    assert [place.position for place in places if place] == [VADUZ] * 5
    assert reads == ["LI"]


async def test_a_gazetteer_that_could_not_be_read_is_read_by_the_next_who_asks() -> None:
    failures = [OSError("out of file descriptors")]

    def load(country: str) -> Gazetteer:
        if failures:
            raise failures.pop()
        return gazetteer.load(country)

    geocoder = BuiltinGeocoder(load)
    with pytest.raises(OSError, match="descriptors"):
        await geocoder.locate(at())
    assert await geocoder.locate(at())
