"""A product: what one page of the shop describes and shows, and the SKUs it is sold under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from bus.messages import Event, Model, Refused
from catalog.commands import MAX_VARIANTS, ListProduct, Picture
from catalog.item import Item, ItemListed, ItemRenamed
from catalog.price_list import change_price
from catalog.stock import adjust


class Description(Model):
    """What a product's page says."""

    name: str
    description: str
    brand: str
    category: str


class Variant(Model):
    """One way in which a product is sold."""

    sku: str
    name: str


class Shown(Model):
    """A picture on a product's page. Its number is never given to another of its pictures."""

    number: int
    picture: Picture


class ProductListed(Event, name="catalog.ProductListed"):
    """There is a new page in the shop."""

    product_id: str
    about: Description


class ProductDescribed(Event, name="catalog.ProductDescribed"):
    """The page says something else."""

    product_id: str
    about: Description


class VariantsChanged(Event, name="catalog.VariantsChanged"):
    """The product is sold under these SKUs."""

    product_id: str
    variants: tuple[Variant, ...]


class PicturesChanged(Event, name="catalog.PicturesChanged"):
    """The page shows these pictures."""

    product_id: str
    pictures: tuple[Shown, ...]


ProductEvent = ProductListed | ProductDescribed | VariantsChanged | PicturesChanged

Items = Mapping[str, Item | None]
"""The items of a product, by SKU; `None` where nothing is sold under it yet."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product's page."""

    product_id: str
    about: Description
    variants: tuple[Variant, ...] = ()
    pictures: tuple[Shown, ...] = ()
    last_number: int = 0
    """The highest number that any picture has had."""


def evolve(product: Product | None, event: ProductEvent) -> Product:
    """The product after an event; the first one lists it."""
    now = product or Product(event.product_id, _BLANK)
    match event:
        case ProductListed(about=about) | ProductDescribed(about=about):
            return replace(now, about=about)
        case VariantsChanged(variants=variants):
            return replace(now, variants=variants)
        case PicturesChanged(pictures=pictures):
            highest = max((shown.number for shown in pictures), default=0)
            return replace(now, pictures=pictures, last_number=max(now.last_number, highest))
        case _:
            assert_never(event)


_BLANK = Description(name="", description="", brand="", category="")


def offer(product: Product | None, items: Items, wanted: ListProduct, now: datetime) -> list[Event]:
    """Put a product and its variants up for sale, or bring them up to date; what is not said stays.

    Refused with `sku_taken` when another product is sold under one of the SKUs, and with
    `too_many_variants`.
    """
    for variant in wanted.variants:
        check_free(items[variant.sku], variant.sku, wanted.product_id)
    return [*page(product, wanted), *goods(items, wanted, now)]


def page(product: Product | None, wanted: ListProduct) -> list[Event]:
    """What changes on the product's page."""
    id = wanted.product_id
    before = product or Product(id, _BLANK)
    about = described(before.about, wanted)
    events: list[Event] = []
    if product is None:
        events.append(ProductListed(product_id=id, about=about))
    elif about != product.about:
        events.append(ProductDescribed(product_id=id, about=about))
    variants = joined(before.variants, wanted)
    if variants != before.variants:
        events.append(VariantsChanged(product_id=id, variants=variants))
    if wanted.pictures is not None:
        pictures = numbered(before, wanted.pictures)
        if pictures != before.pictures:
            events.append(PicturesChanged(product_id=id, pictures=pictures))
    return events


def goods(items: Items, wanted: ListProduct, now: datetime) -> list[Event]:
    """What changes for each SKU; stock is set only where the SKU is new."""
    events: list[Event] = []
    for variant in wanted.variants:
        sku, name, price = variant.sku, variant.name, variant.price
        item = items[sku]
        if item is None:
            item = Item(wanted.product_id, name)
            events.append(ItemListed(sku=sku, product_id=wanted.product_id, name=name, price=price))
            events += adjust(item, sku, variant.on_hand, "first stock", variant.warehouse_id)
            continue
        if name != item.name:
            events.append(ItemRenamed(sku=sku, name=name))
        events += change_price(item, sku, price, now)
    return events


def described(before: Description, wanted: ListProduct) -> Description:
    """The page's text with what is said anew."""
    return Description(
        name=wanted.name,
        description=before.description if wanted.description is None else wanted.description,
        brand=before.brand if wanted.brand is None else wanted.brand,
        category=before.category if wanted.category is None else wanted.category,
    )


def joined(before: tuple[Variant, ...], wanted: ListProduct) -> tuple[Variant, ...]:
    """The variants there were, renamed where they are, and those that are new."""
    by_sku = {variant.sku: variant for variant in before}
    by_sku |= {v.sku: Variant(sku=v.sku, name=v.name) for v in wanted.variants}
    if len(by_sku) > MAX_VARIANTS:
        raise Refused(
            "too_many_variants",
            f"{wanted.product_id} would have {len(by_sku)} variants; a product may have "
            f"{MAX_VARIANTS}: give the others a product of their own",
        )
    return tuple(by_sku.values())


def numbered(product: Product, pictures: tuple[Picture, ...]) -> tuple[Shown, ...]:
    """A picture keeps its number; one that is new gets a number that none has had."""
    numbers = {shown.picture.digest: shown.number for shown in product.pictures}
    for picture in pictures:
        numbers.setdefault(picture.digest, max([product.last_number, *numbers.values()]) + 1)
    once = {picture.digest: picture for picture in pictures}
    return tuple(Shown(number=numbers[d], picture=picture) for d, picture in once.items())


def check_free(item: Item | None, sku: str, product_id: str) -> None:
    """Refuse to sell two products under one SKU."""
    if item is not None and item.product_id != product_id:
        raise Refused(
            "sku_taken",
            f"{sku} is a variant of product {item.product_id} already, not of {product_id}: "
            "choose another SKU",
            sku=sku,
            product_id=item.product_id,
        )
