"""Towns are found by country and name, however the name is spelled."""

import json
from typing import Any

import pytest

from bus.messages import Position
from maps import gazetteer
from maps.gazetteer import Gazetteer, fold, records


def town(
    name: str, country: str = "LI", *others: str, at: tuple[float, float], people: int, region: str
) -> dict[str, Any]:
    return {
        "name": name,
        "alternatenames": list(others),
        "countrycode": country,
        "latitude": at[0],
        "longitude": at[1],
        "population": people,
        "admin1code": region,
    }


SPRINGFIELDS = Gazetteer(
    [
        town("Springfield", "US", at=(37.2, -93.3), people=166_000, region="MO"),
        town("Springfield", "US", at=(42.1, -72.6), people=155_000, region="MA"),
        town("Springfield", "US", at=(39.8, -89.6), people=114_000, region="IL"),
        town("West Springfield", "US", at=(38.8, -77.2), people=999_000, region="VA"),
        town("Springfield", "NZ", at=(-43.3, 171.9), people=400, region="E9"),
    ]
)


def test_of_several_towns_with_one_name_the_most_populous_is_meant() -> None:
    assert SPRINGFIELDS.find("US", "Springfield") == Position(lat=37.2, lon=-93.3)


def test_a_town_is_looked_for_in_its_own_country_only() -> None:
    assert SPRINGFIELDS.find("NZ", "Springfield") == Position(lat=-43.3, lon=171.9)
    assert SPRINGFIELDS.find("AU", "Springfield") is None


@pytest.mark.parametrize("state", ["IL", "il", "Illinois", "ILLINOIS"])
def test_the_state_decides_between_towns_with_one_name(state: str) -> None:
    assert SPRINGFIELDS.find("US", "springfield", state) == Position(lat=39.8, lon=-89.6)


def test_a_state_without_such_a_town_does_not_hide_the_others() -> None:
    assert SPRINGFIELDS.find("US", "Springfield", "Alaska") == Position(lat=37.2, lon=-93.3)


def test_a_part_of_a_name_is_not_the_name() -> None:
    assert SPRINGFIELDS.find("US", "Spring") is None
    assert SPRINGFIELDS.find("US", "field") is None
    assert SPRINGFIELDS.find("US", "West Springfield") == Position(lat=38.8, lon=-77.2)


@pytest.mark.parametrize("name", ["", "...", "\x1f", "\t", "\n", "166000", "-93.3"])
def test_a_name_without_a_word_or_made_of_the_facts_finds_nothing(name: str) -> None:
    assert SPRINGFIELDS.find("US", name) is None


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Zürich", "zurich"),
        ("ZU\u0308RICH", "zurich"),
        ("St. Gallen", "st gallen"),
        ("  Saint-Étienne ", "saint etienne"),
        ("Łódź", "lodz"),
        ("Großenhain", "grossenhain"),
        ("København", "kobenhavn"),
        ("İstanbul", "istanbul"),
        ("Ærøskøbing", "aeroskobing"),
        ("東京", "東京"),
        ("서울", "서울"),
    ],
)
def test_case_accents_and_punctuation_do_not_matter(written: str, compared: str) -> None:
    assert fold(written) == compared
    assert fold(compared) == compared


def test_records_are_read_whatever_they_hold() -> None:
    towns = [{"name": f"{{Tow\\n {n}}}", "names": ["a}", '"{', "ü"], "n": n} for n in range(20)]
    text = ", ".join(f'"{n}": {json.dumps(one)}' for n, one in enumerate(towns))
    assert list(records(text)) == towns
    assert list(records("")) == []


@pytest.mark.parametrize("country", ["XX", "", "li", '"', "ZZ"])
def test_what_is_no_country_has_no_towns(country: str) -> None:
    assert gazetteer.load(country).find(country, "Vaduz") is None


@pytest.mark.parametrize(
    ("country", "name", "lat", "lon"),
    [
        ("LI", "Schaan", 47.165, 9.509),
        ("LI", "VADUZ", 47.142, 9.522),
        ("LI", "Nendeln", 47.2, 9.54),
        ("CH", "Zürich", 47.367, 8.55),
        ("CH", "Zurich", 47.367, 8.55),
        ("CH", "Zuerich", 47.367, 8.55),
        ("CH", "Sankt Gallen", 47.424, 9.375),
        ("DE", "Cologne", 50.933, 6.95),
        ("JP", "東京", 35.69, 139.692),
    ],
)
def test_the_towns_of_the_world_are_known(country: str, name: str, lat: float, lon: float) -> None:
    found = gazetteer.load(country).find(country, name)
    assert found is not None
    assert (found.lat, found.lon) == pytest.approx((lat, lon), abs=0.01)


def test_countries_are_known_by_their_code() -> None:
    assert {"LI", "CH", "AT", "US"} <= gazetteer.countries()
    assert not {"XX", "ZZ", "UK", "li"} & gazetteer.countries()
