"""Sourcing: which warehouse serves, or which few do together, and what is taken from where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice

from bus.messages import Event
from catalog import stock
from catalog.contract import ANYWHERE, Line, Lot, Taken
from catalog.item import Item

Items = Mapping[str, Item | None]
"""Items by SKU; `None` where nothing is sold under it."""

Pieces = Mapping[str, int]
"""How many pieces of each SKU."""

MOST_SHIPMENTS = 2
"""Warehouses that may each send a part of what was ordered, unless the shop says otherwise."""

CONSIDERED = 10
"""Warehouses among which those that share are looked for: the nearest that have any of it."""


def servers(
    items: Items,
    pieces: Pieces,
    warehouses: Sequence[str],
    most: int = MOST_SHIPMENTS,
    *,
    first_sends: bool = False,
) -> tuple[str, ...]:
    """The warehouses that serve, nearest first; none when no `most` of them have everything.

    One that has everything, the nearest; else the fewest that together do, of which the first is
    the nearest possible, then the second, and so on. With `first_sends`, the first of all does it
    alone, or is one of several that are all needed.
    """
    for id in places(warehouses)[: 1 if first_sends else None]:
        if not short_at(items, pieces, id):
            return (id,)
    near = nearest_with_any(items, pieces, warehouses) if most > 1 else ()
    if len(near) < 2 or short_at(items, pieces, *near):
        return ()
    for number in range(2, most + 1):
        for few in combinations(near, number):
            if first_sends and not (few[0] == warehouses[0] and short_at(items, pieces, *few[1:])):
                continue
            if not short_at(items, pieces, *few):
                return few
    return ()


def nearest_with_any(items: Items, pieces: Pieces, warehouses: Sequence[str]) -> Sequence[str]:
    """The nearest warehouses that have any of it: whoever has none is of no help to others."""
    wanted = [item for sku in pieces if (item := items[sku]) is not None]
    having = (id for id in warehouses if any(item.at(id).available > 0 for item in wanted))
    return tuple(islice(having, CONSIDERED))


def lacking(
    items: Items, pieces: Pieces, warehouses: Sequence[str], *, first_sends: bool = False
) -> tuple[str, ...]:
    """The SKUs that are short wherever one looks; if none is, those where the fewest are. With
    `first_sends`, those that the first warehouse lacks."""
    everywhere = places(warehouses)[: 1 if first_sends else None]
    short = short_at(items, pieces, *everywhere)
    return short or min((short_at(items, pieces, id) for id in everywhere), key=len)


def stocked(items: Items, pieces: Pieces) -> tuple[str, ...] | None:
    """The warehouses that have everything; `None`: any may send it."""
    if not short_at(items, pieces, ANYWHERE):
        return None
    named = {id for item in items.values() if item is not None for id in item.levels}
    return tuple(sorted(id for id in named - {ANYWHERE} if not short_at(items, pieces, id)))


def short_at(items: Items, pieces: Pieces, *warehouses: str) -> tuple[str, ...]:
    """The SKUs of which these warehouses together have not enough. What may be sold before it is
    there is never short; what is not for sale always is."""
    return tuple(
        sku
        for sku, quantity in pieces.items()
        if (item := items[sku]) is None
        or not item.for_sale
        or (not item.backorder and free_at(item, *warehouses) < quantity)
    )


def free_at(item: Item, *warehouses: str) -> int:
    """The pieces that these warehouses can send: their own, and those that are kept anywhere."""
    here = max(item.at(ANYWHERE).available, 0)
    for id in warehouses:
        if id != ANYWHERE:
            here += max(item.at(id).available, 0)
    # What was sold elsewhere before it was there is promised too.
    return min(here, item.available)


def shared_out(items: Items, pieces: Pieces, few: Sequence[str]) -> tuple[Taken, ...]:
    """What each of several warehouses sends, part by part: all pieces of a SKU come from the first
    of them that has as many. Where none has, each gives what it has, the nearest first, and what is
    kept anywhere goes with the nearest."""
    shares: dict[str, dict[str, int]] = {id: {} for id in few}
    for sku, quantity in pieces.items():
        item = items[sku]
        if item is None:
            continue
        alone = next((id for id in few if free_at(item, id) >= quantity), None)
        if alone is not None or item.backorder:
            shares[alone or few[0]][sku] = quantity
            continue
        rest = quantity
        for id in few:
            shares[id][sku] = own = min(max(item.at(id).available, 0), rest)
            rest -= own
        shares[few[0]][sku] += rest
    parts = (sent_by(id, taken_from(items, share, id)) for id, share in shares.items())
    return tuple(taken for part in parts for taken in part)


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


def sent_by(warehouse_id: str | None, taken: Iterable[Taken]) -> tuple[Taken, ...]:
    """These pieces, in the part of that warehouse; `None`: it sends everything."""
    return tuple(part.model_copy(update={"sent_by": warehouse_id}) for part in taken)


def ran_low(items: Items, pieces: Pieces) -> list[Event]:
    """What is low once these pieces are gone, and was not before."""
    return [
        event
        for sku, quantity in pieces.items()
        if (item := items[sku]) is not None
        for event in stock.ran_low(item, sku, -quantity)
    ]


def first_of(taken: Iterable[Taken], pieces: Pieces) -> tuple[Taken, ...]:
    """The first so many pieces of each SKU."""
    wanted = dict(pieces)
    found: list[Taken] = []
    for part in taken:
        quantity = min(part.quantity, wanted.get(part.sku, 0))
        if quantity:
            wanted[part.sku] -= quantity
            found.append(part.model_copy(update={"quantity": quantity}))
    return tuple(found)


def less(taken: Iterable[Taken], gone: Iterable[Taken]) -> tuple[Taken, ...]:
    """What is left without those pieces."""
    fewer: Counter[tuple[str, str, str | None]] = Counter()
    for part in gone:
        fewer[part.sku, part.warehouse_id, part.sent_by] += part.quantity
    left = (
        part.model_copy(
            update={"quantity": part.quantity - fewer[part.sku, part.warehouse_id, part.sent_by]}
        )
        for part in taken
    )
    return tuple(part for part in left if part.quantity)


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
