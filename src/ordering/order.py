"""The order: what can happen to it, and how it stands afterwards; `rules` decides what may
happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from bus.messages import Event, Money, PersonalAddress, PersonalText
from ordering import shipments
from ordering.contract import (
    FulfillmentStatus,
    Means,
    NextAction,
    PaymentStatus,
    PricedItem,
    ReturnedItem,
    Shipment,
    Slot,
    Status,
)
from ordering.returns import Return, ReturnEvent, ReturnRefunded, after, all_back
from ordering.shipments import IN_THE_HOUSE, OrderSplit, ShipmentEvent, ShipmentMoved


class Happened(Event):
    """What happened to which order, and when."""

    order_id: str
    at: datetime


class OrderPlaced(Happened, name="ordering.OrderPlaced", whose="buyer_id"):
    """A buyer ordered these items, at these prices: those of the price list, unless the shop has
    `agreed` to others, be it by a quote."""

    client: str
    buyer_id: str
    items: tuple[PricedItem, ...]
    destination: PersonalAddress
    product_cost: Money
    delivery_cost: Money
    total: Money
    means: Means
    payment_id: str
    delivery_id: str
    warehouse_id: str
    warehouses: tuple[str, ...] = ()
    slot: Slot | None = None
    agreed: bool = False
    reserved_until: datetime
    expires_at: datetime


class OrderRerouted(Happened, name="ordering.OrderRerouted"):
    """Another warehouse than the one it was quoted from has everything, and sends it."""

    warehouse_id: str


class OrderRejected(Happened, name="ordering.OrderRejected"):
    """The shop cannot serve it, for these SKUs are short or cost something else; nothing was
    paid."""

    reason: str
    skus: tuple[str, ...] = ()
    slot_id: str | None = None


class PaymentRequested(Happened, name="ordering.PaymentRequested", whose="buyer_id"):
    """The money is to be set aside, for the `attempt`-th time."""

    payment_id: str
    buyer_id: str
    attempt: int
    amount: Money
    means: Means


class PaymentDeclined(Happened, name="ordering.PaymentDeclined"):
    """The buyer has to pay by other means, or let the order expire."""

    attempt: int
    reason: str


class ActionRequired(Happened, name="ordering.ActionRequired"):
    """The buyer has to do something before the payment goes on."""

    attempt: int
    action: NextAction


class OrderConfirmed(Happened, name="ordering.OrderConfirmed"):
    """Stock is kept and the money set aside: the shop will deliver."""


class OrderExpired(Happened, name="ordering.OrderExpired"):
    """Nobody paid in time."""

    payment_id: str
    slot_id: str | None = None


class DeliveryArranged(Happened, name="ordering.DeliveryArranged"):
    """It is arranged that the goods are brought."""

    slot: Slot | None = None


class SlotChanged(Happened, name="ordering.SlotChanged"):
    """The goods are to be brought at another time."""

    slot: Slot


class OrderShipped(Happened, name="ordering.OrderShipped"):
    """The carrier has the goods, or the first of several shipments: from here on the money is ours
    to take."""

    payment_id: str
    in_parts: bool = False


class PaymentTaken(Happened, name="ordering.PaymentTaken"):
    """The money has been captured."""

    amount: Money


class OrderDelivered(Happened, name="ordering.OrderDelivered"):
    """The goods are at the door; of several shipments, the last one that was awaited."""


class OrderCompleted(Happened, name="ordering.OrderCompleted"):
    """Delivered and paid: done."""


class GoodsReturned(Happened, name="ordering.GoodsReturned"):
    """The carrier could not deliver and brought the goods back: these."""

    items: tuple[ReturnedItem, ...] = ()


class CancellationRequested(Happened, name="ordering.CancellationRequested", whose="buyer_id"):
    """It is called off; the money is to be given back first. `words` are the buyer's own,
    `deliveries` all there are, if several."""

    payment_id: str
    delivery_id: str
    reason: str
    buyer_id: str | None = None
    words: PersonalText | None = None
    slot_id: str | None = None
    deliveries: tuple[str, ...] = ()


class GoodsGone(Happened, name="ordering.GoodsGone"):
    """The carrier was faster than the cancellation: the goods have left, and are to come back."""


class DeliveryCalledOff(Happened, name="ordering.DeliveryCalledOff"):
    """Nobody will fetch the goods of the cancelled order: they are still in the house."""


class MoneyReturned(Happened, name="ordering.MoneyReturned"):
    """Nothing of the buyer's money is held any more; `amount` had been taken and was refunded."""

    amount: Money


class OrderCancelled(Happened, name="ordering.OrderCancelled"):
    """Called off, and the money is provably back."""


