"""What a quote promises, to whom, for what and until when."""

import json
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bus.messages import Money, Refused
from bus.signing import Signer
from catalog.contract import Offer
from catalog.prices import MAX_PRICE
from delivery.contract import DeliveryQuote
from ordering import pricing
from ordering.contract import Item, PlaceOrder, QuoteBasket, QuoteId
from ordering.promise import Promise, at_promised_prices, check_promise, promised
from tests.ordering.histories import DELIVERY, DOOR, EXPIRY, NOW, VISA

MUGS = (Item(sku="MUG", quantity=2), Item(sku="CUP", quantity=1))

NEXT_DOOR = DOOR.model_copy(update={"house_number": "14"})


def promise(
    prices: Mapping[str, int] = {}, items: tuple[Item, ...] = MUGS, client: str = "webshop"
) -> Promise:
    """What a quote to a client promises: every piece costs 10.00, unless another price is given."""
    offers = [
        Offer(
            sku=item.sku,
            product_id="p",
            product_name="The thing",
            price=Money(amount=prices.get(item.sku, 10_00), currency="EUR"),
            available=9,
        )
        for item in items
    ]
    lines = pricing.price_items(items, offers)
    way = DeliveryQuote(
        cost=DELIVERY, warehouse_id="vaduz", distance_m=1000, duration_s=60, slots=()
    )
    priced = pricing.with_delivery(lines, pricing.product_cost(lines), way)
    return promised(priced, QuoteBasket(items=items, destination=DOOR), client, EXPIRY)


def order(**changes: Any) -> PlaceOrder:
    body = {"buyer_id": "b1", "items": MUGS, "destination": DOOR, "payment": VISA, **changes}
    return PlaceOrder.model_validate(body)


def refusal(of: Promise, wanted: PlaceOrder, client: str = "webshop", **late: float) -> Refused:
    with pytest.raises(Refused) as refused:
        check_promise(of, wanted, client, NOW + timedelta(**late))
    return refused.value


def test_a_promise_holds_until_it_expires_and_not_a_millisecond_longer() -> None:
    check_promise(promise(), order(), "webshop", EXPIRY - timedelta(milliseconds=1))
    with pytest.raises(Refused, match=r"12:30:00.*fresh one") as refused:
        check_promise(promise(), order(), "webshop", EXPIRY)
    assert (refused.value.code, refused.value.status) == ("quote_expired", 409)


def test_a_promise_to_somebody_else_is_none() -> None:
    for late in (0, 60):
        refused = refusal(promise(), order(), "rival", minutes=late)
        assert (refused.code, refused.status) == ("unknown_quote", 404)


@pytest.mark.parametrize(
    "changes",
    [
        {"items": (Item(sku="MUG", quantity=2),)},
        {"items": (*MUGS, Item(sku="BOWL", quantity=1))},
        {"items": (Item(sku="MUG", quantity=1), Item(sku="CUP", quantity=2))},
        {"items": (Item(sku="MUG", quantity=3), Item(sku="CUP", quantity=1))},
        {"destination": NEXT_DOOR},
    ],
)
def test_a_promise_is_for_one_basket_at_one_door(changes: dict[str, Any]) -> None:
    refused = refusal(promise(), order(**changes))
    assert (refused.code, refused.status) == ("quote_mismatch", 409)


def test_a_basket_is_the_same_in_whichever_lines_its_pieces_stand() -> None:
    told = promise({"MUG": 12_00, "CUP": 3_00})
    lines = (*MUGS[1:], Item(sku="MUG", quantity=1), Item(sku="MUG", quantity=1))
    check_promise(told, order(items=lines), "webshop", NOW)
    found = at_promised_prices(told, lines)
    assert [(x.sku, x.quantity, x.unit_price.amount) for x in found] == [
        ("CUP", 1, 3_00),
        ("MUG", 1, 12_00),
        ("MUG", 1, 12_00),
    ]


skus = st.text("ABCabc-._:9", min_size=1, max_size=8).map(lambda text: f"S{text}")


@given(prices=st.dictionaries(skus, st.integers(0, MAX_PRICE), min_size=1, max_size=20))
def test_every_line_costs_what_was_quoted_for_its_sku(prices: dict[str, int]) -> None:
    items = tuple(Item(sku=sku, quantity=1) for sku in prices)
    found = at_promised_prices(promise(prices, items), items)
    assert {line.sku: line.unit_price.amount for line in found} == prices


async def test_the_largest_basket_has_an_id_that_an_order_may_name() -> None:
    chance = random.Random(1)
    items = tuple(Item(sku=f"S{number}", quantity=10_000) for number in range(200))
    prices = {item.sku: chance.randrange(MAX_PRICE // 2, MAX_PRICE) for item in items}
    told = promise(prices, items, "c" * 90)
    signer = Signer(lambda: [b"key"])
    token = await signer.sign("quote", told.model_dump(mode="json"))
    assert TypeAdapter[str](QuoteId).validate_python(token) == token
    signed = await signer.read("quote", token)
    assert Promise.model_validate(signed, strict=False) == told
    # Though nothing of it could be said shorter, it would be short enough.
    assert len(json.dumps(signed, separators=(",", ":"))) * 4 / 3 + 60 < 4096


@pytest.mark.parametrize("text", ["", "a b", "ü", "a/b", "x" * 4097, "a\n"])
def test_what_cannot_be_the_id_of_a_quote_is_invalid(text: str) -> None:
    with pytest.raises(ValidationError):
        order(quote_id=text)
