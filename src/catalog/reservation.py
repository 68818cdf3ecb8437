"""A reservation: pieces of several SKUs kept for one purpose, all of them or none.

Each decision writes the reservation and every item it touches in one commit, so what a reservation
says and what the items count can never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar, assert_never

from bus.messages import Event, NotFound
from catalog import item
from catalog.contract import (
    ANYWHERE,
    AllocationFailed,
    Line,
    Lot,
    ReservationLapsed,
    ReserveStock,
    StockDenied,
    StockReserved,
    Taken,
)
from catalog.item import Item, ItemAllocated, ItemDeallocated, ItemReleased, ItemReserved
from catalog.prices import price_at
from catalog.sourcing import (
    MOST_SHIPMENTS,
    Items,
    Pieces,
    first_of,
    lacking,
    less,
    pieces_of,
    ran_low,
    sent_by,
    servers,
    shared_out,
    short_at,
    sum_of,
    taken_from,
)

E = TypeVar("E", bound=Event)


class ReservationAllocated(Event, name="catalog.ReservationAllocated"):
    """It is paid for, and no longer lapses. What had lapsed is `taken` anew."""

    reservation_id: str
    taken: tuple[Taken, ...] = ()


class ReservationReleased(Event, name="catalog.ReservationReleased"):
    """Nobody wants it any more."""

    reservation_id: str


class ReservationShipped(Event, name="catalog.ReservationShipped"):
    """The pieces have left the house: all that were still there, or the part of one warehouse."""

    reservation_id: str
    warehouse_id: str | None = None


class ReservationReturned(Event, name="catalog.ReservationReturned"):
    """Pieces of it came back: some are on the shelf again, what was written off is not. A
    `warehouse_id` says whose part they were in."""

    reservation_id: str
    return_id: str
    restock: tuple[Lot, ...]
    write_off: tuple[Lot, ...]
    warehouse_id: str | None = None


ReservationEvent = (
    StockReserved
    | StockDenied
    | ReservationAllocated
    | ReservationReleased
    | ReservationLapsed
    | ReservationShipped
    | ReservationReturned
    | AllocationFailed
)

Status = Literal["held", "allocated", "shipped", "released", "lapsed", "denied", "failed"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is kept and where, how far it has come, and what of it came back by which returns.

    It has `left` from these warehouses, in this order, and is `shipped` once it has from all that
    send a part; what came `back` is told from where it had been taken.
    """

    status: Status
    pieces: Pieces = field(default_factory=dict)
    warehouse_id: str = ANYWHERE
    taken: tuple[Taken, ...] = ()
    left: tuple[str, ...] = ()
    returned: Pieces = field(default_factory=dict)
    back: tuple[Taken, ...] = ()
    returns: tuple[str, ...] = ()

    def sender(self, part: Taken) -> str:
        """Who sends these pieces."""
        return part.sent_by or self.warehouse_id

    def part(self, warehouse_id: str) -> tuple[Taken, ...]:
        """What a warehouse sends."""
        return tuple(part for part in self.taken if self.sender(part) == warehouse_id)

    @property
    def senders(self) -> tuple[str, ...]:
        """Whoever sends a part that has not left."""
        return tuple(dict.fromkeys(self.sender(part) for part in self.here))

    @property
    def here(self) -> tuple[Taken, ...]:
        """What has not left."""
        return tuple(part for part in self.taken if self.sender(part) not in self.left)

    @property
    def sent(self) -> tuple[Taken, ...]:
        """What has left, in the order in which it did."""
        return tuple(part for id in self.left for part in self.part(id))


def evolve(reservation: Reservation | None, event: ReservationEvent) -> Reservation:
    """The reservation after an event."""
    now = reservation or Reservation("released")
    match event:
        case StockReserved(lines=lines, warehouse_id=warehouse_id):
            pieces = pieces_of(lines)
            taken = event.taken or taken_from({}, pieces, ANYWHERE)
            return Reservation("held", pieces, warehouse_id, taken)
        case StockDenied():
            return Reservation("denied")
        case ReservationAllocated(taken=anew):
            taken = (*now.sent, *anew) if anew else now.taken
            return replace(now, status="allocated", taken=taken)
        case ReservationReleased():
            return replace(now, status="released")
        case ReservationLapsed():
            return replace(now, status="lapsed")
        case ReservationShipped(warehouse_id=one):
            now = replace(now, left=(*now.left, *((one,) if one else now.senders)))
            return now if now.here else replace(now, status="shipped")
        case ReservationReturned(return_id=return_id):
            fit, spoilt = came_back(now, event)
            returned = sum_of(now.returned, pieces_of((*fit, *spoilt)))
            back, returns = (*now.back, *fit, *spoilt), (*now.returns, return_id)
            return replace(now, returned=returned, back=back, returns=returns)
        case AllocationFailed():
            return replace(now, status="failed")
        case _:
            assert_never(event)


def outside(kept: Reservation, warehouse_id: str | None = None) -> tuple[Taken, ...]:
    """What has left and is not back, of all or of what one warehouse has sent."""
    sent = (part for part in kept.sent if warehouse_id in (None, kept.sender(part)))
    return less(sent, kept.back)


