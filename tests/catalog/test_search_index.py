"""What is found by which words, at which prices, and in what order."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from bus.messages import Money
from catalog import search_index
from catalog.item import Item
from catalog.prices import with_price
from catalog.product import Description, Product, Variant
from catalog.search_index import Asked, Counted, Index
from catalog.typos import meant, one_off
from tests.catalog.histories import NOW, stocked

HOUR = timedelta(hours=1)


class Shop:
    """An index, and what stands in it."""

    def __init__(self) -> None:
        self.index = Index("EUR")
        self.first = count(1)
        self.began: dict[str, int] = {}

    def put(
        self, id: str, name: str = "", *items: Item, status: Any = "published", **about: Any
    ) -> None:
        """A product whose SKUs are these items."""
        first = self.began.setdefault(id, next(self.first))
        said = {"name": name or id, "description": "", "brand": "", "category": "", **about}
        variants = tuple(Variant(sku=f"{id}-{n}", name=said["name"]) for n, _ in enumerate(items))
        product = Product(id, Description(**said), variants=variants, status=status)
        self.index.put([(first, product, items)])

    def find(self, q: str = "", **asked: Any) -> list[str]:
        found = self.index.find(wanted(q, **asked))
        assert found is not None
        return found

    def count(self, q: str = "", **asked: Any) -> Counted:
        return self.index.count(wanted(q, **asked))


def wanted(q: str = "", **asked: Any) -> Asked:
    sort = "relevance" if q else "newest"
    return Asked(**{"at": NOW, "q": q, "sort": sort, **asked})


def priced(amount: int, pieces: int = 1) -> Item:
    return stocked(pieces, price=Money(amount=amount, currency="EUR"))


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_word_counts_most_in_the_name_then_brand_category_and_description(shop: Shop) -> None:
    shop.put("name", "Alder")
    shop.put("brand", "Mug", brand="Alder")
    shop.put("category", "Mug", category="Alder")
    shop.put("description", "Mug", description="Of <b>alder</b>.")
    shop.put("none", "Mug", description="Alderman, once: <a title='alder'>oak</a>")
    assert shop.find("alder") == ["name", "brand", "category", "description", "none"]


def test_words_are_found_as_one_types_them_and_whole_ones_come_first(shop: Shop) -> None:
    shop.put("mug", "Mug")
    shop.put("muggle", "Muggle")
    assert shop.find("m") == shop.find("mu") == ["muggle", "mug"]
    assert shop.find("mug") == ["mug", "muggle"]
    assert shop.find("mugg") == ["muggle"]
    assert shop.find("gle") == []


def test_case_accents_and_tags_make_no_difference(shop: Shop) -> None:
    shop.put("dish", "Crème BRÛLÉE", description="<p>Straße</p><p>snake_case &amp; 茶</p>")
    for q in ("creme brulee", "CRÈME", "strasse", "STRAẞE", "snake_case", "茶"):
        assert shop.find(q) == ["dish"], q
    assert shop.find("amp") == shop.find("p") == []


@pytest.mark.parametrize("typed", ["boos", "bootts", "bbots", "boost", "obots", "boats"])
def test_a_word_that_nothing_begins_with_may_be_one_letter_off(shop: Shop, typed: str) -> None:
    shop.put("boots", "Hiking Boots")
    assert shop.find(f"{typed} hik") == ["boots"]


def test_a_word_that_is_found_is_not_taken_for_another(shop: Shop) -> None:
    shop.put("boots", "Boots")
    shop.put("boats", "Boats")
    assert shop.find("boots") == ["boots"]
    shop.put("boots", "Boots", status="archived")
    assert shop.find("boots") == ["boats"]


@pytest.mark.parametrize(
    ("word", "other"), [("boots", "bots"), ("ab", "ba"), ("a", "b"), ("boots", "xboots")]
)
def test_one_letter_is_too_many_wrong_or_swapped(word: str, other: str) -> None:
    assert one_off(word, other)
    assert one_off(other, word)


@pytest.mark.parametrize("other", ["bo", "tboos", "booots!", "stoob", "oobts!", "bxoxts"])
def test_two_letters_are_something_else(other: str) -> None:
    assert not one_off("boots", other)
    assert not one_off(other, "boots")


def test_numbers_and_the_shortest_words_are_never_mistyped() -> None:
    assert meant("421", ["422"]) == meant("ab", ["abc", "a"]) == []
    assert meant("abc", ["abd", "ab", "abcd", "xyz"]) == ["abd", "ab", "abcd"]


@pytest.mark.parametrize(
    "q",
    [
        *('"', '"mug', "mug*", "mug AND", "NEAR(mug bowl)", "name : mug", "^mug", "-mug", "mug\0"),
        *("((", "'; DROP TABLE products --", "{name}", "...", "x" * 10_000, "a " * 5_000),
        *("\N{TEAPOT}", "\ud800"),
    ],
)
def test_whatever_is_typed_is_no_syntax(shop: Shop, q: str) -> None:
    shop.put("mug", "Mug")
    assert shop.find(q) == (["mug"] if q in ('"mug', "mug*", "^mug", "-mug", "mug\0") else [])
    assert shop.find("mug") == ["mug"]


def test_what_is_a_draft_or_archived_is_not_found(shop: Shop) -> None:
    shop.put("mug", "Mug", priced(500), status="draft", brand="Alder", category="Cups")
    assert shop.find() == shop.find("mug") == shop.find(category="cups") == []
    assert shop.count() == Counted([], [], None)
    shop.put("mug", "Mug", priced(500), brand="Alder", category="Cups")
    assert shop.find() == shop.find("mug") == ["mug"]
    shop.put("mug", "Mug", priced(500), status="archived", brand="Alder", category="Cups")
    assert shop.find() == shop.find("mug") == []


def test_one_and_the_same_sku_has_the_price_and_the_pieces(shop: Shop) -> None:
    shop.put("mug", "Mug", priced(500, pieces=0), priced(900))
    shop.put("bowl", "Bowl", priced(700))
    shop.put("dear", "Dear", stocked(1, price=Money(amount=600, currency="JPY")))
    assert shop.find(min_price=500, max_price=700) == ["bowl", "mug"]
    assert shop.find(max_price=500) == ["mug"]
    assert shop.find(max_price=500, available=True) == []
    assert shop.find(min_price=701, available=True) == ["mug"]
    assert shop.find(available=True) == ["bowl", "mug"]


def test_a_price_counts_from_the_moment_it_starts(shop: Shop) -> None:
    item = priced(500)
    prices = with_price(item.prices, Money(amount=400, currency="EUR"), NOW + HOUR)
    shop.put("mug", "Mug", Item("mug", "Mug", prices, item.levels))
    shop.put("bowl", "Bowl", priced(450))
    assert shop.find(sort="price") == ["bowl", "mug"]
    assert shop.find(sort="price", at=NOW + HOUR) == ["mug", "bowl"]
    assert shop.find(max_price=400, at=NOW + HOUR - timedelta(microseconds=1)) == []
    assert shop.find(min_price=500, at=NOW + HOUR) == []


def test_what_has_no_price_comes_last_whichever_way_prices_go(shop: Shop) -> None:
    for id, item in (("b", [priced(2)]), ("none", []), ("a", [priced(1)]), ("a2", [priced(1)])):
        shop.put(id, "Mug", *item)
    assert shop.find(sort="price") == ["a2", "a", "b", "none"]
    assert shop.find("mug", sort="-price") == ["b", "a2", "a", "none"]


@pytest.mark.parametrize("sort", ["relevance", "newest", "price", "-price"])
@pytest.mark.parametrize("q", ["", "mug"])
def test_pages_follow_one_another_without_a_gap_and_none_comes_twice(
    shop: Shop, q: str, sort: str
) -> None:
    def put(number: int, **changed: Any) -> None:
        name = "Mug Cup" if number % 2 else "Cup"
        shop.put(f"p{number}", name, priced(number % 3), description="A mug.", **changed)

    for number in range(12):
        put(number)
    sort = sort if q else sort.replace("relevance", "newest")
    whole = shop.find(q, sort=sort)
    assert len(whole) == 12
    seen = shop.find(q, sort=sort, limit=4)[:4]
    shop.put("late", "Mug Mug", priced(1))  # as the buyer turns the page
    while len(page := shop.find(q, sort=sort, starting_after=seen[-1], limit=4)) > 4:
        seen += page[:4]
    assert [each for each in [*seen, *page] if each != "late"] == whole


@pytest.mark.parametrize("sort", ["newest", "price", "-price"])
def test_a_list_goes_on_behind_what_is_not_found_any_more(shop: Shop, sort: str) -> None:
    for id in "abc":
        shop.put(id, "Mug", priced(5))
    shop.put("b", "Mug", priced(5, 0), status="archived")
    assert shop.find(sort=sort, starting_after="b", available=True) == ["a"]


def test_nothing_comes_after_what_was_never_found(shop: Shop) -> None:
    shop.put("mug", "Mug")
    assert shop.index.find(wanted(starting_after="ghost")) is None
    assert shop.index.find(wanted("cup", starting_after="mug")) is None


def test_each_facet_shows_what_there_is_beside_what_was_chosen(shop: Shop) -> None:
    shop.put("mug", "Blue Mug", priced(500), brand="Alder", category="Cups", categories=("Gifts",))
    shop.put("bowl", "Blue Bowl", priced(900, 0), brand="ALDER", category="Bowls")
    shop.put("can", "Blue Can", priced(4_000), brand="Fernhill", category="Garden")
    shop.put("red", "Red Can", priced(9_000), brand="Fernhill", category="Garden")
    found = shop.count("blue")
    assert sorted(found.category) == [("Bowls", 1), ("Cups", 1), ("Garden", 1), ("Gifts", 1)]
    assert (found.brand, found.price) == ([("ALDER", 2), ("Fernhill", 1)], (500, 4_000))
    chosen = shop.count("blue", brand="alder", category="GIFTS", max_price=600)
    assert chosen.category == [("Cups", 1), ("Gifts", 1)]
    assert (chosen.brand, chosen.price) == ([("Alder", 1)], (500, 500))
    assert shop.count(available=True, brand="alder").price == (500, 500)
    assert shop.count("nowhere") == Counted([], [], None)


def test_a_python_without_full_text_search_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = search_index.SCHEMA.replace("fts5", "fts_that_is_missing")
    monkeypatch.setattr(search_index, "SCHEMA", schema)
    with pytest.raises(RuntimeError, match="FTS5, which this Python"):
        Index("EUR")
