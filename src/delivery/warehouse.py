"""The warehouses there are: what can happen to them and how they stand afterwards.

All are in one stream. They are few, a quote needs every one of them, and an id can be given only
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from bus.messages import Address, Event, NotFound, Position, Refused
from delivery.commands import Warehouse


class WarehouseOpened(Event, name="delivery.WarehouseOpened"):
    """Goods can set out from here."""

    warehouse_id: str
    name: str
    address: Address
    position: Position
    carrier: str | None = None
    time_zone: str | None = None


class TimeZoneSet(Event, name="delivery.TimeZoneSet"):
    """Its clocks are those of that time zone (IANA)."""

    warehouse_id: str
    time_zone: str


class CarrierSet(Event, name="delivery.CarrierSet"):
    """This carrier fetches what is sent from there; `None`: whoever comes."""

    warehouse_id: str
    carrier: str | None = None


WarehouseEvent = WarehouseOpened | TimeZoneSet | CarrierSet

Warehouses = Mapping[str, Warehouse]
"""The warehouses by id."""


def evolve(warehouses: Warehouses | None, event: WarehouseEvent) -> Warehouses:
    """The warehouses after an event."""
    there = warehouses or {}
    match event:
        case WarehouseOpened():
            after = Warehouse(
                warehouse_id=event.warehouse_id,
                name=event.name,
                address=event.address,
                position=event.position,
                carrier=event.carrier,
                time_zone=event.time_zone,
            )
        case TimeZoneSet(warehouse_id=id, time_zone=time_zone):
            after = there[id].model_copy(update={"time_zone": time_zone})
        case CarrierSet(warehouse_id=id, carrier=carrier):
            after = there[id].model_copy(update={"carrier": carrier})
        case _:
            assert_never(event)
    return MappingProxyType({**there, after.warehouse_id: after})


def add(warehouses: Warehouses | None, warehouse: Warehouse) -> list[WarehouseEvent]:
    """Open a warehouse under an id that no other has."""
    there = (warehouses or {}).get(warehouse.warehouse_id)
    if there == warehouse:
        return []
    if there is not None:
        raise Refused(
            "warehouse_exists",
            f"{warehouse.warehouse_id} is the id of {there.name} already: choose another one",
            warehouse_id=warehouse.warehouse_id,
        )
    return [
        WarehouseOpened(
            warehouse_id=warehouse.warehouse_id,
            name=warehouse.name,
            address=warehouse.address,
            position=warehouse.position,
            carrier=warehouse.carrier,
            time_zone=warehouse.time_zone,
        )
    ]


def carrier_of(warehouses: Warehouses | None, warehouse_id: str | None) -> str | None:
    """Who fetches what is sent from there, unless another carrier is told to."""
    there = (warehouses or {}).get(warehouse_id or "")
    return there.carrier if there is not None else None


def set_time_zone(
    warehouses: Warehouses | None, warehouse_id: str, time_zone: str
) -> list[WarehouseEvent]:
    """Go by other clocks; slots that somebody has a place in stay when they are."""
    if known(warehouses, warehouse_id).time_zone == time_zone:
        return []
    return [TimeZoneSet(warehouse_id=warehouse_id, time_zone=time_zone)]


def set_carrier(
    warehouses: Warehouses | None, warehouse_id: str, carrier: str | None
) -> list[WarehouseEvent]:
    """Have another carrier; who has a delivery already keeps it."""
    if known(warehouses, warehouse_id).carrier == carrier:
        return []
    return [CarrierSet(warehouse_id=warehouse_id, carrier=carrier)]


def known(warehouses: Warehouses | None, warehouse_id: str) -> Warehouse:
    """The warehouse; refused with `unknown_warehouse` when there is none."""
    found = (warehouses or {}).get(warehouse_id)
    if found is None:
        ids = ", ".join(sorted(warehouses or {})) or "none: see `shop warehouses add`"
        raise NotFound(
            "unknown_warehouse", f"there is no warehouse {warehouse_id}; there are {ids}"
        )
    return found
