"""What the shop's own people say to the catalog: list, price, count, look."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from bus.messages import Command, Document, Id, Model, Money, Page, Query, Text
from catalog.contract import MAX_QUANTITY

MAX_ON_HAND = MAX_QUANTITY * 1000
"""Pieces of one SKU in the house, at most."""

MAX_VARIANTS = 50
"""Variants of one product, at most; so many still fit into one event."""

MAX_PICTURES = 50
"""Pictures of one product, at most."""

Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
"""Text of any number of lines, or none."""

Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
"""A short line of text, or none."""


class Picture(Model):
    """A picture that is kept: the hash of its content, and its size in pixels."""

    digest: str
    width: int
    height: int


class Offered(Model):
    """A variant as it is to be sold; `on_hand` are the pieces there are if the SKU is new."""

    sku: Id
    name: Text
    price: Money
    on_hand: int = Field(default=0, ge=0, le=MAX_ON_HAND)


class Listing(Model):
    """What came of listing a product: whether it is new, and how much there was to write down."""

    new: bool
    changes: int


class ListProduct(Command[Listing], name="catalog.ListProduct"):
    """Put a product and these variants up for sale, or bring them up to date.

    `None` and variants that are not named stay as they are. Refused with `sku_taken`,
    `too_many_variants` and `wrong_currency`.
    """

    product_id: Id
    name: Text
    description: Prose | None = None
    brand: Label | None = None
    category: Label | None = None
    variants: tuple[Offered, ...] = Field(min_length=1, max_length=MAX_VARIANTS)
    pictures: tuple[Picture, ...] | None = Field(default=None, max_length=MAX_PICTURES)


class ChangePrice(Command[None], name="catalog.ChangePrice"):
    """Sell a SKU at another price.

    Refused with `unknown_sku`, `wrong_currency` and `invalid_price`.
    """

    sku: Id
    price: Money


class CountStock(Command[None], name="catalog.CountStock"):
    """There are so many pieces of a SKU in the house.

    Refused with `unknown_sku` and `stock_promised`.
    """

    sku: Id
    on_hand: int = Field(ge=0, le=MAX_ON_HAND)
    reason: Text = "counted"


class LapseReservation(Command[None], name="catalog.LapseReservation"):
    """Time is up for whoever has not paid."""

    reservation_id: Id


class StorePicture(Command[Picture], name="catalog.StorePicture"):
    """Keep a PNG, JPEG or WebP. Refused with `not_a_picture` and `picture_too_large`."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    content: bytes


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
    """A variant as the buyer sees it; `available` are the pieces that can be had now."""

    sku: str
    name: str
    price: Money
    available: int


class Image(Model):
    """Where a picture is, and its size in pixels."""

    url: str
    width: int
    height: int


class ProductPage(Model):
    """A product as the buyer sees it."""

    product_id: str
    name: str
    description: str
    brand: str
    category: str
    variants: tuple[SoldVariant, ...]
    images: tuple[Image, ...]


class GetProduct(Query[Document], name="catalog.GetProduct"):
    """A `ProductPage` as it is now. Refused with `unknown_product`."""

    product_id: Id


class ListProducts(Query[Page], name="catalog.ListProducts"):
    """Products in which every word of `q` begins a word, newest first; once the list knows the
    log up to `min_position`.

    Refused with `unknown_product` when there is none to start after.
    """

    q: Label = ""
    category: Label = ""
    limit: int = Field(default=20, ge=1, le=100)
    starting_after: Id | None = None
    min_position: int = Field(default=0, ge=0)


class StockLevel(Model):
    """How many pieces of a SKU there are, and to whom they are promised."""

    sku: str
    product_id: str
    name: str
    price: Money
    on_hand: int
    reserved: int
    allocated: int
    available: int


class GetStock(Query[tuple[StockLevel, ...]], name="catalog.GetStock"):
    """How many pieces are there of these SKUs? Those not sold are missing in the answer."""

    skus: tuple[str, ...] = Field(min_length=1, max_length=1000)


class GetCurrency(Query[str], name="catalog.GetCurrency"):
    """The currency (ISO 4217) in which this shop sells."""


class HasProducts(Query[bool], name="catalog.HasProducts"):
    """Has anything ever been listed in this shop?"""
