"""Which warehouse serves, what is owed, and when a SKU is low."""

import pytest

from bus.messages import Event, Refused
from catalog import item, reservation, sourcing, stock
from catalog.contract import ANYWHERE, Line, StockDenied, StockRanLow, StockReserved
from catalog.item import Item, ItemListed, ItemReserved
from tests.catalog.histories import NOW, PRICE, line, wanted

NEAR, FAR = "vaduz", "zurich"


def kept(sku: str = "MUG", **places: int) -> Item:
    """An item with so many pieces in each place; `anywhere` is in none in particular."""
    found = item.evolve(None, ItemListed(sku=sku, product_id="p", name=sku, price=PRICE))
    for place, pieces in places.items():
        where = ANYWHERE if place == "anywhere" else place
        found = after(found, stock.receive(found, sku, pieces, "first stock", where))
    return found


def after(found: Item, events: list[Event]) -> Item:
    for event in events:
        assert isinstance(event, item.ItemEvent)
        found = item.evolve(found, event)
    return found


def reserved(items: dict[str, Item], *lines: Line, near: tuple[str, ...] = (NEAR, FAR)) -> Event:
    """What is answered; the first event."""
    return reservation.reserve(None, items, wanted(*lines, near=near), NOW)[0]


def from_where(items: dict[str, Item], *lines: Line) -> str | tuple[str, ...]:
    found = reserved(items, *lines)
    return found.warehouse_id if isinstance(found, StockReserved) else denied(found)


def denied(found: Event) -> tuple[str, ...]:
    assert isinstance(found, StockDenied)
    assert found.reason == "out_of_stock"
    return found.skus


def test_the_nearest_that_has_everything_serves() -> None:
    items = {"MUG": kept(vaduz=5, zurich=9), "BOWL": kept("BOWL", vaduz=1, zurich=9)}
    assert from_where(items, line("MUG", 5), line("BOWL", 1)) == NEAR
    assert from_where(items, line("MUG", 5), line("BOWL", 2)) == FAR


def test_what_is_short_wherever_one_looks_is_named() -> None:
    items = {"MUG": kept(vaduz=5), "BOWL": kept("BOWL", zurich=4), "CUP": kept("CUP", vaduz=1)}
    lines = line("MUG", 5), line("BOWL", 5), line("CUP", 1)
    assert from_where(items, *lines) == ("BOWL",)


def test_two_lines_of_one_sku_want_the_sum_of_one_warehouse() -> None:
    items = {"MUG": kept(vaduz=3, zurich=4)}
    assert from_where(items, line("MUG", 2), line("MUG", 2)) == FAR
    assert from_where(items, line("MUG", 2), line("MUG", 1)) == NEAR


def test_pieces_at_a_warehouse_that_reaches_nobody_are_not_there() -> None:
    items = {"MUG": kept(zurich=3)}
    assert denied(reserved(items, line("MUG"), near=(NEAR,))) == ("MUG",)


def test_a_warehouses_own_pieces_go_first_then_those_kept_anywhere() -> None:
    found = reserved({"MUG": kept(vaduz=2, anywhere=5)}, line("MUG", 3))
    assert isinstance(found, StockReserved)
    assert [(t.warehouse_id, t.quantity) for t in found.taken] == [(NEAR, 2), (ANYWHERE, 1)]


def test_what_an_older_release_reserved_was_taken_from_anywhere() -> None:
    (taken,) = sourcing.taken_from({}, {"MUG": 2}, ANYWHERE)
    assert (taken.warehouse_id, taken.quantity) == (ANYWHERE, 2)


def test_what_may_be_owed_is_never_short() -> None:
    owed = kept(vaduz=1)
    owed = after(owed, stock.allow_backorder(owed, "MUG", allowed=True, reason="on its way"))
    assert from_where({"MUG": owed}, line("MUG", 4)) == NEAR
    held = after(owed, [ItemReserved(sku="MUG", quantity=4, warehouse_id=NEAR)])
    assert (held.total.available, held.available) == (-3, -3)
    closed = after(held, stock.allow_backorder(held, "MUG", allowed=False))
    assert from_where({"MUG": closed}, line("MUG", 1)) == ("MUG",)


def test_what_is_owed_elsewhere_is_not_sold_here() -> None:
    found = after(kept(vaduz=2, zurich=3), stock.allow_backorder(kept(), "MUG", allowed=True))
    found = after(found, [ItemReserved(sku="MUG", quantity=4, warehouse_id=NEAR)])
    found = after(found, stock.allow_backorder(found, "MUG", allowed=False))
    assert from_where({"MUG": found}, line("MUG", 2)) == ("MUG",)
    assert from_where({"MUG": found}, line("MUG", 1)) == FAR


@pytest.mark.parametrize(
    ("change", "told"),
    [(-4, []), (-5, [5]), (-10, [0]), (3, [])],
    ids=["above", "at", "below", "up"],
)
def test_a_sku_is_low_once_it_falls_to_its_threshold(change: int, told: list[int]) -> None:
    found = kept(anywhere=10)
    found = after(found, stock.set_low_stock(found, "MUG", 5))
    events = stock.adjust(found, "MUG", change, "counted")
    low = [event for event in events if isinstance(event, StockRanLow)]
    assert [event.available for event in low] == told
    lower = after(found, events)
    assert not told or stock.ran_low(lower, "MUG", -1) == []


def test_a_sku_that_nobody_asks_about_is_never_low() -> None:
    assert len(stock.adjust(kept(anywhere=10), "MUG", -10, "stolen")) == 1


def test_no_fewer_are_counted_than_are_promised_there() -> None:
    found = after(kept(vaduz=5, zurich=5), [ItemReserved(sku="MUG", quantity=3, warehouse_id=NEAR)])
    with pytest.raises(Refused, match="of which 3 are promised") as refused:
        stock.count(found, "MUG", 2, "counted", NEAR)
    assert refused.value.code == "stock_promised"
    assert len(stock.count(found, "MUG", 0, "counted", FAR)) == 1