Paying = PaymentRequested | PaymentDeclined | ActionRequired | OrderConfirmed | PaymentTaken
OnTheWay = (
    DeliveryArranged | SlotChanged | OrderShipped | OrderDelivered | OrderCompleted | GoodsReturned
)
CallingOff = CancellationRequested | GoodsGone | DeliveryCalledOff | MoneyReturned | OrderCancelled
Later = (
    OrderRejected | OrderRerouted | OrderExpired | Paying | OnTheWay | CallingOff | ShipmentEvent
)
"""What can happen to an order once it is placed, until it has ended."""

OrderEvent = OrderPlaced | Later | ReturnEvent


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands."""

    order_id: str
    client: str
    buyer_id: str
    items: tuple[PricedItem, ...]
    destination: PersonalAddress
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
    words: PersonalText | None = None
    short_skus: tuple[str, ...] = ()
    delivery_called_off: bool = False
    delivered_at: datetime | None = None
    shipments: tuple[Shipment, ...] = ()
    """Where several warehouses send it; else none is told."""
    returns: tuple[Return, ...] = ()

    @property
    def slot_id(self) -> str | None:
        """The slot that it has a place in, if any."""
        return self.slot.slot_id if self.slot is not None else None

    @property
    def payment_under_way(self) -> bool:
        """Whether an attempt has been made and its outcome is not known yet."""
        return self.attempt > 0 and self.payment_status == "not_paid"

    @property
    def shipped(self) -> bool:
        """Whether the goods have left the house."""
        return self.fulfillment_status in ("shipped", "delivered", "returned")

    @property
    def fulfilled(self) -> bool:
        """Whether the goods are at the door, and the money is ours."""
        return (self.payment_status, self.fulfillment_status) == ("captured", "delivered")

    @property
    def goods_certain(self) -> bool:
        """Whether all goods have left the house, or will not be fetched from there."""
        if self.shipments:
            return all(each.status not in IN_THE_HOUSE for each in self.shipments)
        return self.delivery_called_off or self.shipped

    @property
    def wound_up(self) -> bool:
        """Whether the money is back, and it is certain where the goods are."""
        return self.payment_status in ("voided", "refunded") and self.goods_certain


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """The order after an event."""
    if isinstance(event, OrderPlaced):
        return _placed(event)
    if order is None:
        raise ValueError(f"{event.type_name} before the order was placed")
    if isinstance(event, ReturnEvent):
        return replace(order, updated_at=event.at, **_of_return(order, event))
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
        case OrderRejected(reason=reason, skus=skus):
            return {"status": "rejected", "reason": reason, "short_skus": skus}
        case OrderRerouted(warehouse_id=warehouse_id):
            return {"warehouse_id": warehouse_id}
        case OrderSplit(shipments=parts):
            return {"shipments": parts, "warehouse_id": parts[0].warehouse_id}
        case ShipmentMoved():
            now = shipments.after(order.shipments, event)
            return {"shipments": now, "fulfillment_status": shipments.fulfillment(now)}
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
            return {
                "status": "confirmed",
                "payment_status": "authorized",
                "next_action": None,
                "reason": None,  # another attempt's
            }
        case OrderExpired():
            return {"status": "expired", "next_action": None, "reason": "not_paid_in_time"}
        case DeliveryArranged(slot=slot):
            return {"fulfillment_status": "scheduled", "slot": slot}
        case SlotChanged(slot=slot):
            return {"slot": slot}
        case OrderShipped() | GoodsGone():
            return {"fulfillment_status": "shipped"}
        case PaymentTaken():
            return {"payment_status": "captured"}
        case OrderDelivered(at=at):
            return {"fulfillment_status": "delivered", "delivered_at": at}
        case OrderCompleted():
            return {"status": "completed"}
        case GoodsReturned():
            return {"fulfillment_status": "returned"}
        case CancellationRequested(reason=reason, words=words):
            changes = {"status": "cancelling", "next_action": None, "reason": reason}
            return changes | {"words": words}
        case DeliveryCalledOff():
            return {"delivery_called_off": True, "fulfillment_status": "unfulfilled"}
        case MoneyReturned(amount=amount):
            back: PaymentStatus = "refunded" if amount.amount else "voided"
            return {"payment_status": back, "refunded": order.refunded + amount}
        case OrderCancelled():
            return {"status": "cancelled"}
    assert_never(event)


def _of_return(order: Order, event: ReturnEvent) -> dict[str, Any]:
    """The fields that a step of a return changes."""
    returns = after(order.returns, event)
    changes: dict[str, Any] = {"returns": returns}
    if all_back(order.items, returns):
        changes["fulfillment_status"] = "returned"
    if isinstance(event, ReturnRefunded) and event.amount.amount:
        refunded = order.refunded + event.amount
        status: PaymentStatus = "refunded" if refunded == order.total else "partially_refunded"
        changes |= {"refunded": refunded, "payment_status": status}
    return changes
