"""Sourcing: which warehouse serves, and what is taken from where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bus.messages import Event
from catalog import stock
from catalog.contract import ANYWHERE, Line, Lot, Taken
from catalog.item import Item

Items = Mapping[str, Item | None]
"""Items by SKU; `None` where nothing is sold under it."""

Pieces = Mapping[str, int]
"""How many pieces of each SKU."""


def server(items: Items, pieces: Pieces, warehouses: Sequence[str]) -> str | None:
    """The first warehouse, nearest first, that has everything; `None` when none has."""
    return next((id for id in places(warehouses) if not short_at(items, pieces, id)), None)


def lacking(items: Items, pieces: Pieces, warehouses: Sequence[str]) -> tuple[str, ...]:
    """The SKUs that are short where the fewest are."""
    return min((short_at(items, pieces, id) for id in places(warehouses)), key=len)


def stocked(items: Items, pieces: Pieces) -> tuple[str, ...] | None:
    """The warehouses that have everything; `None`: any may send it."""
    if not short_at(items, pieces, ANYWHERE):
        return None
    named = {id for item in items.values() if item is not None for id in item.levels}
    return tuple(sorted(id for id in named - {ANYWHERE} if not short_at(items, pieces, id)))


def short_at(items: Items, pieces: Pieces, warehouse_id: str) -> tuple[str, ...]:
    """The SKUs of which a warehouse has not enough. What may be sold before it is there is never
    short; what is not for sale always is."""
    return tuple(
        sku
        for sku, quantity in pieces.items()
        if (item := items[sku]) is None
        or not item.for_sale
        or (not item.backorder and free_at(item, warehouse_id) < quantity)
    )


def free_at(item: Item, warehouse_id: str) -> int:
    """The pieces that a warehouse can send: its own, and those that are kept anywhere."""
    here = max(item.at(warehouse_id).available, 0)
    if warehouse_id != ANYWHERE:
        here += max(item.at(ANYWHERE).available, 0)
    # What was sold elsewhere before it was there is promised too.
    return min(here, item.available)


def taken_from(items: Items, pieces: Pieces, warehouse_id: str) -> tuple[Taken, ...]:
    """Where the pieces come from: the warehouse's own first, then those that are kept anywhere."""
    taken: list[Taken] = []
    for sku, quantity in pieces.items():
        item = items.get(sku)
        own = 0
        if item is not None and warehouse_id in item.levels:
            rest = quantity - max(item.at(ANYWHERE).available, 0)
            own = min(quantity, max(item.at(warehouse_id).available, rest, 0))
        parts = ((warehouse_id, own), (ANYWHERE, quantity - own))
        taken += (
            Taken(sku=sku, quantity=part, warehouse_id=place) for place, part in parts if part
        )
    return tuple(taken)


def ran_low(items: Items, pieces: Pieces) -> list[Event]:
    """What is low once these pieces are gone, and was not before."""
    return [
        event
        for sku, quantity in pieces.items()
        if (item := items[sku]) is not None
        for event in stock.ran_low(item, sku, -quantity)
    ]


def places(warehouses: Sequence[str]) -> Sequence[str]:
    """Where to look: with no warehouse named, what is kept anywhere is all there is."""
    return warehouses or (ANYWHERE,)


def pieces_of(lines: Iterable[Line | Lot | Taken]) -> Pieces:
    """The pieces of each SKU: two lines of one SKU are the sum."""
    return sum_of(*({line.sku: line.quantity} for line in lines))


def sum_of(*piles: Pieces) -> Pieces:
    """All these pieces together."""
    total: dict[str, int] = {}
    for pieces in piles:
        for sku, quantity in pieces.items():
            total[sku] = total.get(sku, 0) + quantity
    return total
