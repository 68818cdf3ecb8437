"""The rules of an order that several warehouses send: how each shipment goes on, and what that
means for the order. One that comes at once goes by `rules` alone.

The money is taken when the first shipment leaves. Nothing is cancelled any more from then on; what
could not be delivered is given back once all the others have come.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import reduce

from bus.messages import Money
from delivery.contract import Packed, ScheduleDelivery
from ordering import cancelling, return_rules, rules
from ordering.contract import Shipment, ShipmentStatus, Slot
from ordering.order import (
    DeliveryArranged,
    GoodsReturned,
    Order,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    OrderShipped,
    SlotChanged,
    evolve,
)
from ordering.returns import as_items, pieces
from ordering.rules import Events, too_early
from ordering.shipments import IN_THE_HOUSE, Part, ShipmentMoved, begun, packed


def bookings(order: Order) -> list[ScheduleDelivery]:
    """The deliveries that bring the order: one, or one for each shipment. The buyer's slot is that
    of the first, whose warehouse offers it; the others come in none."""
    everything = Part(warehouse_id=order.warehouse_id, items=packed(pieces(order.items)))
    shipments = order.shipments or begun(order.delivery_id, [everything])
    return [
        ScheduleDelivery(
            delivery_id=each.delivery_id,
            reference=order.order_id,
            recipient=order.buyer_id,
            warehouse_id=each.warehouse_id,
            destination=order.destination,
            slot_id=order.slot_id if each.delivery_id == order.delivery_id else None,
            items=tuple(Packed(sku=item.sku, quantity=item.quantity) for item in each.items),
        )
        for each in shipments
    ]


def arrange_delivery(order: Order, delivery_id: str, slot: Slot | None, now: datetime) -> Events:
    """Somebody will bring this shipment."""
    if order.status == "pending":
        raise too_early(order, "arrange_delivery")
    found = find(order, delivery_id, {"unfulfilled"})
    if found is None or order.status != "confirmed":
        return []
    return moved(order, found, "scheduled", now, slot)


def change_slot(order: Order, delivery_id: str, slot: Slot, now: datetime) -> Events:
    """The goods come at another time, or one of several shipments does: of the first that comes in
    a slot the order tells."""
    if order.status == "pending":
        raise too_early(order, "change_slot")
    if order.status != "confirmed":
        return []
    moves: list[OrderEvent] = []
    shown: Slot | None = slot
    if order.shipments:
        found = find(order, delivery_id, {"scheduled", "shipped"})
        if found is None or found.slot == slot:
            return []
        moves = [at_stage(order, found, found.status, now, slot)]
        after = reduce(evolve, moves, order)
        shown = next((each.slot for each in after.shipments if each.slot), None)
    if shown is None or shown == order.slot:
        return moves
    return [*moves, SlotChanged(order_id=order.order_id, slot=shown, at=now)]


def ship(order: Order, delivery_id: str, now: datetime) -> Events:
    """The carrier has this shipment."""
    if order.status == "pending":
        raise too_early(order, "ship")
    found = find(order, delivery_id, IN_THE_HOUSE)
    if found is None or order.status not in ("confirmed", "cancelling"):
        return []
    return moved(order, found, "shipped", now)


def deliver(order: Order, delivery_id: str, now: datetime) -> Events:
    """This shipment is at the door."""
    check_left(order, delivery_id, "deliver")
    found = find(order, delivery_id, {"shipped"})
    return moved(order, found, "delivered", now) if found else []


def take_back(order: Order, delivery_id: str, now: datetime) -> Events:
    """The carrier brought this shipment back undelivered."""
    check_left(order, delivery_id, "take_back")
    found = find(order, delivery_id, {"shipped"})
    return moved(order, found, "returned", now) if found else []


def call_off_delivery(order: Order, delivery_id: str, now: datetime) -> Events:
    """Nobody will fetch this shipment."""
    if order.status in ("pending", "confirmed"):
        raise too_early(order, "call_off_delivery")
    found = find(order, delivery_id, IN_THE_HOUSE)
    if found is None or order.status != "cancelling":
        return []
    return moved(order, found, "cancelled", now)


def take_payment(order: Order, amount: Money, now: datetime) -> Events:
    """The money is ours; with all that was awaited, that completes the order."""
    return with_refunds(order, rules.take_payment(order, amount, now))


def moved(
    order: Order,
    shipment: Shipment,
    status: ShipmentStatus,
    now: datetime,
    slot: Slot | None = None,
) -> Events:
    """The shipment has come so far, and perhaps the whole order with it."""
    step = at_stage(order, shipment, status, now, slot)
    after = evolve(order, step)
    news = [] if after.fulfillment_status == order.fulfillment_status else of_all(after, now)
    return with_refunds(order, rules.to_its_end(order, [step, *news]))


def at_stage(
    order: Order, shipment: Shipment, status: ShipmentStatus, now: datetime, slot: Slot | None
) -> ShipmentMoved:
    """The shipment is so far."""
    return ShipmentMoved(
        order_id=order.order_id,
        delivery_id=shipment.delivery_id,
        warehouse_id=shipment.warehouse_id,
        status=status,
        slot=slot,
        at=now,
    )


def of_all(order: Order, now: datetime) -> Events:
    """What there is to tell of the order itself, now that it has come so far."""
    id = order.order_id
    match order.fulfillment_status:
        case "scheduled" if order.status == "confirmed":
            slot = next((each.slot for each in order.shipments if each.slot), None)
            return [DeliveryArranged(order_id=id, slot=slot, at=now)]
        case "shipped" if order.status == "confirmed":
            return [OrderShipped(order_id=id, payment_id=order.payment_id, in_parts=True, at=now)]
        case "delivered":
            return [OrderDelivered(order_id=id, at=now)]
        case "returned":
            back = pieces(*(each.items for each in order.shipments if each.status == "returned"))
            returned = GoodsReturned(order_id=id, items=as_items(back), at=now)
            if order.status != "confirmed":
                return [returned]
            return [returned, cancelling.cancellation(order, cancelling.UNDELIVERED, now)]
        case _:
            return []


def with_refunds(order: Order, events: Events) -> Events:
    """The events; if the order is completed by them, what did not arrive is given back."""
    if not events or not isinstance(events[-1], OrderCompleted):
        return events
    after = reduce(evolve, events, order)
    for shipment in after.shipments:
        if shipment.status == "returned":
            refund = return_rules.give_back(after, shipment, events[-1].at)
            events, after = [*events, *refund], reduce(evolve, refund, after)
    return events


def find(order: Order, delivery_id: str, among: Collection[ShipmentStatus]) -> Shipment | None:
    """The shipment that this delivery brings, if it has come as far as one of these."""
    return next(
        (x for x in order.shipments if x.delivery_id == delivery_id and x.status in among), None
    )


def check_left(order: Order, delivery_id: str, step: str) -> None:
    """Nothing is delivered or brought back before it was picked up."""
    live = order.status in ("pending", "confirmed", "cancelling")
    if live and find(order, delivery_id, IN_THE_HOUSE):
        raise too_early(order, step)
