"""What maps answers: where an address is, and how far and how long it is by road."""

from __future__ import annotations

from pydantic import Field

from bus.messages import Address, Model, Position, Query


class Place(Model):
    """Where an address is, and who says so."""

    position: Position
    precision: str
    """`door`, the house itself, as when the address carried its position; `road`; or `city`."""
    source: str


class Leg(Model):
    """A way by road: metres and seconds, and who says so."""

    distance_m: int = Field(ge=0)
    duration_s: int = Field(ge=0)
    source: str


class Locate(Query[Place], name="maps.Locate"):
    """Where is this address? Refused with `unknown_address` when nobody can place it on the map."""

    address: Address


class Way(Leg):
    """A way by road with its course: points (lon, lat), as a GeoJSON LineString has them."""

    line: tuple[tuple[float, float], ...]


class Measure(Query[tuple[Leg | None, ...]], name="maps.Measure"):
    """How far is it from each origin to one destination? `None` where no road leads."""

    origins: tuple[Position, ...] = Field(min_length=1, max_length=100)
    destination: Position


class MeasureMatrix(Query[tuple[tuple[Leg | None, ...], ...]], name="maps.MeasureMatrix"):
    """How far is it from each origin to each destination? A row an origin; `None` where no road
    leads."""

    origins: tuple[Position, ...] = Field(min_length=1, max_length=100)
    destinations: tuple[Position, ...] = Field(min_length=1, max_length=100)


class Directions(Query[Way | None], name="maps.Directions"):
    """Which way leads by road through these points, in this order? `None` where no road leads."""

    waypoints: tuple[Position, ...] = Field(min_length=2, max_length=100)