def came_back(
    kept: Reservation, event: ReservationReturned
) -> tuple[tuple[Taken, ...], tuple[Taken, ...]]:
    """Where what came back had been taken from: the pieces that are fit, and those that are not. Of
    what left first the first came back, for no piece tells which it is."""
    out = outside(kept, event.warehouse_id)
    fit = first_of(out, pieces_of(event.restock))
    return fit, first_of(less(out, fit), pieces_of(event.write_off))


def reserve(
    reservation: Reservation | None,
    items: Items,
    wanted: ReserveStock,
    now: datetime,
    most: int = MOST_SHIPMENTS,
) -> list[Event]:
    """Keep every line until `expires_at`, at one warehouse or at no more than `most` that each send
    a part, or deny all of it: `price_changed`, `out_of_stock`."""
    if reservation is not None:
        return []
    id, at = wanted.reservation_id, wanted.ordered_at or now
    repriced = dict.fromkeys(x.sku for x in wanted.lines if costs_otherwise(items[x.sku], x, at))
    if repriced:
        return [StockDenied(reservation_id=id, reason="price_changed", skus=tuple(repriced))]
    pieces = pieces_of(wanted.lines)
    near, first = wanted.warehouses, wanted.first_sends
    few = servers(items, pieces, near, most, first_sends=first)
    if not few:
        short = lacking(items, pieces, near, first_sends=first)
        return [StockDenied(reservation_id=id, reason="out_of_stock", skus=short)]
    taken = shared_out(items, pieces, few) if few[1:] else taken_from(items, pieces, few[0])
    kept = StockReserved(
        reservation_id=id,
        lines=wanted.lines,
        expires_at=wanted.expires_at,
        warehouse_id=few[0],
        taken=() if all(part.warehouse_id == ANYWHERE for part in taken) else taken,
    )
    return [kept, *each(ItemReserved, taken), *ran_low(items, pieces)]


def allocate(reservation: Reservation | None, items: Items, id: str) -> list[Event]:
    """It is paid for. What has lapsed meanwhile is taken again if it is still to be had."""
    kept = known(reservation, id)
    match kept.status:
        case "allocated" | "shipped" | "failed":
            return []
        case "held":
            return [ReservationAllocated(reservation_id=id), *each(ItemAllocated, kept.here)]
        case "lapsed":
            return take_again(kept, items, id)
        case "released" | "denied":
            skus = tuple(kept.pieces)
            return [AllocationFailed(reservation_id=id, skus=skus)]
        case _:
            assert_never(kept.status)


def take_again(kept: Reservation, items: Items, id: str) -> list[Event]:
    """What has lapsed is taken anew, each part for whom it was; or it fails, with what is short."""
    now, anew = dict(items), list[Taken]()
    for sender in kept.senders:
        part = kept.part(sender)
        if short := short_at(now, pieces_of(part), sender):
            return [AllocationFailed(reservation_id=id, skus=short)]
        again = sent_by(part[0].sent_by, taken_from(now, pieces_of(part), sender))
        for taken in each(ItemReserved, again):
            now[taken.sku] = item.evolve(now[taken.sku], taken)
        anew += again
    return [
        ReservationAllocated(reservation_id=id, taken=tuple(anew)),
        *each(ItemReserved, anew),
        *each(ItemAllocated, anew),
        *ran_low(items, pieces_of(anew)),
    ]


def release(reservation: Reservation | None, id: str) -> list[Event]:
    """Nobody wants it any more. What has left the house has left.

    An unknown reservation is released as well: should its request come after all, it came too late.
    """
    released = ReservationReleased(reservation_id=id)
    if reservation is None:
        return [released]
    match reservation.status:
        case "held":
            return [released, *each(ItemReleased, reservation.here)]
        case "allocated":
            return [released, *each(ItemDeallocated, reservation.here)]
        case "lapsed":
            return [released]
        case "released" | "shipped" | "denied" | "failed":
            return []
        case _:
            assert_never(reservation.status)


def lapse(reservation: Reservation | None, id: str) -> list[Event]:
    """Time is up: whoever has not paid by now loses the pieces."""
    if reservation is None or reservation.status != "held":
        return []
    return [ReservationLapsed(reservation_id=id), *each(ItemReleased, reservation.here)]


def known(reservation: Reservation | None, id: str) -> Reservation:
    """The reservation; refused with `unknown_reservation` when there never was one."""
    if reservation is None:
        raise NotFound("unknown_reservation", f"there is no reservation {id}: reserve stock first")
    return reservation


def costs_otherwise(item: Item | None, line: Line, at: datetime) -> bool:
    """Whether the buyer was told another price than the one that held when it was ordered."""
    if item is None or line.agreed:
        return False
    return price_at(item.prices, line.unit_price.currency, at) != line.unit_price


def each(event: Callable[..., E], taken: Iterable[Taken]) -> list[E]:
    """The same for every part of what is kept."""
    return [
        event(sku=part.sku, quantity=part.quantity, warehouse_id=part.warehouse_id)
        for part in taken
    ]
