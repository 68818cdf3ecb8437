"""Goods that are fetched at a door, and brought to a warehouse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bus.messages import Refused
from delivery.commands import Warehouse
from delivery.contract import DeliveryScheduled, SchedulePickup
from delivery.delivery import (
    HOUSE,
    Delivery,
    DeliveryEvent,
    DeliveryRequested,
    assigned_to,
    check_reference,
)
from delivery.redelivery import in_window
from delivery.tracking import tracking_number


def schedule_pickup(
    delivery: Delivery | None, order: SchedulePickup, there: Warehouse | None, now: datetime
) -> list[DeliveryEvent]:
    """Arrange that the goods are fetched, unless that is done or has been called off already. When
    the window is over by now, a person has to find another one."""
    if delivery is not None:
        check_reference(delivery, order.reference)
        return []
    if there is None:
        raise Refused(
            "unknown_warehouse",
            f"goods cannot be fetched for {order.warehouse_id}, for there is no such warehouse: see"
            " `shop warehouses list`",
            warehouse_id=order.warehouse_id,
        )
    asked: dict[str, Any] = {
        "delivery_id": order.delivery_id,
        "reference": order.reference,
        "kind": "return",
        "warehouse_id": order.warehouse_id,
        "origin": order.origin,
        "destination": there.address.model_copy(update={"position": there.position}),
        "items": order.items,
        "tracking_number": tracking_number(order.delivery_id),
        "at": now,
    }
    if order.window is not None and order.window.to <= now:
        return [DeliveryRequested(**asked, reason="window_over")]
    slot = None if order.window is None else in_window(order.window)
    scheduled = DeliveryScheduled(**asked, carrier=there.carrier or HOUSE, slot=slot)
    return [scheduled, *assigned_to(there.carrier, scheduled, now)]
