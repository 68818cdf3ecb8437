"""The rules of an order that is called off, by somebody or because its goods came back: until when
that may be, and what has to be certain before it is cancelled."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Money, Refused
from ordering.order import (
    CancellationRequested,
    DeliveryCalledOff,
    GoodsReturned,
    MoneyReturned,
    Order,
)
from ordering.returns import as_items, pieces
from ordering.rules import Events, check_shipped, to_its_end, too_early

UNDELIVERED = "returned_to_sender"
"""Why money goes back for what the carrier could not deliver."""


def take_back(order: Order, now: datetime) -> Events:
    """The carrier brought the goods back undelivered: the buyer gets the money back."""
    check_shipped(order, "take_back")
    if order.fulfillment_status != "shipped":
        return []
    everything = as_items(pieces(order.items))
    returned = GoodsReturned(order_id=order.order_id, items=everything, at=now)
    if order.status == "confirmed":
        return [returned, cancellation(order, UNDELIVERED, now)]
    return [returned]


def cancel(order: Order, reason: str, now: datetime, words: str | None = None) -> Events:
    """Call the order off; allowed until the carrier has picked it up. `words` are the buyer's."""
    if order.status in ("cancelling", "cancelled"):
        return []
    if order.status in ("rejected", "expired", "completed"):
        raise Refused(
            "order_ended",
            f"order {order.order_id} is {order.status}: it cannot be cancelled any more",
            status=order.status,
        )
    if order.shipped:
        raise Refused(
            "already_shipped",
            f"order {order.order_id} is on its way: have it returned instead of cancelled",
        )
    return [cancellation(order, reason, now, words)]


def abandon(order: Order, reason: str, now: datetime) -> Events:
    """The shop itself cannot serve the order after all; where nothing is to be done, it doesn't."""
    if not may_be_called_off(order):
        return []
    return [cancellation(order, reason, now)]


def cancellation(
    order: Order, reason: str, now: datetime, words: str | None = None
) -> CancellationRequested:
    """The money is wanted back, and nobody is to come for the goods."""
    return CancellationRequested(
        order_id=order.order_id,
        payment_id=order.payment_id,
        delivery_id=order.delivery_id,
        reason=reason,
        buyer_id=order.buyer_id if words else None,
        words=words,
        slot_id=order.slot_id,
        deliveries=tuple(shipment.delivery_id for shipment in order.shipments),
        at=now,
    )


def call_off_delivery(order: Order, now: datetime) -> Events:
    """Nobody will fetch the goods: they are in the house, and may be sold to somebody else."""
    if order.status in ("pending", "confirmed"):
        raise too_early(order, "call_off_delivery")
    if order.status != "cancelling" or order.delivery_called_off or order.shipped:
        return []
    return to_its_end(order, [DeliveryCalledOff(order_id=order.order_id, at=now)])


def return_money(order: Order, amount: Money, now: datetime) -> Events:
    """Nothing of the buyer's money is held any more, for the order was called off or expired."""
    if order.status in ("pending", "confirmed"):
        raise too_early(order, "return_money")
    if order.status not in ("cancelling", "expired"):
        return []
    if order.payment_status in ("voided", "refunded"):
        return []
    return to_its_end(order, [MoneyReturned(order_id=order.order_id, amount=amount, at=now)])


def may_be_called_off(order: Order) -> bool:
    """Whether nobody has to be paid for it yet: until it is picked up, its money is never taken."""
    return order.status in ("pending", "confirmed") and not order.shipped
