"""Everything sold under one SKU: its name, its price, and how many pieces there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from bus.messages import Event, Money, Refused


class ItemListed(Event, name="catalog.ItemListed"):
    """This is for sale from now on, as a variant of that product."""

    sku: str
    product_id: str
    name: str
    price: Money


class ItemRenamed(Event, name="catalog.ItemRenamed"):
    """It is called something else."""

    sku: str
    name: str


class PriceChanged(Event, name="catalog.PriceChanged"):
    """It costs something else; the price before stands in the event before."""

    sku: str
    price: Money


class StockAdjusted(Event, name="catalog.StockAdjusted"):
    """There are so many pieces more (or fewer, below zero) in the house than we thought."""

    sku: str
    change: int
    reason: str


class ItemReserved(Event, name="catalog.ItemReserved"):
    """So many pieces are kept for somebody who is to pay."""

    sku: str
    quantity: int


class ItemReleased(Event, name="catalog.ItemReleased"):
    """So many reserved pieces are free again."""

    sku: str
    quantity: int


class ItemAllocated(Event, name="catalog.ItemAllocated"):
    """So many reserved pieces are paid for."""

    sku: str
    quantity: int


class ItemDeallocated(Event, name="catalog.ItemDeallocated"):
    """So many allocated pieces are free again."""

    sku: str
    quantity: int


class ItemShipped(Event, name="catalog.ItemShipped"):
    """So many allocated pieces have left the house."""

    sku: str
    quantity: int


class ItemRestocked(Event, name="catalog.ItemRestocked"):
    """So many shipped pieces came back and are on the shelf again."""

    sku: str
    quantity: int


ItemEvent = (
    ItemListed
    | ItemRenamed
    | PriceChanged
    | StockAdjusted
    | ItemReserved
    | ItemReleased
    | ItemAllocated
    | ItemDeallocated
    | ItemShipped
    | ItemRestocked
)


@dataclass(frozen=True, slots=True)
class Item:
    """What is sold under a SKU; quantities in pieces."""

    product_id: str
    name: str
    price: Money
    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0

    @property
    def available(self) -> int:
        """The pieces that can still be promised to somebody."""
        return self.on_hand - self.reserved - self.allocated


# XXX is ISO's code for no currency, which nothing real can be priced in.
_NOTHING = Item("", "", Money.model_construct(amount=0, currency="XXX"))


def evolve(item: Item | None, event: ItemEvent) -> Item:
    """The item after an event; the first one lists it."""
    now = item or _NOTHING
    match event:
        case ItemListed():
            return Item(event.product_id, event.name, event.price)
        case ItemRenamed(name=name):
            return replace(now, name=name)
        case PriceChanged(price=price):
            return replace(now, price=price)
        case StockAdjusted(change=change):
            return replace(now, on_hand=now.on_hand + change)
        case ItemReserved(quantity=pieces):
            return replace(now, reserved=now.reserved + pieces)
        case ItemReleased(quantity=pieces):
            return replace(now, reserved=now.reserved - pieces)
        case ItemAllocated(quantity=pieces):
            return replace(now, reserved=now.reserved - pieces, allocated=now.allocated + pieces)
        case ItemDeallocated(quantity=pieces):
            return replace(now, allocated=now.allocated - pieces)
        case ItemShipped(quantity=pieces):
            return replace(now, on_hand=now.on_hand - pieces, allocated=now.allocated - pieces)
        case ItemRestocked(quantity=pieces):
            return replace(now, on_hand=now.on_hand + pieces)
        case _:
            assert_never(event)


def change_price(item: Item, sku: str, price: Money) -> list[Event]:
    """Sell it at another price from now on; what is ordered already keeps the price it had."""
    return [] if item.price == price else [PriceChanged(sku=sku, price=price)]


def count(item: Item, sku: str, on_hand: int, reason: str) -> list[Event]:
    """Set the pieces in the house to what was counted; refused with `stock_promised`."""
    if on_hand == item.on_hand:
        return []
    promised = item.reserved + item.allocated
    if on_hand < promised:
        raise Refused(
            "stock_promised",
            f"{sku} cannot have {on_hand} pieces: {promised} are promised to buyers "
            f"({item.reserved} reserved, {item.allocated} paid for); cancel orders first",
            sku=sku,
            reserved=item.reserved,
            allocated=item.allocated,
        )
    return [StockAdjusted(sku=sku, change=on_hand - item.on_hand, reason=reason)]
