"""The order: what can happen to it, what it is then, and every decision about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from bus.messages import Address, Event, Money, NotFound, Refused
from ordering.contract import (
    FulfillmentStatus,
    Means,
    NextAction,
    PaymentStatus,
    PricedItem,
    Slot,
    Status,
)


class OrderPlaced(Event, name="ordering.OrderPlaced"):
    """A buyer ordered these items, at these prices."""

    order_id: str
    client: str
    buyer_id: str
    items: tuple[PricedItem, ...]
    destination: Address
    product_cost: Money
    delivery_cost: Money
    total: Money
    means: Means
    payment_id: str
    delivery_id: str
    warehouse_id: str
    slot: Slot | None = None
    at: datetime
    expires_at: datetime


class OrderRejected(Event, name="ordering.OrderRejected"):
    """The shop cannot serve it; nothing was paid."""

    order_id: str
    reason: str
    at: datetime


class PaymentRequested(Event, name="ordering.PaymentRequested"):
    """The money is to be set aside, for the `attempt`-th time."""

    order_id: str
    payment_id: str
    buyer_id: str
    attempt: int
    amount: Money
    means: Means
    at: datetime


class PaymentDeclined(Event, name="ordering.PaymentDeclined"):
    """The buyer has to pay by other means, or let the order expire."""

    order_id: str
    attempt: int
    reason: str
    at: datetime


class ActionRequired(Event, name="ordering.ActionRequired"):
    """The buyer has to do something before the payment goes on."""

    order_id: str
    attempt: int
    action: NextAction
    at: datetime


class OrderConfirmed(Event, name="ordering.OrderConfirmed"):
    """Stock is kept and the money set aside: the shop will deliver."""

    order_id: str
    delivery_id: str
    warehouse_id: str
    destination: Address
    slot: Slot | None = None
    at: datetime


class OrderExpired(Event, name="ordering.OrderExpired"):
    """Nobody paid in time."""

    order_id: str
    payment_id: str
    at: datetime


class DeliveryArranged(Event, name="ordering.DeliveryArranged"):
    """It is arranged that the goods are brought."""

    order_id: str
    slot: Slot | None = None
    at: datetime


class OrderShipped(Event, name="ordering.OrderShipped"):
    """The carrier has the goods: from here on the money is ours to take."""

    order_id: str
    payment_id: str
    at: datetime


class PaymentTaken(Event, name="ordering.PaymentTaken"):
    """The money has been captured."""

    order_id: str
    amount: Money
    at: datetime


class OrderDelivered(Event, name="ordering.OrderDelivered"):
    """The goods are at the door."""

    order_id: str
    at: datetime


class OrderCompleted(Event, name="ordering.OrderCompleted"):
    """Delivered and paid: done."""

    order_id: str
    at: datetime


class GoodsReturned(Event, name="ordering.GoodsReturned"):
    """The carrier could not deliver and brought the goods back."""

    order_id: str
    at: datetime


class CancellationRequested(Event, name="ordering.CancellationRequested"):
    """It is called off; the money is to be given back first."""

    order_id: str
    payment_id: str
    delivery_id: str
    reason: str
    at: datetime


class MoneyReturned(Event, name="ordering.MoneyReturned"):
    """Nothing of the buyer's money is held any more; `amount` had been taken and was refunded."""

    order_id: str
    amount: Money
    at: datetime


class OrderCancelled(Event, name="ordering.OrderCancelled"):
    """Called off, and the money is provably back."""

    order_id: str
    at: datetime


Later = (
    OrderRejected
    | PaymentRequested
    | PaymentDeclined
    | ActionRequired
    | OrderConfirmed
    | OrderExpired
    | DeliveryArranged
    | OrderShipped
    | PaymentTaken
    | OrderDelivered
    | OrderCompleted
    | GoodsReturned
    | CancellationRequested
    | MoneyReturned
    | OrderCancelled
)
"""What can happen to an order once it is placed."""

