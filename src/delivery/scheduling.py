"""How a delivery begins, and how it is called off."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from bus.messages import Refused
from delivery.commands import Warehouse
from delivery.contract import (
    CancelDelivery,
    DeliveryCancelled,
    DeliveryScheduled,
    ScheduleDelivery,
    SchedulePickup,
    Slot,
)
from delivery.delivery import HOUSE, Delivery, DeliveryEvent, DeliveryRequested
from delivery.dispatch import assigned_to
from delivery.redelivery import in_window
from delivery.tracking import tracking_number


class Booking(NamedTuple):
    """What became of the place that was held in a slot: booked in this one, or lost."""

    slot: Slot | None


def schedule(
    delivery: Delivery | None,
    order: ScheduleDelivery,
    now: datetime,
    carrier: str | None = None,
    booking: Booking | None = None,
) -> list[DeliveryEvent]:
    """Arrange that the goods are brought, unless that is done or has been called off already. With
    a `carrier` it is theirs at once. Whose place in a slot is lost comes without one; in a slot
    that nobody ever held a place in, it cannot be arranged and stays pending."""
    if delivery is not None:
        check_reference(delivery, order.reference)
        return []
    asked = {**_asked(order, now), "destination": order.destination}
    if order.slot_id is not None and booking is None:
        return [DeliveryRequested(**asked, reason="unknown_slot")]
    slot = booking.slot if booking is not None else None
    lost = order.slot_id if slot is None else None
    scheduled = DeliveryScheduled(**asked, carrier=carrier or HOUSE, slot=slot, slot_lost=lost)
    return [scheduled, *assigned_to(carrier, scheduled, now)]


def schedule_pickup(
    delivery: Delivery | None, order: SchedulePickup, there: Warehouse | None, now: datetime
) -> list[DeliveryEvent]:
    """Arrange that goods are fetched at a door and brought to a warehouse, unless that is done or
    has been called off already. When the window is over by now, a person has to find another."""
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
    asked = {
        **_asked(order, now),
        "kind": "return",
        "origin": order.origin,
        "destination": there.address.model_copy(update={"position": there.position}),
    }
    if order.window is not None and order.window.to <= now:
        return [DeliveryRequested(**asked, reason="window_over")]
    slot = None if order.window is None else in_window(order.window)
    scheduled = DeliveryScheduled(**asked, carrier=there.carrier or HOUSE, slot=slot)
    return [scheduled, *assigned_to(there.carrier, scheduled, now)]


def cancel(delivery: Delivery | None, order: CancelDelivery) -> list[DeliveryEvent]:
    """Nobody comes, also when the delivery is asked for only later; too late after the pick-up."""
    if delivery is not None:
        check_reference(delivery, order.reference)
        if delivery.picked_up or delivery.ended:
            return []
    return [
        DeliveryCancelled(delivery_id=order.delivery_id, reference=order.reference, kind=order.kind)
    ]


def check_reference(delivery: Delivery, reference: str) -> None:
    """Refuse with `delivery_exists` to give one id to two references."""
    if delivery.reference != reference:
        raise Refused(
            "delivery_exists",
            f"{delivery.delivery_id} is the delivery of {delivery.reference}, not of {reference}:"
            " take another id",
        )


def _asked(order: ScheduleDelivery | SchedulePickup, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": order.delivery_id,
        "reference": order.reference,
        "recipient": order.recipient,
        "warehouse_id": order.warehouse_id,
        "items": order.items,
        "tracking_number": tracking_number(order.delivery_id),
        "at": now,
    }
