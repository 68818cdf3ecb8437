"""The rules of returns: what a buyer may send back, and what the shop gives for it.

Each step may be taken twice and decides nothing the second time; what contradicts an earlier one is
refused, with what to do instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn

from bus.messages import Money, NotFound, Refused, Window
from ordering import pickups
from ordering.cancelling import UNDELIVERED
from ordering.contract import Item, PickupStatus, PickupWish, Shipment
from ordering.order import Order
from ordering.returns import (
    Return,
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRejected,
    ReturnRequested,
    as_items,
    pieces,
    received,
)
from ordering.rules import Events, too_early

BY_RULE = "rule"
"""Who approves a return that no person need look at."""


class Terms(NamedTuple):
    """For how long after its delivery an order may be sent back, and up to which refund, in minor
    units, no person need approve it."""

    window: timedelta = timedelta(days=30)
    auto_approve: int = 10_000


def request(
    order: Order,
    items: Sequence[Item],
    reason: str,
    terms: Terms,
    now: datetime,
    pickup: PickupWish | None = None,
) -> Events:
    """The buyer wants to send these pieces of the order back, or to have them fetched."""
    check_returnable(order, terms, now)
    pickups.check_window(pickup, now)
    back = pieces(items)
    claimed = pieces(*(each.items for each in order.returns if each.status != "rejected"))
    check_quantities(order, back, claimed)
    requested = ReturnRequested(
        order_id=order.order_id,
        return_id=return_id(order),
        items=as_items(back),
        reason=reason,
        buyer_id=order.buyer_id,
        refund=refund_for(order, back, claimed),
        pickup=pickup,
        at=now,
    )
    if requested.refund.amount > terms.auto_approve:
        return [requested]
    return [requested, *_approved(requested, BY_RULE, now)]


def approve(found: Return, by: str, now: datetime) -> Events:
    """The buyer may send the goods."""
    if found.status == "rejected":
        _already_rejected(found)
    return _approved(found, by, now) if found.status == "requested" else []


def reject(found: Return, reason: str, now: datetime) -> Events:
    """The shop gives nothing for it; also for goods that never came, or not as they were
    promised."""
    if found.received:
        raise Refused(
            "already_received",
            f"return {found.return_id} has been received, and {found.refund} goes back for it: it "
            "cannot be rejected any more",
        )
    if found.status == "rejected":
        return []
    return [
        ReturnRejected(order_id=found.order_id, return_id=found.return_id, reason=reason, at=now),
        *pickups.call_off(found, now),
    ]


def receive(order: Order, found: Return, write_off: Sequence[Item], now: datetime) -> Events:
    """The goods are back: what is owed for them is certain now. What is not written off goes back
    on the shelf."""
    back, spoilt = pieces(found.items), pieces(write_off)
    check_received(found, back, spoilt)
    if found.received:
        return []
    came_back = _came_back(order, found, back - spoilt, spoilt, now)
    return [*came_back, *pickups.call_off(found, now)]


def give_back(order: Order, undelivered: Shipment, now: datetime) -> Events:
    """What a carrier could not deliver and brought back is a return that nobody had to ask for: it
    is received already, by the warehouse that had sent it."""
    back = pieces(undelivered.items)
    requested = ReturnRequested(
        order_id=order.order_id,
        return_id=return_id(order),
        items=as_items(back),
        reason=UNDELIVERED,
        refund=refund_for(order, back, received(order.returns)),
        at=now,
    )
    sender = undelivered.warehouse_id
    return [requested, *_came_back(order, requested, back, Counter(), now, sender)]


def settle(order: Order, return_id: str, amount: Money, now: datetime) -> Events:
    """The money for a return is the buyer's again."""
    found = find(order, return_id)
    if found is None or not found.received:
        raise too_early(order, "settle")
    return [_refunded(found, amount, now)] if found.status == "received" else []


def move_pickup(
    order: Order, return_id: str, status: PickupStatus, window: Window | None, now: datetime
) -> Events:
    """The delivery that fetches the goods of a return tells how far it is."""
    found = find(order, return_id)
    return [] if found is None else pickups.move(found, status, window, now)


def refund_for(order: Order, back: Counter[str], before: Counter[str]) -> Money:
    """What is owed for these pieces, when those `before` were sent back already: their price.

    The delivery cost goes back with the last of them, for then the whole order has been
    withdrawn from (Directive 2011/83/EU, article 13).
    """
    price = {item.sku: item.unit_price for item in order.items}
    refund = order.delivery_cost
    if before + back != pieces(order.items):
        refund = refund.zero()
    for sku, quantity in back.items():
        refund += price[sku].times(quantity)
    return refund


