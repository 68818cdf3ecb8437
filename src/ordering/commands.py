"""What ordering tells itself: the steps of an order's life, sent by its policies and timers, and
what its own CLI says of returns and of orders at agreed prices."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bus.messages import Command, Done, Id, Money, Page, Query, Text, Window
from ordering.contract import (
    Item,
    NextAction,
    PickupStatus,
    PlaceOrder,
    ReturnDocument,
    ReturnStatus,
    Slot,
)
from ordering.shipments import Part

AGREED_LINES = 1000
"""Lines of an order at agreed prices, at most."""


class AgreedItem(Item):
    """So many pieces of a SKU at a price that the shop has agreed to; no price list is asked."""

    unit_price: Money


class PlaceAgreedOrder(PlaceOrder, name="ordering.PlaceAgreedOrder"):
    """Order these items at prices that were agreed on, an invoice's say. Only the shop itself sends
    this, never a buyer.

    Refused as `PlaceOrder` is, and with `wrong_currency` when the shop sells in another one.
    """

    items: Annotated[tuple[AgreedItem, ...], Field(min_length=1, max_length=AGREED_LINES)]


class Step(Command[None]):
    """One step of an order's life.

    Taken twice, or too late, it changes nothing; refused with `too_early` before its turn.
    """

    order_id: str


class RequestPayment(Step, name="ordering.RequestPayment"):
    """The stock is kept, at that warehouse if at a certain one, or in `parts` at several."""

    warehouse_id: str | None = None
    parts: tuple[Part, ...] = ()


class RejectOrder(Step, name="ordering.RejectOrder"):
    """The stock of these SKUs is short, or costs something else by now."""

    reason: str
    skus: tuple[str, ...] = ()


class ConfirmOrder(Step, name="ordering.ConfirmOrder"):
    """The money is set aside."""


class DeclinePayment(Step, name="ordering.DeclinePayment"):
    """The gateway said no."""

    attempt: int
    reason: str


class RequireAction(Step, name="ordering.RequireAction"):
    """The gateway wants something of the buyer."""

    attempt: int
    action: NextAction


class ExpireOrder(Step, name="ordering.ExpireOrder"):
    """Time is up."""


class DeliveryStep(Step):
    """One step of a delivery, which may be that of one of several shipments."""

    delivery_id: str


class ArrangeDelivery(DeliveryStep, name="ordering.ArrangeDelivery"):
    """Somebody will bring the goods."""

    slot: Slot | None = None


class ChangeSlot(DeliveryStep, name="ordering.ChangeSlot"):
    """The goods are to be brought at another time."""

    slot: Slot


class BookDelivery(Step, name="ordering.BookDelivery"):
    """The shop will deliver: have somebody bring the goods to where the order says."""


class ShipOrder(DeliveryStep, name="ordering.ShipOrder"):
    """The carrier has the goods."""


class TakePayment(Step, name="ordering.TakePayment"):
    """The money has been captured."""

    amount: Money


class DeliverOrder(DeliveryStep, name="ordering.DeliverOrder"):
    """The goods are at the door."""


class TakeBack(DeliveryStep, name="ordering.TakeBack"):
    """The carrier brought the goods back."""


class CallOffDelivery(DeliveryStep, name="ordering.CallOffDelivery"):
    """Nobody will fetch the goods."""


class ReturnMoney(Step, name="ordering.ReturnMoney"):
    """Nothing is held any more; `amount` had been taken and was refunded (`None`: nothing was)."""

    amount: Money | None = None


class AbandonOrder(Step, name="ordering.AbandonOrder"):
    """The shop cannot serve the order after all."""

    reason: str


class SettleReturn(Step, name="ordering.SettleReturn"):
    """The money for a return is the buyer's again."""

    return_id: str
    amount: Money


class CheckForgettable(Query[tuple[str, ...]], name="ordering.CheckForgettable"):
    """The ids of a buyer's orders, once all of them have ended; refused with `orders_open`."""

    buyer_id: Id


class ForgetBuyer(Command[None], name="ordering.ForgetBuyer"):
    """The buyer's key is gone: nobody is to go by what they remember. `Busy` while the cache cannot
    be told."""

    buyer_id: Id


class BookPickup(Step, name="ordering.BookPickup"):
    """The goods of a return are to be fetched: have somebody come to the buyer's door."""

    return_id: str


class MovePickup(Step, name="ordering.MovePickup"):
    """The delivery that fetches the goods of a return is so far."""

    return_id: str
    status: PickupStatus
    window: Window | None = None


class ApproveReturn(Command[Done[ReturnDocument]], name="ordering.ApproveReturn"):
    """Have the buyer send the goods. Refused with `unknown_return` and `already_rejected`."""

    return_id: Id


class RejectReturn(Command[Done[ReturnDocument]], name="ordering.RejectReturn"):
    """Give nothing for it. Refused with `unknown_return` and `already_received`."""

    return_id: Id
    reason: Text


class ReceiveReturn(Command[Done[ReturnDocument]], name="ordering.ReceiveReturn"):
    """The goods are back: pay for them. What is not fit to be sold again is written off, the rest
    goes back on the shelf.

    Refused with `unknown_return`, `not_approved`, `already_rejected`, `not_in_return` and, with
    other pieces written off than the first time, `already_received`.
    """

    return_id: Id
    write_off: tuple[Item, ...] = Field(default=(), max_length=200)


class GetReturn(Query[ReturnDocument], name="ordering.GetReturn"):
    """One return as it is now. Refused with `unknown_return`."""

    return_id: Id


class ListReturns(Query[Page], name="ordering.ListReturns"):
    """The returns of all orders, newest first; once the list knows the log up to `min_position`."""

    order_id: Id | None = None
    status: ReturnStatus | None = None
    limit: int = Field(default=20, ge=1, le=100)
    min_position: int = Field(default=0, ge=0)
