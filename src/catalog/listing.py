"""Listing: what becomes of a product's page and its SKUs when it is listed, published, archived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bus.messages import Event, NotFound, Refused
from catalog.commands import MAX_VARIANTS, ListProduct, Offered, Picture
from catalog.item import (
    Item,
    ItemListed,
    ItemOffered,
    ItemRenamed,
    ItemWeighed,
    ItemWithdrawn,
)
from catalog.price_list import change_price
from catalog.prices import check_price
from catalog.product import (
    BLANK,
    Description,
    PicturesChanged,
    Product,
    ProductArchived,
    ProductDescribed,
    ProductListed,
    ProductPublished,
    Shown,
    Status,
    Variant,
    VariantsChanged,
)
from catalog.prose import sanitised
from catalog.stock import adjust

Items = Mapping[str, Item | None]
"""The items of a product, by SKU; `None` where nothing is sold under it yet."""


def offer(product: Product | None, items: Items, wanted: ListProduct, now: datetime) -> list[Event]:
    """Put a product and its variants up for sale, or bring them up to date; what is not said stays.

    Refused with `sku_taken` when another product is sold under one of the SKUs, and with
    `sku_twice`, `invalid_price` and `too_many_variants`.
    """
    check_once(wanted)
    for variant in wanted.variants:
        check_free(items[variant.sku], variant.sku, wanted.product_id)
        check_price(variant.price)
    before = product or Product(wanted.product_id, BLANK, status=new_status(wanted))
    return [
        *page(before, wanted, new=product is None),
        *goods(items, wanted, now, for_sale=before.status == "published"),
    ]


def publish(product: Product | None, items: Items, id: str, why: str = "") -> list[Event]:
    """Show it to buyers, and sell all its variants; refused with `unknown_product`."""
    known = listed(product, id)
    if known.status == "published":
        return []
    withdrawn = [sku for sku, item in items.items() if item is not None and not item.for_sale]
    return [
        ProductPublished(product_id=id, reason=why),
        *(ItemOffered(sku=sku, reason=why) for sku in withdrawn),
    ]


def archive(product: Product | None, items: Items, id: str, why: str = "") -> list[Event]:
    """Show it to nobody any more, and sell none of its variants; refused with
    `unknown_product`."""
    known = listed(product, id)
    if known.status == "archived":
        return []
    sold = [sku for sku, item in items.items() if item is not None and item.for_sale]
    return [
        ProductArchived(product_id=id, reason=why),
        *(ItemWithdrawn(sku=sku, reason=why) for sku in sold),
    ]


def page(before: Product, wanted: ListProduct, *, new: bool) -> list[Event]:
    """What changes on the product's page."""
    id, why = wanted.product_id, wanted.reason
    about = described(before.about, wanted)
    events: list[Event] = []
    if new:
        events.append(ProductListed(product_id=id, about=about, status=before.status, reason=why))
    elif about != before.about:
        events.append(ProductDescribed(product_id=id, about=about, reason=why))
    variants = joined(before.variants, wanted)
    if variants != before.variants:
        events.append(VariantsChanged(product_id=id, variants=variants, reason=why))
    if wanted.pictures is not None:
        pictures = numbered(before, wanted.pictures)
        if pictures != before.pictures:
            events.append(PicturesChanged(product_id=id, pictures=pictures, reason=why))
    return events


def goods(items: Items, wanted: ListProduct, now: datetime, *, for_sale: bool) -> list[Event]:
    """What changes for each SKU; stock is set only where the SKU is new."""
    why = wanted.reason
    events: list[Event] = []
    for variant in wanted.variants:
        sku, name, grams = variant.sku, variant.name, variant.weight_g
        item = items[sku]
        if item is None:
            events += new_goods(wanted, variant)
            if not for_sale:
                events.append(ItemWithdrawn(sku=sku, reason=why))
            continue
        if name != item.name:
            events.append(ItemRenamed(sku=sku, name=name, reason=why))
        if grams is not None and grams != item.weight_g:
            events.append(ItemWeighed(sku=sku, weight_g=grams, reason=why))
        events += change_price(item, sku, variant.price, now, why=why)
    return events


def new_goods(wanted: ListProduct, variant: Offered) -> list[Event]:
    """A SKU that was never sold before, and the pieces there are of it."""
    id, sku, name = wanted.product_id, variant.sku, variant.name
    listing = ItemListed(
        sku=sku,
        product_id=id,
        name=name,
        price=variant.price,
        weight_g=variant.weight_g,
        reason=wanted.reason,
    )
    stock = adjust(Item(id, name), sku, variant.on_hand, "first stock", variant.warehouse_id)
    return [listing, *stock]


def described(before: Description, wanted: ListProduct) -> Description:
    """The page's text with what is said anew, safe to be shown."""
    text, others, words = wanted.description, wanted.categories, wanted.attributes
    category = before.category if wanted.category is None else wanted.category
    others = before.categories if others is None else others
    return Description(
        name=wanted.name,
        description=before.description if text is None else sanitised(text),
        brand=before.brand if wanted.brand is None else wanted.brand,
        category=category,
        categories=tuple(each for each in dict.fromkeys(others) if each not in ("", category)),
        attributes=before.attributes if words is None else words,
    )


def joined(before: tuple[Variant, ...], wanted: ListProduct) -> tuple[Variant, ...]:
    """The variants there were, with what is said of them anew, and those that are new."""
    by_sku = {variant.sku: variant for variant in before}
    by_sku |= {said.sku: varied(by_sku.get(said.sku), said) for said in wanted.variants}
    if len(by_sku) > MAX_VARIANTS:
        raise Refused(
            "too_many_variants",
            f"{wanted.product_id} would have {len(by_sku)} variants; a product may have "
            f"{MAX_VARIANTS}: give the others a product of their own",
        )
    return tuple(by_sku.values())


def varied(before: Variant | None, said: Offered) -> Variant:
    """A variant with what is said of it anew."""
    known = before or Variant(sku=said.sku, name=said.name)
    return Variant(
        sku=said.sku,
        name=said.name,
        weight_g=known.weight_g if said.weight_g is None else said.weight_g,
        attributes=known.attributes if said.attributes is None else said.attributes,
    )


def new_status(wanted: ListProduct) -> Status:
    """How a product begins."""
    return "draft" if wanted.draft else "published"


def listed(product: Product | None, id: str) -> Product:
    """The product; refused with `unknown_product` when there is none."""
    if product is None:
        raise NotFound("unknown_product", f"there is no product {id}: list it first")
    return product


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


def check_once(wanted: ListProduct) -> None:
    """Refuse to be told two things of one SKU."""
    skus = [variant.sku for variant in wanted.variants]
    twice = sorted({sku for sku in skus if skus.count(sku) > 1})
    if twice:
        raise Refused(
            "sku_twice",
            f"product {wanted.product_id} comes with {', '.join(twice)} more than once: "
            "name each variant once",
            skus=twice,
        )
