"""What follows from what in the life of a return: event in, commands out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bus.messages import Command, Window
from bus.policies import Policy
from catalog import contract as catalog
from delivery import contract as delivery
from ordering import commands as steps
from ordering import pickups
from ordering.contract import PickupStatus, ReturnedItem
from ordering.returns import PickupCalledOff, PickupRequested, ReturnReceived
from payment import contract as payment

Orders = list[Any]


def on_return_received(event: ReturnReceived) -> Orders:
    """The goods go back on the shelf, and the money for them to the buyer."""
    restock = catalog.RestockStock(
        reservation_id=event.order_id,
        return_id=event.return_id,
        warehouse_id=event.warehouse_id,
        restock=lots(event.restock),
        write_off=lots(event.write_off),
    )
    if not event.refund.amount:
        return [restock]
    return [
        restock,
        payment.RefundPayment(
            payment_id=event.payment_id, refund_id=event.return_id, amount=event.refund
        ),
    ]


def on_pickup_requested(event: PickupRequested) -> Orders:
    """Somebody has to fetch the goods of a return."""
    return [steps.BookPickup(order_id=event.order_id, return_id=event.return_id)]


def on_pickup_called_off(event: PickupCalledOff) -> Orders:
    """Nobody need come for them any more."""
    return [
        delivery.CancelDelivery(
            delivery_id=event.delivery_id, reference=event.order_id, kind="return"
        )
    ]


def heard(bringing: Policy, fetching: PickupStatus) -> Policy:
    """What a delivery's news lead to: of one that brings an order, or that fetches a return."""

    def policy(event: Any) -> Iterable[Command[Any]]:
        if event.kind == "delivery":
            return bringing(event)
        return [
            steps.MovePickup(
                order_id=event.reference,
                return_id=pickups.return_id(event.delivery_id),
                status=fetching,
                window=_window(getattr(event, "slot", None)),
            )
        ]

    return policy


def lots(items: Iterable[ReturnedItem]) -> tuple[catalog.Lot, ...]:
    """So many pieces of each SKU, as catalog takes them."""
    return tuple(catalog.Lot(sku=item.sku, quantity=item.quantity) for item in items)


def _window(slot: delivery.Slot | None) -> Window | None:
    return Window.model_validate(slot.model_dump(exclude={"slot_id"})) if slot else None


RETURN_POLICIES: Mapping[type[Any], Policy] = {
    ReturnReceived: on_return_received,
    PickupRequested: on_pickup_requested,
    PickupCalledOff: on_pickup_called_off,
}
"""What is done when this has happened to a return."""