def check_returnable(order: Order, terms: Terms, now: datetime) -> None:
    """Refuse with `order_ended`, `not_delivered`, `payment_under_way` and `return_window_over`.

    Only a completed order's goods can be sent back: its money has been taken, and so can be given
    back.
    """
    if order.status not in ("pending", "confirmed", "completed"):
        raise Refused(
            "order_ended",
            f"order {order.order_id} is {order.status}: nothing is kept of what was paid for it, so"
            " there is nothing to give back",
            status=order.status,
        )
    if order.delivered_at is None:
        raise Refused(
            "not_delivered",
            f"order {order.order_id} has not been delivered yet: cancel it, or once it is on its"
            " way, wait until it is there",
        )
    if order.status != "completed":
        raise Refused(
            "payment_under_way",
            f"the money for order {order.order_id} is being taken right now: ask again in a moment",
        )
    until = order.delivered_at + terms.window
    if now > until:
        raise Refused(
            "return_window_over",
            f"order {order.order_id} could be sent back until {until.isoformat()}: it is too late"
            " for that",
            until=until.isoformat(),
        )


def check_quantities(order: Order, back: Counter[str], claimed: Counter[str]) -> None:
    """Refuse with `not_in_order` and `too_many_returned`."""
    ordered = pieces(order.items)
    if unknown := [sku for sku in back if sku not in ordered]:
        raise Refused(
            "not_in_order",
            f"order {order.order_id} has no {', '.join(unknown)}: send back what is in it",
            skus=unknown,
        )
    left = {sku: ordered[sku] - claimed[sku] for sku in back}
    if few := {sku: left[sku] for sku, quantity in back.items() if quantity > left[sku]}:
        raise Refused(
            "too_many_returned",
            f"more would be sent back of order {order.order_id} than was ordered: what is left is"
            f" {_told(few)}",
            left=few,
        )


def check_received(found: Return, back: Counter[str], spoilt: Counter[str]) -> None:
    """Refuse with `already_rejected`, `not_approved`, `not_in_return` and `already_received`."""
    if found.status == "rejected":
        _already_rejected(found)
    if found.status == "requested":
        raise Refused(
            "not_approved",
            f"return {found.return_id} has not been approved: approve it first, or reject it",
        )
    if spoilt - back:
        raise Refused(
            "not_in_return",
            f"return {found.return_id} has {_told(back)}: no more than that can be written off",
        )
    if found.received and spoilt != pieces(found.write_off):
        raise Refused(
            "already_received",
            f"return {found.return_id} has been received, with"
            f" {_told(pieces(found.write_off)) or 'nothing'} written off: correct the stock itself",
        )


def return_id(order: Order) -> str:
    """The id of an order's next return; it ends as the order's does, so each finds the other."""
    return f"ret_{len(order.returns) + 1}_{order.order_id.rpartition('_')[2]}"


def order_id_of(return_id: str) -> str:
    """The id of the order that a return is of."""
    return f"ord_{return_id.rpartition('_')[2]}"


def find(order: Order, return_id: str) -> Return | None:
    """The return, if there is one of this id."""
    return next((each for each in order.returns if each.return_id == return_id), None)


def known(order: Order, return_id: str) -> Return:
    """The return, which must exist."""
    found = find(order, return_id)
    if found is None:
        raise unknown(return_id)
    return found


def unknown(return_id: str) -> NotFound:
    """The refusal of a return that nobody has heard of."""
    return NotFound("unknown_return", f"there is no return {return_id}: see `shop returns list`")


def _approved(found: ReturnRequested | Return, by: str, now: datetime) -> Events:
    approved = ReturnApproved(order_id=found.order_id, return_id=found.return_id, by=by, at=now)
    return [approved, *pickups.arrange(found, now)]


def _came_back(
    order: Order,
    found: ReturnRequested | Return,
    fit: Counter[str],
    spoilt: Counter[str],
    now: datetime,
    warehouse_id: str | None = None,
) -> Events:
    refund = refund_for(order, fit + spoilt, received(order.returns))
    came_back = ReturnReceived(
        order_id=order.order_id,
        return_id=found.return_id,
        payment_id=order.payment_id,
        restock=as_items(fit),
        write_off=as_items(spoilt),
        refund=refund,
        warehouse_id=warehouse_id,
        at=now,
    )
    # No gateway gives nothing back.
    return [came_back] if refund.amount else [came_back, _refunded(found, refund, now)]


def _refunded(found: ReturnRequested | Return, amount: Money, now: datetime) -> ReturnRefunded:
    return ReturnRefunded(order_id=found.order_id, return_id=found.return_id, amount=amount, at=now)


def _already_rejected(found: Return) -> NoReturn:
    raise Refused(
        "already_rejected",
        f"return {found.return_id} was rejected: {found.rejection}. Have the buyer ask for a new"
        " one",
    )


def _told(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{quantity} x {sku}" for sku, quantity in counted.items())
