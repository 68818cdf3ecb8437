"""A return: what can happen to goods that a buyer sends back, and how it stands afterwards;
`return_rules` decides what may happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from bus.messages import Event, Money, PersonalText, Window
from ordering.contract import (
    Item,
    Pickup,
    PickupStatus,
    PickupWish,
    PricedItem,
    ReturnedItem,
    ReturnStatus,
    ShippedItem,
)


class Happened(Event):
    """What happened to which return of an order, and when."""

    order_id: str
    return_id: str
    at: datetime


class ReturnRequested(Happened, name="ordering.ReturnRequested", whose="buyer_id"):
    """The buyer wants to send these pieces back, for so much money as things stand."""

    items: tuple[ReturnedItem, ...]
    reason: PersonalText
    refund: Money
    buyer_id: str | None = None
    pickup: PickupWish | None = None


class ReturnApproved(Happened, name="ordering.ReturnApproved"):
    """The buyer may send them: so the shop's rule says, or a person."""

    by: str


class ReturnRejected(Happened, name="ordering.ReturnRejected"):
    """The shop gives nothing for them."""

    reason: str


class ReturnReceived(Happened, name="ordering.ReturnReceived"):
    """The pieces are back, and `refund` is owed. What is not fit to be sold again is written off. A
    `warehouse_id` says who had sent them, where that is known."""

    payment_id: str
    restock: tuple[ReturnedItem, ...]
    write_off: tuple[ReturnedItem, ...]
    refund: Money
    warehouse_id: str | None = None


class ReturnRefunded(Happened, name="ordering.ReturnRefunded"):
    """The money is the buyer's again."""

    amount: Money


class PickupRequested(Happened, name="ordering.PickupRequested"):
    """The goods are to be fetched at the buyer's door, by this delivery."""

    delivery_id: str


class PickupMoved(Happened, name="ordering.PickupMoved"):
    """So far it has come with fetching them, or it is agreed when that will be."""

    status: PickupStatus
    window: Window | None = None


class PickupCalledOff(Happened, name="ordering.PickupCalledOff"):
    """Nobody need fetch them any more."""

    delivery_id: str


PickupEvent = PickupRequested | PickupMoved | PickupCalledOff

ReturnEvent = (
    ReturnRequested
    | ReturnApproved
    | ReturnRejected
    | ReturnReceived
    | ReturnRefunded
    | PickupEvent
)


@dataclass(frozen=True, slots=True)
class Return:
    """A return as it stands; `refund` is what is owed for it once it has been received, and `wish`
    how the buyer would have the goods fetched, if so."""

    return_id: str
    order_id: str
    items: tuple[ReturnedItem, ...]
    reason: PersonalText
    refund: Money
    requested_at: datetime
    updated_at: datetime
    status: ReturnStatus = "requested"
    buyer_id: str | None = None
    rejection: str | None = None
    write_off: tuple[ReturnedItem, ...] = ()
    wish: PickupWish | None = None
    pickup: Pickup | None = None

    @property
    def received(self) -> bool:
        """Whether the goods are back."""
        return self.status in ("received", "refunded")


def evolve(before: Return | None, event: ReturnEvent) -> Return:
    """The return after an event."""
    if isinstance(event, ReturnRequested):
        return Return(
            return_id=event.return_id,
            order_id=event.order_id,
            items=event.items,
            reason=event.reason,
            buyer_id=event.buyer_id,
            refund=event.refund,
            requested_at=event.at,
            updated_at=event.at,
            wish=event.pickup,
        )
    if before is None:
        raise ValueError(f"{event.type_name} before the return was requested")
    now = replace(before, updated_at=event.at)
    match event:
        case ReturnApproved():
            return replace(now, status="approved")
        case ReturnRejected(reason=reason):
            return replace(now, status="rejected", rejection=reason)
        case ReturnReceived(refund=refund, write_off=write_off):
            return replace(now, status="received", refund=refund, write_off=write_off)
        case ReturnRefunded():
            return replace(now, status="refunded")
        case PickupRequested(delivery_id=delivery_id):
            wished = now.wish.window if now.wish is not None else None
            return replace(now, pickup=Pickup(delivery_id=delivery_id, window=wished))
        case PickupMoved(status=status, window=window):
            return replace(now, pickup=_moved(now.pickup, status, window))
        case PickupCalledOff():
            return replace(now, pickup=_moved(now.pickup, "cancelled", None))
        case _:
            assert_never(event)


def _moved(pickup: Pickup | None, status: PickupStatus, window: Window | None) -> Pickup | None:
    if pickup is None:
        return None
    return pickup.model_copy(update={"status": status, "window": window or pickup.window})


def after(returns: tuple[Return, ...], event: ReturnEvent) -> tuple[Return, ...]:
    """An order's returns after an event, in the order in which they were requested."""
    known = {each.return_id: each for each in returns}
    known[event.return_id] = evolve(known.get(event.return_id), event)
    return tuple(known.values())


def pieces(*lines: Iterable[Item | PricedItem | ShippedItem | ReturnedItem]) -> Counter[str]:
    """How many pieces of each SKU these lines are together."""
    total: Counter[str] = Counter()
    for each in lines:
        for line in each:
            total[line.sku] += line.quantity
    return total


def as_items(counted: Mapping[str, int]) -> tuple[ReturnedItem, ...]:
    """So many pieces of each SKU, as events and answers have them."""
    return tuple(ReturnedItem(sku=sku, quantity=quantity) for sku, quantity in counted.items())


def received(returns: Iterable[Return]) -> Counter[str]:
    """The pieces that are back."""
    return pieces(*(each.items for each in returns if each.received))


def all_back(ordered: Iterable[PricedItem], returns: Iterable[Return]) -> bool:
    """Whether everything that was ordered has come back."""
    return received(returns) == pieces(ordered)
