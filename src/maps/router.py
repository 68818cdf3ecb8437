"""What is asked of whoever knows the roads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bus.messages import Position
from maps.contract import Leg, Way
from maps.earth import great_circle

Matrix = tuple[tuple[Leg | None, ...], ...]
"""Ways from each origin to each destination: a row an origin, `None` where no road leads."""

FAR_FROM_ROADS_M = 5_000
"""How far from the nearest road nobody lives. Routers begin at the nearest road, however far that
is, so that one would lead to a ship. The middle of a town, as gazetteers have it, may be a lake or
a mountain; a farm is nearer."""


class Router(Protocol):
    """Knows roads. `name` is what its answers say as their `source`.

    Raises `Unanswered` when it cannot tell, within seconds.
    """

    name: str

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """How far it is from each origin to each destination: up to 100 of each."""
        ...

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        """The way by road through 2 to 100 points, in this order; `None` where no road leads."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class Unanswered(Exception):
    """A service outside gave no answer that can be used; the message says which, and why."""


def off_road(asked: Position, nearest: Position) -> bool:
    """Whether what was asked for is too far from the nearest road to be reached by it."""
    return great_circle(asked, nearest) > FAR_FROM_ROADS_M
