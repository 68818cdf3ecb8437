"""The earth as a ball, and the straight ways over it."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from bus.messages import Position

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth (IUGG, GRS 80)."""


def great_circle(a: Position, b: Position) -> float:
    """The straight way over the ground from `a` to `b` in metres, by the haversine formula."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    lon = radians(b.lon - a.lon)
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin(lon / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(h, 1.0)))  # rounding may carry antipodes beyond 1
