"""Which maps a shop looks at, as the operator set it."""

from __future__ import annotations

from maps.builtin_router import BuiltinRouter
from maps.memory import Memory
from maps.router import Router
from shop.settings import Settings


def router(settings: Settings, memory: Memory) -> Router:
    """Who knows the roads; the built-in one stands in for all others."""
    outside = router_outside(settings)
    if outside is None:
        return BuiltinRouter()
    from maps.roads import Roads

    return Roads(outside, memory)


def router_outside(settings: Settings) -> Router | None:
    """The router that is asked over the network, if one is."""
    if settings.router == "builtin":
        return None
    from maps.osrm import OsrmRouter  # which takes a while to load: only where it is used

    return OsrmRouter(settings.osrm_url or "")
