"""What follows from what in the life of an order: event in, commands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bus.policies import CallOff, Later, Policy, Schedule
from catalog import contract as catalog
from delivery import contract as delivery
from ordering import commands as steps
from ordering.cancelling import UNDELIVERED
from ordering.contract import NextAction, Slot
from ordering.order import (
    CancellationRequested,
    GoodsGone,
    GoodsReturned,
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
    OrderPlaced,
    OrderRejected,
    OrderShipped,
    PaymentRequested,
)
from ordering.return_policies import RETURN_POLICIES, heard, lots
from ordering.shipments import Part, ShipmentMoved, packed
from payment import contract as payment

Orders = list[Any]


def on_placed(event: OrderPlaced) -> Orders:
    """Keep the stock, and do not wait for the money for ever."""
    lines = tuple(
        catalog.Line(
            sku=item.sku, quantity=item.quantity, unit_price=item.unit_price, agreed=event.agreed
        )
        for item in event.items
    )
    return [
        catalog.ReserveStock(
            reservation_id=event.order_id,
            lines=lines,
            expires_at=event.reserved_until,
            warehouses=event.warehouses or (event.warehouse_id,),
            # The slot is at the first of them.
            first_sends=event.slot is not None,
            ordered_at=event.at,
        ),
    ]


def on_reserved(event: catalog.StockReserved) -> Orders:
    """The goods are kept: now the money."""
    where = None if event.warehouse_id == catalog.ANYWHERE else event.warehouse_id
    return [
        steps.RequestPayment(
            order_id=event.reservation_id, warehouse_id=where, parts=_parts(event.taken)
        )
    ]


def on_payment_requested(event: PaymentRequested) -> Orders:
    """Have the money set aside."""
    return [
        payment.AuthorizePayment(
            payment_id=event.payment_id,
            reference=event.order_id,
            buyer_id=event.buyer_id,
            attempt=event.attempt,
            amount=event.amount,
            means=payment.Means(
                method=event.means.method,
                token=event.means.token,
                use_credit=event.means.use_credit,
            ),
        )
    ]


def on_confirmed(event: OrderConfirmed) -> Orders:
    """The stock is theirs now, and somebody has to bring it."""
    return [
        catalog.AllocateStock(reservation_id=event.order_id),
        steps.BookDelivery(order_id=event.order_id),
    ]


def on_rejected(event: OrderRejected) -> Orders:
    """Nothing was kept but the place in the slot."""
    return _freed(event.order_id, event.slot_id)


def on_expired(event: OrderExpired) -> Orders:
    """An attempt may still be under way: whatever comes of it is given back."""
    return [
        payment.CancelPayment(payment_id=event.payment_id, reference=event.order_id),
        catalog.ReleaseStock(reservation_id=event.order_id),
        *_freed(event.order_id, event.slot_id),
    ]


def on_shipped(event: OrderShipped) -> Orders:
    """The goods have left: take the money, and the goods off the shelf. Of those that leave in
    parts, each shipment tells."""
    capture = payment.CapturePayment(payment_id=event.payment_id)
    if event.in_parts:
        return [capture]
    return [capture, catalog.ShipStock(reservation_id=event.order_id)]


def on_shipment(event: ShipmentMoved) -> Orders:
    """What one of several warehouses sends has left: its shelf is empty, paid or not."""
    if event.status != "shipped":
        return []
    return [catalog.ShipStock(reservation_id=event.order_id, warehouse_id=event.warehouse_id)]


def on_goods_gone(event: GoodsGone) -> Orders:
    """Nothing is to be paid, but the shelf is empty all the same."""
    return [catalog.ShipStock(reservation_id=event.order_id)]


def on_goods_returned(event: GoodsReturned) -> Orders:
    """What nobody has unpacked goes back on the shelf."""
    if not event.items:  # an older release did not say what it was
        return []
    return [
        catalog.RestockStock(
            reservation_id=event.order_id, return_id=UNDELIVERED, restock=lots(event.items)
        )
    ]


def on_rescheduled(event: delivery.DeliveryRescheduled) -> Orders:
    """The goods come at another time."""
    slot = Slot.model_validate(event.slot.model_dump())
    return [steps.ChangeSlot(order_id=event.reference, delivery_id=event.delivery_id, slot=slot)]


def on_cancellation(event: CancellationRequested) -> Orders:
    """The money goes back, and nobody needs to come for the goods."""
    return [
        payment.CancelPayment(payment_id=event.payment_id, reference=event.order_id),
        *(
            delivery.CancelDelivery(
                delivery_id=each,
                reference=event.order_id,
                # It is the first that comes in the slot.
                slot_id=event.slot_id if each == event.delivery_id else None,
            )
            for each in event.deliveries or (event.delivery_id,)
        ),
    ]


def on_cancelled(event: OrderCancelled) -> Orders:
    """The money is back: goods that are still in the house may be sold to somebody else."""
    return [catalog.ReleaseStock(reservation_id=event.order_id)]


def on_refunded(event: payment.PaymentRefunded) -> Orders:
    """The money is the buyer's again: of an order that was called off, or of a return."""
    if event.refund_id == payment.CANCELLATION:
        return [steps.ReturnMoney(order_id=event.reference, amount=event.amount)]
    return [
        steps.SettleReturn(order_id=event.reference, return_id=event.refund_id, amount=event.amount)
    ]


