"""The shop window: products as buyers see and find them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import Document, Invalid, NotFound, Page, now
from bus.views import Documents
from catalog import pictures
from catalog.gallery import Gallery, name_of
from catalog.item import Item
from catalog.prices import price_at
from catalog.product import Product
from catalog.queries import (
    GetPicture,
    GetProduct,
    Image,
    ListProducts,
    PictureFile,
    ProductPage,
    SoldVariant,
)
from catalog.shelves import products
from catalog.storeroom import items
from catalog.views import NEWEST_FIRST, Card, folded, words_of


@dataclass(frozen=True, slots=True)
class Window:
    """Answers what is asked about products."""

    home: Context
    cards: Documents[Card]
    gallery: Gallery
    currency: str

    async def get(self, query: GetProduct, envelope: Envelope[GetProduct]) -> Document:
        """One product, as fresh as it can be."""
        product = await self._product(query.product_id)
        body = (await self._page(product, query.currency)).model_dump_json().encode()
        # Stock changes without the product's version: what is shown is its own version.
        shown = hashlib.blake2b(body, digest_size=6).digest()
        return Document(version=int.from_bytes(shown, "big"), body=body)

    async def list(self, query: ListProducts, envelope: Envelope[ListProducts]) -> Page:
        """A page of products."""
        if query.min_position:
            await self.home.seen(self.cards, query.min_position)
        found = await self.cards.find(
            await self._filter(query), limit=query.limit + 1, sort=[("first", NEWEST_FIRST)]
        )
        cards = [stored.doc for stored in found[: query.limit]]
        pages = [await self._page(card.product) for card in cards]
        return Page(
            data=tuple(page.model_dump_json().encode() for page in pages),
            has_more=len(found) > query.limit,
        )

    async def picture(self, query: GetPicture, envelope: Envelope[GetPicture]) -> PictureFile:
        """A picture in the width that fits best."""
        product = await self._product(query.product_id)
        shown = next((s.picture for s in product.pictures if s.number == query.n), None)
        if shown is not None:
            width = pictures.fitting(query.width, shown.width)
            kept = await self.gallery.fetch(shown.digest, width)
            if kept is not None:
                tag = name_of(shown.digest, width)
                return PictureFile(tag=tag, media_type=kept.media_type, content=kept.content)
        raise NotFound("unknown_picture", f"{query.product_id} has no picture number {query.n}")

    async def _product(self, id: str) -> Product:
        product = (await self.home.streams.load(products(id))).state
        if product is None or product.status != "published":
            raise NotFound("unknown_product", f"there is no product {id}")
        return product

    async def _page(self, product: Product, currency: str | None = None) -> ProductPage:
        sold = await self.home.streams.load_all(
            [items(variant.sku) for variant in product.variants]
        )
        return page(product, sold, currency or self.currency, now())

    async def _filter(self, query: ListProducts) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        words = [{"doc.words": {"$regex": f"^{re.escape(w)}"}} for w in words_of((query.q,))]
        if words:
            wanted["$and"] = words
        elif query.q:  # nothing but punctuation: no word begins with that
            wanted["doc.words"] = {"$in": []}
        if query.category:
            wanted["doc.category"] = folded(query.category)
        if query.starting_after is not None:
            last = await self.cards.get(query.starting_after)
            if last is None:
                raise Invalid(
                    "unknown_product",
                    f"there is no product {query.starting_after} to start after: take the "
                    "product_id of the last one on the page before",
                )
            wanted["first"] = {"$lt": last.first}
        return wanted


def page(product: Product, sold: Sequence[Item | None], currency: str, at: datetime) -> ProductPage:
    """A product as the buyer sees it, with what its variants cost and how many there are."""
    return ProductPage(
        product_id=product.product_id,
        name=product.about.name,
        description=product.about.description,
        brand=product.about.brand,
        category=product.about.category,
        categories=product.about.categories,
        attributes=product.about.attributes,
        variants=tuple(
            SoldVariant(
                sku=variant.sku,
                name=one.name,
                price=price,
                available=max(one.available, 0),
                backorder=one.backorder,
                weight_g=one.weight_g,
                attributes=variant.attributes,
            )
            for variant, one in zip(product.variants, sold, strict=True)
            if one is not None and (price := price_at(one.prices, currency, at)) is not None
        ),
        images=tuple(
            Image(
                url=f"/v1/products/{product.product_id}/images/{shown.number}",
                width=shown.picture.width,
                height=shown.picture.height,
            )
            for shown in product.pictures
        ),
    )
