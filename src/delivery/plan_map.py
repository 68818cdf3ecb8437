"""Tours as a map has them: GeoJSON (RFC 7946), a line for each way and a point for each stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from geojson_pydantic import Feature, FeatureCollection, LineString, Point
from geojson_pydantic.types import Position2D

from delivery.plan import PlannedTour

Features = Feature[LineString | Point, dict[str, Any]]


def drawn(tours: Sequence[PlannedTour]) -> str:
    """All tours as one `FeatureCollection`."""
    features = [feature for tour in tours for feature in _features(tour)]
    return FeatureCollection(type="FeatureCollection", features=features).model_dump_json(
        exclude_none=True
    )


def _features(tour: PlannedTour) -> Iterator[Features]:
    whose = tour.model_dump(mode="json", exclude={"stops", "left_out", "line"}, exclude_none=True)
    if tour.line is not None:
        course = [Position2D(*point) for point in tour.line.coordinates]
        totals = {**whose, "stops": len(tour.stops), "in_time": tour.in_time}
        yield Feature(
            type="Feature",
            geometry=LineString(type="LineString", coordinates=course),
            properties=totals,
        )
    for stop in tour.stops:
        told = stop.model_dump(mode="json", exclude={"position"}, exclude_none=True)
        where = Position2D(stop.position.lon, stop.position.lat)
        yield Feature(
            type="Feature",
            geometry=Point(type="Point", coordinates=where),
            properties={"warehouse_id": tour.warehouse_id, **told},
        )
