"""Search: the index of this process, as fresh at each search as what the process knows of the
log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

from bus.commits import Commit
from bus.context import Context
from bus.tasks import in_thread
from bus.views import Documents
from catalog.item import ItemEvent
from catalog.product import Product, ProductEvent, ProductListed
from catalog.search_index import Asked, Counted, Index
from catalog.shelves import products
from catalog.storeroom import items

CHUNK = 200
"""Products that are loaded and indexed at once."""

OF_PRODUCTS, OF_ITEMS = frozenset(get_args(ProductEvent)), frozenset(get_args(ItemEvent))


class Search:
    """Finds products by their words, and counts them.

    It hears which products and SKUs change, and looks at them again before the next search. The
    first one has it look at all of them.
    """

    def __init__(self, home: Context, cards: Documents[Product], currency: str) -> None:
        self._home = home
        self._cards = cards
        self._index = Index(currency)
        self._first: dict[str, int] = {}  # the position at which each product began
        self._products: set[str] = set()  # of these, and of these SKUs, the index is out of date
        self._skus: set[str] = set()
        self._begun = False
        self._refreshing = asyncio.Lock()
        home.feed.listen(self._hear)

    async def find(self, asked: Asked) -> list[str] | None:
        """The ids of a page of products and of one more, if there is one; `None` when what it is
        to start after is not known to be among them."""
        await self._refresh()
        return await in_thread(partial(self._index.find, asked))

    async def count(self, asked: Asked) -> Counted:
        """What there is to choose from."""
        await self._refresh()
        return await in_thread(partial(self._index.count, asked))

    def _hear(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            for happened in commit.events:
                if happened.kind in OF_PRODUCTS:
                    id = happened.stream.removeprefix(f"{products.prefix}-")
                    self._products.add(id)
                    if happened.kind is ProductListed:
                        self._first.setdefault(id, commit.position)
                elif happened.kind in OF_ITEMS:
                    self._skus.add(happened.stream.removeprefix(f"{items.prefix}-"))

    async def _refresh(self) -> None:
        async with self._refreshing:
            if not self._begun:
                await self._begin()
                self._begun = True
            if not self._products and not self._skus:
                return
            ids, self._products = self._products, set()
            skus, self._skus = self._skus, set()
            try:
                sold = await self._loaded(items, sorted(skus))
                due = sorted(ids | {one.product_id for one in sold if one is not None})
                for at in range(0, len(due), CHUNK):
                    await self._look_at(due[at : at + CHUNK])
            except BaseException:  # nothing is forgotten: the next search looks again
                self._products |= ids
                self._skus |= skus
                raise

    async def _begin(self) -> None:
        """Look at all products there are: those that the card index shows, and those that the log
        has behind it."""
        position = await self._home.shown(self._cards)
        collection = self._cards.collection
        cards = await in_thread(lambda: list(collection.find({}, {"first": 1})))
        self._first |= {card["_id"]: card["first"] for card in cards}
        self._products |= {card["_id"] for card in cards}
        # What came since the process began to listen is heard twice, which does no harm.
        while commits := await self._home.log.read(position):
            self._hear(commits)
            position = commits[-1].position

    async def _look_at(self, ids: Sequence[str]) -> None:
        found = await self._loaded(products, ids)
        listed = [product for product in found if product is not None]
        skus = [variant.sku for product in listed for variant in product.variants]
        sold = dict(zip(skus, await self._loaded(items, skus), strict=True))
        entries = [
            (self._first[p.product_id], p, [sold[variant.sku] for variant in p.variants])
            for p in listed
        ]
        await in_thread(partial(self._index.put, entries))

    async def _loaded(self, kind: Any, ids: Sequence[str]) -> list[Any]:
        """States as they are committed: what might be taken back would never be looked at again."""
        loads = (self._home.streams.load(kind(id)) for id in ids)
        return [loaded.state for loaded in await asyncio.gather(*loads)]
