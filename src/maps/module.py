"""How maps is wired: who answers which question."""

from __future__ import annotations

from bus.envelope import Envelope
from bus.platform import Platform
from maps.contract import Leg, Locate, Measure, Place
from maps.geocoder import Geocoder
from maps.router import measure


def register(platform: Platform) -> Geocoder:
    """Have maps answer on this platform's bus."""
    geocoder = Geocoder()

    async def locate(query: Locate, envelope: Envelope[Locate]) -> Place:
        return await geocoder.locate(query.address)

    async def measured(query: Measure, envelope: Envelope[Measure]) -> tuple[Leg | None, ...]:
        return measure(query.origins, query.destination)

    platform.bus.handle(Locate, locate)
    platform.bus.handle(Measure, measured)
    return geocoder
