"""An address is placed at the position it carries, else in its town; or refused with what to do."""

import asyncio
from typing import Any

import pytest

from bus.messages import Address, Position, Refused
from maps import gazetteer
from maps.builtin_geocoder import Geocoder
from maps.contract import Place
from maps.gazetteer import Gazetteer

VADUZ = Position(lat=47.14151, lon=9.52154)


def address(**fields: Any) -> Address:
    return Address(
        **{
            "house_number": "12",
            "road": "Im Bretscha",
            "district": "Vaduz",
            "postcode": "9490",
            "country": "LI",
            **fields,
        }
    )


async def refusal(geocoder: Geocoder, **fields: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        await geocoder.locate(address(**fields))
    return refused.value


async def test_an_address_that_carries_its_position_is_taken_as_it_is() -> None:
    def load(country: str) -> Gazetteer:
        raise AssertionError("no gazetteer is needed")

    door = Position(lat=47.139822, lon=9.517628)
    for fields in ({}, {"district": "Nowhere", "country": "XX"}):
        place = await Geocoder(load).locate(address(position=door, **fields))
        assert place == Place(position=door, precision="door", source="address")


async def test_an_address_without_a_position_is_in_the_middle_of_its_town() -> None:
    place = await Geocoder().locate(address())
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
    assert (await Geocoder().locate(address(**fields))).position == VADUZ


async def test_an_unknown_town_is_refused_with_what_was_looked_for_and_what_to_do() -> None:
    refused = await refusal(Geocoder(), district="Nowhere", sub_district="Ditto", state="Nowhere")
    assert refused.code == "unknown_address"
    assert "no town of LI is called 'Nowhere' or 'Ditto':" in refused.message
    assert "`position`" in refused.message
    assert refused.details == {"country": "LI", "district": "Nowhere"}


async def test_a_country_that_does_not_exist_is_refused() -> None:
    refused = await refusal(Geocoder(), country="XX")
    assert refused.code == "unknown_address"
    assert "XX is no country" in refused.message


async def test_a_country_is_read_once_however_many_ask_and_one_gives_up() -> None:
    reads = []

    def load(country: str) -> Gazetteer:
        reads.append(country)
        return gazetteer.load(country)

    geocoder = Geocoder(load)
    impatient = asyncio.create_task(geocoder.locate(address()))
    await asyncio.sleep(0)
    impatient.cancel()
    places = await asyncio.gather(*(geocoder.locate(address()) for _ in range(5)))
    assert [place.position for place in places] == [VADUZ] * 5
    assert reads == ["LI"]


async def test_a_gazetteer_that_could_not_be_read_is_read_by_the_next_who_asks() -> None:
    failures = [OSError("out of file descriptors")]

    def load(country: str) -> Gazetteer:
        if failures:
            raise failures.pop()
        return gazetteer.load(country)

    geocoder = Geocoder(load)
    with pytest.raises(OSError, match="descriptors"):
        await geocoder.locate(address())
    assert (await geocoder.locate(address())).position == VADUZ
