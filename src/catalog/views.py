"""The card index: which products there are, and what their pages say."""

from __future__ import annotations

from typing import get_args

from bus.views import View
from catalog.product import Product, ProductEvent, evolve

NEWEST_FIRST = -1


def product_of(event: ProductEvent) -> str:
    """The card that an event changes."""
    return event.product_id


# Prices and stock change too often to stand on it.
PRODUCTS = View(
    name="products",
    version=2,
    shape=Product,
    ids=dict.fromkeys(get_args(ProductEvent), product_of),
    evolve=evolve,
    indexes=((("first", NEWEST_FIRST),),),
)
