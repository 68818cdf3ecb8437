"""Which maps a shop looks at, as the operator set it."""

from __future__ import annotations

from maps.builtin_router import BuiltinRouter
from maps.router import Router
from shop.settings import Settings


def router(settings: Settings) -> Router:
    """Who knows the roads; the built-in one stands in for all others."""
    if settings.router == "builtin":
        return BuiltinRouter()
    from maps.osrm import OsrmRouter  # which takes a while to load: only where it is used
    from maps.roads import Roads

    return Roads(OsrmRouter(settings.osrm_url or ""))
