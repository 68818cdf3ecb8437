"""A zone: where a warehouse delivers, at what tariff, and what can happen to it.

All zones are in one stream, as the warehouses are: they are few, and a quote needs every one of
them. As long as there is none, a warehouse delivers wherever a road leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, assert_never

import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry

from bus.messages import Event, NotFound, Position, Refused
from delivery.warehouse import Warehouses
from delivery.zone_commands import DrawZone, ZoneSetting
from maps.contract import Leg

MAX_POINTS = 2_000
"""Points of an area, at most: an event has room for some 2,900 of them."""


class ZoneDrawn(Event, name="delivery.ZoneDrawn"):
    """A warehouse delivers in this area (a GeoJSON geometry), or within so many seconds by road."""

    zone_id: str
    warehouse_id: str
    name: str
    area: str | None = None
    within_s: int | None = None
    priority: int = 0
    tariff: str | None = None


class ZoneErased(Event, name="delivery.ZoneErased"):
    """It delivers there no more, unless another zone says so."""

    zone_id: str


ZoneEvent = ZoneDrawn | ZoneErased


@dataclass(frozen=True)
class Zone:
    """A zone as it stands."""

    setting: ZoneSetting

    @cached_property
    def shape(self) -> BaseGeometry:
        """Its area, made ready to be asked often."""
        shape = shapely.from_geojson(self.setting.area or '{"type":"Polygon","coordinates":[]}')
        shapely.prepare(shape)
        return shape

    def covers(self, door: Position, way: Leg | None) -> bool:
        """Whether a door is in it, to which this way leads from its warehouse."""
        if way is None:
            return False
        if self.setting.within_s is not None:
            return way.duration_s <= self.setting.within_s
        return bool(self.shape.covers(Point(door.lon, door.lat)))


Zones = Mapping[str, Zone]
"""The zones by id."""


def evolve(zones: Zones | None, event: ZoneEvent) -> Zones:
    """The zones after an event."""
    there = zones or {}
    match event:
        case ZoneDrawn():
            drawn = Zone(ZoneSetting.model_validate(event.model_dump()))
            return MappingProxyType({**there, event.zone_id: drawn})
        case ZoneErased(zone_id=erased):
            left = {id: zone for id, zone in there.items() if id != erased}
            return MappingProxyType(left)
        case _:
            assert_never(event)


def draw(
    zones: Zones | None, order: DrawZone, warehouses: Warehouses | None, tariffs: Iterable[str]
) -> list[ZoneEvent]:
    """Deliver there; drawn again, it is as it was drawn last. Refused with `unknown_warehouse`,
    `zone_exists`, `unknown_tariff` and `unfit_area`."""
    setting = ZoneSetting.model_validate(order.model_dump())
    there = (zones or {}).get(order.zone_id)
    if there is not None and there.setting == setting:
        return []
    if order.warehouse_id not in (warehouses or {}):
        raise NotFound(
            "unknown_warehouse",
            f"there is no warehouse {order.warehouse_id}: see `shop warehouses list`",
        )
    if order.zone_id in (warehouses or {}):
        raise Refused(
            "zone_exists",
            f"{order.zone_id} is the id of a warehouse, whose windows it has: name the zone"
            " otherwise",
        )
    if there is not None and there.setting.warehouse_id != order.warehouse_id:
        raise Refused(
            "zone_exists",
            f"{order.zone_id} is a zone of {there.setting.warehouse_id} already: choose another"
            " id, or remove that one first",
        )
    if order.tariff is not None and order.tariff not in tariffs:
        raise Refused(
            "unknown_tariff",
            f"there is no tariff {order.tariff}: put it into SHOP_TARIFF_TABLE first",
            tariff=order.tariff,
        )
    check_area(order.area)
    return [ZoneDrawn(**_fields(setting))]


def erase(zones: Zones | None, zone_id: str) -> list[ZoneEvent]:
    """Deliver there no more. Refused with `unknown_zone`."""
    known(zones, zone_id)
    return [ZoneErased(zone_id=zone_id)]


def known(zones: Zones | None, zone_id: str) -> Zone:
    """The zone, which must exist."""
    found = (zones or {}).get(zone_id)
    if found is None:
        raise NotFound("unknown_zone", f"there is no zone {zone_id}: see `shop zones list`")
    return found


def check_area(area: str | None) -> None:
    """Refuse with `unfit_area` what is no area on a map, saying why."""
    if area is None:
        return
    try:
        shape = shapely.from_geojson(area)
    except shapely.GEOSException as error:
        raise _unfit(f"it is no GeoJSON geometry: {error}") from None
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise _unfit(f"it is a {shape.geom_type}, not a Polygon or MultiPolygon with points")
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise _unfit(
            f"it reaches from {west:g},{south:g} to {east:g},{north:g}, beyond the map: GeoJSON has"
            " longitude before latitude"
        )
    if not shape.is_valid:
        raise _unfit(f"its lines cross or touch: {shapely.is_valid_reason(shape)}")
    if (points := shapely.get_num_coordinates(shape)) > MAX_POINTS:
        raise _unfit(f"it has {points} points, but may have {MAX_POINTS}: simplify it")


def serving(zones: Zones, door: Position, ways: Mapping[str, Leg]) -> dict[str, Zone]:
    """The zone in which each warehouse delivers to a door, for those that do: the one of the
    highest priority, of several that are as high the first by id."""
    found: dict[str, Zone] = {}
    for _, zone in sorted(zones.items(), key=lambda it: (-it[1].setting.priority, it[0])):
        id = zone.setting.warehouse_id
        if id not in found and zone.covers(door, ways.get(id)):
            found[id] = zone
    return found


def _unfit(why: str) -> Refused:
    return Refused("unfit_area", f"this is no area to deliver in, for {why}")


def _fields(setting: ZoneSetting) -> dict[str, Any]:
    return setting.model_dump(exclude_none=True)
