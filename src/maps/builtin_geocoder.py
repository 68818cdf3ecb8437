"""Says where an address is: in the middle of its town."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial

from bus.messages import Address, Position
from maps import gazetteer
from maps.contract import Place
from maps.gazetteer import Gazetteer

REMEMBERED = 10_000
"""Towns of a country whose position, or absence, is remembered."""

Find = Callable[[str, str | None, str | None], Position | None]


class BuiltinGeocoder:
    """Needs no network. It knows towns, not streets."""

    name = "builtin"

    def __init__(self, load: Callable[[str], Gazetteer] = gazetteer.load) -> None:
        self._load = load
        self._finds: dict[str, Find] = {}
        self._loading: dict[str, asyncio.Task[Find]] = {}

    async def locate(self, address: Address) -> Place | None:
        """Where an address is."""
        if address.country not in gazetteer.countries():
            return None
        find = self._finds.get(address.country) or await self._ready(address.country)
        town = find(address.district, address.sub_district, address.state)
        if town is None:
            return None
        return Place(position=town, precision="city", source=self.name)

    async def close(self) -> None:
        """There is nothing to let go of."""

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
