"""The rules of an order's life: what may happen to it, step by step.

A step that comes twice or too late decides nothing. One that comes too early is refused, for then
this replica has not heard yet of what the step follows from: the reader brings it again, and should
that never help, a person sees it. What a buyer asks for is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from bus.messages import Busy, Money, NotFound, Refused
from ordering.contract import Means, NextAction, Slot
from ordering.order import (
    ActionRequired,
    DeliveryArranged,
    GoodsGone,
    Order,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderExpired,
    OrderPlaced,
    OrderRejected,
    OrderRerouted,
    OrderShipped,
    PaymentDeclined,
    PaymentRequested,
    PaymentTaken,
    evolve,
)
from ordering.shipments import OrderSplit, Part, begun

Events = Sequence[OrderEvent]


def place(order: Order | None, placed: OrderPlaced) -> Events:
    """Take an order in; the same order again changes nothing."""
    return [placed] if order is None else []


def reject(order: Order, reason: str, now: datetime, skus: tuple[str, ...] = ()) -> Events:
    """Turn down what cannot be served, as long as no payment was asked for."""
    if order.status != "pending" or order.attempt:
        return []
    return [
        OrderRejected(
            order_id=order.order_id, reason=reason, skus=skus, slot_id=order.slot_id, at=now
        )
    ]


def request_payment(
    order: Order, now: datetime, warehouse_id: str | None = None, parts: Sequence[Part] = ()
) -> Events:
    """The stock is kept, at that warehouse or in `parts` at several: have the money set aside, by
    the means the order came with. What the buyer was told of the way's cost holds, wherever the
    goods come from."""
    if order.status != "pending" or order.attempt:
        return []
    requested = _requested(order, order.means, now)
    if parts:
        shared = begun(order.delivery_id, parts)
        return [OrderSplit(order_id=order.order_id, shipments=shared, at=now), requested]
    if warehouse_id in (None, order.warehouse_id):
        return [requested]
    return [OrderRerouted(order_id=order.order_id, warehouse_id=warehouse_id, at=now), requested]


def pay(order: Order, means: Means, now: datetime) -> Events:
    """The buyer tries again, after a decline or having done what was asked for."""
    if order.status in ("confirmed", "completed"):
        raise Refused("already_paid", f"order {order.order_id} is paid: there is nothing to pay")
    if order.status != "pending":
        raise Refused(
            "order_ended",
            f"order {order.order_id} is {order.status}: place a new order instead",
            status=order.status,
        )
    if order.attempt == 0 or order.payment_under_way:
        raise Refused(
            "payment_under_way",
            f"order {order.order_id} is being paid right now: look at it again in a moment",
        )
    return [_requested(order, means, now)]


def _requested(order: Order, means: Means, now: datetime) -> PaymentRequested:
    return PaymentRequested(
        order_id=order.order_id,
        payment_id=order.payment_id,
        buyer_id=order.buyer_id,
        attempt=order.attempt + 1,
        amount=order.total,
        means=means,
        at=now,
    )


def confirm(order: Order, now: datetime) -> Events:
    """The money is set aside. Too late for an order that was called off: payment gives it back."""
    if not awaits_money(order):
        return []
    if not order.attempt:
        raise too_early(order, "confirm")
    return [OrderConfirmed(order_id=order.order_id, at=now)]


def decline(order: Order, attempt: int, reason: str, now: datetime) -> Events:
    """This attempt has failed; an older one's failure no longer matters."""
    if awaits_money(order) and attempt > order.attempt:
        raise too_early(order, "decline")
    if not awaits_money(order) or attempt != order.attempt or not order.payment_under_way:
        return []
    return [PaymentDeclined(order_id=order.order_id, attempt=attempt, reason=reason, at=now)]


def require_action(order: Order, attempt: int, action: NextAction, now: datetime) -> Events:
    """The gateway wants something of the buyer first."""
    if awaits_money(order) and attempt > order.attempt:
        raise too_early(order, "require_action")
    if not awaits_money(order) or attempt != order.attempt or not order.payment_under_way:
        return []
    return [ActionRequired(order_id=order.order_id, attempt=attempt, action=action, at=now)]


def expire(order: Order, now: datetime) -> Events:
    """Time is up for an order that nobody has paid.

    `Busy` while a clock says that it isn't: the timer must come back, for no other ever will.
    """
    if not awaits_money(order):
        return []
    if now < order.expires_at:
        raise Busy(f"order {order.order_id} expires only at {order.expires_at.isoformat()}")
    return [
        OrderExpired(
            order_id=order.order_id, payment_id=order.payment_id, slot_id=order.slot_id, at=now
        )
    ]


def arrange_delivery(order: Order, slot: Slot | None, now: datetime) -> Events:
    """Somebody will bring the goods."""
    if order.status == "pending":
        raise too_early(order, "arrange_delivery")
    if order.status != "confirmed" or order.fulfillment_status != "unfulfilled":
        return []
    return [DeliveryArranged(order_id=order.order_id, slot=slot, at=now)]


def ship(order: Order, now: datetime) -> Events:
    """The carrier has the goods. Those of an order that was called off are not to be paid for."""
    if order.status == "pending":
        raise too_early(order, "ship")
    if order.status not in ("confirmed", "cancelling") or order.shipped:
        return []
    if order.status == "cancelling":
        return to_its_end(order, [GoodsGone(order_id=order.order_id, at=now)])
    return [OrderShipped(order_id=order.order_id, payment_id=order.payment_id, at=now)]


def take_payment(order: Order, amount: Money, now: datetime) -> Events:
    """The money is ours; with the goods delivered, that completes the order."""
    check_shipped(order, "take_payment")
    if order.payment_status != "authorized":
        return []
    return to_its_end(order, [PaymentTaken(order_id=order.order_id, amount=amount, at=now)])


def deliver(order: Order, now: datetime) -> Events:
    """The goods are at the door; with the money taken, that completes the order."""
    check_shipped(order, "deliver")
    if order.fulfillment_status != "shipped":
        return []
    return to_its_end(order, [OrderDelivered(order_id=order.order_id, at=now)])


def to_its_end(order: Order, events: Events) -> Events:
    """The events, and the end of the order if they were all that was waited for: only now is it
    cancelled, or completed."""
    after = reduce(evolve, events, order)
    if after.status == "cancelling" and after.wound_up:
        return [*events, OrderCancelled(order_id=order.order_id, at=events[-1].at)]
    if after.status == "confirmed" and after.fulfilled:
        return [*events, OrderCompleted(order_id=order.order_id, at=events[-1].at)]
    return events


def awaits_money(order: Order) -> bool:
    """Whether what becomes of an attempt to pay still matters: whoever was faster, the buyer who
    pays, the one who cancels, or the clock."""
    return order.status == "pending"


def check_shipped(order: Order, step: str) -> None:
    """Nothing is taken, delivered or brought back before it was picked up."""
    if not order.shipped and order.status in ("pending", "confirmed", "cancelling"):
        raise too_early(order, step)


def too_early(order: Order, step: str) -> Refused:
    """The refusal of a step that comes before what it follows from; it is to be brought again."""
    return Refused(
        "too_early",
        f"{step} came to order {order.order_id} while it is {order.status}, "
        f"{order.payment_status} and {order.fulfillment_status}: bring it again in a moment, "
        "and if that does not help, compare the histories of order, payment and delivery",
        step=step,
    )


def known(order: Order | None, order_id: str) -> Order:
    """The order, which must exist."""
    if order is None:
        raise NotFound("unknown_order", f"there is no order {order_id} of yours: check its id")
    return order