OrderEvent = OrderPlaced | Later


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands."""

    order_id: str
    client: str
    buyer_id: str
    items: tuple[PricedItem, ...]
    destination: Address
    product_cost: Money
    delivery_cost: Money
    total: Money
    refunded: Money
    means: Means
    payment_id: str
    delivery_id: str
    warehouse_id: str
    placed_at: datetime
    updated_at: datetime
    expires_at: datetime
    status: Status = "pending"
    payment_status: PaymentStatus = "not_paid"
    fulfillment_status: FulfillmentStatus = "unfulfilled"
    attempt: int = 0
    slot: Slot | None = None
    next_action: NextAction | None = None
    reason: str | None = None

    @property
    def payment_under_way(self) -> bool:
        """Whether an attempt has been made and its outcome is not known yet."""
        return self.attempt > 0 and self.payment_status == "not_paid"

    @property
    def shipped(self) -> bool:
        """Whether the goods have left the house."""
        return self.fulfillment_status in ("shipped", "delivered", "returned")


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """The order after an event."""
    if isinstance(event, OrderPlaced):
        return _placed(event)
    if order is None:
        raise ValueError(f"{event.type_name} before the order was placed")
    return replace(order, updated_at=event.at, **_changes(order, event))


def _placed(event: OrderPlaced) -> Order:
    return Order(
        order_id=event.order_id,
        client=event.client,
        buyer_id=event.buyer_id,
        items=event.items,
        destination=event.destination,
        product_cost=event.product_cost,
        delivery_cost=event.delivery_cost,
        total=event.total,
        refunded=event.total.zero(),
        means=event.means,
        payment_id=event.payment_id,
        delivery_id=event.delivery_id,
        warehouse_id=event.warehouse_id,
        slot=event.slot,
        placed_at=event.at,
        updated_at=event.at,
        expires_at=event.expires_at,
    )


def _changes(order: Order, event: Later) -> dict[str, Any]:
    """The fields that an event changes."""
    match event:
        case OrderRejected(reason=reason):
            return {"status": "rejected", "reason": reason}
        case PaymentRequested(attempt=attempt, means=means):
            return {
                "attempt": attempt,
                "means": means,
                "payment_status": "not_paid",
                "next_action": None,
                "reason": None,
            }
        case PaymentDeclined(reason=reason):
            return {"payment_status": "declined", "next_action": None, "reason": reason}
        case ActionRequired(action=action):
            return {"payment_status": "requires_action", "next_action": action}
        case OrderConfirmed():
            return {"status": "confirmed", "payment_status": "authorized", "next_action": None}
        case OrderExpired():
            return {"status": "expired", "next_action": None, "reason": "not_paid_in_time"}
        case DeliveryArranged(slot=slot):
            return {"fulfillment_status": "scheduled", "slot": slot}
        case OrderShipped():
            return {"fulfillment_status": "shipped"}
        case PaymentTaken():
            return {"payment_status": "captured"}
        case OrderDelivered():
            return {"fulfillment_status": "delivered"}
        case OrderCompleted():
            return {"status": "completed"}
        case GoodsReturned():
            return {"fulfillment_status": "returned"}
        case CancellationRequested(reason=reason):
            return {"status": "cancelling", "next_action": None, "reason": reason}
        case MoneyReturned(amount=amount):
            back: PaymentStatus = "refunded" if amount.amount else "voided"
            return {"payment_status": back, "refunded": order.refunded + amount}
        case OrderCancelled():
            return {"status": "cancelled"}
    assert_never(event)


Events = Sequence[OrderEvent]


def place(order: Order | None, placed: OrderPlaced) -> Events:
    """Take an order in; the same order again changes nothing."""
    return [placed] if order is None else []


def reject(order: Order, reason: str, now: datetime) -> Events:
    """Turn down what cannot be served, as long as no payment was asked for."""
    if order.status != "pending" or order.attempt:
        return []
    return [OrderRejected(order_id=order.order_id, reason=reason, at=now)]


def request_payment(order: Order, now: datetime) -> Events:
    """The stock is kept: have the money set aside, by the means the order came with."""
    if order.status != "pending" or order.attempt:
        return []
    return [_requested(order, order.means, now)]


def pay(order: Order, means: Means, now: datetime) -> Events:
    """The buyer tries again, after a decline or having done what was asked for."""
    if order.payment_status in ("authorized", "captured"):
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
    if order.status != "pending":
        return []
    return [
        OrderConfirmed(
            order_id=order.order_id,
            delivery_id=order.delivery_id,
            warehouse_id=order.warehouse_id,
            destination=order.destination,
            slot=order.slot,
            at=now,
        )
    ]


def decline(order: Order, attempt: int, reason: str, now: datetime) -> Events:
    """This attempt has failed; an older one's failure no longer matters."""
    if order.status != "pending" or attempt != order.attempt or not order.payment_under_way:
        return []
    return [PaymentDeclined(order_id=order.order_id, attempt=attempt, reason=reason, at=now)]


