"""A geocoder that remembers, and tells at least the town: where the one that knows doors cannot,
the built-in one does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from bus.messages import Address, derived_id
from bus.tasks import ended
from maps.addresses import normalised
from maps.builtin_geocoder import BuiltinGeocoder
from maps.contract import Place
from maps.geocoder import Geocoder
from maps.memory import Memory
from maps.router import Unanswered

PLACES_FOR = timedelta(days=30)
"""For how long a place is believed. Houses stay; Google's terms allow no longer."""

UNKNOWN_FOR = timedelta(minutes=10)
"""For how long it is believed that there is no such address: who maps the world may add it."""

PATIENCE = 2.0
"""Seconds for which somebody waits to hear of a door; then the town must do."""

PLACE: TypeAdapter[Place | None] = TypeAdapter(Place | None)


class Places:
    """`geocoder`, with a memory, and the built-in one in its stead. An answer says whose it is."""

    def __init__(self, geocoder: Geocoder, memory: Memory) -> None:
        self.name = geocoder.name
        self._geocoder = geocoder
        self._memory = memory
        self._stand_in = BuiltinGeocoder()
        self._asking: dict[str, asyncio.Task[Place | None]] = {}

    async def locate(self, address: Address) -> Place | None:
        """Where an address is."""
        key = f"maps:{derived_id('place', self.name, normalised(address))}"
        recalled = await self._memory.recall([key])
        place = None
        try:
            place = PLACE.validate_json(recalled[key])
        except (KeyError, ValidationError):  # it is not there, or another release wrote it
            with suppress(Unanswered, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    place = await asyncio.shield(self._asked(key, address))
        return place or await self._stand_in.locate(address)

    async def close(self) -> None:
        """Let go of the connections, and have kept what is to be remembered."""
        await ended(self._asking.values())
        await self._geocoder.close()
        await self._memory.close()

    def _asked(self, key: str, address: Address) -> asyncio.Task[Place | None]:
        """The question under way, asked once for all who want to know. It goes on when they have
        stopped waiting: whoever asks next finds its answer."""
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(key, address))
            self._asking[key].add_done_callback(lambda done: self._answered(key, done))
        return self._asking[key]

    async def _ask(self, key: str, address: Address) -> Place | None:
        place = await self._geocoder.locate(address)
        lifetime = PLACES_FOR if place else UNKNOWN_FOR
        self._memory.keep({key: PLACE.dump_json(place)}, lifetime)
        return place

    def _answered(self, key: str, done: asyncio.Task[Place | None]) -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # else the loop complains when nobody waits for it any more
