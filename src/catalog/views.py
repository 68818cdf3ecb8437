"""The card index: what is kept of products to find them by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from bus.views import View
from catalog.product import (
    PicturesChanged,
    Product,
    ProductDescribed,
    ProductEvent,
    ProductListed,
    VariantsChanged,
    evolve,
)

MAX_WORDS = 1000
"""Words by which one product is found."""

NEWEST_FIRST = -1


@dataclass(frozen=True, slots=True)
class Card:
    """A product in the shop's card index: its page, and what it is found by."""

    product: Product
    category: str
    words: tuple[str, ...]


def indexed(card: Card | None, event: ProductEvent) -> Card:
    """The card after an event on the product. Prices and stock change too often to stand on it."""
    product = evolve(card.product if card else None, event)
    about = product.about
    names = (variant.name for variant in product.variants)
    told = (about.name, about.brand, about.category, *names, about.description)
    return Card(product, folded(about.category), words_of(told))


def product_of(event: ProductEvent) -> str:
    """The card that an event changes."""
    return event.product_id


PRODUCTS = View(
    name="products",
    version=1,
    shape=Card,
    ids=dict.fromkeys(
        (ProductListed, ProductDescribed, VariantsChanged, PicturesChanged), product_of
    ),
    evolve=indexed,
    indexes=(
        (("first", NEWEST_FIRST),),
        (("doc.category", 1), ("first", NEWEST_FIRST)),
        (("doc.words", 1), ("first", NEWEST_FIRST)),
    ),
)


def folded(text: str) -> str:
    """Text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of some texts, each once, as they are compared."""
    words = dict.fromkeys(word for text in texts for word in re.findall(r"\w+", folded(text)))
    return tuple(words)[:MAX_WORDS]
