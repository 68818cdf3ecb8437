"""Shipments: what each of several warehouses sends of one order, and how far each has come;
`shipment_rules` decides how they go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from bus.messages import Event, Model
from ordering.contract import FulfillmentStatus, Shipment, ShipmentStatus, ShippedItem, Slot

IN_THE_HOUSE: frozenset[ShipmentStatus] = frozenset({"unfulfilled", "scheduled"})
"""Before the carrier has it, or is told not to come for it."""


class Part(Model):
    """What one of several warehouses is to send."""

    warehouse_id: str
    items: tuple[ShippedItem, ...]


class Happened(Event):
    """What happened to which order's shipments, and when."""

    order_id: str
    at: datetime


class OrderSplit(Happened, name="ordering.OrderSplit"):
    """No warehouse has all of it: these send it together, each a part."""

    shipments: tuple[Shipment, ...]


class ShipmentMoved(Happened, name="ordering.ShipmentMoved"):
    """One of several shipments has come so far."""

    delivery_id: str
    warehouse_id: str
    status: ShipmentStatus
    slot: Slot | None = None


ShipmentEvent = OrderSplit | ShipmentMoved


def packed(pieces: Mapping[str, int]) -> tuple[ShippedItem, ...]:
    """So many pieces of each SKU, as shipments have them."""
    return tuple(ShippedItem(sku=sku, quantity=quantity) for sku, quantity in pieces.items())


def begun(delivery_id: str, parts: Iterable[Part]) -> tuple[Shipment, ...]:
    """A shipment for each part; their deliveries are called after the first one."""
    return tuple(
        Shipment(
            delivery_id=delivery_id if number == 1 else f"{delivery_id}-{number}",
            warehouse_id=part.warehouse_id,
            items=part.items,
        )
        for number, part in enumerate(parts, start=1)
    )


def after(shipments: tuple[Shipment, ...], event: ShipmentMoved) -> tuple[Shipment, ...]:
    """An order's shipments after one of them has moved."""
    changes = {"status": event.status} | ({"slot": event.slot} if event.slot else {})
    return tuple(
        each.model_copy(update=changes) if each.delivery_id == event.delivery_id else each
        for each in shipments
    )


def fulfillment(shipments: tuple[Shipment, ...]) -> FulfillmentStatus:
    """How far all of them have come together; of what nobody fetches any more nothing is said.

    `shipped` from the first to leave until the last has arrived or come back; `delivered` if any of
    them arrived.
    """
    found = {each.status for each in shipments} - {"cancelled"}
    if not found & {"shipped", "delivered", "returned"}:
        return "scheduled" if found == {"scheduled"} else "unfulfilled"
    if found & {"shipped", *IN_THE_HOUSE}:
        return "shipped"
    return "delivered" if "delivered" in found else "returned"
