"""Who comes first, and who too late: the races of an order's life, on the whole shop."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from bus.messages import Money, Refused
from payment.gateway import Outcome
from shop import embedded
from tests.ordering.whole import PIECES, Whole, running, settings_of
from tests.waiting import eventually, soon

pytestmark = pytest.mark.anyio

AWAY = "redis://127.0.0.1:1/0"
"""Where no Redis is."""

Start = Callable[..., AbstractAsyncContextManager[Whole]]


@pytest.fixture(params=[pytest.param("inprocess", marks=pytest.mark.long), "loopback"])
def start(
    request: pytest.FixtureRequest, servers: embedded.Servers, prefix: str, redis_url: str
) -> Start:
    """Starts the shop on this test's databases, on either transport."""
    url = servers.mongodb_url
    assert url

    def begin(*, work: bool = True, **settings: Any) -> AbstractAsyncContextManager[Whole]:
        own = settings_of(
            url, settings.pop("redis_url", redis_url), prefix, transport=request.param, **settings
        )
        return running(own, work=work)

    return begin


# --- cancel against authorization


@pytest.mark.parametrize("halts", ["before", "after"])
async def test_an_authorization_that_comes_after_the_cancellation_is_voided(
    start: Start, halts: Any
) -> None:
    async with start() as shop:
        await shop.stock_up()
        shop.gateway.halts = halts
        order = await shop.place()
        await soon(shop.gateway.under_way.wait())
        await shop.cancel(order)
        shop.gateway.goes_on.set()
        ended = await shop.comes_to(order, status="cancelled")
        assert (ended.payment_status, ended.refunded.amount) == ("voided", 0)
        assert "OrderConfirmed" not in await shop.happened(order)
        assert len(shop.calls(order, "authorize")) == len(shop.calls(order, "void")) == 1
        await shop.check_books(order)


async def test_a_cancelled_order_keeps_its_stock_until_the_money_is_certain(start: Start) -> None:
    async with start() as shop:
        await shop.stock_up()
        shop.gateway.halts = "after"
        order = await shop.place()
        await soon(shop.gateway.under_way.wait())
        await shop.cancel(order)

        async def nobody_comes() -> Any:
            return "DeliveryCalledOff" in await shop.happened(order)

        await eventually(nobody_comes)
        assert (await shop.stock()).reserved == 1
        assert (await shop.state(order)).status == "cancelling"
        shop.gateway.goes_on.set()
        await shop.comes_to(order, status="cancelled")
        await shop.check_books(order)


async def test_cancelling_at_any_moment_leaves_nothing_held(start: Start) -> None:
    """The cancellation comes when so much of the order's history has been written."""
    async with start() as shop:
        await shop.stock_up()
        placed = []
        for moment in range(1, 5):
            order = await shop.place()

            async def so_far(order: Any = order, moment: int = moment) -> Any:
                return len(await shop.happened(order)) >= moment

            await eventually(so_far, every=0)
            await shop.cancel(order)
            placed.append(order)
        for order in placed:
            await shop.comes_to(order, status="cancelled")
        await shop.check_books(*placed)


# --- cancel against pick-up


async def test_goods_picked_up_after_the_cancellation_are_not_sold_again_nor_charged(
    start: Start,
) -> None:
    async with start() as shop:
        await shop.stock_up()
        order = await shop.place()
        await shop.comes_to(order, fulfillment_status="scheduled")
    async with start(work=False) as shop:  # nobody hears of it yet
        await shop.cancel(order)
        await shop.carrier(order, "picked_up")
    async with start() as shop:
        ended = await shop.comes_to(order, status="cancelled")
        assert (ended.payment_status, ended.fulfillment_status) == ("voided", "shipped")
        assert "GoodsGone" in await shop.happened(order)
        assert not shop.calls(order, "capture")
        await shop.check_books(order)
        assert (await shop.stock()).available == PIECES - 1
        await shop.carrier(order, "returned_to_sender")
        assert (await shop.comes_to(order, fulfillment_status="returned")).status == "cancelled"


