"""What the shop's own people look up: products of any status, who changed what, and prices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import Event, NotFound, now
from bus.streams import Stream
from bus.views import Documents
from catalog import records
from catalog.product import Product, ProductEvent
from catalog.prose import plain
from catalog.queries import (
    Change,
    GetChanges,
    GetPrices,
    GetSheet,
    ListSheets,
    PriceEntry,
    ProductSheet,
    Sheets,
)
from catalog.records import Noted
from catalog.shelves import products
from catalog.storeroom import items
from catalog.words import folded, words_of


@dataclass(frozen=True, slots=True)
class Office:
    """Answers what the shop's own people ask."""

    home: Context
    cards: Documents[Product]
    currency: str

    async def sheet(self, query: GetSheet, envelope: Envelope[GetSheet]) -> ProductSheet:
        """All there is to say of a product, whatever its status."""
        return await self._sheet(await self._named(query.id))

    async def find(self, query: ListSheets, envelope: Envelope[ListSheets]) -> Sheets:
        """So many products behind the last one, as far as they match."""
        if query.min_position:
            await self.home.seen(self.cards, query.min_position)
        wanted = {}
        if query.starting_after is not None:
            last = await self.cards.get(query.starting_after)
            if last is None:
                raise unknown(query.starting_after)
            wanted["first"] = {"$lt": last.first}
        found = await self.cards.find(wanted, limit=query.limit)
        # The index says which there are; how they stand is asked of the log.
        known = await self.home.streams.load_all([products(one.id) for one in found])
        matching = [product for product in known if product is not None and matches(product, query)]
        return Sheets(
            data=tuple(await asyncio.gather(*map(self._sheet, matching))),
            last=found[-1].id if len(found) == query.limit else None,
        )

    async def changes(
        self, query: GetChanges, envelope: Envelope[GetChanges]
    ) -> tuple[Change, ...]:
        """Who changed what, and why, from the log."""
        product = (await self.home.streams.load(products(query.id))).state
        skus = [variant.sku for variant in product.variants] if product else [query.id]
        notes = await self._notes(products(query.id), get_args(ProductEvent))
        for sku in skus:
            notes += await self._notes(items(sku), records.CHANGES)
        if not notes:
            raise unknown(query.id)
        return records.changes(sorted(notes, key=lambda note: note.position))

    async def prices(
        self, query: GetPrices, envelope: Envelope[GetPrices]
    ) -> tuple[PriceEntry, ...]:
        """What a SKU cost when, from the log."""
        notes = await self._notes(items(query.sku), records.PRICES)
        if not notes:
            raise NotFound("unknown_sku", f"nothing is sold under SKU {query.sku}: list it first")
        entries = records.price_history(notes, now())
        return tuple(each for each in entries if query.currency in (None, each.price.currency))

    async def _sheet(self, product: Product) -> ProductSheet:
        skus = [variant.sku for variant in product.variants]
        loaded = await self.home.streams.load_all([items(sku) for sku in skus])
        found = dict(zip(skus, loaded, strict=True))
        return records.sheet(product, found, self.currency, now())

    async def _named(self, id: str) -> Product:
        """A product by its own id, or by that of a SKU of it."""
        found = (await self.home.streams.load(products(id))).state
        if found is None and (sold := (await self.home.streams.load(items(id))).state) is not None:
            found = (await self.home.streams.load(products(sold.product_id))).state
        if found is None:
            raise unknown(id)
        return found

    async def _notes(self, stream: Stream[Any], kinds: Sequence[type[Event]]) -> list[Noted]:
        """What happened of these kinds on a stream. Of a SKU that sells well that is little."""
        return [
            Noted(commit.position, commit.at, commit.meta.principal, each.event)
            for commit in await self.home.log.history(stream.name, kinds)
            for each in commit.events
            if each.stream == stream.name and each.kind in kinds
        ]


def unknown(id: str) -> NotFound:
    """What is neither a product nor a SKU."""
    return NotFound(
        "unknown_product", f"there is no product and no SKU {id}: see `shop catalog list`"
    )


def matches(product: Product, wanted: ListSheets) -> bool:
    """Whether a product is one of those that are looked for."""
    about = product.about
    if wanted.status not in (None, product.status):
        return False
    categories = [folded(each) for each in (about.category, *about.categories)]
    if wanted.category and folded(wanted.category) not in categories:
        return False
    names = (each for variant in product.variants for each in (variant.name, variant.sku))
    told = (product.product_id, about.name, about.brand, *categories, *names)
    words = words_of((*told, plain(about.description)))
    asked = words_of((wanted.q,))
    if wanted.q and not asked:  # nothing but punctuation: no word begins with that
        return False
    return all(any(word.startswith(q) for word in words) for q in asked)
