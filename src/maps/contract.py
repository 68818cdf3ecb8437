"""What maps answers: where an address is, and how far and how long it is by road."""

from __future__ import annotations

from pydantic import Field

from bus.messages import Address, Model, Position, Query


class Place(Model):
    """Where an address is, and who says so."""

    position: Position
    precision: str
    """`door` when the address carried its position, else `city`."""
    source: str


class Leg(Model):
    """A way by road: metres and seconds, and who says so."""

    distance_m: int = Field(ge=0)
    duration_s: int = Field(ge=0)
    source: str


class Locate(Query[Place], name="maps.Locate"):
    """Where is this address? Refused with `unknown_address` when nobody can place it on the map."""

    address: Address


class Measure(Query[tuple[Leg | None, ...]], name="maps.Measure"):
    """How far is it from each origin to one destination? `None` where no road leads."""

    origins: tuple[Position, ...] = Field(min_length=1, max_length=100)
    destination: Position