async def test_a_cancellation_after_the_pick_up_takes_the_money_back(start: Start) -> None:
    """The carrier has them, but the order has not heard of it when it is cancelled; it never
    is charged."""
    async with start() as shop:
        await shop.stock_up()
        order = await shop.place()
        await shop.comes_to(order, fulfillment_status="scheduled")
    async with start(work=False) as shop:
        await shop.carrier(order, "picked_up")
        await shop.cancel(order)
    async with start() as shop:
        ended = await shop.comes_to(order, status="cancelled")
        assert (ended.payment_status, ended.fulfillment_status) == ("voided", "shipped")
        await shop.check_books(order)


async def test_whoever_is_first_of_carrier_and_canceller_the_books_are_right(start: Start) -> None:
    async with start() as shop:
        await shop.stock_up()
        placed = [await shop.place() for _ in range(12)]
        for order in placed:
            await shop.comes_to(order, fulfillment_status="scheduled")

        async def race(order: Any, number: int) -> None:
            both = [shop.cancel(order), shop.carrier(order, "picked_up")]
            found = await asyncio.gather(
                *(both if number % 2 else both[::-1]), return_exceptions=True
            )
            refusals = {error.code for error in found if isinstance(error, Refused)}
            assert refusals <= {"already_shipped", "delivery_ended"}
            assert len([error for error in found if error is not None]) == len(refusals)

        await asyncio.gather(*(race(order, number) for number, order in enumerate(placed)))
        for order in placed:
            state = await shop.comes_to_rest(order)
            assert state.status in ("cancelled", "confirmed")
        await shop.check_books(*placed)


# --- capture against cancel


