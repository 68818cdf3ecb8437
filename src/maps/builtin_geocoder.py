"""Says where an address is: at the position it carries, else in the middle of its town."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial

from bus.messages import Address, Position, Refused
from maps import gazetteer
from maps.contract import Place
from maps.gazetteer import Gazetteer

REMEMBERED = 10_000
"""Towns of a country whose position, or absence, is remembered."""

Find = Callable[[str, str | None, str | None], Position | None]


class Geocoder:
    """The built-in geocoder, which needs no network. It knows towns, not streets."""

    def __init__(self, load: Callable[[str], Gazetteer] = gazetteer.load) -> None:
        self._load = load
        self._finds: dict[str, Find] = {}
        self._loading: dict[str, asyncio.Task[Find]] = {}

    async def locate(self, address: Address) -> Place:
        """Where an address is; raises `Refused` `unknown_address` when nobody knows."""
        if address.position is not None:
            return Place(position=address.position, precision="door", source="address")
        if address.country not in gazetteer.countries():
            raise unknown(address)
        find = self._finds.get(address.country) or await self._ready(address.country)
        town = find(address.district, address.sub_district, address.state)
        if town is None:
            raise unknown(address)
        return Place(position=town, precision="city", source="builtin")

    async def _ready(self, country: str) -> Find:
        """The country's towns; the first who asks for them waits until they are read."""
        if country not in self._loading:
            self._loading[country] = asyncio.create_task(self._prepare(country))
        try:
            # Whoever stops waiting does not stop the reading for the others.
            return await asyncio.shield(self._loading[country])
        except OSError:
            self._loading.pop(country, None)  # the next one who needs it tries again
            raise

    async def _prepare(self, country: str) -> Find:
        towns = await asyncio.to_thread(self._load, country)
        self._finds[country] = lru_cache(REMEMBERED)(partial(town_of, towns, country))
        return self._finds[country]


def town_of(
    towns: Gazetteer, country: str, district: str, sub_district: str | None, state: str | None
) -> Position | None:
    """The town of an address: its district, else its sub-district, else its state.

    The district goes first, for many a part of a town is called like a village far away.
    """
    for name in (district, sub_district, state):
        if name and (found := towns.find(country, name, region=state)):
            return found
    return None


def unknown(address: Address) -> Refused:
    """The refusal of an address that is on no map: what was looked for, and what to do."""
    if address.country not in gazetteer.countries():
        message = f"{address.country} is no country's ISO 3166 code: check the address's country"
    else:
        named = (address.district, address.sub_district, address.state)
        towns = " or ".join(repr(name) for name in dict.fromkeys(named) if name)
        message = f"no town of {address.country} is called {towns}: check how it is spelled"
    return Refused(
        "unknown_address",
        f"{message}, or send the address's `position` {{lat, lon}}",
        country=address.country,
        district=address.district,
    )
