"""Everything sold under one SKU: its name, its prices, its weight, and how many pieces there are
where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from bus.messages import Event, Money
from catalog.contract import ANYWHERE, StockRanLow
from catalog.prices import Timeline, with_price, without_price


class ItemListed(Event, name="catalog.ItemListed"):
    """This is for sale from now on, as a variant of that product; `weight_g` in grams, if known."""

    sku: str
    product_id: str
    name: str
    price: Money
    weight_g: int | None = None
    reason: str = ""


class ItemRenamed(Event, name="catalog.ItemRenamed"):
    """It is called something else."""

    sku: str
    name: str
    reason: str = ""


class ItemWeighed(Event, name="catalog.ItemWeighed"):
    """A piece weighs so many grams."""

    sku: str
    weight_g: int
    reason: str = ""


class ItemWithdrawn(Event, name="catalog.ItemWithdrawn"):
    """It is not for sale: its product is a draft, or archived."""

    sku: str
    reason: str = ""


class ItemOffered(Event, name="catalog.ItemOffered"):
    """It is for sale again."""

    sku: str
    reason: str = ""


class PriceChanged(Event, name="catalog.PriceChanged"):
    """From `starts` on it costs that in that currency; `None`: from this event on, whatever was
    said before."""

    sku: str
    price: Money
    starts: datetime | None = None
    reason: str = ""


class PriceCalledOff(Event, name="catalog.PriceCalledOff"):
    """A price that was to start then does not."""

    sku: str
    currency: str
    starts: datetime
    reason: str = ""


class StockReceived(Event, name="catalog.StockReceived"):
    """So many pieces came from a supplier."""

    sku: str
    quantity: int
    reason: str
    warehouse_id: str = ANYWHERE


class StockAdjusted(Event, name="catalog.StockAdjusted"):
    """There are so many pieces more (or fewer, below zero) in the house than we thought."""

    sku: str
    change: int
    reason: str
    warehouse_id: str = ANYWHERE


class BackorderChanged(Event, name="catalog.BackorderChanged"):
    """Whether it may be sold before it is there."""

    sku: str
    allowed: bool
    reason: str = ""


class LowStockSet(Event, name="catalog.LowStockSet"):
    """Somebody wants to hear when no more than so many pieces are available; 0: nobody does."""

    sku: str
    threshold: int
    reason: str = ""


class ItemReserved(Event, name="catalog.ItemReserved"):
    """So many pieces are kept for somebody who is to pay."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


class ItemReleased(Event, name="catalog.ItemReleased"):
    """So many reserved pieces are free again."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


class ItemAllocated(Event, name="catalog.ItemAllocated"):
    """So many reserved pieces are paid for."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


class ItemDeallocated(Event, name="catalog.ItemDeallocated"):
    """So many allocated pieces are free again."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


class ItemShipped(Event, name="catalog.ItemShipped"):
    """So many allocated pieces have left the house."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


class ItemRestocked(Event, name="catalog.ItemRestocked"):
    """So many shipped pieces came back and are on the shelf again."""

    sku: str
    quantity: int
    warehouse_id: str = ANYWHERE


ItemEvent = (
    ItemListed
    | ItemRenamed
    | ItemWeighed
    | ItemWithdrawn
    | ItemOffered
    | PriceChanged
    | PriceCalledOff
    | StockReceived
    | StockAdjusted
    | BackorderChanged
    | LowStockSet
    | StockRanLow
    | ItemReserved
    | ItemReleased
    | ItemAllocated
    | ItemDeallocated
    | ItemShipped
    | ItemRestocked
)


@dataclass(frozen=True, slots=True)
class Level:
    """How many pieces of a SKU there are in one place, and to whom they are promised."""

    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0

    @property
    def available(self) -> int:
        """The pieces that can still be promised to somebody; below zero where too many were."""
        return self.on_hand - self.reserved - self.allocated


EMPTY = Level()


@dataclass(frozen=True, slots=True)
class Item:
    """What is sold under a SKU: its prices by currency, its pieces by warehouse."""

    product_id: str
    name: str
    prices: Mapping[str, Timeline] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    weight_g: int | None = None
    for_sale: bool = True
    backorder: bool = False
    low_at: int = 0

    @property
    def total(self) -> Level:
        """The pieces in all places together."""
        if len(self.levels) == 1:
            (level,) = self.levels.values()
            return level
        every = self.levels.values()
        return Level(
            sum(level.on_hand for level in every),
            sum(level.reserved for level in every),
            sum(level.allocated for level in every),
        )

    @property
    def available(self) -> int:
        """The pieces that can still be promised to somebody, wherever they are."""
        return self.total.available

    def at(self, warehouse_id: str) -> Level:
        """The pieces in one place."""
        return self.levels.get(warehouse_id, EMPTY)


_NOTHING = Item("", "")


def evolve(item: Item | None, event: ItemEvent) -> Item:
    """The item after an event; the first one lists it."""
    now = item or _NOTHING
    match event:
        case ItemListed(price=price):
            return Item(
                event.product_id, event.name, with_price({}, price, None), weight_g=event.weight_g
            )
        case ItemRenamed(name=name):
            return replace(now, name=name)
        case ItemWeighed(weight_g=grams):
            return replace(now, weight_g=grams)
        case ItemWithdrawn():
            return replace(now, for_sale=False)
        case ItemOffered():
            return replace(now, for_sale=True)
        case PriceChanged(price=price, starts=starts):
            return replace(now, prices=with_price(now.prices, price, starts))
        case PriceCalledOff(currency=currency, starts=starts):
            return replace(now, prices=without_price(now.prices, currency, starts))
        case BackorderChanged(allowed=allowed):
            return replace(now, backorder=allowed)
        case LowStockSet(threshold=threshold):
            return replace(now, low_at=threshold)
        case StockRanLow():
            return now
        case _:
            level = moved(now.at(event.warehouse_id), event)
            return replace(now, levels={**now.levels, event.warehouse_id: level})


Movement = (
    StockReceived
    | StockAdjusted
    | ItemReserved
    | ItemReleased
    | ItemAllocated
    | ItemDeallocated
    | ItemShipped
    | ItemRestocked
)
"""What changes how many pieces there are in a place, or whose they are."""


def moved(level: Level, event: Movement) -> Level:
    """The pieces in a place after a movement there."""
    on_hand, reserved, allocated = level.on_hand, level.reserved, level.allocated
    match event:
        case StockAdjusted(change=change):
            return Level(on_hand + change, reserved, allocated)
        case StockReceived(quantity=pieces) | ItemRestocked(quantity=pieces):
            return Level(on_hand + pieces, reserved, allocated)
        case ItemReserved(quantity=pieces):
            return Level(on_hand, reserved + pieces, allocated)
        case ItemReleased(quantity=pieces):
            return Level(on_hand, reserved - pieces, allocated)
        case ItemAllocated(quantity=pieces):
            return Level(on_hand, reserved - pieces, allocated + pieces)
        case ItemDeallocated(quantity=pieces):
            return Level(on_hand, reserved, allocated - pieces)
        case ItemShipped(quantity=pieces):
            return Level(on_hand - pieces, reserved, allocated - pieces)
        case _:
            assert_never(event)
