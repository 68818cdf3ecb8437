"""What is listed, published, archived and priced, on the real log, many at once."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bus.context import Context
from bus.dispatch import Bus
from bus.messages import Money, NotFound, Refused, now
from bus.platform import Platform
from catalog.commands import (
    ArchiveProduct,
    CallOffPrice,
    ChangePrice,
    ListProduct,
    Offered,
    PublishProduct,
)
from catalog.contract import GetOffers, StockDenied, StockReserved
from catalog.item import ItemWithdrawn
from catalog.queries import GetChanges, GetPrices, GetProduct, GetSheet, ListSheets
from tests.catalog.conftest import EITHER, Stock, until
from tests.catalog.histories import DEARER, PRICE, line, lots, wanted

DOLLARS = Money(amount=21_50, currency="USD")


def red(**changes: Any) -> Offered:
    return Offered.model_validate({"sku": "RED", "name": "Red mug", "price": PRICE} | changes)


async def page(bus: Bus, **query: Any) -> dict[str, Any]:
    found = await bus.ask(GetProduct(product_id="mug", **query))
    shown: dict[str, Any] = json.loads(found.body)
    return shown


async def costs(bus: Bus) -> int:
    (variant,) = (await page(bus))["variants"]
    amount: int = variant["price"]["amount"]
    return amount


async def for_sale(bus: Bus) -> set[str]:
    offers = await bus.ask(GetOffers(pieces=lots(MUG=1, RED=1)))
    return {offer.sku for offer in offers.offers}


async def test_an_archived_product_is_neither_shown_nor_sold(
    platform: Platform, home: Context, stock: Stock
) -> None:
    bus = platform.bus
    await stock(MUG=5)
    await bus.send(ListProduct(product_id="mug", name="Mug", variants=(red(on_hand=5),)))
    assert await for_sale(bus) == {"MUG", "RED"}

    await bus.send(ArchiveProduct(product_id="mug", reason="no more clay"))
    with pytest.raises(NotFound, match="there is no product mug"):
        await page(bus)
    assert await for_sale(bus) == set()
    await bus.send(wanted(line()))
    (*_, last) = await home.log.read(0)
    assert [each.kind for each in last.events] == [StockDenied]
    assert (await bus.ask(GetSheet(id="RED"))).status == "archived"

    await bus.send(PublishProduct(product_id="mug"))
    assert await for_sale(bus) == {"MUG", "RED"}
    assert {variant["sku"] for variant in (await page(bus))["variants"]} == {"MUG", "RED"}


@EITHER
async def test_a_draft_is_listed_for_the_shop_alone(platform: Platform, home: Context) -> None:
    draft = ListProduct(product_id="mug", name="Mug", draft=True, variants=(red(),))
    await platform.bus.send(draft)
    with pytest.raises(NotFound):
        await page(platform.bus)
    assert await for_sale(platform.bus) == set()
    asked = ListSheets(status="draft", min_position=await home.log.head())
    (sheet,) = (await platform.bus.ask(asked)).data
    assert (sheet.product_id, sheet.variants[0].for_sale) == ("mug", False)


async def test_nothing_is_sold_once_it_is_archived_however_many_ask(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=1000)
    bus = platform.bus
    buyers = [bus.send(wanted(line(), id=f"r{n}")) for n in range(60)]
    makers = [
        bus.send(ListProduct(product_id="mug", name="Mug", variants=(red(sku=f"R{n}"),)))
        for n in range(5)
    ]
    archive = bus.send(ArchiveProduct(product_id="mug"))
    await asyncio.gather(*buyers[:30], *makers[:3], archive, *makers[3:], *buyers[30:])
    commits = await home.log.read(0, limit=10_000)
    end = next(c.position for c in commits for e in c.events if e.kind is ItemWithdrawn)
    sold = [c.position for c in commits for e in c.events if e.kind is StockReserved]
    assert sold
    assert max(sold) < end
    sheet = await bus.ask(GetSheet(id="mug"))
    assert len(sheet.variants) == 6
    assert not any(variant.for_sale for variant in sheet.variants)


async def test_a_variant_that_joins_while_its_product_is_archived_is_not_sold_either(
    platform: Platform, home: Context, stock: Stock
) -> None:
    bus, names = platform.bus, [f"P{n}" for n in range(10)]
    await stock(**dict.fromkeys(names, 5))
    home.streams._memory._kept.clear()  # so that looking takes a while
    await asyncio.gather(
        *(bus.send(ArchiveProduct(product_id=name.lower())) for name in names),
        *(
            bus.send(
                ListProduct(
                    product_id=n.lower(), name=n, variants=(red(sku=f"{n}-RED", on_hand=1),)
                )
            )
            for n in names
        ),
    )
    pieces = {sku: 1 for name in names for sku in (name, f"{name}-RED")}
    offers = await bus.ask(GetOffers(pieces=lots(**pieces)))
    assert offers.offers == ()


async def test_a_price_is_shown_from_its_moment_on_without_a_timer(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=5)
    starts = now() + timedelta(milliseconds=300)
    await platform.bus.send(ChangePrice(sku="MUG", price=DEARER, starts=starts))
    later = starts + timedelta(hours=1)
    await platform.bus.send(ChangePrice(sku="MUG", price=PRICE, starts=later))
    await platform.bus.send(CallOffPrice(sku="MUG", currency="EUR", starts=later))
    assert await costs(platform.bus) == PRICE.amount
    assert await home.timers.waiting() == []

    async def dearer() -> bool:
        return await costs(platform.bus) == DEARER.amount

    await until(dearer)
    assert now() >= starts
    (offer,) = (await platform.bus.ask(GetOffers(pieces=lots(MUG=1)))).offers
    assert offer.price == DEARER
    with pytest.raises(Refused, match="has held since"):
        await platform.bus.send(CallOffPrice(sku="MUG", currency="EUR", starts=starts))


@EITHER
async def test_a_page_shows_the_prices_of_the_currency_asked_for(
    platform: Platform, stock: Stock
) -> None:
    bus = platform.bus
    await stock(MUG=5)
    await bus.send(ListProduct(product_id="mug", name="Mug", variants=(red(price=DOLLARS),)))
    assert [variant["sku"] for variant in (await page(bus))["variants"]] == ["MUG"]
    assert await for_sale(bus) == {"MUG"}  # the shop sells in its own currency
    (variant,) = (await page(bus, currency="USD"))["variants"]
    assert (variant["sku"], variant["price"]["amount"]) == ("RED", 21_50)
    await bus.send(ChangePrice(sku="MUG", price=DOLLARS))
    assert len((await page(bus, currency="USD"))["variants"]) == 2
    assert (await page(bus, currency="JPY"))["variants"] == []
    with pytest.raises(ValidationError, match="should be a currency of ISO 4217"):
        GetProduct(product_id="mug", currency="EURO")


async def test_what_a_thing_is_like_may_be_called_anything(
    platform: Platform, home: Context
) -> None:
    odd = {"$set": "a", "max. load": "5 kg", "größe": "L", "_id": "x"}
    said = red(weight_g=350, attributes=odd)
    await platform.bus.send(
        ListProduct(product_id="mug", name="Mug", attributes=odd, variants=(said,))
    )
    home.streams._memory._kept.clear()  # what was written can be read
    shown = await page(platform.bus)
    assert shown["attributes"] == shown["variants"][0]["attributes"] == odd
    assert shown["variants"][0]["weight_g"] == 350
    (sheet,) = (await platform.bus.ask(ListSheets(min_position=await home.log.head()))).data
    assert sheet.attributes == odd
    with pytest.raises(ValidationError, match="should match pattern"):
        red(attributes={"a\x00b": "which no database takes"})


@EITHER
async def test_the_history_of_a_busy_sku_is_that_of_its_changes(
    platform: Platform, home: Context, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = platform.bus
    await stock(MUG=500)
    await asyncio.gather(*(bus.send(wanted(line(), id=f"r{n}")) for n in range(100)))
    await bus.send(ChangePrice(sku="MUG", price=DEARER, reason="dearer clay"))
    read: list[int] = []
    decode = home.log.codec.commit

    def counting(document: Any) -> Any:
        read.append(document["_id"])
        return decode(document)

    monkeypatch.setattr(home.log.codec, "commit", counting)
    (dear, first) = await bus.ask(GetPrices(sku="MUG"))
    assert (dear.why, dear.who, first.price) == ("dearer clay", "system:storefold", PRICE)
    assert len(read) == 2
    told = await bus.ask(GetChanges(id="mug"))
    assert [change.what for change in told][-2:] == ["+500 in stock", "costs 19.90 EUR"]
    assert {type(change.at) for change in told} == {datetime}
    assert len(read) < 10


async def test_what_is_not_there_has_no_history(platform: Platform) -> None:
    for query in (GetSheet(id="ghost"), GetChanges(id="ghost"), GetPrices(sku="ghost")):
        with pytest.raises(NotFound, match="ghost"):
            await platform.bus.ask(query)
    for order in (PublishProduct(product_id="ghost"), ArchiveProduct(product_id="ghost")):
        with pytest.raises(NotFound, match="there is no product ghost: list it first"):
            await platform.bus.send(order)
    for call in (
        ChangePrice(sku="GHOST", price=PRICE),
        CallOffPrice(sku="GHOST", currency="EUR", starts=now()),
    ):
        with pytest.raises(NotFound, match="nothing is sold under SKU GHOST"):
            await platform.bus.send(call)
