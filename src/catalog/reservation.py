"""A reservation: pieces of several SKUs kept for one purpose, all of them or none.

Each decision writes the reservation and every item it touches in one commit, so what a reservation
says and what the items count can never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from bus.messages import Event, NotFound, Refused
from catalog.contract import (
    AllocationFailed,
    Line,
    Lot,
    ReservationLapsed,
    ReserveStock,
    RestockStock,
    StockDenied,
    StockReserved,
)
from catalog.item import (
    Item,
    ItemAllocated,
    ItemDeallocated,
    ItemReleased,
    ItemReserved,
    ItemRestocked,
    ItemShipped,
)


class ReservationAllocated(Event, name="catalog.ReservationAllocated"):
    """It is paid for, and no longer lapses."""

    reservation_id: str


class ReservationReleased(Event, name="catalog.ReservationReleased"):
    """Nobody wants it any more."""

    reservation_id: str


class ReservationShipped(Event, name="catalog.ReservationShipped"):
    """The pieces have left the house."""

    reservation_id: str


class ReservationReturned(Event, name="catalog.ReservationReturned"):
    """Pieces of it came back: some are on the shelf again, what was written off is not."""

    reservation_id: str
    return_id: str
    restock: tuple[Lot, ...]
    write_off: tuple[Lot, ...]


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

Items = Mapping[str, Item | None]
"""The items of a reservation, by SKU; `None` where nothing is sold under it."""


Pieces = Mapping[str, int]
"""How many pieces of each SKU."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is kept, how far it has come, and what of it came back by which returns."""

    status: Status
    pieces: Pieces = field(default_factory=dict)
    returned: Pieces = field(default_factory=dict)
    returns: tuple[str, ...] = ()


def evolve(reservation: Reservation | None, event: ReservationEvent) -> Reservation:
    """The reservation after an event."""
    now = reservation or Reservation("released")
    match event:
        case StockReserved(lines=lines):
            return Reservation("held", pieces_of(lines))
        case StockDenied():
            return Reservation("denied")
        case ReservationAllocated():
            return replace(now, status="allocated")
        case ReservationReleased():
            return replace(now, status="released")
        case ReservationLapsed():
            return replace(now, status="lapsed")
        case ReservationShipped():
            return replace(now, status="shipped")
        case ReservationReturned(return_id=return_id, restock=restock, write_off=write_off):
            back = sum_of(now.returned, pieces_of(restock), pieces_of(write_off))
            return replace(now, returned=back, returns=(*now.returns, return_id))
        case AllocationFailed():
            return replace(now, status="failed")
        case _:
            assert_never(event)


def reserve(reservation: Reservation | None, items: Items, wanted: ReserveStock) -> list[Event]:
    """Keep every line until `expires_at`, or deny all of it: `price_changed`, `out_of_stock`."""
    if reservation is not None:
        return []
    id = wanted.reservation_id
    repriced = dict.fromkeys(x.sku for x in wanted.lines if costs_otherwise(items[x.sku], x))
    if repriced:
        return [StockDenied(reservation_id=id, reason="price_changed", skus=tuple(repriced))]
    pieces = pieces_of(wanted.lines)
    short = short_of(items, pieces)
    if short:
        return [StockDenied(reservation_id=id, reason="out_of_stock", skus=short)]
    return [
        StockReserved(reservation_id=id, lines=wanted.lines, expires_at=wanted.expires_at),
        *each(ItemReserved, pieces),
    ]


def allocate(reservation: Reservation | None, items: Items, id: str) -> list[Event]:
    """It is paid for. What has lapsed meanwhile is taken again if it is still to be had."""
    kept = known(reservation, id)
    match kept.status:
        case "allocated" | "shipped" | "failed":
            return []
        case "held":
            return [ReservationAllocated(reservation_id=id), *each(ItemAllocated, kept.pieces)]
        case "lapsed":
            short = short_of(items, kept.pieces)
            if short:
                return [AllocationFailed(reservation_id=id, skus=short)]
            return [
                ReservationAllocated(reservation_id=id),
                *each(ItemReserved, kept.pieces),
                *each(ItemAllocated, kept.pieces),
            ]
        case "released" | "denied":
            skus = tuple(kept.pieces)
            return [AllocationFailed(reservation_id=id, skus=skus)]
        case _:
            assert_never(kept.status)


