"""What can be asked of the catalog: a product, a picture, what is found by words."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from bus.messages import Document, Id, Model, Money, Page, Query
from catalog.commands import Label


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


class GetCurrency(Query[str], name="catalog.GetCurrency"):
    """The currency (ISO 4217) in which this shop sells."""


class HasProducts(Query[bool], name="catalog.HasProducts"):
    """Has anything ever been listed in this shop?"""
