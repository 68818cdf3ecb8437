"""The shop window: products as buyers see and find them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import Document, Invalid, Money, NotFound, now
from catalog import pictures
from catalog.gallery import Gallery, name_of
from catalog.item import Item
from catalog.prices import price_at
from catalog.product import Product
from catalog.queries import (
    Facets,
    FacetValue,
    FoundProducts,
    GetPicture,
    GetProduct,
    Image,
    ListProducts,
    PictureFile,
    PriceRange,
    ProductPage,
    SoldVariant,
)
from catalog.search import Search
from catalog.search_index import Asked, Counted
from catalog.shelves import products
from catalog.storeroom import items

PATIENCE = 2.0
"""Seconds for which a list waits to know the log as far as it is asked to."""


@dataclass(frozen=True, slots=True)
class Window:
    """Answers what is asked about products."""

    home: Context
    search: Search
    gallery: Gallery
    currency: str

    async def get(self, query: GetProduct, envelope: Envelope[GetProduct]) -> Document:
        """One product, as fresh as it can be."""
        product = await self._product(query.product_id)
        body = (await self._page(product, query.currency)).model_dump_json().encode()
        # Stock changes without the product's version: what is shown is its own version.
        shown = hashlib.blake2b(body, digest_size=6).digest()
        return Document(version=int.from_bytes(shown, "big"), body=body)

    async def list(self, query: ListProducts, envelope: Envelope[ListProducts]) -> FoundProducts:
        """A page of products."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.home.feed.reached(query.min_position)
        wanted = asked(query, now())
        ids = await self.search.find(wanted)
        if ids is None:
            raise NotFound(
                "unknown_product",
                f"there is no product {query.starting_after} to start after: take the "
                "product_id of the last one on the page before",
            )
        known = await self.home.streams.load_all([products(id) for id in ids[: query.limit]])
        # One may have been archived since it was found.
        shown = [product for product in known if product and product.status == "published"]
        pages = await asyncio.gather(*map(self._page, shown))
        counted = await self.search.count(wanted) if query.facets else None
        return FoundProducts(
            data=tuple(page.model_dump_json().encode() for page in pages),
            has_more=len(ids) > query.limit,
            facets=facets(counted, self.currency) if counted else None,
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


def asked(query: ListProducts, at: datetime) -> Asked:
    """What to look for in the index; refused with `invalid_range`."""
    low, high = query.min_price, query.max_price
    if low is not None and high is not None and low > high:
        raise Invalid("invalid_range", f"min_price {low} is more than max_price {high}: swap them")
    sort = query.sort or "relevance"
    return Asked(
        at=at,
        q=query.q,
        category=query.category,
        brand=query.brand,
        min_price=low,
        max_price=high,
        available=query.available,
        sort="newest" if sort == "relevance" and not query.q else sort,
        starting_after=query.starting_after,
        limit=query.limit,
    )


def facets(counted: Counted, currency: str) -> Facets:
    """What there is to choose from, as it is told."""
    low, high = counted.price or (None, None)
    return Facets(
        category=tuple(FacetValue(value=value, count=n) for value, n in counted.category),
        brand=tuple(FacetValue(value=value, count=n) for value, n in counted.brand),
        price=None
        if low is None or high is None
        else PriceRange(
            min=Money(amount=low, currency=currency), max=Money(amount=high, currency=currency)
        ),
    )


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
