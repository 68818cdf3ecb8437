"""How far it is by road and how long it takes, as far as geometry alone can say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bus.messages import Position
from maps.contract import Leg, Way
from maps.earth import great_circle
from maps.router import Matrix

DETOUR = 1.3
"""How much longer a road is than the straight way."""

SPEED_KMH = 50


class BuiltinRouter:
    """Needs no network, and always answers. It knows no roads: none leads around a lake, and one
    leads everywhere."""

    name = "builtin"

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """The ways from each origin to each destination, a row an origin."""
        return tuple(tuple(leg(origin, each) for each in destinations) for origin in origins)

    async def route(self, waypoints: Sequence[Position]) -> Way:
        """The way through these points, straight from one to the next."""
        legs = [leg(origin, destination) for origin, destination in pairwise(waypoints)]
        return Way(
            distance_m=sum(each.distance_m for each in legs),
            duration_s=sum(each.duration_s for each in legs),
            source=self.name,
            line=tuple((point.lon, point.lat) for point in waypoints),
        )

    async def close(self) -> None:
        """There is nothing to let go of."""


def leg(origin: Position, destination: Position) -> Leg:
    """The way by road, to the nearest metre; its time follows from that, to the nearest second."""
    distance_m = round(great_circle(origin, destination) * DETOUR)
    duration_s = round(distance_m * 3600 / (SPEED_KMH * 1000))
    return Leg(distance_m=distance_m, duration_s=duration_s, source=BuiltinRouter.name)
