"""Ordering's commands and queries on the real bus, MongoDB and Redis; the others are the test's."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bus.envelope import sealed
from bus.messages import Busy, Invalid, Money, NotFound, Refused, Stale, now
from bus.transport import InProcess, Loopback
from catalog.contract import ReleaseStock, ReserveStock, ShipStock
from delivery.contract import (
    CancelDelivery,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    DeliveryScheduled,
    Packed,
    ScheduleDelivery,
)
from ordering.commands import BookDelivery
from ordering.contract import (
    AwaitOrder,
    CancelOrder,
    GetHistory,
    GetOrder,
    GetOrderAsOf,
    Item,
    ListOrders,
    Means,
    OrderDocument,
    PayOrder,
    PlaceOrder,
    QuoteBasket,
)
from ordering.views import present
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    CapturePayment,
    PaymentActionRequired,
    PaymentCaptured,
    PaymentRefunded,
)
from payment.contract import NextAction as PaymentAction
from tests.ordering.alone import (
    ORDER,
    RIVAL,
    WEBSHOP,
    Alone,
    Open,
    Others,
    declined,
    denied,
    stays_silent,
)
from tests.ordering.histories import DOOR
from tests.waiting import eventually, soon

pytestmark = pytest.mark.anyio

TRANSPORTS = pytest.mark.parametrize("transport", [InProcess, Loopback])

AWAY = "redis://127.0.0.1:1/0"
"""Where no Redis is."""


def eur(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


async def read(shop: Alone, order_id: str) -> OrderDocument:
    found = await shop.ask(GetOrder(order_id=order_id))
    order = OrderDocument.model_validate_json(found.body)
    assert order.version == found.version
    return order


async def replayed(shop: Alone, order_id: str) -> OrderDocument:
    versions = await shop.home.log.stream(f"order-{order_id}")
    return present(await shop.state(order_id), versions[-1][1])


# --- the way of an order


@TRANSPORTS
async def test_an_order_goes_from_basket_to_doorstep(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport()) as shop:
        order = (await shop.place()).answer
        confirmed = await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        assert (confirmed.status, confirmed.payment_status) == ("confirmed", "authorized")

        whose: Any = {"delivery_id": order.delivery_id, "reference": order.order_id}
        await shop.say(DeliveryPickedUp(**whose, at=now()))
        await shop.comes_to(order.order_id, fulfillment_status="shipped")
        await eventually(lambda: shop.others.told_to(CapturePayment))
        await shop.say(
            PaymentCaptured(
                payment_id=order.payment_id, reference=order.order_id, amount=order.total
            )
        )
        await shop.comes_to(order.order_id, payment_status="captured")
        await shop.say(DeliveryDelivered(**whose, at=now()))
        await shop.comes_to(order.order_id, status="completed")
        assert await shop.happened(order.order_id) == [
            "OrderPlaced",
            "PaymentRequested",
            "OrderConfirmed",
            "DeliveryArranged",
            "OrderShipped",
            "PaymentTaken",
            "OrderDelivered",
            "OrderCompleted",
        ]
        assert len(shop.others.told_to(ReserveStock)) == 1
        assert len(shop.others.told_to(AuthorizePayment)) == 1
        assert len(shop.others.told_to(ShipStock)) == 1


@TRANSPORTS
async def test_the_address_goes_to_delivery_and_stands_in_one_event_here(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport()) as shop:
        order = (await shop.place()).answer
        await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        (asked,) = shop.others.told_to(ScheduleDelivery)
        assert (asked.reference, asked.destination, asked.warehouse_id) == (
            order.order_id,
            DOOR,
            "vaduz",
        )
        assert asked.items == (Packed(sku="MUG", quantity=2),)
        events = [event for event, _ in await shop.home.log.stream(f"order-{order.order_id}")]
        assert [DOOR.road in event.model_dump_json() for event in events] == [
            True,
            *[False] * (len(events) - 1),
        ]


async def test_what_is_short_rejects_the_order_and_asks_no_money(opened: Open) -> None:
    others = Others()
    others.answers[ReserveStock] = denied
    async with opened(others=others) as shop:
        order = (await shop.place()).answer
        rejected = await shop.comes_to(order.order_id, status="rejected")
        assert (rejected.reason, rejected.payment_status) == ("out_of_stock", "not_paid")
        assert others.told_to(AuthorizePayment) == []


async def test_goods_that_come_back_are_refunded_and_the_order_cancelled(opened: Open) -> None:
    async with opened() as shop:
        shop.others.answers[CancelPayment] = lambda asked: PaymentRefunded(
            payment_id=asked.payment_id, reference=asked.reference, amount=eur(71_00)
        )
        shop.others.answers[CapturePayment] = stays_silent
        shop.others.answers[CancelDelivery] = stays_silent  # it has ended: nobody is to be told
        order = (await shop.place()).answer
        whose: Any = {"delivery_id": order.delivery_id, "reference": order.order_id}
        await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        await shop.say(DeliveryPickedUp(**whose, at=now()))
        await shop.say(DeliveryReturned(**whose, at=now()))
        back = await shop.comes_to(order.order_id, status="cancelled")
        assert (back.payment_status, back.fulfillment_status, back.refunded) == (
            "refunded",
            "returned",
            eur(71_00),
        )


# --- placing


async def test_the_answer_is_the_order_as_it_was_placed(opened: Open) -> None:
    async with opened() as shop:
        done = await shop.place(expected_total=eur(71_00))
        order = done.answer
        assert (order.version, order.status, order.payment_status) == (1, "pending", "not_paid")
        assert (order.product_cost, order.delivery_cost, order.total) == (
            eur(21_00),
            eur(50_00),
            eur(71_00),
        )
        assert order.order_id.startswith("ord_")
        assert (done.position, done.repeated) == (1, False)


@TRANSPORTS
async def test_the_same_key_answers_what_it_answered_first(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport()) as shop:
        first = await shop.place(key="k1")
        await shop.comes_to(first.answer.order_id, status="confirmed")
        again = await shop.place(key="k1")
        assert again.repeated
        assert (again.answer, again.position) == (first.answer, first.position)
        assert len(shop.others.told_to(ReserveStock)) == 1


async def test_the_same_key_answers_even_when_the_basket_would_be_refused_by_now(
    opened: Open,
) -> None:
    async with opened() as shop:
        first = await shop.place(key="k1", expected_total=eur(71_00))
        shop.others.price = eur(12_00)
        again = await shop.place(key="k1", expected_total=eur(71_00))
        assert (again.answer, again.repeated) == (first.answer, True)
        with pytest.raises(Refused) as refusal:
            await shop.place(key="k2", expected_total=eur(71_00))
        assert refusal.value.code == "total_changed"


async def test_the_same_key_answers_after_a_restart(opened: Open) -> None:
    async with opened() as shop:
        first = await shop.place(key="k1")
    async with opened() as shop:
        again = await shop.place(key="k1")
        assert (again.answer, again.repeated) == (first.answer, True)


async def test_a_key_with_another_body_is_refused(opened: Open) -> None:
    async with opened() as shop:
        await shop.place(key="k1")
        with pytest.raises(Invalid) as refusal:
            await shop.place(key="k1", body="another", buyer_id="b2")
        assert refusal.value.code == "idempotency_key_reused"
        shop.others.refuses = Refused("unreachable", "no road")
        with pytest.raises(Invalid):
            await shop.place(key="k1", body="another", buyer_id="b2")


async def test_a_placement_that_is_delivered_twice_without_a_key_is_done_once(opened: Open) -> None:
    async with opened() as shop:
        order = PlaceOrder.model_validate(ORDER)
        envelope = sealed(order, id="once", principal=WEBSHOP)  # a transport may repeat it
        first = await shop.bus.deliver(envelope)
        again = await shop.bus.deliver(envelope)
        assert (again.answer, again.repeated) == (first.answer, True)


async def test_twins_at_once_place_one_order(opened: Open) -> None:
    async with opened() as shop:
        found = await asyncio.gather(*(shop.place(key="k1") for _ in range(8)))
        assert len({done.answer.order_id for done in found}) == 1
        assert sorted(done.repeated for done in found) == [False] + [True] * 7
        assert {done.answer.version for done in found} == {1}
        page = await shop.ask(ListOrders(min_position=await shop.home.log.head()))
        assert len(page.data) == 1


async def test_a_refused_placement_writes_nothing_and_its_key_may_be_tried_again(
    opened: Open,
) -> None:
    async with opened() as shop:
        refusals = []
        for changes in (
            {"items": (Item(sku="NO-SUCH", quantity=1),)},
            {"expected_total": eur(71_01)},
            {"slot_id": "s9"},
        ):
            with pytest.raises(Refused) as refusal:
                await shop.place(key="k1", **changes)
            refusals.append(refusal.value.code)
        shop.others.refuses = NotFound("unknown_address", "nobody knows where that is")
        with pytest.raises(Refused) as refusal:
            await shop.place(key="k1")
        refusals.append(refusal.value.code)
        assert refusals == ["unknown_sku", "total_changed", "unknown_slot", "unknown_address"]
        assert await shop.home.log.head() == 0
        shop.others.refuses = None
        assert not (await shop.place(key="k1")).repeated


async def test_a_quote_is_what_an_order_would_cost(opened: Open) -> None:
    async with opened() as shop:
        items = (Item(sku="A", quantity=3), Item(sku="B", quantity=10))
        quoted = await shop.ask(QuoteBasket(items=items, destination=DOOR))
        assert [item.available for item in quoted.items] == [True, False]
        order = (await shop.place(items=items)).answer
        assert (order.product_cost, order.delivery_cost, order.total) == (
            quoted.product_cost,
            quoted.delivery_cost,
            quoted.total,
        )
        assert await shop.home.log.head() >= 1


# --- paying and cancelling


async def test_a_declined_buyer_pays_again(opened: Open) -> None:
    others = Others()
    pays = others.answers[AuthorizePayment]
    others.answers[AuthorizePayment] = lambda asked: (
        declined(asked) if asked.attempt == 1 else pays(asked)
    )
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        waiting = await shop.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert (waiting.status, waiting.payment_status, waiting.reason) == (
            "pending",
            "declined",
            "card_declined",
        )
        done = await shop.send(PayOrder(order_id=order_id, method="card", token="pm_card_other"))
        assert (done.answer.payment_status, done.answer.reason) == ("not_paid", None)
        settled = await shop.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert (settled.status, settled.payment_status) == ("confirmed", "authorized")
        assert [asked.means.token for asked in others.told_to(AuthorizePayment)] == [
            "pm_card_visa",
            "pm_card_other",
        ]


async def test_a_buyer_who_has_to_act_is_told_what_to_do(opened: Open) -> None:
    others = Others()
    others.answers[AuthorizePayment] = lambda asked: PaymentActionRequired(
        payment_id=asked.payment_id,
        reference=asked.reference,
        attempt=asked.attempt,
        action=PaymentAction(type="redirect", url="https://bank.example/3ds"),
    )
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        waiting = await shop.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert waiting.payment_status == "requires_action"
        assert waiting.next_action is not None
        assert waiting.next_action.url == "https://bank.example/3ds"


@TRANSPORTS
async def test_a_cancelled_order_gives_everything_back(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport()) as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        done = await shop.send(CancelOrder(order_id=order_id, reason="changed my mind"))
        assert (done.answer.status, done.answer.reason) == ("cancelling", "changed my mind")
        settled = await shop.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert (settled.status, settled.payment_status) == ("cancelled", "voided")
        await eventually(lambda: shop.others.told_to(ReleaseStock))
        assert len(shop.others.told_to(CancelPayment)) == 1
        assert len(shop.others.told_to(CancelDelivery)) == 1


@pytest.mark.parametrize("silent", [CancelPayment, CancelDelivery])
async def test_no_order_is_cancelled_before_money_and_goods_are_certain(
    opened: Open, silent: type[Any]
) -> None:
    others = Others()
    answer, others.answers[silent] = others.answers[silent], stays_silent
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        await shop.send(CancelOrder(order_id=order_id))
        known = "MoneyReturned" if silent is CancelDelivery else "DeliveryCalledOff"

        async def heard() -> Any:
            return known in await shop.happened(order_id)

        await eventually(heard)
        waited = await shop.ask(AwaitOrder(order_id=order_id, seconds=0))
        assert waited.status == "cancelling"
        assert others.told_to(ReleaseStock) == []
        (asked,) = others.told_to(silent)
        event = answer(asked)
        assert event is not None
        await shop.say(event)
        await shop.comes_to(order_id, status="cancelled")
        await eventually(lambda: others.told_to(ReleaseStock))


async def test_who_cancels_a_declined_order_waits_until_it_is_cancelled(opened: Open) -> None:
    others = Others()
    others.answers[AuthorizePayment] = declined
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, payment_status="declined")
        await shop.send(CancelOrder(order_id=order_id))
        settled = await shop.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert settled.status == "cancelled"


async def test_an_order_nobody_pays_expires_by_its_timer(opened: Open) -> None:
    others = Others()
    others.answers[AuthorizePayment] = declined
    async with opened(others=others, expiry=timedelta(seconds=1)) as shop:
        order_id = (await shop.place()).answer.order_id
        expired = await shop.comes_to(order_id, status="expired")
        assert expired.reason == "not_paid_in_time"
        await eventually(lambda: others.told_to(ReleaseStock))
        assert len(others.told_to(CancelPayment)) == 1


async def test_a_confirmed_order_has_no_timer_left(opened: Open) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, status="confirmed")

        async def called_off() -> Any:
            return not await shop.home.timers.waiting()

        await eventually(called_off)


async def test_another_clients_order_is_unknown(opened: Open) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        for request in (
            GetOrder(order_id=order_id),
            GetOrderAsOf(order_id=order_id, at=now()),
            GetHistory(order_id=order_id),
            AwaitOrder(order_id=order_id, seconds=30),
        ):
            with pytest.raises(NotFound) as refusal:
                await shop.bus.ask(request, principal=RIVAL)
            assert refusal.value.code == "unknown_order"
        for command in (
            CancelOrder(order_id=order_id),
            PayOrder(order_id=order_id, method="card", token="t"),
        ):
            with pytest.raises(NotFound):
                await shop.send(command, principal=RIVAL)
        with pytest.raises(NotFound):
            await shop.ask(ListOrders(starting_after=order_id), principal=RIVAL)
        head = await shop.home.log.head()
        assert (await shop.ask(ListOrders(min_position=head), principal=RIVAL)).data == ()


async def test_a_decision_on_an_old_version_is_stale(opened: Open) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        before = await shop.happened(order_id)
        cancel = CancelOrder(order_id=order_id)
        with pytest.raises(Stale):
            await shop.bus.deliver(sealed(cancel, principal=WEBSHOP, if_version=1))
        assert await shop.happened(order_id) == before
        version = (await read(shop, order_id)).version
        done = await shop.bus.deliver(sealed(cancel, principal=WEBSHOP, if_version=version))
        assert done.answer.status == "cancelling"


# --- reading


async def test_an_order_is_read_the_same_from_cache_from_its_stream_and_without_redis(
    opened: Open, redis_url: str
) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        truth = await replayed(shop, order_id)

        async def cached() -> Any:
            return (await read(shop, order_id)) == truth

        await eventually(cached)
        with Redis.from_url(redis_url) as redis:
            assert [key.decode() for key in redis.keys("*order*")]
            redis.flushdb()
        assert await read(shop, order_id) == truth
    async with opened(redis_url=AWAY) as shop:
        assert await read(shop, order_id) == truth
        assert (await shop.place()).answer.status == "pending"


async def test_who_has_seen_an_order_settle_never_reads_it_as_it_was_before(opened: Open) -> None:
    # The replica that does the work has no Redis: nobody else renews the cache.
    async with opened(work=False) as front, opened(redis_url=AWAY):
        order_id = (await front.place()).answer.order_id
        assert (await read(front, order_id)).order_id == order_id  # so it is in the cache
        settled = await front.ask(AwaitOrder(order_id=order_id, seconds=30))
        assert settled.status == "confirmed"
        assert (await read(front, order_id)).version >= settled.version


async def test_who_has_cancelled_an_order_reads_it_as_cancelled(opened: Open) -> None:
    others = Others()
    others.answers[CancelPayment] = stays_silent
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        await read(shop, order_id)
        done = await shop.send(CancelOrder(order_id=order_id))
        found = await read(shop, order_id)
        assert (found.status, found.version >= done.answer.version) == ("cancelling", True)


async def test_orders_are_listed_newest_first_in_pages(opened: Open) -> None:
    async with opened() as shop:
        placed = [(await shop.place(buyer_id=f"b{n % 2}")).answer.order_id for n in range(5)]
        head = await shop.home.log.head()

        async def page(**query: Any) -> tuple[list[str], bool]:
            found = await shop.ask(ListOrders(min_position=head, **query))
            return [json.loads(order)["order_id"] for order in found.data], found.has_more

        newest = placed[::-1]
        assert await page() == (newest, False)
        assert await page(limit=2) == (newest[:2], True)
        assert await page(limit=2, starting_after=newest[1]) == (newest[2:4], True)
        assert await page(limit=2, starting_after=newest[3]) == (newest[4:], False)
        assert await page(buyer_id="b1") == ([placed[3], placed[1]], False)
        assert await page(buyer_id="b1", starting_after=placed[3]) == ([placed[1]], False)
        assert await page(buyer_id="nobody") == ([], False)


async def test_orders_are_listed_by_status(opened: Open) -> None:
    async with opened() as shop:
        kept = (await shop.place()).answer.order_id
        gone = (await shop.place()).answer.order_id
        for order_id in (kept, gone):
            await shop.comes_to(order_id, fulfillment_status="scheduled")
        await shop.send(CancelOrder(order_id=gone))
        await shop.comes_to(gone, status="cancelled")
        head = await shop.home.log.head()
        for status, order_id in (("confirmed", kept), ("cancelled", gone)):
            query = ListOrders.model_validate({"status": status, "min_position": head})
            (found,) = (await shop.ask(query)).data
            assert OrderDocument.model_validate_json(found) == await replayed(shop, order_id)


async def test_a_list_that_cannot_know_a_position_says_whether_it_ever_will(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as shop:
        with pytest.raises(NotFound, match="position 99"):
            await shop.ask(ListOrders(min_position=99))

        async def not_yet(*_: Any) -> bool:
            return False

        await shop.place()
        monkeypatch.setattr(shop.home, "seen", not_yet)
        with pytest.raises(Busy, match="position 1"):
            await shop.ask(ListOrders(min_position=1))


async def test_an_order_can_be_seen_as_it_was(opened: Open) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        commits = await shop.home.log.history(f"order-{order_id}")
        for commit in commits:
            then = await shop.ask(GetOrderAsOf(order_id=order_id, at=commit.at))
            seen = [earlier for earlier in commits if earlier.at <= commit.at]
            assert then.version == len(seen)
        first = await shop.ask(GetOrderAsOf(order_id=order_id, at=commits[-1].at))
        assert OrderDocument.model_validate_json(first.body) == await replayed(shop, order_id)
        earlier = commits[0].at - timedelta(milliseconds=1)
        with pytest.raises(NotFound):
            await shop.ask(GetOrderAsOf(order_id=order_id, at=earlier))


async def test_waiting_for_an_order_ends_in_time_with_what_is_known(opened: Open) -> None:
    others = Others()
    others.answers[AuthorizePayment] = stays_silent
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        began = asyncio.get_running_loop().time()
        known = await shop.ask(AwaitOrder(order_id=order_id, seconds=1))
        assert known.status == "pending"
        assert 0.9 <= asyncio.get_running_loop().time() - began < 5
        with pytest.raises(NotFound):
            await shop.ask(AwaitOrder(order_id="ord_none", seconds=1))


async def test_waiting_for_an_order_ends_when_it_settles(opened: Open) -> None:
    others = Others()
    answer, others.answers[AuthorizePayment] = others.answers[AuthorizePayment], stays_silent
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        waiting = asyncio.create_task(shop.ask(AwaitOrder(order_id=order_id, seconds=30)))
        (asked,) = await eventually(lambda: others.told_to(AuthorizePayment))
        assert not waiting.done()
        event = answer(asked)
        assert event is not None
        await shop.say(event)
        assert (await soon(waiting)).status == "confirmed"


async def test_waiting_for_an_order_ends_when_another_replica_settles_it(
    opened: Open,
) -> None:
    async with opened(work=False) as front, opened() as back:
        order_id = (await front.place()).answer.order_id
        settled = await soon(front.ask(AwaitOrder(order_id=order_id, seconds=30)))
        assert settled.status == "confirmed"
        assert (await read(front, order_id)).version >= settled.version
        assert back.others.told_to(AuthorizePayment)
        assert front.others.told == []


async def test_the_history_tells_every_event_with_version_and_position(opened: Open) -> None:
    async with opened() as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, fulfillment_status="scheduled")
        history = await shop.ask(GetHistory(order_id=order_id))
        assert [happening.type for happening in history] == [
            "ordering.OrderPlaced",
            "ordering.PaymentRequested",
            "ordering.OrderConfirmed",
            "ordering.DeliveryArranged",
        ]
        assert [happening.version for happening in history] == [1, 2, 3, 4]
        positions = [happening.position for happening in history]
        assert positions == sorted(set(positions))
        assert history[0].data["buyer_id"] == "b1"
        with pytest.raises(NotFound):
            await shop.ask(GetHistory(order_id="ord_none"))


async def test_paying_with_other_means_is_remembered(opened: Open) -> None:
    others = Others()
    others.answers[AuthorizePayment] = declined
    async with opened(others=others) as shop:
        order_id = (await shop.place()).answer.order_id
        await shop.comes_to(order_id, payment_status="declined")
        await shop.send(PayOrder(order_id=order_id, method="store_credit", token="b1"))
        order = await shop.state(order_id)
        assert order.means == Means(method="store_credit", token="b1")


async def test_a_delivery_is_booked_whatever_a_replica_believes_of_the_order(opened: Open) -> None:
    async with opened(work=False) as shop:
        order_id = (await shop.place()).answer.order_id
        # It has not heard of the confirmation yet: that must not keep the goods from being booked.
        await shop.send(BookDelivery(order_id=order_id))
        (asked,) = shop.others.told_to(ScheduleDelivery)
        assert (asked.reference, asked.destination) == (order_id, DOOR)
        with pytest.raises(NotFound):
            await shop.send(BookDelivery(order_id="ord_none"))


async def test_a_delivery_that_is_booked_again_is_the_same_booking(opened: Open) -> None:
    async with opened(work=False) as shop:
        order_id = (await shop.place()).answer.order_id
        shop.others.under.clear()
        booking = sealed(BookDelivery(order_id=order_id), id="once")
        await shop.bus.deliver(booking)
        await shop.bus.deliver(booking)
        assert [type(command) for command in shop.others.told[-2:]] == [ScheduleDelivery] * 2
        assert len(set(shop.others.under)) == 1


@TRANSPORTS
async def test_what_is_heard_before_what_it_follows_from_is_brought_again(
    opened: Open, transport: type[InProcess]
) -> None:
    """As when another replica has confirmed the order, and this one has not heard of it yet."""
    others = Others()
    pays, others.answers[AuthorizePayment] = others.answers[AuthorizePayment], stays_silent
    books, others.answers[ScheduleDelivery] = others.answers[ScheduleDelivery], stays_silent
    async with opened(transport=transport(), others=others) as shop:
        order = (await shop.place()).answer
        (asked,) = await eventually(lambda: others.told_to(AuthorizePayment))
        booking = ScheduleDelivery(
            delivery_id=order.delivery_id,
            reference=order.order_id,
            warehouse_id="vaduz",
            destination=DOOR,
        )
        with capture_logs() as told:
            for event in (books(booking), pays(asked)):
                assert event is not None
                await shop.say(event)
                if isinstance(event, DeliveryScheduled):
                    await eventually(lambda: any(e["event"] == "reader.retries" for e in told))
            await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        assert shop.home.database["parked"].count_documents({}) == 0
