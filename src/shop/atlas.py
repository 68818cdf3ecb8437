"""Which maps a shop looks at, as the operator set it.

What asks over the network takes a while to load: it is, only where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maps.builtin_geocoder import BuiltinGeocoder
from maps.builtin_router import BuiltinRouter
from maps.memory import Memory

if TYPE_CHECKING:
    from pymongo.database import Database

    from maps.geocoder import Geocoder
    from maps.router import Router
    from shop.settings import Settings


def router(settings: Settings, memory: Memory) -> Router:
    """Who knows the roads; the built-in one stands in for all others."""
    outside = router_outside(settings)
    if outside is None:
        return BuiltinRouter()
    from maps.roads import Roads

    return Roads(outside, memory)


def geocoder(settings: Settings, memory: Memory, database: Database[dict[str, Any]]) -> Geocoder:
    """Who knows the addresses; the built-in one stands in for all others."""
    outside = geocoder_outside(settings, database)
    if outside is None:
        return BuiltinGeocoder()
    from maps.places import Places

    return Places(outside, memory)


def router_outside(settings: Settings) -> Router | None:
    """The router that is asked over the network, if one is."""
    match settings.router:
        case "osrm":
            from maps.osrm import OsrmRouter

            return OsrmRouter(settings.osrm_url or "")
        case "google":
            from maps.google_routes import GoogleRouter

            return GoogleRouter(settings.google_api_key or "", base=settings.google_api_base)
        case _:
            return None


def geocoder_outside(settings: Settings, database: Database[dict[str, Any]]) -> Geocoder | None:
    """The geocoder that is asked over the network, if one is."""
    match settings.geocoder:
        case "nominatim":
            from maps.nominatim import NominatimGeocoder
            from maps.pace import Pace

            pace = Pace(database, "nominatim", settings.nominatim_per_second)
            agent = settings.nominatim_user_agent
            return NominatimGeocoder(settings.nominatim_url or "", pace, agent)
        case "google":
            from maps.google_geocoding import GoogleGeocoder

            return GoogleGeocoder(settings.google_api_key or "", base=settings.google_api_base)
        case _:
            return None
