"""Google's Routes API (https://developers.google.com/maps/documentation/routes)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Annotated, Any, Literal, TypeVar

import structlog
from pydantic import Field, TypeAdapter

from bus.messages import Position
from maps.breaker import Breaker
from maps.builtin_router import leg
from maps.contract import Leg, Way
from maps.google import read
from maps.outside import (
    PATIENCE,
    SECONDS_A_CELL,
    Amount,
    Answer,
    Latitude,
    Line,
    Longitude,
    Nonsense,
    Outside,
    Seen,
)
from maps.router import Matrix, off_road

BASE = "https://routes.googleapis.com"

CELLS, COLUMNS = 625, 25
"""Cells of one matrix at most, and how many destinations of ours are asked for in one."""

PARTS = 26
"""Parts of one route, at most: between an origin, 25 stops on the way, and a destination."""

CELL_FIELDS = "originIndex,destinationIndex,status,condition,distanceMeters,duration"

ROUTE_FIELDS = (
    "routes.distanceMeters,routes.duration,routes.polyline.geoJsonLinestring,"
    "routes.legs.startLocation,routes.legs.endLocation"
)

Duration = Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,9})?s$")]
"""Seconds: `160s`."""


class Status(Seen):
    """How it went with one cell: 0 is well."""

    code: int = 0


class Cell(Seen):
    """A way of a matrix. What is zero may be left out."""

    origin: int = Field(0, alias="originIndex")
    destination: int = Field(0, alias="destinationIndex")
    status: Status = Status()
    condition: Literal["ROUTE_EXISTS", "ROUTE_NOT_FOUND"] | None = None
    distance: Amount = Field(0, alias="distanceMeters")
    duration: Duration = "0s"


class LatLng(Seen):
    """A position."""

    latitude: Latitude = 0
    longitude: Longitude = 0


class Location(Seen):
    """Where on a road."""

    place: LatLng = Field(alias="latLng")


class Part(Seen):
    """A way from one stop to the next."""

    start: Location = Field(alias="startLocation")
    end: Location = Field(alias="endLocation")


class Polyline(Seen):
    """The course of a way."""

    line: Line = Field(alias="geoJsonLinestring")


class Course(Seen):
    """One of the ways there."""

    distance: Amount = Field(0, alias="distanceMeters")
    duration: Duration = "0s"
    polyline: Polyline
    legs: list[Part]


class Routes(Seen):
    """The best way comes first; there is none where no road leads."""

    routes: tuple[Course, ...] = ()


T = TypeVar("T")

MATRIX = TypeAdapter(list[Cell])
ROUTES = TypeAdapter(Routes)

log = structlog.get_logger(__name__)


class GoogleRouter:
    """Google's roads, without the traffic of the moment: a quote holds until the van sets out."""

    name = "google"

    def __init__(
        self,
        key: str,
        *,
        base: str | None = None,
        patience: float = PATIENCE,
        breaker: Breaker | None = None,
    ) -> None:
        headers = {"X-Goog-Api-Key": key}
        self._server = Outside(
            self.name, base or BASE, headers=headers, patience=patience, breaker=breaker
        )

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """All ways, in as few matrices as Google allows, side by side."""
        height = CELLS // min(len(destinations), COLUMNS)
        blocks = [
            (top, left)
            for top in range(0, len(origins), height)
            for left in range(0, len(destinations), COLUMNS)
        ]
        longer = SECONDS_A_CELL * len(origins) * len(destinations)
        answers = await asyncio.gather(
            *(
                self._block(
                    origins[top : top + height], destinations[left : left + COLUMNS], longer
                )
                for top, left in blocks
            )
        )
        legs = {
            (top + row, left + column): leg
            for (top, left), answer in zip(blocks, answers, strict=True)
            for row, line in enumerate(answer)
            for column, leg in enumerate(line)
        }
        return tuple(
            tuple(legs[row, column] for column in range(len(destinations)))
            for row in range(len(origins))
        )

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        """The way, in as few routes as Google allows."""
        pieces = [
            waypoints[first : first + PARTS + 1] for first in range(0, len(waypoints) - 1, PARTS)
        ]
        ways = await asyncio.gather(*(self._piece(piece) for piece in pieces))
        found = [way for way in ways if way is not None]
        if len(found) < len(ways):
            return None
        return Way(
            distance_m=sum(way.distance_m for way in found),
            duration_s=sum(way.duration_s for way in found),
            source=self.name,
            line=tuple(place for way in found for place in way.line),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()

    async def _block(
        self, origins: Sequence[Position], destinations: Sequence[Position], longer: float
    ) -> Matrix:
        asked = {
            "origins": [{"waypoint": _waypoint(each)} for each in origins],
            "destinations": [{"waypoint": _waypoint(each)} for each in destinations],
        }
        read = partial(matrix_in, origins=origins, destinations=destinations)
        path = "/distanceMatrix/v2:computeRouteMatrix"
        return await self._post(path, CELL_FIELDS, asked, read, longer)

    async def _piece(self, waypoints: Sequence[Position]) -> Way | None:
        first, *stops, last = map(_waypoint, waypoints)
        asked = {
            "origin": first,
            "intermediates": stops,
            "destination": last,
            "polylineEncoding": "GEO_JSON_LINESTRING",
        }
        read = partial(way_in, waypoints=waypoints)
        return await self._post("/directions/v2:computeRoutes", ROUTE_FIELDS, asked, read)

    async def _post(
        self,
        path: str,
        fields: str,
        asked: dict[str, Any],
        read: Callable[[Answer], T],
        longer: float = 0,
    ) -> T:
        body = {**asked, "travelMode": "DRIVE", "routingPreference": "TRAFFIC_UNAWARE"}
        headers = {"X-Goog-FieldMask": fields}
        return await self._server.ask("POST", path, read, longer=longer, json=body, headers=headers)


def matrix_in(
    answer: Answer, origins: Sequence[Position], destinations: Sequence[Position]
) -> Matrix:
    """The ways in an answer, whose cells come in any order. One that Google has failed at is
    measured by geometry."""
    cells = {(cell.origin, cell.destination): cell for cell in read(MATRIX, answer)}
    rows, columns = range(len(origins)), range(len(destinations))
    if cells.keys() != set(product(rows, columns)):
        raise Nonsense("it answered with other cells than were asked for")
    return tuple(
        tuple(_leg(cells[row, column], origins[row], destinations[column]) for column in columns)
        for row in rows
    )


def way_in(answer: Answer, waypoints: Sequence[Position]) -> Way | None:
    """The best way in an answer; none through what is far from all roads."""
    routes = read(ROUTES, answer).routes
    if not routes:
        return None
    best = routes[0]
    on_road = [part.start for part in best.legs] + [part.end for part in best.legs[-1:]]
    if len(on_road) != len(waypoints):
        raise Nonsense("it answered with another way than was asked for")
    if any(_far(*pair) for pair in zip(waypoints, on_road, strict=True)):
        return None
    return Way(
        distance_m=round(best.distance),
        duration_s=_seconds(best.duration),
        source=GoogleRouter.name,
        line=best.polyline.line.coordinates,
    )


def _leg(cell: Cell, origin: Position, destination: Position) -> Leg | None:
    if cell.status.code:
        log.warning("maps.google_cell_failed", code=cell.status.code, instead="builtin")
        return leg(origin, destination)
    if cell.condition is None:
        raise Nonsense("it did not say whether a road leads there")
    if cell.condition == "ROUTE_NOT_FOUND":
        return None
    return Leg(
        distance_m=round(cell.distance),
        duration_s=_seconds(cell.duration),
        source=GoogleRouter.name,
    )


def _waypoint(position: Position) -> dict[str, Any]:
    return {"location": {"latLng": {"latitude": position.lat, "longitude": position.lon}}}


def _far(asked: Position, found: Location) -> bool:
    return off_road(asked, Position(lat=found.place.latitude, lon=found.place.longitude))


def _seconds(duration: str) -> int:
    return round(float(duration[:-1]))
