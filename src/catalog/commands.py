"""What the shop's own people tell the catalog: what is sold, what it costs, how many there are."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from bus.messages import Command, Id, Model, Money, Text
from catalog.contract import ANYWHERE, MAX_QUANTITY

MAX_ON_HAND = MAX_QUANTITY * 1000
"""Pieces of one SKU in the house, at most."""

MAX_VARIANTS = 50
"""Variants of one product, at most; so many still fit into one event."""

MAX_PICTURES = 50
"""Pictures of one product, at most."""

Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
"""Text of any number of lines, or none."""

Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=200),
    Field(json_schema_extra={"pattern": r"^[^\x00]*$"}),
]
"""A short line of text, or none."""

AttributeName = Annotated[
    str,
    # BSON takes no NUL in a name.
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$"
    ),
]

Attributes = Annotated[dict[AttributeName, Text], Field(max_length=50)]
"""What can be said of a thing in a word: `{"colour": "blue"}`."""

Grams = Annotated[int, Field(ge=1, le=1_000_000)]

Place = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:\-]{0,79})$")]
"""A warehouse, or `*`: at none in particular."""

Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
"""Why somebody changes something, or nothing."""


class Picture(Model):
    """A picture that is kept: the hash of its content, and its size in pixels."""

    digest: str
    width: int
    height: int


class Offered(Model):
    """A variant as it is to be sold; `on_hand` are the pieces there are at the warehouse if the SKU
    is new. `None` stays as it is."""

    sku: Id
    name: Text
    price: Money
    on_hand: int = Field(default=0, ge=0, le=MAX_ON_HAND)
    warehouse_id: Place = ANYWHERE
    weight_g: Grams | None = None
    attributes: Attributes | None = None


class Listing(Model):
    """What came of listing a product: whether it is new, and how much there was to write down."""

    new: bool
    changes: int


class ListProduct(Command[Listing], name="catalog.ListProduct"):
    """Put a product and these variants up for sale, or bring them up to date. What is new can be
    kept as a `draft`, which no buyer sees.

    `None` and variants that are not named stay as they are. `category` is the main one, under
    which the product stands first. The description is HTML; of its tags those that cannot do harm
    are kept. Refused with `sku_taken`, `sku_twice`, `too_many_variants` and `invalid_price`.
    """

    product_id: Id
    name: Text
    description: Prose | None = None
    brand: Label | None = None
    category: Label | None = None
    categories: tuple[Label, ...] | None = Field(default=None, max_length=20)
    attributes: Attributes | None = None
    draft: bool = False
    reason: Why = ""
    variants: tuple[Offered, ...] = Field(min_length=1, max_length=MAX_VARIANTS)
    pictures: tuple[Picture, ...] | None = Field(default=None, max_length=MAX_PICTURES)


class ChangePrice(Command[None], name="catalog.ChangePrice"):
    """Sell a SKU at another price in that currency, from a moment on; `None`: from now on.

    Refused with `unknown_sku`, `invalid_price`, `too_far_ahead` and `too_many_prices`.
    """

    sku: Id
    price: Money
    starts: AwareDatetime | None = None
    reason: Why = ""


class CallOffPrice(Command[None], name="catalog.CallOffPrice"):
    """A price that was to start then does not. Refused with `unknown_sku`, `unknown_price` and
    `price_started`."""

    sku: Id
    currency: str
    starts: AwareDatetime
    reason: Why = ""


class PublishProduct(Command[None], name="catalog.PublishProduct"):
    """Show a draft or an archived product to buyers. Refused with `unknown_product`."""

    product_id: Id
    reason: Why = ""


class ArchiveProduct(Command[None], name="catalog.ArchiveProduct"):
    """Show a product to nobody any more, and sell nothing of it; what is ordered is delivered.
    Refused with `unknown_product`."""

    product_id: Id
    reason: Why = ""


class StorePicture(Command[Picture], name="catalog.StorePicture"):
    """Keep a PNG, JPEG or WebP. Refused with `not_a_picture` and `picture_too_large`."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    content: bytes
