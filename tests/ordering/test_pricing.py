"""What a basket costs: lines, totals, slots, and what is refused."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus.messages import MAX_INTEGER, Money, Refused
from catalog.contract import Offer
from delivery.contract import DeliveryQuote
from delivery.contract import Slot as Window
from ordering import pricing
from ordering.contract import Item, Means, PayOrder, Quote
from payment.contract import Balance
from tests.ordering.histories import EXPIRY, START

EUR = "EUR"


def eur(amount: int) -> Money:
    return Money(amount=amount, currency=EUR)


def offer(sku: str, price: int = 10_50, available: int = 100) -> Offer:
    return Offer(
        sku=sku,
        product_id="p",
        product_name=f"The {sku}",
        price=eur(price),
        available=available,
    )


def way(cost: int = 50_00, slots: tuple[Window, ...] = ()) -> DeliveryQuote:
    return DeliveryQuote(
        cost=eur(cost), warehouse_id="vaduz", distance_m=12_000, duration_s=900, slots=slots
    )


def quoted(items: list[Item], offers: list[Offer], delivery: DeliveryQuote | None = None) -> Quote:
    lines = pricing.price_items(items, offers)
    priced = pricing.with_delivery(lines, pricing.product_cost(lines), delivery or way())
    return pricing.quote(priced, pricing.in_stock(items, offers), "q1", EXPIRY)


def test_a_line_is_its_price_so_many_times() -> None:
    (line,) = pricing.price_items([Item(sku="MUG", quantity=3)], [offer("MUG")])
    assert (line.sku, line.name, line.quantity) == ("MUG", "The MUG", 3)
    assert (line.unit_price, line.line_total) == (eur(10_50), eur(31_50))


def test_lines_stand_as_the_buyer_wrote_them() -> None:
    items = [Item(sku=sku, quantity=1) for sku in ("B", "A", "C", "A")]
    lines = pricing.price_items(items, [offer("A"), offer("B"), offer("C")])
    assert [line.sku for line in lines] == ["B", "A", "C", "A"]


def test_one_sku_on_two_lines_is_available_when_there_is_enough_for_both() -> None:
    items = [Item(sku="MUG", quantity=2), Item(sku="MUG", quantity=3)]
    assert pricing.in_stock(items, [offer("MUG", available=5)]) == (True, True)
    assert pricing.in_stock(items, [offer("MUG", available=4)]) == (False, False)


def test_what_is_short_is_quoted_all_the_same() -> None:
    found = quoted([Item(sku="MUG", quantity=2)], [offer("MUG", available=0)])
    assert (found.items[0].available, found.total) == (False, eur(21_00 + 50_00))


def test_every_unknown_sku_is_named_once() -> None:
    items = [Item(sku=sku, quantity=1) for sku in ("Z", "MUG", "A", "Z")]
    with pytest.raises(Refused, match="A, Z") as refusal:
        pricing.price_items(items, [offer("MUG")])
    assert refusal.value.code == "unknown_sku"
    assert refusal.value.details == {"skus": ["A", "Z"]}


def test_a_basket_beyond_counting_is_refused() -> None:
    dear = [offer("A", MAX_INTEGER // 10_000)]
    pricing.price_items([Item(sku="A", quantity=10_000)], dear)
    with pytest.raises(Refused) as refusal:
        pricing.price_items([Item(sku="A", quantity=10_000), Item(sku="A", quantity=1)], dear)
    assert refusal.value.code == "total_too_large"


def test_a_delivery_that_makes_it_too_dear_to_count_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        quoted([Item(sku="A", quantity=1)], [offer("A", MAX_INTEGER)], way(1))
    assert refusal.value.code == "total_too_large"


def test_a_basket_weighs_what_its_pieces_do_but_for_those_of_which_nobody_knows() -> None:
    items = [Item(sku=sku, quantity=n) for sku, n in (("A", 2), ("B", 3), ("A", 1), ("C", 5))]
    grams = {"A": 350, "B": None, "C": 0}
    offers = [offer(sku).model_copy(update={"weight_g": g}) for sku, g in grams.items()]
    assert pricing.weigh(items, offers) == (3 * 350, 3)


def test_a_quote_tells_the_way_and_how_long_it_holds() -> None:
    found = quoted([Item(sku="MUG", quantity=1)], [offer("MUG")])
    assert (found.distance_m, found.duration_s, found.warehouse_id) == (12_000, 900, "vaduz")
    assert (found.quote_id, found.expires_at) == ("q1", EXPIRY)


def test_a_total_is_checked_only_against_what_the_buyer_was_told() -> None:
    found = quoted([Item(sku="MUG", quantity=1)], [offer("MUG")]).total
    pricing.check_total(found, None)
    pricing.check_total(found, eur(60_50))
    for other in (eur(60_49), eur(60_51), Money(amount=60_50, currency="CHF")):
        with pytest.raises(Refused, match=r"60\.50 EUR") as refusal:
            pricing.check_total(found, other)
        assert refusal.value.code == "total_changed"
        assert refusal.value.details == {"total": {"amount": 60_50, "currency": EUR}}


def test_a_quote_offers_the_slots_of_the_way() -> None:
    window = Window.model_validate({"slot_id": "s1", "from": START, "to": EXPIRY})
    (slot,) = quoted([Item(sku="MUG", quantity=1)], [offer("MUG")], way(slots=(window,))).slots
    assert (slot.slot_id, slot.from_, slot.to) == ("s1", START, EXPIRY)


SKUS = ("A", "B", "C", "D")
baskets = st.lists(
    st.builds(Item, sku=st.sampled_from(SKUS), quantity=st.integers(1, 10_000)),
    min_size=1,
    max_size=20,
)
prices = st.fixed_dictionaries({sku: st.integers(0, 10_000_000) for sku in SKUS})


@given(basket=baskets, price=prices, cost=st.integers(0, 10**9))
def test_a_total_is_the_sum_of_everything(
    basket: list[Item], price: dict[str, int], cost: int
) -> None:
    found = quoted(basket, [offer(sku, amount) for sku, amount in price.items()], way(cost))
    goods = sum(price[item.sku] * item.quantity for item in basket)
    assert found.product_cost == eur(goods)
    assert found.delivery_cost == eur(cost)
    assert found.total == eur(goods + cost)
    assert sum(line.line_total.amount for line in found.items) == goods


@given(basket=baskets, price=prices, data=st.data())
def test_the_order_of_lines_does_not_change_the_total(
    basket: list[Item], price: dict[str, int], data: st.DataObject
) -> None:
    offers = [offer(sku, amount) for sku, amount in price.items()]
    shuffled = data.draw(st.permutations(basket))
    assert quoted(basket, offers).total == quoted(list(shuffled), offers).total


@given(basket=baskets, stock=st.fixed_dictionaries({sku: st.integers(0, 50_000) for sku in SKUS}))
def test_a_basket_is_available_exactly_when_it_could_all_be_taken(
    basket: list[Item], stock: dict[str, int]
) -> None:
    enough = pricing.in_stock(basket, [offer(sku, 1, left) for sku, left in stock.items()])
    for line, available in zip(basket, enough, strict=True):
        wanted = sum(item.quantity for item in basket if item.sku == line.sku)
        assert available == (wanted <= stock[line.sku])


def test_what_store_credit_can_pay_is_let_through_and_a_cent_more_is_not() -> None:
    balance = Balance(buyer_id="b1", balance=eur(90), held=eur(40), available=eur(50))
    pricing.check_credit(eur(50), balance)
    with pytest.raises(Refused, match=r"0\.50 EUR") as refusal:
        pricing.check_credit(eur(51), balance)
    assert refusal.value.code == "insufficient_credit"
    assert refusal.value.details == {"available": {"amount": 50, "currency": EUR}}


def test_nothing_is_paid_with_nothing() -> None:
    pricing.check_payable(eur(1))
    with pytest.raises(Refused) as refusal:
        pricing.check_payable(eur(0))
    assert refusal.value.code == "nothing_to_pay"


@pytest.mark.parametrize("of", [Means, partial(PayOrder, order_id="ord_1")])
def test_only_a_card_needs_a_token(of: Callable[..., Means]) -> None:
    assert of(method="store_credit").token is None
    assert of(method="card", token="pm_card_visa", use_credit=True).use_credit
    with pytest.raises(ValidationError, match="send one"):
        of(method="card", use_credit=True)
