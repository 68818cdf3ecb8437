"""The catalog's records: who changed what and why, and what a SKU cost when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bus.messages import Event, Money
from catalog.item import (
    BackorderChanged,
    ItemListed,
    ItemOffered,
    ItemRenamed,
    ItemWeighed,
    ItemWithdrawn,
    LowStockSet,
    PriceCalledOff,
    PriceChanged,
    StockAdjusted,
    StockReceived,
)
from catalog.prices import Dated, standing
from catalog.product import (
    Description,
    PicturesChanged,
    ProductArchived,
    ProductDescribed,
    ProductListed,
    ProductPublished,
    Variant,
    VariantsChanged,
)
from catalog.records import Noted, changes, price_history

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ABOUT = Description(name="Mug", description="", brand="Alder", category="Kitchen")


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


def eur(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def noted(*events: Event, at: datetime = NOW) -> list[Noted]:
    return [Noted(n, at, "admin:cli", event) for n, event in enumerate(events, start=1)]


def costs(amount: int, starts: datetime | None = None, **more: str) -> PriceChanged:
    return PriceChanged(sku="MUG", price=eur(amount), starts=starts, **more)


LISTED = ItemListed(sku="MUG", product_id="mug", name="Mug", price=eur(1000))


def test_every_change_says_who_made_it_and_why() -> None:
    (change,) = changes(noted(costs(1200, reason="dearer clay")))
    assert (change.who, change.what, change.why) == ("admin:cli", "costs 12.00 EUR", "dearer clay")
    assert (change.id, change.type, change.at) == ("MUG", "catalog.PriceChanged", NOW)
    assert change.data["price"] == {"amount": 1200, "currency": "EUR"}


TOLD: list[tuple[Event, str]] = [
    (LISTED, "listed at 10.00 EUR"),
    (ItemRenamed(sku="MUG", name="Big mug"), "called Big mug"),
    (ItemWeighed(sku="MUG", weight_g=350), "weighs 350 g"),
    (ItemWithdrawn(sku="MUG"), "not for sale any more"),
    (ItemOffered(sku="MUG"), "for sale again"),
    (costs(900, day(0)), "costs 9.00 EUR"),
    (costs(900, day(1)), "costs 9.00 EUR from 2026-11-25T12:00:00+00:00"),
    (PriceCalledOff(sku="MUG", currency="EUR", starts=day(1)),
     "price in EUR from 2026-11-25T12:00:00+00:00 called off"),
    (StockReceived(sku="MUG", quantity=5, reason="van"), "5 received"),
    (StockAdjusted(sku="MUG", change=-2, reason="broken", warehouse_id="vaduz"),
     "-2 in stock at vaduz"),
    (BackorderChanged(sku="MUG", allowed=True), "sold before it is there"),
    (BackorderChanged(sku="MUG", allowed=False), "sold only when it is there"),
    (LowStockSet(sku="MUG", threshold=3), "low at 3"),
    (VariantsChanged(product_id="mug", variants=(Variant(sku="A", name="A"),)), "sold as A"),
    (PicturesChanged(product_id="mug", pictures=()), "shows 0 pictures"),
    (ProductPublished(product_id="mug"), "published"),
    (ProductArchived(product_id="mug"), "archived"),
]  # fmt: skip


def test_every_change_is_told_in_words() -> None:
    told = changes(noted(*(event for event, _ in TOLD)))
    assert [change.what for change in told] == [words for _, words in TOLD]


def test_of_a_page_is_told_what_is_new_on_it() -> None:
    new = ABOUT.model_copy(update={"brand": "Birch", "categories": ("Tea",)})
    listed = ProductListed(product_id="mug", about=ABOUT, status="draft")
    told = changes(noted(listed, ProductDescribed(product_id="mug", about=new)))
    assert [change.what for change in told] == ["listed as a draft", "brand, categories changed"]


def states(events: Sequence[Event], at: datetime) -> list[tuple[int, str]]:
    return [(e.price.amount, e.state) for e in price_history(noted(*events), at)]


def test_a_price_waits_holds_and_is_over() -> None:
    said = [LISTED, costs(900, day(2)), costs(1200, day(1), reason="dearer clay")]
    assert states(said, day(0)) == [(900, "waiting"), (1200, "waiting"), (1000, "holds")]
    assert states(said, day(1)) == [(900, "waiting"), (1200, "holds"), (1000, "over")]
    assert states(said, day(2)) == [(900, "holds"), (1200, "over"), (1000, "over")]
    (_, dear, first) = price_history(noted(*said), day(0))
    assert (dear.starts, dear.who, dear.why) == (day(1), "admin:cli", "dearer clay")
    assert (first.starts, first.at) == (NOW, NOW)


def test_what_was_called_off_or_replaced_never_held() -> None:
    off = PriceCalledOff(sku="MUG", currency="EUR", starts=day(1))
    said = [LISTED, costs(900, day(1)), costs(800, day(1)), off]
    assert states(said, day(3)) == [(800, "called_off"), (900, "replaced"), (1000, "holds")]
    assert states([*said, costs(700, day(1))], day(3))[0] == (700, "holds")


def test_each_currency_has_a_history_of_its_own() -> None:
    yen = PriceChanged(sku="MUG", price=Money(amount=1900, currency="JPY"), starts=day(1))
    assert states([LISTED, yen], day(2)) == [(1900, "holds"), (1000, "holds")]


def test_prices_of_an_older_release_hold_from_when_they_were_said() -> None:
    notes = [*noted(LISTED), Noted(2, day(1), "system:storefold", costs(1200))]
    assert [(e.price.amount, e.starts, e.state) for e in price_history(notes, day(2))] == [
        (1200, day(1), "holds"),
        (1000, NOW, "over"),
    ]


def test_what_holds_and_what_is_to_come_stands_on_the_sheet() -> None:
    prices = {
        "JPY": (Dated(Money(amount=1, currency="JPY"), day(1)),),
        "EUR": (Dated(eur(1000)), Dated(eur(900), day(-1)), Dated(eur(800), day(1))),
    }
    assert [dated.price.amount for dated in standing(prices, NOW)] == [900, 800, 1]
