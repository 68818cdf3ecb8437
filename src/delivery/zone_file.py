"""The file of zones that an operator draws: a GeoJSON FeatureCollection (RFC 7946)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from geojson_pydantic import Feature, MultiPolygon, Polygon
from pydantic import ValidationError

from bus.messages import Refused, complaint
from delivery.options import days_of, window_of
from delivery.slot_commands import SetWindow
from delivery.zone import check_area
from delivery.zone_commands import DrawZone

KNOWN = ("zone_id", "name", "warehouse_id", "within_s", "priority", "tariff", "slots")


class Drawn(NamedTuple):
    """A feature of the file: the zone that it draws with the windows it has, or why it is none."""

    number: int
    zone_id: str | None
    zone: DrawZone | None = None
    windows: tuple[SetWindow, ...] = ()
    fault: str | None = None


def read(text: str, warehouse_id: str | None = None) -> Iterator[Drawn]:
    """The zones in a file, of this warehouse where a feature names none. Raises `ValueError` for
    what is no FeatureCollection."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        raise ValueError("it is no GeoJSON FeatureCollection: draw zones as its features")
    if not isinstance(features := found.get("features"), list):
        raise ValueError("it has no list of features")
    for number, feature in enumerate(features, start=1):
        yield _drawn(number, feature, warehouse_id)


def _drawn(number: int, feature: Any, warehouse_id: str | None) -> Drawn:
    zone_id: str | None = None
    try:
        if not isinstance(feature, dict):
            raise ValueError("it is no GeoJSON feature")
        shape = Feature[Polygon | MultiPolygon, dict[str, Any]].model_validate(feature)
        fields = dict(shape.properties or {})
        zone_id = str(fields.get("zone_id") or shape.id or "") or None
        if zone_id is None:
            raise ValueError("it has no id, by which a zone is known: give the feature one")
        if unknown := [name for name in fields if name not in KNOWN]:
            names = ", ".join(KNOWN)
            raise ValueError(f"{', '.join(unknown)}: a zone has no such property, but {names}")
        slots = fields.pop("slots", ())
        fields = {"warehouse_id": warehouse_id, "name": zone_id, **fields, "zone_id": zone_id}
        # The text as it came: positions keep the digits they were drawn with.
        area = json.dumps(feature["geometry"], separators=(",", ":")) if shape.geometry else None
        check_area(area)
        zone = DrawZone.model_validate({**fields, "area": area})
        return Drawn(number, zone_id, zone, tuple(_windows(zone, slots)))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        place = ".".join(map(str, wrong["loc"]))
        return Drawn(number, zone_id, fault=f"{place}: {complaint(wrong)}".removeprefix(": "))
    except (Refused, ValueError) as error:
        return Drawn(number, zone_id, fault=str(error))


def _windows(zone: DrawZone, slots: Any) -> Iterator[SetWindow]:
    """The windows of a zone: `[{"days": "mon-fri", "window": "09:00-12:00", "capacity": 20}]`."""
    if not isinstance(slots, list | tuple) or not all(isinstance(it, Mapping) for it in slots):
        raise ValueError('slots: write [{"days": "mon-fri", "window": "09:00-12:00", ...}]')
    for slot in slots:
        start, end = window_of(str(slot.get("window")))
        yield SetWindow(
            warehouse_id=zone.warehouse_id,
            zone_id=zone.zone_id,
            days=days_of(str(slot.get("days", "mon-sun"))),
            start=start,
            end=end,
            capacity=slot.get("capacity", 0),
        )
