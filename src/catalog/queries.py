"""What can be asked of the catalog: a product, a picture, what is found by words."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from bus.messages import Currency, Document, Id, Model, Money, Page, Query
from catalog.commands import Label, Listing, ListProduct
from catalog.prices import MAX_PRICE
from catalog.product import Shown, Status


class PictureFile(Model):
    """A picture ready to send. `tag` changes whenever the bytes do."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    tag: str
    media_type: str
    content: bytes


class GetPicture(Query[PictureFile], name="catalog.GetPicture"):
    """A product's picture number `n`, no narrower than `width` if it can be helped.

    Refused with `unknown_picture`.
    """

    product_id: Id
    n: int = Field(ge=1)
    width: int | None = Field(default=None, ge=1, le=10_000)


class SoldVariant(Model):
    """A variant as the buyer sees it; `available` are the pieces that can be had now. With
    `backorder`, more may be ordered. A piece weighs `weight_g` grams, if known."""

    sku: str
    name: str
    price: Money
    available: int
    backorder: bool
    weight_g: int | None
    attributes: dict[str, str]


class Image(Model):
    """Where a picture is, and its size in pixels."""

    url: str
    width: int
    height: int


class ProductPage(Model):
    """A product as the buyer sees it. The description is HTML that can do no harm; `categories`
    are those in which it stands beside its main one."""

    product_id: str
    name: str
    description: str
    brand: str
    category: str
    categories: tuple[str, ...]
    attributes: dict[str, str]
    variants: tuple[SoldVariant, ...]
    images: tuple[Image, ...]


class GetProduct(Query[Document], name="catalog.GetProduct"):
    """A `ProductPage` as it is now, with prices in a currency (ISO 4217), or else in the shop's;
    variants that have no price in it are left out. Refused with `unknown_product`, as is what is a
    draft or archived."""

    product_id: Id
    currency: Currency | None = None


class StandingPrice(Model):
    """What a SKU costs from a moment on; `None`: since ever."""

    price: Money
    starts: datetime | None


class SheetVariant(Model):
    """A variant as the shop's own people see it: what it `costs` now in the shop's currency, and in
    all of them the prices that hold now and those to come."""

    sku: str
    name: str
    weight_g: int | None
    attributes: dict[str, str]
    for_sale: bool
    available: int
    costs: Money | None
    prices: tuple[StandingPrice, ...]


class ProductSheet(Model):
    """A product as the shop's own people see it, whatever its status."""

    product_id: str
    status: Status
    name: str
    description: str
    brand: str
    category: str
    categories: tuple[str, ...]
    attributes: dict[str, str]
    variants: tuple[SheetVariant, ...]
    pictures: tuple[Shown, ...]


class GetSheet(Query[ProductSheet], name="catalog.GetSheet"):
    """A product by its id or by one of its SKUs. Refused with `unknown_product`."""

    id: str = Field(max_length=200)


class Sheets(Model):
    """Some products, newest first, and the `last` one looked at; `None`: there are no more."""

    data: tuple[ProductSheet, ...]
    last: str | None


class ListSheets(Query[Sheets], name="catalog.ListSheets"):
    """Products of any status, newest first, in which every word of `q` begins a word; once the list
    knows the log up to `min_position`. So many are looked at as are asked for."""

    q: Label = ""
    category: Label = ""
    status: Status | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    starting_after: Id | None = None
    min_position: int = Field(default=0, ge=0)


class Change(Model):
    """Something that somebody changed of a product or a SKU (`id`): what, and why."""

    position: int
    at: datetime
    id: str
    who: str
    what: str
    why: str
    type: str
    data: dict[str, object]


class GetChanges(Query[tuple[Change, ...]], name="catalog.GetChanges"):
    """All that was ever changed of a product and its SKUs, or of one SKU, oldest first; what was
    sold of it is not told. Refused with `unknown_product`."""

    id: str = Field(max_length=200)


PriceState = Literal["waiting", "holds", "over", "replaced", "called_off"]
"""Whether a price is to come, holds now, did once, or never did: another took its place before it
started, or it was called off."""


class PriceEntry(Model):
    """A line of a SKU's price history: the price, from when on, and who said so, when and why."""

    price: Money
    starts: datetime
    state: PriceState
    position: int
    at: datetime
    who: str
    why: str


class GetPrices(Query[tuple[PriceEntry, ...]], name="catalog.GetPrices"):
    """What a SKU has cost, costs and is to cost, in one currency (ISO 4217) or in all, newest
    first. Refused with `unknown_sku`."""

    sku: str = Field(max_length=200)
    currency: Currency | None = None


class FacetValue(Model):
    """So many of the products found have this value."""

    value: str
    count: int


class PriceRange(Model):
    """The lowest and the highest price."""

    min: Money
    max: Money


class Facets(Model):
    """What there is to choose from: the most frequent values, and the prices. Each is counted as if
    nothing had been asked for of it, so that it shows what else there is."""

    category: tuple[FacetValue, ...]
    brand: tuple[FacetValue, ...]
    price: PriceRange | None


class FoundProducts(Page):
    """A page of products, and the facets if they were asked for."""

    facets: Facets | None = None


class ProductPageList(Model):
    """A page of products as the buyer sees it."""

    data: tuple[ProductPage, ...]
    has_more: bool
    facets: Facets | None = None


class ListProducts(Query[FoundProducts], name="catalog.ListProducts"):
    """Products in which every word of `q` begins a word, or is one letter off if it begins none;
    once the list knows the log up to `min_position`.

    Those of a category and a brand, with a SKU that costs between `min_price` and `max_price` now,
    in minor units of the shop's currency; with `available`, one of which there are pieces. Sorted
    by `relevance` if there is a `q`, else `newest` first, or by what their cheapest SKU costs.
    Refused with `unknown_product` when there is none to start after, and with `invalid_range`.
    """

    q: Label = ""
    category: Label = ""
    brand: Label = ""
    min_price: int | None = Field(default=None, ge=0, le=MAX_PRICE)
    max_price: int | None = Field(default=None, ge=0, le=MAX_PRICE)
    available: bool = False
    sort: Literal["relevance", "newest", "price", "-price"] | None = None
    facets: bool = False
    limit: int = Field(default=20, ge=1, le=100)
    starting_after: Id | None = None
    min_position: int = Field(default=0, ge=0)


class HasProducts(Query[bool], name="catalog.HasProducts"):
    """Has anything ever been listed in this shop?"""


class PreviewProduct(Query[Listing], name="catalog.PreviewProduct"):
    """What would come of listing this product now? Refused as `ListProduct` is."""

    product: ListProduct
