"""What catalog says to others: what things cost, how many there are, and what is kept for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from bus.messages import Command, Event, Id, Model, Money, Query

MAX_QUANTITY = 10_000
"""Pieces of one SKU in an order, at most."""

ANYWHERE = "*"
"""The place of pieces that are kept at no warehouse in particular: any of them may send them."""


class Line(Model):
    """So many pieces of a SKU, at the price the buyer was told; if the shop has `agreed` to another
    one with the buyer, that one holds."""

    sku: Id
    quantity: int = Field(ge=1, le=MAX_QUANTITY)
    unit_price: Money
    agreed: bool = False


class Lot(Model):
    """So many pieces of a SKU that came back."""

    sku: Id
    quantity: int = Field(ge=1)


class Taken(Model):
    """So many pieces of a SKU, from where. Where several warehouses each send a part, `sent_by`
    says whose part they are in."""

    sku: str
    quantity: int
    warehouse_id: str
    sent_by: str | None = None


class Offer(Model):
    """What a SKU is sold for now, and how many pieces are free in all places together. With
    `backorder`, more may be ordered. A piece weighs `weight_g` grams, if known."""

    sku: Id
    product_id: Id
    product_name: str
    price: Money
    available: int
    backorder: bool = False
    weight_g: int | None = None


class Offers(Model):
    """What was asked for, as far as it is for sale, and the warehouses that have all of it; `None`:
    any may send it, none of it is kept at one in particular."""

    offers: tuple[Offer, ...]
    stocked: tuple[str, ...] | None = None


class GetCurrency(Query[str], name="catalog.GetCurrency"):
    """The currency (ISO 4217) in which this shop sells."""


class GetOffers(Query[Offers], name="catalog.GetOffers"):
    """What do these SKUs cost, in the shop's currency, and who has so many pieces of them? Those
    that are not for sale are missing in the answer."""

    pieces: tuple[Lot, ...] = Field(min_length=1, max_length=1000)


class FindShort(Query[tuple[str, ...]], name="catalog.FindShort"):
    """Which of these SKUs would be short, were so many pieces of them to be reserved at these
    warehouses? None: they can be, as things stand."""

    pieces: tuple[Lot, ...] = Field(min_length=1, max_length=1000)
    warehouses: tuple[Id, ...] = Field(default=(), max_length=1000)
    first_sends: bool = False


class ReserveStock(Command[None], name="catalog.ReserveStock"):
    """Keep all of these pieces for somebody, or none: `StockReserved` or `StockDenied`.

    The first of the `warehouses`, nearest first, that has everything serves; where none has, the
    fewest that together do. With `first_sends`, only the first may send everything, and it sends a
    part where several do. The prices must be those of the moment at which it was ordered.
    """

    reservation_id: Id
    lines: tuple[Line, ...] = Field(min_length=1, max_length=1000)
    expires_at: datetime
    warehouses: tuple[Id, ...] = Field(default=(), max_length=1000)
    first_sends: bool = False
    ordered_at: datetime | None = None


class AllocateStock(Command[None], name="catalog.AllocateStock"):
    """The reservation is paid for: it no longer lapses."""

    reservation_id: Id


class ReleaseStock(Command[None], name="catalog.ReleaseStock"):
    """Nobody wants it any more: the pieces are free again."""

    reservation_id: Id


class ShipStock(Command[None], name="catalog.ShipStock"):
    """The pieces have left the house: all, or those that one of several warehouses sends."""

    reservation_id: Id
    warehouse_id: Id | None = None


class RestockStock(Command[None], name="catalog.RestockStock"):
    """Pieces of a shipped reservation came back: `restock` are fit to be sold again, `write_off`
    are not. Once for each `return_id`. A `warehouse_id` says that they are what this one had sent.

    Refused with `unknown_reservation`, `not_shipped`, and with `above_shipped` when more would have
    come back than had left.
    """

    reservation_id: Id
    return_id: Id
    warehouse_id: Id | None = None
    restock: tuple[Lot, ...] = Field(default=(), max_length=1000)
    write_off: tuple[Lot, ...] = Field(default=(), max_length=1000)


class StockReserved(Event, name="catalog.StockReserved"):
    """All lines are kept until `expires_at`, to be sent from a warehouse (`*`: whichever). They are
    `taken` from there, or all from the pieces that are kept anywhere if nothing is said.

    Where several warehouses send them, every piece `taken` says by whom it is sent, part by part;
    `warehouse_id` is the first of them.
    """

    reservation_id: str
    lines: tuple[Line, ...]
    expires_at: datetime
    warehouse_id: str = ANYWHERE
    taken: tuple[Taken, ...] = ()


class StockDenied(Event, name="catalog.StockDenied"):
    """Nothing is kept: no few warehouses together have enough of these SKUs, or they no longer cost
    what the buyer was told."""

    reservation_id: str
    reason: Literal["out_of_stock", "price_changed"]
    skus: tuple[str, ...]


class ReservationLapsed(Event, name="catalog.ReservationLapsed"):
    """Nobody paid in time: the pieces are free again."""

    reservation_id: str


class AllocationFailed(Event, name="catalog.AllocationFailed"):
    """It was paid for, but nothing was kept any more and these SKUs could not be had again."""

    reservation_id: str
    skus: tuple[str, ...]


class StockRanLow(Event, name="catalog.StockRanLow"):
    """No more than `threshold` pieces are available now; a moment ago there were more."""

    sku: str
    available: int
    threshold: int
