"""The project's own sample catalog: an outdoor and home shop, with pictures it draws itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bus.messages import Money, places_of
from catalog import motifs
from catalog.commands import ListProduct, Picture, StorePicture
from catalog.contract import GetCurrency
from catalog.drawings import picture
from catalog.enlisting import Desk, together
from catalog.prices import price_of
from catalog.queries import HasProducts
from catalog.row import Row
from catalog.rows import read

LIST = Path(__file__).with_name("samples.csv")
"""A price list such as `shop catalog import` takes; `image` names a motif and a colour."""

IN_STOCK = 250
"""Pieces of each SKU."""

WRITTEN_IN = "EUR"


async def load_samples(bus: Desk, currency: str | None = None) -> bool:
    """List the sample catalog in a shop that never had a product; whether it did.

    In a currency other than EUR the prices keep their digits: 18.90 becomes JPY 1890.
    """
    if await bus.ask(HasProducts()):
        return False
    if currency is None:
        currency = await bus.ask(GetCurrency())
    listed = await asyncio.to_thread(read, LIST)
    groups: dict[str, list[Row]] = {}
    for row in listed.rows:
        if isinstance(row, Row):
            groups.setdefault(row.fields["product_id"], []).append(row)
    await asyncio.gather(
        *(load(bus, rows, scene, currency) for scene, rows in enumerate(groups.values()))
    )
    return True


async def load(bus: Desk, rows: list[Row], scene: int, currency: str) -> None:
    """List one product of the sample catalog."""
    drawn = dict.fromkeys(row.fields["image"] for row in rows)
    pictures = [await draw(bus, image, scene) for image in drawn]
    products = [sample(row, currency) for row in rows]
    await bus.send(together(products, tuple(pictures)))


async def draw(bus: Desk, image: str, scene: int) -> Picture:
    """Draw and keep a picture: `mug blue`."""
    motif, _, color = image.partition(" ")
    content = await asyncio.to_thread(picture, motifs.MOTIFS[motif], color, scene)
    return await bus.send(StorePicture(content=content))


def sample(row: Row, currency: str) -> ListProduct:
    """One row of the list as a product with one variant."""
    fields = row.fields
    minor = price_of(fields["price"], WRITTEN_IN).amount * 10 ** max(places_of(currency) - 2, 0)
    return ListProduct.model_validate(
        {
            "product_id": fields["product_id"],
            "name": fields["name"].partition(",")[0],
            "description": fields.get("description"),
            "brand": fields["brand"],
            "category": fields["category"],
            "variants": (
                {
                    "sku": fields["sku"],
                    "name": fields["name"],
                    "price": Money(amount=minor, currency=currency),
                    "on_hand": IN_STOCK,
                },
            ),
        }
    )