def expire_in_time(event: OrderPlaced) -> Later:
    """Nobody waits for the money for ever."""
    due = steps.ExpireOrder(order_id=event.order_id)
    return Later(f"expire-{event.order_id}", event.expires_at, due)


def expire_no_more(event: OrderConfirmed | OrderRejected | CancellationRequested) -> CallOff:
    """It no longer waits for money."""
    return CallOff(f"expire-{event.order_id}")


def _freed(order_id: str, slot_id: str | None) -> Orders:
    """Somebody else may have the place in the slot."""
    return [] if slot_id is None else [delivery.FreeSlot(slot_id=slot_id, reference=order_id)]


def _parts(taken: Iterable[catalog.Taken]) -> tuple[Part, ...]:
    """What each of several warehouses sends; nothing is parted where one sends all."""
    shares: dict[str, Counter[str]] = {}
    for each in taken:
        if each.sent_by is not None:
            shares.setdefault(each.sent_by, Counter())[each.sku] += each.quantity
    return tuple(Part(warehouse_id=id, items=packed(share)) for id, share in shares.items())


def _led_to(step: type[steps.DeliveryStep]) -> Policy:
    """What the news of a delivery that brings an order lead to: this step."""
    return lambda e: [step(order_id=e.reference, delivery_id=e.delivery_id)]


def _slot(slot: delivery.Slot | None) -> Slot | None:
    return Slot.model_validate(slot.model_dump()) if slot else None


POLICIES: Mapping[type[Any], Policy] = {
    OrderPlaced: on_placed,
    PaymentRequested: on_payment_requested,
    OrderConfirmed: on_confirmed,
    OrderRejected: on_rejected,
    OrderExpired: on_expired,
    OrderShipped: on_shipped,
    GoodsGone: on_goods_gone,
    ShipmentMoved: on_shipment,
    GoodsReturned: on_goods_returned,
    CancellationRequested: on_cancellation,
    OrderCancelled: on_cancelled,
    **RETURN_POLICIES,
    catalog.StockReserved: on_reserved,
    catalog.StockDenied: lambda e: [
        steps.RejectOrder(order_id=e.reservation_id, reason=e.reason, skus=e.skus)
    ],
    catalog.AllocationFailed: lambda e: [
        steps.AbandonOrder(order_id=e.reservation_id, reason="out_of_stock")
    ],
    payment.PaymentAuthorized: lambda e: [steps.ConfirmOrder(order_id=e.reference)],
    payment.PaymentDeclined: lambda e: [
        steps.DeclinePayment(order_id=e.reference, attempt=e.attempt, reason=e.reason)
    ],
    payment.PaymentActionRequired: lambda e: [
        steps.RequireAction(
            order_id=e.reference,
            attempt=e.attempt,
            action=NextAction(type=e.action.type, url=e.action.url),
        )
    ],
    payment.PaymentCaptured: lambda e: [steps.TakePayment(order_id=e.reference, amount=e.amount)],
    payment.PaymentVoided: lambda e: [steps.ReturnMoney(order_id=e.reference)],
    payment.PaymentRefunded: on_refunded,
    payment.PaymentLapsed: lambda e: [
        steps.AbandonOrder(order_id=e.reference, reason="authorization_expired")
    ],
    delivery.DeliveryScheduled: heard(
        lambda e: [
            steps.ArrangeDelivery(
                order_id=e.reference, delivery_id=e.delivery_id, slot=_slot(e.slot)
            )
        ],
        "scheduled",
    ),
    delivery.DeliveryRescheduled: heard(on_rescheduled, "scheduled"),
    delivery.DeliveryPickedUp: heard(_led_to(steps.ShipOrder), "on_its_way"),
    delivery.DeliveryDelivered: heard(_led_to(steps.DeliverOrder), "arrived"),
    delivery.DeliveryCancelled: heard(_led_to(steps.CallOffDelivery), "cancelled"),
    delivery.DeliveryReturned: heard(_led_to(steps.TakeBack), "failed"),
}
"""The checkout, in one table: what is done when this has happened."""

SCHEDULES: Mapping[type[Any], Schedule] = {
    OrderPlaced: expire_in_time,
    OrderConfirmed: expire_no_more,
    OrderRejected: expire_no_more,
    CancellationRequested: expire_no_more,
}
"""When an order expires, and when it no longer does."""
