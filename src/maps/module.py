"""How maps is wired: who answers which question."""

from __future__ import annotations

from bus.envelope import Envelope
from bus.platform import Platform
from maps.contract import Directions, Leg, Locate, Measure, MeasureMatrix, Place, Way
from maps.geocoder import Geocoder
from maps.router import directions, matrix, measure


def register(platform: Platform) -> Geocoder:
    """Have maps answer on this platform's bus."""
    geocoder = Geocoder()

    async def locate(query: Locate, envelope: Envelope[Locate]) -> Place:
        return await geocoder.locate(query.address)

    async def measured(query: Measure, envelope: Envelope[Measure]) -> tuple[Leg | None, ...]:
        return measure(query.origins, query.destination)

    async def tabulated(
        query: MeasureMatrix, envelope: Envelope[MeasureMatrix]
    ) -> tuple[tuple[Leg | None, ...], ...]:
        return matrix(query.origins, query.destinations)

    async def directed(query: Directions, envelope: Envelope[Directions]) -> Way | None:
        return directions(query.waypoints)

    platform.bus.handle(Locate, locate)
    platform.bus.handle(Measure, measured)
    platform.bus.handle(MeasureMatrix, tabulated)
    platform.bus.handle(Directions, directed)
    return geocoder