def halt_captures(shop: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture is asked for, and done only when it goes on."""
    capture = shop.gateway.capture

    async def halting(key: str, authorization: str, amount: Money) -> Outcome:
        await shop.gateway._halt()
        return await capture(key, authorization, amount)

    monkeypatch.setattr(shop.gateway, "capture", halting)


async def test_a_capture_under_way_when_the_goods_come_back_is_refunded(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as shop:
        await shop.stock_up()
        order = await shop.place()
        await shop.comes_to(order, fulfillment_status="scheduled")
        halt_captures(shop, monkeypatch)
        await shop.carrier(order, "picked_up")
        await soon(shop.gateway.under_way.wait())
        await shop.carrier(order, "returned_to_sender")
        called_off = await shop.comes_to(order, status="cancelling")
        assert called_off.refunded.amount == 0
        shop.gateway.goes_on.set()
        ended = await shop.comes_to(order, status="cancelled")
        assert (ended.payment_status, ended.refunded) == ("refunded", ended.total)
        assert len(shop.calls(order, "capture")) == len(shop.calls(order, "refund")) == 1
        assert not shop.calls(order, "void")
        await shop.check_books(order)


# --- expiry against pay


@pytest.mark.parametrize("halts", ["before", "after"])
async def test_an_authorization_that_comes_after_the_expiry_is_voided(
    start: Start, halts: Any
) -> None:
    async with start(order_expiry=timedelta(seconds=1)) as shop:
        await shop.stock_up()
        order = await shop.place("pm_card_chargeDeclined")
        await shop.comes_to(order, payment_status="declined")
        shop.gateway.halts = halts
        await shop.pay(order)
        await soon(shop.gateway.under_way.wait())
        await shop.comes_to(order, status="expired")
        shop.gateway.goes_on.set()
        await shop.comes_to(order, status="expired", payment_status="voided")
        await shop.check_books(order)
        with pytest.raises(Refused) as refusal:
            await shop.pay(order)
        assert refusal.value.code == "order_ended"


async def test_an_order_that_was_paid_in_time_does_not_expire(start: Start) -> None:
    async with start(order_expiry=timedelta(seconds=1)) as shop:
        await shop.stock_up()
        order = await shop.place()
        await shop.comes_to(order, fulfillment_status="scheduled")
        other = await shop.place("pm_card_chargeDeclined")  # expires later, and is seen to
        await shop.comes_to(other, status="expired")
        assert (await shop.state(order)).status == "confirmed"
        await shop.check_books(order, other)


# --- the stock lapses against confirmation


async def test_an_order_paid_after_its_stock_was_sold_is_cancelled_and_voided(
    start: Start,
) -> None:
    async with start(reservation_ttl=timedelta(seconds=1)) as shop:
        await shop.stock_up(pieces=1)
        shop.gateway.halts = "after"
        late = await shop.place()
        await soon(shop.gateway.under_way.wait())
        await shop.stock_becomes(reserved=0)
        shop.gateway.halts = None
        faster = await shop.place()
        await shop.comes_to(faster, fulfillment_status="scheduled")
        shop.gateway.goes_on.set()
        ended = await shop.comes_to(late, status="cancelled")
        assert (ended.payment_status, ended.reason) == ("voided", "out_of_stock")
        await shop.check_books(late, faster)


async def test_an_order_paid_after_its_stock_lapsed_gets_it_again_if_it_is_still_there(
    start: Start,
) -> None:
    async with start(reservation_ttl=timedelta(seconds=1)) as shop:
        await shop.stock_up()
        shop.gateway.halts = "after"
        order = await shop.place()
        await soon(shop.gateway.under_way.wait())
        await shop.stock_becomes(reserved=0)
        shop.gateway.goes_on.set()
        await shop.comes_to(order, status="confirmed", fulfillment_status="scheduled")
        await shop.check_books(order)


async def test_the_last_piece_is_sold_once(start: Start) -> None:
    async with start() as shop:
        await shop.stock_up(pieces=3)
        placed = await asyncio.gather(*(shop.place() for _ in range(8)))
        states = [await shop.comes_to_rest(order) for order in placed]
        assert sorted(state.status for state in states) == ["confirmed"] * 3 + ["rejected"] * 5
        await shop.check_books(*placed)


# --- everything at once


async def test_whatever_buyers_and_carriers_do_at_once_the_books_are_right(start: Start) -> None:
    random = Random(7)
    tokens = ["pm_card_visa", "pm_card_chargeDeclined", "pm_fault_timeout", "pm_fault_unavailable"]
    async with start() as shop:
        await shop.stock_up()

        async def live(token: str, acts: list[str]) -> Any:
            order = await shop.place(token)
            for act in acts:
                try:
                    match act:
                        case "pay":
                            await shop.pay(order)
                        case "cancel":
                            await shop.cancel(order)
                        case _:
                            await shop.carrier(order, "picked_up")
                except Refused:
                    continue
            return order

        placed = await asyncio.gather(
            *(
                live(random.choice(tokens), random.choices(["pay", "cancel", "pick up"], k=6))
                for _ in range(20)
            )
        )
        for order in placed:
            await shop.comes_to_rest(order)
        await shop.check_books(*placed)


async def test_two_replicas_that_hear_of_each_other_late_bring_every_order_to_its_end(
    start: Start,
) -> None:
    """With no Redis a replica hears of the other's commits only when it looks."""
    away = {"redis_url": AWAY}
    async with start(**away) as one, start(**away) as other:
        await one.stock_up()

        async def live(number: int) -> Any:
            here, there = (one, other) if number % 2 else (other, one)
            order = await here.place("pm_card_chargeDeclined" if number % 3 else "pm_card_visa")
            await there.comes_to_rest(order)
            if number % 3:
                await eventually(lambda: paid(there, order))
            if number % 4 == 0:
                await here.cancel(order)
            else:
                await there.comes_to(order, fulfillment_status="scheduled")
                await there.carrier(order, "picked_up", "delivered")
                await here.comes_to(order, status="completed")
            return order

        async def paid(shop: Whole, order: Any) -> Any:
            try:
                await shop.pay(order)
            except Refused:  # it has not heard of the decline yet
                return False
            return True

        placed = await asyncio.gather(*map(live, range(12)))
        for order in placed:
            await one.comes_to_rest(order)
        await one.check_books(*placed)
