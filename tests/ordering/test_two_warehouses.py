"""Orders at a shop with two warehouses: the nearest that has everything sends them, or both do."""

from typing import Any

import pytest

from delivery.clock import WEEK
from delivery.slot_commands import SetWindow
from ordering.contract import Item, OrderDocument, QuoteBasket
from ordering.order import Order
from shop import embedded
from tests.ordering.whole import DOOR, SKU, Whole, running, settings_of
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


async def sender(shop: Whole, order: OrderDocument) -> str:
    """The warehouse that an order comes from, once it is confirmed."""
    state: Order = await shop.comes_to(order, status="confirmed")
    return state.warehouse_id


async def test_an_order_comes_from_the_nearest_that_has_everything_when_it_is_kept(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix)
    async with running(settings, work=False) as shop:
        await shop.stock_up(vaduz=3, zurich=5)
        # All are quoted before anything is kept for one of them.
        placed = [await shop.place(quantity=3) for _ in range(3)]
        assert {(await shop.state(each)).warehouse_id for each in placed} == {"vaduz"}
    async with running(settings) as shop:
        settled = [await shop.comes_to_rest(each) for each in placed]
        assert sorted((each.status, each.warehouse_id) for each in settled) == [
            ("confirmed", "vaduz"),
            ("confirmed", "zurich"),
            ("rejected", "vaduz"),
        ]
        (rejected,) = (each for each in settled if each.status == "rejected")
        assert (rejected.reason, rejected.short_skus) == ("out_of_stock", (SKU,))
        happened = [await shop.happened(each) for each in placed]
        assert sum("OrderRerouted" in each for each in happened) == 1
        # Who orders now is quoted from where there is some.
        assert await sender(shop, await shop.place(quantity=2)) == "zurich"


async def test_what_no_warehouse_has_all_of_comes_from_two_and_is_paid_once(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as shop:
        await shop.stock_up(vaduz=2, zurich=5)
        quote = await shop.ask(QuoteBasket(items=(Item(sku=SKU, quantity=6),), destination=DOOR))
        assert [item.available for item in quote.items] == [True]
        assert quote.warehouse_id == "vaduz"
        order = await shop.place(quantity=6)
        booked = await shop.comes_to(order, fulfillment_status="scheduled")
        assert [
            (each.delivery_id, each.warehouse_id, each.items[0].quantity)
            for each in booked.shipments
        ] == [(order.delivery_id, "vaduz", 2), (f"{order.delivery_id}-2", "zurich", 4)]
        assert order.total == quote.total

        await shop.carrier(order, "picked_up", "delivered", shipment=2)
        paid = await shop.comes_to(order, payment_status="captured")
        assert (paid.status, paid.fulfillment_status) == ("confirmed", "shipped")
        await shop.check_books(order)
        await shop.carrier(order, "picked_up", "delivered")
        await shop.comes_to(order, status="completed", fulfillment_status="delivered")
        assert len(shop.calls(order, "capture")) == 1
        await shop.check_books(order)
        assert (await shop.happened(order)).count("OrderShipped") == 1


async def test_a_shop_that_sends_no_shipments_in_parts_says_so_in_the_quote(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix, most_shipments=1)
    async with running(settings) as shop:
        await shop.stock_up(vaduz=2, zurich=5)
        quote = await shop.ask(QuoteBasket(items=(Item(sku=SKU, quantity=6),), destination=DOOR))
        assert [item.available for item in quote.items] == [False]
        ended = await shop.comes_to_rest(await shop.place(quantity=6))
        assert (ended.status, ended.reason, ended.short_skus) == (
            "rejected",
            "out_of_stock",
            (SKU,),
        )


async def test_a_shipment_that_comes_back_is_paid_back_and_restocked_where_it_came_from(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as shop:
        await shop.stock_up(vaduz=1, zurich=1)
        order = await shop.place(quantity=2)
        await shop.comes_to(order, fulfillment_status="scheduled")
        await shop.carrier(order, "picked_up", "returned_to_sender", shipment=2)
        await shop.carrier(order, "picked_up", "delivered")
        ended = await shop.comes_to(order, status="completed", payment_status="partially_refunded")
        assert ended.refunded.amount == 12_50
        (back,) = ended.returns
        assert (back.reason, back.status) == ("returned_to_sender", "refunded")
        await shop.check_books(order)


async def test_a_cancelled_order_calls_every_delivery_off_and_waits_for_the_one_that_has_left(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix)
    async with running(settings) as shop:
        await shop.stock_up(vaduz=1, zurich=1)
        order = await shop.place(quantity=2)
        await shop.comes_to(order, fulfillment_status="scheduled")
        await shop.cancel(order)
        ended = await shop.comes_to(order, status="cancelled", payment_status="voided")
        assert [each.status for each in ended.shipments] == ["cancelled", "cancelled"]
        await shop.check_books(order)
        again = await shop.place(quantity=2)
        await shop.comes_to(again, fulfillment_status="scheduled")
    async with running(settings, work=False) as shop:  # nobody hears of it yet
        await shop.carrier(again, "picked_up", shipment=2)
        await shop.cancel(again)
    async with running(settings) as shop:
        shop.goods = {SKU: {"vaduz": 1, "zurich": 1}}
        gone = await shop.comes_to(again, status="cancelled", payment_status="voided")
        assert [each.status for each in gone.shipments] == ["cancelled", "shipped"]
        assert not shop.calls(again, "capture")
        await shop.check_books(order, again)


async def test_the_shipment_from_where_the_slot_is_comes_in_it_and_the_other_in_none(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as shop:
        await shop.stock_up(vaduz=1, zurich=2)
        await shop.bus.send(
            SetWindow(warehouse_id="vaduz", days=WEEK, start="00:00", end="24:00", capacity=1)
        )
        basket = QuoteBasket(items=(Item(sku=SKU, quantity=3),), destination=DOOR)
        slot, *_ = (await shop.ask(basket)).slots
        order = await shop.place(quantity=3, slot_id=slot.slot_id)
        booked = await shop.comes_to(order, fulfillment_status="scheduled")
        assert [each.slot for each in booked.shipments] == [slot, None]
        assert booked.slot == slot
        await shop.cancel(order)
        await shop.comes_to(order, status="cancelled")

        async def is_free_again() -> Any:
            return slot in (await shop.ask(basket)).slots

        await eventually(is_free_again)
