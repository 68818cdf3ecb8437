"""OSRM: the shop's own router on the roads of OpenStreetMap, by its HTTP API
(https://project-osrm.org/docs/v5.24.0/api/)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Literal, TypeVar

import structlog
from pydantic import Field

from bus.messages import Position
from maps.breaker import Breaker
from maps.builtin_router import leg
from maps.contract import Leg, Way
from maps.outside import (
    PATIENCE,
    SECONDS_A_CELL,
    Amount,
    Answer,
    Declined,
    Latitude,
    Line,
    Longitude,
    Nonsense,
    Outside,
    Seen,
)
from maps.router import Matrix, off_road

NO_ROAD = ("NoRoute", "NoTable", "NoSegment")
"""Its words for: no road leads there."""

Distance = Annotated[float, Field(le=1e9, allow_inf_nan=False)]
"""Metres in a cell of a table: now and then fewer than none, see `_cell`."""


class Waypoint(Seen):
    """Where on a road it begins or ends for a point that was asked for."""

    location: tuple[Longitude, Latitude]


class Table(Seen):
    """The answer to a table."""

    code: Literal["Ok"]
    distances: list[list[Distance | None]]
    durations: list[list[Amount | None]]
    sources: list[Waypoint]
    destinations: list[Waypoint]


class Course(Seen):
    """One of the ways there."""

    distance: Amount
    duration: Amount
    geometry: Line


class Routes(Seen):
    """The answer to a route: the best comes first."""

    code: Literal["Ok"]
    routes: Annotated[list[Course], Field(min_length=1)]
    waypoints: list[Waypoint]


class Refusal(Seen):
    """Why it does not answer."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z]{1,40}$")]


S = TypeVar("S", bound=Seen)

log = structlog.get_logger(__name__)


class OsrmRouter:
    """The OSRM at `url`, with whatever roads it was given."""

    name = "osrm"

    def __init__(
        self, url: str, *, patience: float = PATIENCE, breaker: Breaker | None = None
    ) -> None:
        self._server = Outside(self.name, url, patience=patience, breaker=breaker)

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """All ways in one table."""
        indices = [str(index) for index in range(len(origins) + len(destinations))]
        sources, targets = indices[: len(origins)], indices[len(origins) :]
        path = (
            f"/table/v1/driving/{_points((*origins, *destinations))}"
            f"&annotations=distance,duration&sources={';'.join(sources)}"
            f"&destinations={';'.join(targets)}"
        )
        read = partial(matrix_in, origins=origins, destinations=destinations)
        longer = SECONDS_A_CELL * len(origins) * len(destinations)
        return await self._server.ask("GET", path, read, longer=longer)

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        """The way with all its bends. Who stops at a door may turn around there, as if each part
        of the way were one of its own: a course is as long as the table has it."""
        how = "geometries=geojson&overview=full&continue_straight=false"
        path = f"/route/v1/driving/{_points(waypoints)}&{how}"
        return await self._server.ask("GET", path, partial(way_in, waypoints=waypoints))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()


def matrix_in(
    answer: Answer, origins: Sequence[Position], destinations: Sequence[Position]
) -> Matrix:
    """The ways in an answer; none to or from what is far from all roads."""
    table = read(Table, answer)
    if table is None:
        return ((None,) * len(destinations),) * len(origins)
    rows, columns = len(origins), len(destinations)
    _check("sources", [table.sources], 1, rows)
    _check("destinations", [table.destinations], 1, columns)
    _check("distances", table.distances, rows, columns)
    _check("durations", table.durations, rows, columns)
    far_origins = [_far(*pair) for pair in zip(origins, table.sources, strict=True)]
    far_doors = [_far(*pair) for pair in zip(destinations, table.destinations, strict=True)]
    return tuple(
        tuple(
            None
            if far_origins[row] or far_doors[column]
            else _cell(origin, door, table.distances[row][column], table.durations[row][column])
            for column, door in enumerate(destinations)
        )
        for row, origin in enumerate(origins)
    )


def way_in(answer: Answer, waypoints: Sequence[Position]) -> Way | None:
    """The best way in an answer; none through what is far from all roads."""
    routes = read(Routes, answer)
    if routes is None:
        return None
    _check("waypoints", [routes.waypoints], 1, len(waypoints))
    if any(_far(*pair) for pair in zip(waypoints, routes.waypoints, strict=True)):
        return None
    best = routes.routes[0]
    return Way(**dict(_leg(best.distance, best.duration)), line=best.geometry.coordinates)


def read(kind: type[S], answer: Answer) -> S | None:
    """What it answers; `None` when it says that no road leads there."""
    if answer.status == 400:
        refusal = Refusal.model_validate_json(answer.body)
        if refusal.code not in NO_ROAD:
            raise Declined(refusal.code)
        return None
    if answer.status != 200:
        raise Nonsense(f"it answered with HTTP {answer.status}")
    return kind.model_validate_json(answer.body)


def _points(points: Iterable[Position]) -> str:
    """The points of a question, and that each begins at the nearest road, however far."""
    listed = [f"{point.lon:.6f},{point.lat:.6f}" for point in points]
    radiuses = ";".join(["unlimited"] * len(listed))
    return f"{';'.join(listed)}?generate_hints=false&radiuses={radiuses}"


def _check(name: str, rows: Sequence[Sequence[object]], count: int, columns: int) -> None:
    if len(rows) != count or any(len(row) != columns for row in rows):
        raise Nonsense(f"it answered with {name} of another size than was asked for")


def _cell(
    origin: Position, destination: Position, distance: float | None, duration: float | None
) -> Leg | None:
    """A way as it stands in a table.

    OSRM's distance of two doors on one stretch of a road is sometimes negative
    (https://github.com/Project-OSRM/osrm-backend/issues/5855): among 999 addresses of Liechtenstein
    that is one pair in 30,000. Its route would be right, but is one question more; for so
    short a way geometry will do.
    """
    if distance is None or duration is None:
        return None
    if distance < 0:
        log.warning("maps.osrm_negative_distance", distance_m=distance, instead="builtin")
        return leg(origin, destination)
    return _leg(distance, duration)


def _far(asked: Position, found: Waypoint) -> bool:
    lon, lat = found.location
    return off_road(asked, Position(lat=lat, lon=lon))


def _leg(distance: float, duration: float) -> Leg:
    return Leg(distance_m=round(distance), duration_s=round(duration), source=OsrmRouter.name)
