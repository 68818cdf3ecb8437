"""A reservation: pieces of several SKUs kept for one purpose, all of them or none.

Each decision writes the reservation and every item it touches in one commit, so what a reservation
says and what the items count can never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never

from bus.messages import Event, NotFound, Refused
from catalog.contract import (
    ANYWHERE,
    AllocationFailed,
    Line,
    Lot,
    ReservationLapsed,
    ReserveStock,
    RestockStock,
    StockDenied,
    StockReserved,
    Taken,
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
from catalog.prices import price_at
from catalog.sourcing import (
    Items,
    Pieces,
    lacking,
    pieces_of,
    ran_low,
    server,
    short_at,
    sum_of,
    taken_from,
)


class ReservationAllocated(Event, name="catalog.ReservationAllocated"):
    """It is paid for, and no longer lapses. What had lapsed is `taken` anew."""

    reservation_id: str
    taken: tuple[Taken, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is kept and where, how far it has come, and what of it came back by which returns."""

    status: Status
    pieces: Pieces = field(default_factory=dict)
    warehouse_id: str = ANYWHERE
    taken: tuple[Taken, ...] = ()
    returned: Pieces = field(default_factory=dict)
    returns: tuple[str, ...] = ()


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
        case ReservationAllocated(taken=taken):
            return replace(now, status="allocated", taken=taken or now.taken)
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


def reserve(
    reservation: Reservation | None, items: Items, wanted: ReserveStock, now: datetime
) -> list[Event]:
    """Keep every line until `expires_at`, or deny all of it: `price_changed`, `out_of_stock`."""
    if reservation is not None:
        return []
    id, at = wanted.reservation_id, wanted.ordered_at or now
    repriced = dict.fromkeys(x.sku for x in wanted.lines if costs_otherwise(items[x.sku], x, at))
    if repriced:
        return [StockDenied(reservation_id=id, reason="price_changed", skus=tuple(repriced))]
    pieces = pieces_of(wanted.lines)
    warehouse = server(items, pieces, wanted.warehouses)
    if warehouse is None:
        short = lacking(items, pieces, wanted.warehouses)
        return [StockDenied(reservation_id=id, reason="out_of_stock", skus=short)]
    taken = taken_from(items, pieces, warehouse)
    kept = StockReserved(
        reservation_id=id,
        lines=wanted.lines,
        expires_at=wanted.expires_at,
        warehouse_id=warehouse,
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
            return [ReservationAllocated(reservation_id=id), *each(ItemAllocated, kept.taken)]
        case "lapsed":
            short = short_at(items, kept.pieces, kept.warehouse_id)
            if short:
                return [AllocationFailed(reservation_id=id, skus=short)]
            taken = taken_from(items, kept.pieces, kept.warehouse_id)
            return [
                ReservationAllocated(reservation_id=id, taken=taken),
                *each(ItemReserved, taken),
                *each(ItemAllocated, taken),
                *ran_low(items, kept.pieces),
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
            freed = each(ItemReleased, reservation.taken)
        case "allocated":
            freed = each(ItemDeallocated, reservation.taken)
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
    return [ReservationLapsed(reservation_id=id), *each(ItemReleased, reservation.taken)]


def ship(reservation: Reservation | None, id: str) -> list[Event]:
    """The pieces have left the house; refused with `not_reserved` when none were kept any more."""
    kept = known(reservation, id)
    match kept.status:
        case "shipped":
            return []
        case "allocated":
            return [ReservationShipped(reservation_id=id), *each(ItemShipped, kept.taken)]
        case "held":  # what is gone is gone, paid or not
            return [
                ReservationShipped(reservation_id=id),
                *each(ItemAllocated, kept.taken),
                *each(ItemShipped, kept.taken),
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
    return [came_back, *each(ItemRestocked, shelved(kept, fit))]


def shelved(kept: Reservation, fit: Pieces) -> tuple[Taken, ...]:
    """Where what came back goes: where its like was taken from."""
    place = {part.sku: part.warehouse_id for part in reversed(kept.taken)}
    return tuple(
        Taken(sku=sku, quantity=quantity, warehouse_id=place[sku]) for sku, quantity in fit.items()
    )


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


def each(event: Callable[..., Event], taken: Iterable[Taken]) -> list[Event]:
    """The same for every part of what is kept."""
    return [
        event(sku=part.sku, quantity=part.quantity, warehouse_id=part.warehouse_id)
        for part in taken
    ]
