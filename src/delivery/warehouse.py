"""The warehouses there are: what can happen to them and how they stand afterwards.

All are in one stream. They are few, a quote needs every one of them, and an id can be given only
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bus.messages import Address, Event, Position, Refused
from delivery.commands import Warehouse


class WarehouseOpened(Event, name="delivery.WarehouseOpened"):
    """Goods can set out from here."""

    warehouse_id: str
    name: str
    address: Address
    position: Position
    carrier: str | None = None


WarehouseEvent = WarehouseOpened

Warehouses = Mapping[str, Warehouse]
"""The warehouses by id."""


def evolve(warehouses: Warehouses | None, event: WarehouseEvent) -> Warehouses:
    """The warehouses after an event."""
    opened = Warehouse(
        warehouse_id=event.warehouse_id,
        name=event.name,
        address=event.address,
        position=event.position,
        carrier=event.carrier,
    )
    return MappingProxyType({**(warehouses or {}), opened.warehouse_id: opened})


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
        )
    ]


def carrier_of(warehouses: Warehouses | None, warehouse_id: str | None) -> str | None:
    """Who fetches what is sent from there, unless another carrier is told to."""
    there = (warehouses or {}).get(warehouse_id or "")
    return there.carrier if there is not None else None
