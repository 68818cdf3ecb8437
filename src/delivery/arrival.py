"""When the goods will be at the door: what the router said of the way, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, radians

from shapely import LineString, Point
from shapely.affinity import scale
from shapely.ops import substring

from delivery.contract import Sighting

ASKED_EVERY = timedelta(seconds=15)
"""How often the router is asked about one delivery, at most; between, its arrival stands, and the
way is shortened by what has been driven of it."""

MAX_POINTS = 200
"""Points of a course that are kept: enough for a map that fits on a screen."""

FINEST = 1e-5
"""Degrees by which a simplified course may be off, as a first try: about a metre."""


@dataclass(frozen=True, slots=True)
class Course:
    """A way to the door: metres, when it ends, and its line over the ground (degrees, lon before
    lat); without a line at the door itself."""

    distance_m: int
    there: datetime
    line: LineString | None

    @classmethod
    def of(cls, distance_m: int, there: datetime, points: Sequence[tuple[float, float]]) -> Course:
        """What a router said, with no more points than a map needs."""
        line = LineString(points) if len(points) > 1 else None
        tolerance = FINEST
        while line is not None and len(line.coords) > MAX_POINTS:
            line = line.simplify(tolerance)
            tolerance *= 2
        return cls(distance_m, there, line)

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Its line as points (lon, lat), to the nearest metre."""
        line = self.line.coords if self.line is not None else ()
        return tuple((round(lon, 5), round(lat, 5)) for lon, lat in line)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the router said of the way to the door from a sighting, and when; no `course` where it
    said nothing."""

    of: Sighting
    asked_at: datetime
    course: Course | None


def due_in(arrival: Arrival | None, seen: Sighting, now: datetime) -> timedelta | None:
    """How long it is until the router is to be asked, now that the goods were seen there; `None`
    when it need not be asked until they are seen again."""
    if arrival is None:
        return timedelta(0)
    if arrival.course is not None and arrival.of == seen:
        return None
    return max(arrival.asked_at + ASKED_EVERY - now, timedelta(0))


def unanswered(arrival: Arrival | None, seen: Sighting, now: datetime) -> Arrival:
    """The router was asked and said nothing: what it said before stands, and it is asked again in
    its time."""
    if arrival is None:
        return Arrival(seen, now, None)
    return Arrival(arrival.of, now, arrival.course)


def left(arrival: Arrival | None, seen: Sighting) -> Course | None:
    """The way from where the goods were last seen, as far as it is known; of one that leads there
    from where they were before, the rest."""
    if arrival is None or arrival.course is None or arrival.of == seen:
        return arrival.course if arrival is not None else None
    return _rest(arrival.course, seen)


def eta(course: Course | None, now: datetime) -> datetime | None:
    """When the goods should be there. `None` from then on: they are late, and nobody knows how
    late until they are seen again."""
    return course.there if course is not None and course.there > now else None


def _rest(course: Course, seen: Sighting) -> Course:
    """What is left of a course behind the point of it that is nearest to a sighting."""
    if course.line is None or not course.line.length:
        return course
    # A degree of longitude is shorter than one of latitude, but at the equator.
    shrink = cos(radians(seen.lat))
    flat = scale(course.line, xfact=shrink, origin=(0, 0))
    driven = flat.project(Point(seen.lon * shrink, seen.lat), normalized=True)
    rest = substring(flat, driven, 1, normalized=True)
    ahead = [(east / shrink, lat) for east, lat in rest.coords][1:]
    return Course(
        distance_m=round(course.distance_m * (1 - driven)),
        there=course.there,
        line=LineString([(seen.lon, seen.lat), *ahead]) if ahead else None,
    )
