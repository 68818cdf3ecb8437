"""What every geocoder keeps: one suite, run on each adapter."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pymongo.database import Database

from bus.messages import Address
from maps.builtin_geocoder import BuiltinGeocoder
from maps.earth import great_circle
from maps.geocoder import Geocoder
from maps.google_geocoding import GoogleGeocoder
from maps.memory import Memory
from maps.nominatim import NominatimGeocoder
from maps.pace import Pace
from maps.places import Places
from tests.map_server import AGENT, API_KEY, Maps
from tests.maps.doors import BALZERS, SCHAAN, VADUZ, address
from tests.waiting import PATIENCE as PATIENT

TOWN_M = 3_000
"""How far from its town's middle a house may be."""


@pytest.fixture(params=["builtin", "nominatim", "google", "places over nominatim"])
async def geocoder(
    request: pytest.FixtureRequest,
    map_server: Maps,
    memory: Memory,
    database: Database[dict[str, Any]],
) -> AsyncIterator[Geocoder]:
    def nominatim() -> Geocoder:
        return NominatimGeocoder(
            map_server.address, Pace(database, "nominatim", 1000), AGENT, patience=PATIENT
        )

    adapters: dict[str, Callable[[], Geocoder]] = {
        "builtin": BuiltinGeocoder,
        "nominatim": nominatim,
        "google": lambda: GoogleGeocoder(API_KEY, base=map_server.address, patience=PATIENT),
        "places over nominatim": lambda: Places(nominatim(), memory),
    }
    opened = adapters[request.param]()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        (address("1", "Feldkircher Strasse", "Schaan"), SCHAAN),
        (address("1", "Peter-Kaiser-Platz", "Vaduz", state="Oberland"), VADUZ),
        (address("6 a", "Alte Landstrasse", "Balzers", sub_district="Mäls & Co"), BALZERS),
        (address("1", "feldkircher strasse", "SCHAAN", postcode="9494 "), SCHAAN),
    ],
)
async def test_an_address_is_found_where_it_is(
    geocoder: Geocoder, asked: Address, where: Any
) -> None:
    place = await geocoder.locate(asked)
    assert place
    assert place.source == geocoder.name
    exact = place.precision == "door"
    assert exact == (geocoder.name != "builtin")
    assert great_circle(place.position, where) < (1 if exact else TOWN_M)


async def test_the_town_is_found_where_the_road_is_not(geocoder: Geocoder) -> None:
    place = await geocoder.locate(address("7", "Nowhere Road", "Vaduz"))
    assert place
    assert place.precision == "city"
    assert great_circle(place.position, VADUZ) < TOWN_M


@pytest.mark.parametrize(
    "asked",
    [
        address("1", "Nowhere Road", "Atlantis"),
        address("1", "Feldkircher Strasse", "Schaan", country="XX"),
        address("?&#%", "'; DROP TABLE;--", "\u202e\x7f$where"),
    ],
)
async def test_what_is_nowhere_is_not_found(geocoder: Geocoder, asked: Address) -> None:
    assert await geocoder.locate(asked) is None


async def test_letting_go_twice_does_no_harm(geocoder: Geocoder) -> None:
    await geocoder.close()
    await geocoder.close()