def release(reservation: Reservation | None, id: str) -> list[Event]:
    """Nobody wants it any more. Does nothing once it has left the house.

    An unknown reservation is released as well: should its request come after all, it came too late.
    """
    if reservation is None:
        return [ReservationReleased(reservation_id=id)]
    match reservation.status:
        case "held":
            freed = each(ItemReleased, reservation.pieces)
        case "allocated":
            freed = each(ItemDeallocated, reservation.pieces)
        case "lapsed":
            freed = []
        case "released" | "shipped" | "denied" | "failed":
            return []
        case _:
            assert_never(reservation.status)
    return [ReservationReleased(reservation_id=id), *freed]


def lapse(reservation: Reservation | None, id: str) -> list[Event]:
    """Time is up: whoever has not paid by now loses the pieces."""
    if reservation is None or reservation.status != "held":
        return []
    return [ReservationLapsed(reservation_id=id), *each(ItemReleased, reservation.pieces)]


def ship(reservation: Reservation | None, id: str) -> list[Event]:
    """The pieces have left the house; refused with `not_reserved` when none were kept any more."""
    kept = known(reservation, id)
    match kept.status:
        case "shipped":
            return []
        case "allocated":
            return [ReservationShipped(reservation_id=id), *each(ItemShipped, kept.pieces)]
        case "held":  # what is gone is gone, paid or not
            return [
                ReservationShipped(reservation_id=id),
                *each(ItemAllocated, kept.pieces),
                *each(ItemShipped, kept.pieces),
            ]
        case "released" | "lapsed" | "denied" | "failed":
            raise Refused(
                "not_reserved",
                f"reservation {id} has been {kept.status}, so nothing was kept that could be "
                "shipped: count the stock of its SKUs",
                reservation_id=id,
                status=kept.status,
            )
        case _:
            assert_never(kept.status)


def restock(reservation: Reservation | None, back: RestockStock) -> list[Event]:
    """Pieces came back, and those that are fit go on the shelf again; once for each return.

    Refused with `not_shipped`, and with `above_shipped` when that would be more than had left.
    """
    id = back.reservation_id
    kept = known(reservation, id)
    if back.return_id in kept.returns:
        return []
    if kept.status != "shipped":
        raise Refused(
            "not_shipped",
            f"return {back.return_id} brings back pieces of reservation {id}, which is "
            f"{kept.status}: bring it again in a moment, and if that does not help, count the "
            "stock of its SKUs",
            reservation_id=id,
            status=kept.status,
        )
    fit = pieces_of(back.restock)
    returned = sum_of(kept.returned, fit, pieces_of(back.write_off))
    above = tuple(sku for sku, pieces in returned.items() if pieces > kept.pieces.get(sku, 0))
    if above:
        raise Refused(
            "above_shipped",
            f"return {back.return_id} brings back more of {', '.join(above)} than had left with "
            f"reservation {id}: count the stock of these SKUs",
            reservation_id=id,
            skus=above,
        )
    came_back = ReservationReturned(
        reservation_id=id,
        return_id=back.return_id,
        restock=back.restock,
        write_off=back.write_off,
    )
    return [came_back, *each(ItemRestocked, fit)]


def known(reservation: Reservation | None, id: str) -> Reservation:
    """The reservation; refused with `unknown_reservation` when there never was one."""
    if reservation is None:
        raise NotFound("unknown_reservation", f"there is no reservation {id}: reserve stock first")
    return reservation


def pieces_of(lines: Iterable[Line | Lot]) -> Pieces:
    """The pieces of each SKU: two lines of one SKU are the sum."""
    return sum_of(*({line.sku: line.quantity} for line in lines))


def sum_of(*piles: Pieces) -> Pieces:
    """All these pieces together."""
    total: dict[str, int] = {}
    for pieces in piles:
        for sku, quantity in pieces.items():
            total[sku] = total.get(sku, 0) + quantity
    return total


def costs_otherwise(item: Item | None, line: Line) -> bool:
    """Whether the buyer was told another price than the one that holds."""
    return item is not None and item.price != line.unit_price


def short_of(items: Items, pieces: Pieces) -> tuple[str, ...]:
    """The SKUs of which there are not enough pieces."""
    return tuple(
        sku
        for sku, quantity in pieces.items()
        if (item := items[sku]) is None or item.available < quantity
    )


def each(event: Callable[..., Event], pieces: Pieces) -> list[Event]:
    """The same for every SKU."""
    return [event(sku=sku, quantity=quantity) for sku, quantity in pieces.items()]