def require_action(order: Order, attempt: int, action: NextAction, now: datetime) -> Events:
    """The gateway wants something of the buyer first."""
    if order.status != "pending" or attempt != order.attempt or not order.payment_under_way:
        return []
    return [ActionRequired(order_id=order.order_id, attempt=attempt, action=action, at=now)]


def expire(order: Order, now: datetime) -> Events:
    """Time is up for an order that nobody has paid."""
    if order.status != "pending" or now < order.expires_at:
        return []
    return [OrderExpired(order_id=order.order_id, payment_id=order.payment_id, at=now)]


def arrange_delivery(order: Order, slot: Slot | None, now: datetime) -> Events:
    """Somebody will bring the goods."""
    if order.status != "confirmed" or order.fulfillment_status != "unfulfilled":
        return []
    return [DeliveryArranged(order_id=order.order_id, slot=slot, at=now)]


def ship(order: Order, now: datetime) -> Events:
    """The carrier has the goods. Those of an order that was called off come back by themselves."""
    if order.status != "confirmed" or order.shipped:
        return []
    return [OrderShipped(order_id=order.order_id, payment_id=order.payment_id, at=now)]


def take_payment(order: Order, amount: Money, now: datetime) -> Events:
    """The money is ours; with the goods delivered, that completes the order."""
    if order.payment_status != "authorized":
        return []
    taken = PaymentTaken(order_id=order.order_id, amount=amount, at=now)
    if order.status == "confirmed" and order.fulfillment_status == "delivered":
        return [taken, OrderCompleted(order_id=order.order_id, at=now)]
    return [taken]


def deliver(order: Order, now: datetime) -> Events:
    """The goods are at the door; with the money taken, that completes the order."""
    if order.fulfillment_status != "shipped":
        return []
    delivered = OrderDelivered(order_id=order.order_id, at=now)
    if order.status == "confirmed" and order.payment_status == "captured":
        return [delivered, OrderCompleted(order_id=order.order_id, at=now)]
    return [delivered]


def take_back(order: Order, now: datetime) -> Events:
    """The carrier brought the goods back undelivered: the buyer gets the money back."""
    if order.fulfillment_status != "shipped" or order.status != "confirmed":
        return []
    return [
        GoodsReturned(order_id=order.order_id, at=now),
        _cancellation(order, "returned_to_sender", now),
    ]


def cancel(order: Order, reason: str, now: datetime) -> Events:
    """Call the order off; allowed until the carrier has picked it up."""
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
    return [_cancellation(order, reason, now)]


def abandon(order: Order, reason: str, now: datetime) -> Events:
    """The shop itself cannot serve the order after all; where nothing is to be done, it doesn't."""
    if order.status not in ("pending", "confirmed") or order.shipped:
        return []
    return [_cancellation(order, reason, now)]


def _cancellation(order: Order, reason: str, now: datetime) -> CancellationRequested:
    return CancellationRequested(
        order_id=order.order_id,
        payment_id=order.payment_id,
        delivery_id=order.delivery_id,
        reason=reason,
        at=now,
    )


def return_money(order: Order, amount: Money, now: datetime) -> Events:
    """Nothing of the buyer's money is held any more: only now a cancelled order is cancelled."""
    if order.payment_status in ("voided", "refunded"):
        return []
    returned = MoneyReturned(order_id=order.order_id, amount=amount, at=now)
    if order.status == "cancelling":
        return [returned, OrderCancelled(order_id=order.order_id, at=now)]
    return [returned]


def known(order: Order | None, order_id: str) -> Order:
    """The order, which must exist."""
    if order is None:
        raise NotFound("unknown_order", f"there is no order {order_id} of yours: check its id")
    return order
