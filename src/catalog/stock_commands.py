"""What the shop's own people say of stock: received, counted, adjusted, promised, low."""

from __future__ import annotations

from pydantic import Field

from bus.messages import Command, Id, Model, Money, Query, Text
from catalog.commands import MAX_ON_HAND, Place, Why
from catalog.contract import ANYWHERE


class ReceiveStock(Command[None], name="catalog.ReceiveStock"):
    """So many pieces came from a supplier. Refused with `unknown_sku` and `too_many_pieces`."""

    sku: Id
    warehouse_id: Place = ANYWHERE
    quantity: int = Field(ge=1, le=MAX_ON_HAND)
    reason: Text = "received"


class AdjustStock(Command[None], name="catalog.AdjustStock"):
    """There are so many pieces more, or fewer (below zero), than we thought.

    Refused with `unknown_sku`, `stock_promised` and `too_many_pieces`.
    """

    sku: Id
    warehouse_id: Place = ANYWHERE
    change: int = Field(ge=-MAX_ON_HAND, le=MAX_ON_HAND)
    reason: Text


class CountStock(Command[None], name="catalog.CountStock"):
    """There are so many pieces of a SKU at a warehouse.

    Refused with `unknown_sku` and `stock_promised`.
    """

    sku: Id
    warehouse_id: Place = ANYWHERE
    on_hand: int = Field(ge=0, le=MAX_ON_HAND)
    reason: Text = "counted"


class AllowBackorder(Command[None], name="catalog.AllowBackorder"):
    """Sell a SKU before it is there, or no longer. Refused with `unknown_sku`."""

    sku: Id
    allowed: bool
    reason: Why = ""


class SetLowStock(Command[None], name="catalog.SetLowStock"):
    """Say so (`StockRanLow`) when no more than so many pieces are available; 0: do not.

    Refused with `unknown_sku`.
    """

    sku: Id
    threshold: int = Field(ge=0, le=MAX_ON_HAND)
    reason: Why = ""


class LapseReservation(Command[None], name="catalog.LapseReservation"):
    """Time is up for whoever has not paid."""

    reservation_id: Id


class PlaceLevel(Model):
    """How many pieces there are at one warehouse (`*`: at none in particular), and to whom they are
    promised."""

    warehouse_id: str
    on_hand: int
    reserved: int
    allocated: int
    available: int


class StockLevel(Model):
    """How many pieces of a SKU there are in all places, and to whom they are promised."""

    sku: str
    product_id: str
    name: str
    price: Money | None
    on_hand: int
    reserved: int
    allocated: int
    available: int
    backorder: bool
    low_at: int
    places: tuple[PlaceLevel, ...]

    @property
    def low(self) -> bool:
        """Whether more is to be ordered: it is low, or sold before it is there."""
        return self.available < 0 or (self.low_at > 0 and self.available <= self.low_at)


class GetStock(Query[tuple[StockLevel, ...]], name="catalog.GetStock"):
    """How many pieces are there of these SKUs? Those not sold are missing in the answer."""

    skus: tuple[str, ...] = Field(min_length=1, max_length=1000)
