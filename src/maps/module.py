"""How maps is wired: who answers which question."""

from __future__ import annotations

from bus.envelope import Envelope
from bus.platform import Platform
from maps.addresses import door, unknown
from maps.builtin_geocoder import BuiltinGeocoder
from maps.builtin_router import BuiltinRouter
from maps.contract import Directions, Leg, Locate, Measure, MeasureMatrix, Place, Way
from maps.geocoder import Geocoder
from maps.router import Matrix, Router


def register(
    platform: Platform, router: Router | None = None, geocoder: Geocoder | None = None
) -> None:
    """Have maps answer on this platform's bus; the built-in ones need no network."""
    roads = router or BuiltinRouter()
    places = geocoder or BuiltinGeocoder()

    async def locate(query: Locate, envelope: Envelope[Locate]) -> Place:
        place = door(query.address) or await places.locate(query.address)
        if place is None:
            raise unknown(query.address)
        return place

    async def measure(query: Measure, envelope: Envelope[Measure]) -> tuple[Leg | None, ...]:
        legs = await roads.matrix(query.origins, (query.destination,))
        return tuple(leg for (leg,) in legs)

    async def measure_matrix(query: MeasureMatrix, envelope: Envelope[MeasureMatrix]) -> Matrix:
        return await roads.matrix(query.origins, query.destinations)

    async def direct(query: Directions, envelope: Envelope[Directions]) -> Way | None:
        return await roads.route(query.waypoints)

    platform.bus.handle(Locate, locate)
    platform.bus.handle(Measure, measure)
    platform.bus.handle(MeasureMatrix, measure_matrix)
    platform.bus.handle(Directions, direct)
    platform.at_stop(roads.close)
    platform.at_stop(places.close)
