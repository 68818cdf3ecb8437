"""Quotes on the real bus: kept while they hold, whatever has changed, and refused when not."""

from datetime import timedelta
from typing import Any

import pytest

from bus.messages import Invalid, Money, Refused, now
from bus.signing import Signer
from bus.transport import InProcess, Loopback
from catalog.commands import ChangePrice
from catalog.contract import ReserveStock
from delivery.contract import Slot
from ordering.contract import Item, Quote, QuoteBasket
from shop import embedded
from tests.ordering.alone import ORDER, RIVAL, SIGNER, Alone, Open, Others
from tests.ordering.histories import DELIVERY, DOOR, PRICE
from tests.ordering.whole import DOOR as WHOLE_DOOR
from tests.ordering.whole import SKU, Whole, running, settings_of
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

BASKET = QuoteBasket(items=ORDER["items"], destination=DOOR)

WINDOW = Slot.model_validate({"slot_id": "s1", "from": now(), "to": now() + timedelta(hours=1)})


def eur(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


async def refused(shop: Alone, **named: Any) -> Refused:
    """What an order is refused with; nothing is held or written for it."""
    with pytest.raises(Refused) as refusal:
        await shop.place(**named)
    assert await shop.home.log.read(0, limit=1) == []
    assert shop.others.held == []
    return refusal.value


@pytest.mark.parametrize("by", [-50, 50])
@pytest.mark.parametrize("transport", [InProcess, Loopback])
async def test_an_order_is_placed_at_the_prices_of_the_quote_that_it_names(
    opened: Open, transport: type[InProcess], by: int
) -> None:
    async with opened(transport=transport()) as shop:
        quote = await shop.ask(BASKET)
        shop.others.price = eur(PRICE.amount + by)
        shop.others.way_costs = eur(DELIVERY.amount + by)
        order = (await shop.place(quote_id=quote.quote_id, expected_total=quote.total)).answer
        assert (order.items[0].unit_price, order.items[0].line_total) == (PRICE, eur(21_00))
        assert (order.product_cost, order.delivery_cost) == (eur(21_00), DELIVERY)
        assert order.total == quote.total
        await shop.comes_to(order.order_id, status="confirmed")
        (asked,) = shop.others.told_to(ReserveStock)
        assert [(line.unit_price, line.agreed) for line in asked.lines] == [(PRICE, True)]
        assert (await shop.place()).answer.total == eur(71_00 + 3 * by)


async def test_a_quote_writes_nothing_and_may_be_ordered_more_than_once(opened: Open) -> None:
    async with opened() as shop:
        quote = await shop.ask(BASKET)
        assert await shop.home.log.read(0, limit=1) == []
        first, second = [(await shop.place(quote_id=quote.quote_id)).answer for _ in range(2)]
        assert first.order_id != second.order_id


async def test_a_total_that_the_buyer_was_not_told_is_refused_though_it_was_quoted(
    opened: Open,
) -> None:
    async with opened() as shop:
        quote = await shop.ask(BASKET)
        found = await refused(shop, quote_id=quote.quote_id, expected_total=eur(70_99))
        assert found.code == "total_changed"


async def test_a_door_to_which_nothing_is_brought_any_more_is_refused_though_it_was_quoted(
    opened: Open,
) -> None:
    async with opened() as shop:
        quote = await shop.ask(BASKET)
        shop.others.refuses = Refused("unreachable", "no road leads there")
        assert (await refused(shop, quote_id=quote.quote_id)).code == "unreachable"


async def test_a_quote_that_does_not_hold_for_the_order_is_refused_before_anything_is_held(
    opened: Open,
) -> None:
    async with opened(others=Others(slot=WINDOW)) as shop:
        quote = await shop.ask(BASKET)
        named: Any = {"quote_id": quote.quote_id, "slot_id": "s1"}
        theirs = await refused(shop, principal=RIVAL, **named)
        assert (theirs.code, theirs.status) == ("unknown_quote", 404)
        other = (Item(sku="MUG", quantity=3),)
        assert (await refused(shop, items=other, **named)).code == "quote_mismatch"
        next_door = DOOR.model_copy(update={"house_number": "14"})
        assert (await refused(shop, destination=next_door, **named)).code == "quote_mismatch"
        slot = (await shop.place(**named)).answer.slot
        assert slot is not None
        assert slot.slot_id == "s1"


@pytest.mark.parametrize("purpose", ["quote", "track"])
async def test_a_quote_that_was_not_made_here_is_unknown(opened: Open, purpose: str) -> None:
    async with opened() as shop:
        own = await shop.ask(BASKET)
        said = await SIGNER.read("quote", own.quote_id)
        signer = SIGNER if purpose != "quote" else Signer(lambda: [b"another key"])
        for forged in (await signer.sign(purpose, said), f"x{own.quote_id}", "quote-1"):
            refusal = await refused(shop, quote_id=forged)
            assert (refusal.code, refusal.status) == ("unknown_quote", 404)


async def test_an_expired_quote_is_refused_but_the_order_that_named_it_is_answered_again(
    opened: Open,
) -> None:
    others = Others()
    async with opened(others=others) as shop:
        quote = await shop.ask(BASKET)
        first = await shop.place(key="k1", quote_id=quote.quote_id)
    # As if the quote had been good only until now.
    promise = await SIGNER.read("quote", quote.quote_id)
    over = await SIGNER.sign("quote", {**promise, "expires_at": now().isoformat()})
    async with opened(others=others) as shop:
        with pytest.raises(Refused, match="fresh one") as refusal:
            await shop.place(key="k2", quote_id=over)
        assert (refusal.value.code, refusal.value.status) == ("quote_expired", 409)
        again = await shop.place(key="k1", quote_id=over)
        assert again.repeated
        assert again.answer == first.answer
        with pytest.raises(Invalid):
            await shop.place(key="k1", quote_id=over, body="another")


async def test_the_operator_says_for_how_long_a_quote_holds(opened: Open) -> None:
    async with opened(quote_validity=timedelta(hours=2)) as shop:
        before = now()
        quote = await shop.ask(BASKET)
        assert timedelta(hours=2) <= quote.expires_at - before < timedelta(hours=2, minutes=1)
    async with opened(quote_validity=timedelta(0)) as shop:
        quote = await shop.ask(BASKET)
        assert (await refused(shop, quote_id=quote.quote_id)).code == "quote_expired"


async def quoted(shop: Whole, quantity: int) -> Quote:
    items = (Item(sku=SKU, quantity=quantity),)
    return await shop.ask(QuoteBasket(items=items, destination=WHOLE_DOOR))


async def reprice(shop: Whole, amount: int) -> None:
    """The price list has another price, and quotes tell it."""

    async def told() -> Any:
        return (await quoted(shop, 1)).product_cost == eur(amount)

    await shop.bus.send(ChangePrice(sku=SKU, price=eur(amount)))
    await eventually(told)


async def test_a_quote_outlives_the_price_list_and_the_tariff_and_two_warehouses_share_its_order(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix)
    async with running(settings, work=False) as shop:
        await shop.stock_up(vaduz=4, zurich=5)
        goods, two, six = shop.goods, await quoted(shop, 2), await quoted(shop, 6)
    dearer = settings.model_copy(update={"tariff_base": 60_00, "tariff_flat": 60_00})
    async with running(dearer) as shop:
        shop.goods = goods
        await reprice(shop, 20_00)
        small = await shop.place(quantity=2, quote_id=two.quote_id)
        await reprice(shop, 1_00)
        large = await shop.place(quantity=6, quote_id=six.quote_id)
        assert (small.product_cost, large.product_cost) == (eur(25_00), eur(75_00))
        assert (small.total, large.total) == (two.total, six.total)
        assert small.delivery_cost == large.delivery_cost == eur(50_00)
        for order in (small, large):
            await shop.comes_to(order, fulfillment_status="scheduled")
        assert len((await shop.state(large)).shipments) == 2
        # What is gone is gone: nothing was kept for a quote.
        late = await shop.place(quantity=2, quote_id=two.quote_id)
        ended = await shop.comes_to_rest(late)
        assert (ended.status, ended.reason) == ("rejected", "out_of_stock")
        await shop.check_books(small, large, late)
