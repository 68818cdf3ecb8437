"""A product's page and its variants: what listing it again changes, and who may see and buy it."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bus.commits import Codec
from bus.messages import Event, Money, NotFound, Refused
from catalog import item
from catalog.commands import MAX_VARIANTS, ListProduct, Offered, Picture
from catalog.item import (
    Item,
    ItemEvent,
    ItemListed,
    ItemOffered,
    ItemRenamed,
    ItemWeighed,
    ItemWithdrawn,
    PriceChanged,
    StockAdjusted,
)
from catalog.listing import archive, offer, publish
from catalog.product import (
    Description,
    PicturesChanged,
    Product,
    ProductArchived,
    ProductDescribed,
    ProductEvent,
    ProductListed,
    ProductPublished,
    Shown,
    Variant,
    VariantsChanged,
    evolve,
)
from catalog.sourcing import short_at
from tests.catalog.histories import DEARER, PRICE

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ABOUT = Description(
    name="Mug",
    description="Holds tea.",
    brand="Alder",
    category="Kitchen",
    categories=("Gifts",),
    attributes={"material": "clay"},
)
MUG_BLUE = Variant(sku="MUG-BLUE", name="Mug, blue", weight_g=350, attributes={"colour": "blue"})
FRONT, BACK = (Picture(digest=name, width=800, height=600) for name in ("front", "back"))


def listing(**changes: object) -> ListProduct:
    blue = Offered(**MUG_BLUE.model_dump(), price=PRICE, on_hand=7)
    said = ABOUT.model_dump() | {"product_id": "mug", "variants": (blue,)}
    return ListProduct.model_validate(said | changes)


def red(**changes: object) -> Offered:
    return Offered.model_validate({"sku": "MUG-RED", "name": "Mug, red", "price": PRICE} | changes)


class Shelf:
    """A product and what is sold of it; `do` takes what was decided."""

    def __init__(self) -> None:
        self.product: Product | None = None
        self.items: dict[str, Item | None] = {}

    def do(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, ItemEvent):
                self.items[event.sku] = item.evolve(self.items.get(event.sku), event)
            else:
                assert isinstance(event, ProductEvent)
                self.product = evolve(self.product, event)
        return events

    def offer(self, wanted: ListProduct) -> list[Event]:
        new: Mapping[str, Item | None] = {v.sku: None for v in wanted.variants}
        return self.do(offer(self.product, {**new, **self.items}, wanted, NOW))

    def publish(self, why: str = "") -> list[Event]:
        return self.do(publish(self.product, self.items, "mug", why))

    def archive(self, why: str = "") -> list[Event]:
        return self.do(archive(self.product, self.items, "mug", why))

    @property
    def sold(self) -> set[str]:
        """The SKUs that can be had."""
        return {sku for sku in self.items if not short_at(self.items, {sku: 1}, "*")}


@pytest.fixture
def shelf() -> Shelf:
    """A mug in blue, with one picture."""
    shelf = Shelf()
    shelf.offer(listing(pictures=(FRONT,)))
    return shelf


def test_a_new_product_is_listed_with_its_stock() -> None:
    assert offer(None, {"MUG-BLUE": None}, listing(reason="spring"), NOW) == [
        ProductListed(product_id="mug", about=ABOUT, status="published", reason="spring"),
        VariantsChanged(product_id="mug", variants=(MUG_BLUE,), reason="spring"),
        ItemListed(
            sku="MUG-BLUE",
            product_id="mug",
            name="Mug, blue",
            price=PRICE,
            weight_g=350,
            reason="spring",
        ),
        StockAdjusted(sku="MUG-BLUE", change=7, reason="first stock"),
    ]


def test_listing_it_again_changes_nothing_and_leaves_the_stock(shelf: Shelf) -> None:
    assert shelf.offer(listing(pictures=(FRONT,), draft=True, reason="again")) == []


def test_what_is_not_said_stays(shelf: Shelf) -> None:
    unsaid = dict.fromkeys(
        ("description", "brand", "category", "categories", "attributes", "pictures")
    )
    bare = Offered(sku="MUG-BLUE", name="Mug, blue", price=PRICE)
    assert shelf.offer(listing(**unsaid, variants=(bare,))) == []


def test_only_what_is_new_is_written_down_and_why(shelf: Shelf) -> None:
    sold = Variant(sku="MUG-BLUE", name="Mug, navy", weight_g=400, attributes={"colour": "navy"})
    navy = Offered(**sold.model_dump(), price=DEARER)
    assert shelf.offer(listing(brand="Birch", variants=(navy,), reason="new maker")) == [
        ProductDescribed(
            product_id="mug",
            about=ABOUT.model_copy(update={"brand": "Birch"}),
            reason="new maker",
        ),
        VariantsChanged(
            product_id="mug",
            variants=(sold,),
            reason="new maker",
        ),
        ItemRenamed(sku="MUG-BLUE", name="Mug, navy", reason="new maker"),
        ItemWeighed(sku="MUG-BLUE", weight_g=400, reason="new maker"),
        PriceChanged(sku="MUG-BLUE", price=DEARER, starts=NOW, reason="new maker"),
    ]
    assert shelf.offer(listing(brand="Birch", variants=(navy,))) == []


def test_a_description_is_made_safe_before_it_is_compared(shelf: Shelf) -> None:
    unsafe = listing(description="<p onclick=steal()>Holds <b>tea<script>x</script>")
    (told,) = shelf.offer(unsafe)
    assert isinstance(told, ProductDescribed)
    assert told.about.description == "<p>Holds <b>tea</b></p>"
    assert shelf.offer(unsafe) == []


def test_a_product_stands_once_in_each_category(shelf: Shelf) -> None:
    shelf.offer(listing(category="Gifts", categories=("Tea", "Gifts", "", "Tea")))
    assert shelf.product is not None
    assert (shelf.product.about.category, shelf.product.about.categories) == ("Gifts", ("Tea",))


def test_a_new_variant_joins_those_there_are(shelf: Shelf) -> None:
    events = shelf.offer(listing(variants=(red(),)))
    assert [type(event) for event in events] == [VariantsChanged, ItemListed]
    assert isinstance(events[0], VariantsChanged)
    assert [variant.sku for variant in events[0].variants] == ["MUG-BLUE", "MUG-RED"]


def test_a_sku_belongs_to_one_product() -> None:
    with pytest.raises(Refused, match="variant of product bowl already") as refused:
        offer(None, {"MUG-BLUE": Item("bowl", "Bowl")}, listing(), NOW)
    assert refused.value.code == "sku_taken"


def test_a_sku_is_told_of_once() -> None:
    with pytest.raises(Refused, match="comes with MUG-RED more than once") as refused:
        offer(None, {"MUG-RED": None}, listing(variants=(red(), red(name="Other"))), NOW)
    assert refused.value.code == "sku_twice"


def test_a_piece_costs_no_more_than_can_be_counted() -> None:
    dear = red(price=Money(amount=1_000_000_001, currency="USD"))
    with pytest.raises(Refused, match="USD is more than a piece may cost") as refused:
        offer(None, {"MUG-RED": None}, listing(variants=(dear,)), NOW)
    assert refused.value.code == "invalid_price"


def test_a_picture_number_never_comes_to_mean_another_picture(shelf: Shelf) -> None:
    assert shelf.offer(listing(pictures=(BACK,))) == [
        PicturesChanged(product_id="mug", pictures=(Shown(number=2, picture=BACK),))
    ]
    (both,) = shelf.offer(listing(pictures=(FRONT, BACK)))
    assert isinstance(both, PicturesChanged)
    assert [(shown.number, shown.picture) for shown in both.pictures] == [(3, FRONT), (2, BACK)]


def test_a_picture_given_twice_is_shown_once(shelf: Shelf) -> None:
    assert shelf.offer(listing(pictures=(FRONT, FRONT))) == []


def test_a_product_has_no_more_variants_than_fit_into_an_event() -> None:
    many = tuple(Offered(sku=f"S{n}", name="ü" * 200, price=PRICE) for n in range(MAX_VARIANTS))
    shelf = Shelf()
    full = shelf.offer(listing(variants=many))
    assert max(len(event.model_dump_json().encode()) for event in full) < 64 * 1024
    with pytest.raises(Refused, match="would have 51 variants"):
        shelf.offer(listing())


def test_a_draft_is_not_for_sale_until_it_is_published() -> None:
    shelf = Shelf()
    events = shelf.offer(listing(draft=True, reason="not yet"))
    assert isinstance(events[0], ProductListed)
    assert events[0].status == "draft"
    assert events[-1] == ItemWithdrawn(sku="MUG-BLUE", reason="not yet")
    assert shelf.sold == set()
    assert shelf.publish("spring has come") == [
        ProductPublished(product_id="mug", reason="spring has come"),
        ItemOffered(sku="MUG-BLUE", reason="spring has come"),
    ]
    assert shelf.sold == {"MUG-BLUE"}
    assert shelf.publish() == []


def test_an_archived_product_is_not_for_sale_until_it_is_published(shelf: Shelf) -> None:
    assert shelf.archive("no more clay") == [
        ProductArchived(product_id="mug", reason="no more clay"),
        ItemWithdrawn(sku="MUG-BLUE", reason="no more clay"),
    ]
    assert shelf.sold == set()
    assert shelf.archive("really") == []
    shelf.publish()
    assert shelf.sold == {"MUG-BLUE"}


def test_listing_an_archived_product_leaves_it_archived(shelf: Shelf) -> None:
    shelf.archive()
    events = shelf.offer(listing(pictures=(FRONT,), variants=(red(on_hand=5),)))
    assert events[-1] == ItemWithdrawn(sku="MUG-RED")
    assert shelf.sold == set()
    shelf.publish()
    assert shelf.sold == {"MUG-BLUE", "MUG-RED"}


def test_a_draft_can_be_archived_unseen() -> None:
    shelf = Shelf()
    shelf.offer(listing(draft=True))
    assert shelf.archive() == [ProductArchived(product_id="mug")]


def test_what_was_never_listed_can_be_neither_published_nor_archived() -> None:
    for decide in (publish, archive):
        with pytest.raises(NotFound, match="there is no product mug: list it first") as refused:
            decide(None, {}, "mug")
        assert refused.value.code == "unknown_product"


def test_what_was_listed_before_there_were_drafts_is_published_and_safe() -> None:
    """As it stands in the log of an older release."""
    old = {"name": "Mug", "description": "Holds <b>tea<script>x", "brand": "", "category": ""}
    codec = Codec((ProductListed, ProductDescribed))
    for name in ("catalog.ProductListed", "catalog.ProductDescribed"):
        event = codec.event(name, {"product_id": "mug", "about": old})
        assert isinstance(event, ProductListed | ProductDescribed)
        product = evolve(None, event)
        assert product.status == "published"
        assert product.about == Description(
            name="Mug", description="Holds <b>tea</b>", brand="", category=""
        )
