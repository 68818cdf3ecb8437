"""How far it is by road and how long it takes, as far as geometry alone can say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

from bus.messages import Position
from maps.contract import Leg, Way

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth (IUGG, GRS 80)."""

DETOUR = 1.3
"""How much longer a road is than the straight way."""

SPEED_KMH = 50


def great_circle(a: Position, b: Position) -> float:
    """The straight way over the ground from `a` to `b` in metres, by the haversine formula."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    lon = radians(b.lon - a.lon)
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin(lon / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(h, 1.0)))  # rounding may carry antipodes beyond 1


def leg(origin: Position, destination: Position) -> Leg:
    """The way by road, to the nearest metre; its time follows from that, to the nearest second."""
    distance_m = round(great_circle(origin, destination) * DETOUR)
    duration_s = round(distance_m * 3600 / (SPEED_KMH * 1000))
    return Leg(distance_m=distance_m, duration_s=duration_s, source="builtin")


def measure(origins: Iterable[Position], destination: Position) -> tuple[Leg, ...]:
    """The ways from many origins to one destination, in the order of the origins."""
    return tuple(leg(origin, destination) for origin in origins)


def matrix(
    origins: Sequence[Position], destinations: Sequence[Position]
) -> tuple[tuple[Leg, ...], ...]:
    """The ways from each origin to each destination, a row an origin."""
    return tuple(tuple(leg(origin, each) for each in destinations) for origin in origins)


def directions(waypoints: Sequence[Position]) -> Way:
    """The way through these points, straight from one to the next."""
    legs = [leg(origin, destination) for origin, destination in pairwise(waypoints)]
    return Way(
        distance_m=sum(each.distance_m for each in legs),
        duration_s=sum(each.duration_s for each in legs),
        source="builtin",
        line=tuple((point.lon, point.lat) for point in waypoints),
    )
