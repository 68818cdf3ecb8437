"""A drive along a way: where a van is when, and what its driver reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, cos, radians
from typing import NamedTuple

from shapely import LineString

from bus.messages import Position
from delivery.contract import Scan
from maps.contract import Way

MOST_SIGHTINGS = 300
"""Reports from the road, at most: a delivery takes a thousand checkpoints."""


class Report(NamedTuple):
    """What the driver says, so many seconds after setting out."""

    after: float
    status: Scan
    position: Position


@dataclass(frozen=True, slots=True)
class Drive:
    """A drive at `speed` times the speed that the road allows, reported every so many seconds."""

    way: Way
    speed: float
    every: float

    @property
    def lasts(self) -> float:
        """How many seconds it takes."""
        return self.way.duration_s / self.speed

    def reports(self, *, picked_up: bool) -> Iterator[Report]:
        """What the driver says from the first to the last; unless they have been, the goods are
        picked up first."""
        sightings = min(max(ceil(self.lasts / self.every), 1), MOST_SIGHTINGS)
        places = along(self.way.line, sightings)
        if not picked_up:
            yield Report(0, "picked_up", places[0])
        for number, place in enumerate(places[1:-1], start=1):
            yield Report(self.lasts * number / sightings, "en_route", place)
        yield Report(self.lasts, "arrived", places[-1])
        yield Report(self.lasts, "delivered", places[-1])


def along(line: Sequence[tuple[float, float]], parts: int) -> list[Position]:
    """The places on a way (lon, lat) that part it into so many pieces of the same length, with both
    its ends."""
    # A degree of longitude is shorter than one of latitude, but at the equator.
    narrower = cos(radians(line[0][1])) or 1.0
    flat = LineString([(lon * narrower, lat) for lon, lat in line])
    points = [flat.interpolate(number / parts, normalized=True) for number in range(parts + 1)]
    return [Position(lat=round(point.y, 6), lon=round(point.x / narrower, 6)) for point in points]
