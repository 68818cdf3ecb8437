"""A product's page and its variants: what listing it again changes."""

from functools import reduce

import pytest

from bus.messages import Event, Refused
from catalog.commands import MAX_VARIANTS, ListProduct, Offered, Picture
from catalog.item import Item, ItemListed, ItemRenamed, PriceChanged, StockAdjusted
from catalog.product import (
    Description,
    PicturesChanged,
    Product,
    ProductDescribed,
    ProductEvent,
    ProductListed,
    Shown,
    Variant,
    VariantsChanged,
    evolve,
    offer,
)
from catalog.stock import count
from tests.catalog.histories import DEARER, PRICE, stocked

ABOUT = Description(name="Mug", description="Holds tea.", brand="Alder", category="Kitchen")
FRONT, BACK = (Picture(digest=name, width=800, height=600) for name in ("front", "back"))


def listing(**changes: object) -> ListProduct:
    blue = Offered(sku="MUG-BLUE", name="Mug, blue", price=PRICE, on_hand=7)
    said = ABOUT.model_dump() | {"product_id": "mug", "variants": (blue,)}
    return ListProduct.model_validate(said | changes)


def replay(events: list[Event]) -> Product | None:
    return reduce(evolve, [e for e in events if isinstance(e, ProductEvent)], None)


def test_a_new_product_is_listed_with_its_stock() -> None:
    assert offer(None, {"MUG-BLUE": None}, listing()) == [
        ProductListed(product_id="mug", about=ABOUT),
        VariantsChanged(product_id="mug", variants=(Variant(sku="MUG-BLUE", name="Mug, blue"),)),
        ItemListed(sku="MUG-BLUE", product_id="mug", name="Mug, blue", price=PRICE),
        StockAdjusted(sku="MUG-BLUE", change=7, reason="first stock"),
    ]


@pytest.fixture
def known() -> Product | None:
    return replay(offer(None, {"MUG-BLUE": None}, listing(pictures=(FRONT,))))


SOLD = Item("mug", "Mug, blue", PRICE, on_hand=2)


def test_listing_it_again_changes_nothing_and_leaves_the_stock(known: Product) -> None:
    assert offer(known, {"MUG-BLUE": SOLD}, listing(pictures=(FRONT,))) == []


def test_what_is_not_said_stays(known: Product) -> None:
    silent = listing(description=None, brand=None, category=None, pictures=None)
    assert offer(known, {"MUG-BLUE": SOLD}, silent) == []


def test_only_what_is_new_is_written_down(known: Product) -> None:
    dear = Offered(sku="MUG-BLUE", name="Blue mug", price=DEARER)
    assert offer(known, {"MUG-BLUE": SOLD}, listing(brand="Birch", variants=(dear,))) == [
        ProductDescribed(product_id="mug", about=ABOUT.model_copy(update={"brand": "Birch"})),
        VariantsChanged(product_id="mug", variants=(Variant(sku="MUG-BLUE", name="Blue mug"),)),
        ItemRenamed(sku="MUG-BLUE", name="Blue mug"),
        PriceChanged(sku="MUG-BLUE", price=DEARER),
    ]


def test_a_new_variant_joins_those_there_are(known: Product) -> None:
    red = Offered(sku="MUG-RED", name="Mug, red", price=PRICE)
    events = offer(known, {"MUG-RED": None}, listing(variants=(red,)))
    assert [type(event) for event in events] == [VariantsChanged, ItemListed]
    assert isinstance(events[0], VariantsChanged)
    assert [variant.sku for variant in events[0].variants] == ["MUG-BLUE", "MUG-RED"]


def test_a_sku_belongs_to_one_product() -> None:
    with pytest.raises(Refused, match="variant of product bowl already") as refused:
        offer(None, {"MUG-BLUE": Item("bowl", "Bowl", PRICE)}, listing())
    assert refused.value.code == "sku_taken"


def test_a_picture_number_never_comes_to_mean_another_picture(known: Product) -> None:
    (turned,) = offer(known, {"MUG-BLUE": SOLD}, listing(pictures=(BACK,)))
    assert turned == PicturesChanged(product_id="mug", pictures=(Shown(number=2, picture=BACK),))
    assert isinstance(turned, PicturesChanged)
    (both,) = offer(evolve(known, turned), {"MUG-BLUE": SOLD}, listing(pictures=(FRONT, BACK)))
    assert isinstance(both, PicturesChanged)
    assert [(shown.number, shown.picture) for shown in both.pictures] == [(3, FRONT), (2, BACK)]


def test_a_picture_given_twice_is_shown_once() -> None:
    page = replay(offer(None, {"MUG-BLUE": None}, listing(pictures=(FRONT, FRONT))))
    assert page is not None
    assert page.pictures == (Shown(number=1, picture=FRONT),)


def test_a_product_has_no_more_variants_than_fit_into_an_event() -> None:
    many = tuple(Offered(sku=f"S{n}", name="ü" * 200, price=PRICE) for n in range(MAX_VARIANTS))
    goods = {variant.sku: None for variant in many} | {"MUG-BLUE": None}
    full = offer(None, goods, listing(variants=many))
    assert max(len(event.model_dump_json().encode()) for event in full) < 64 * 1024
    with pytest.raises(Refused, match="would have 51 variants"):
        offer(replay(full), goods, listing())


def test_stock_is_never_counted_below_what_is_promised() -> None:
    item = Item("mug", "Mug", PRICE, on_hand=5, reserved=2, allocated=1)
    assert count(item, "MUG", 3, "counted") == [
        StockAdjusted(sku="MUG", change=-2, reason="counted")
    ]
    with pytest.raises(Refused, match="3 are promised to buyers") as refused:
        count(item, "MUG", 2, "counted")
    assert refused.value.code == "stock_promised"


def test_a_count_that_finds_what_is_known_is_no_news() -> None:
    assert count(stocked(4), "MUG", 4, "counted") == []
