"""The same address is the same however it is written, and two are never one."""

import pytest

from bus.messages import Address
from maps.addresses import door, normalised, unknown
from maps.contract import Place
from tests.maps.doors import VADUZ, address

PLAIN = address("12a", "Im Städtle", "Vaduz", state="Oberland")


@pytest.mark.parametrize(
    "same",
    [
        address("12 A", "im STÄDTLE", "VADUZ", state="oberland"),
        address("12-a", "Im  Sta\u0308dtle", "Vaduz.", state="Oberland", postcode=" 9490"),
        address("12a", "Im Städtle", "Vaduz", state="Oberland", position=VADUZ),
    ],
)
def test_the_same_address_is_the_same_however_it_is_written(same: Address) -> None:
    assert normalised(same) == normalised(PLAIN)


@pytest.mark.parametrize(
    "other",
    [
        address("12b", "Im Städtle", "Vaduz", state="Oberland"),
        address("12a", "Städtle", "Vaduz", state="Oberland"),
        address("12a", "Im Städtle", "Schaan", state="Oberland"),
        address("12a", "Im Städtle", "Vaduz"),
        address("12a", "Im Städtle", "Oberland", state="Vaduz"),
        address("12a", "Im Städtle", "Vaduz", state="Oberland", sub_district="Ebenholz"),
        address("12a", "Im Städtle", "Vaduz", state="Oberland", postcode="9491"),
        address("12a", "Im Städtle", "Vaduz", state="Oberland", country="CH"),
        address("2a", "Im Städtle 1", "Vaduz", state="Oberland"),
    ],
)
def test_two_addresses_are_never_one(other: Address) -> None:
    assert normalised(other) != normalised(PLAIN)


def test_an_address_that_says_where_it_is_is_there() -> None:
    there = PLAIN.model_copy(update={"position": VADUZ})
    assert door(there) == Place(position=VADUZ, precision="door", source="address")
    assert door(PLAIN) is None


def test_an_unknown_town_is_refused_with_what_was_looked_for_and_what_to_do() -> None:
    refused = unknown(address("1", "Weg", "Nowhere", sub_district="Ditto", state="Nowhere"))
    assert refused.code == "unknown_address"
    assert "no town of LI is called 'Nowhere' or 'Ditto':" in refused.message
    assert "`position`" in refused.message
    assert refused.details == {"country": "LI", "district": "Nowhere"}


def test_a_country_that_does_not_exist_is_refused() -> None:
    assert "XX is no country" in unknown(address("1", "Weg", "Vaduz", country="XX")).message
