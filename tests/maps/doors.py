"""Real doors of Liechtenstein, and where there is none."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from bus.messages import Address, Position
from tests.osrm import DATA

ADDRESSES = DATA / "liechtenstein" / "addresses.csv"

VADUZ = Position(lat=47.1371, lon=9.522728)
SCHAAN = Position(lat=47.167366, lon=9.509978)
ESCHEN = Position(lat=47.207915, lon=9.5303)
BALZERS = Position(lat=47.075749, lon=9.513645)
PLANKEN = Position(lat=47.185527, lon=9.546238)

SEA = Position(lat=43.0, lon=8.0)
"""Between Nice and Corsica."""


def real() -> Iterator[Position]:
    """The doors in the file of addresses; skips the test where it is absent."""
    if not ADDRESSES.exists():
        pytest.skip(f"there are no addresses at {ADDRESSES}: set STOREFOLD_TEST_DATA")
    with ADDRESSES.open() as file:
        for row in csv.DictReader(file):
            yield Position(lat=float(row["lat"]), lon=float(row["lon"]))


def address(number: str, road: str, district: str, **more: Any) -> Address:
    """An address in Liechtenstein, unless told otherwise."""
    fields = {"postcode": "9490", "country": "LI", **more}
    return Address(house_number=number, road=road, district=district, **fields)
