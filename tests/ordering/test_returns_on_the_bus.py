"""Returns and store credit on the real bus, MongoDB and Redis; the others are the test's."""

import asyncio
import json
from typing import Any

import pytest

from bus.envelope import sealed
from bus.messages import Done, Invalid, Money, NotFound, Refused, Stale
from bus.transport import InProcess, Loopback
from catalog.contract import Lot, RestockStock
from ordering.commands import ApproveReturn, GetReturn, ListReturns, ReceiveReturn, RejectReturn
from ordering.contract import (
    AwaitOrder,
    GetReturns,
    Item,
    Means,
    RequestReturn,
    ReturnDocument,
)
from payment.contract import AuthorizePayment, PaymentLapsed, RefundPayment
from tests.ordering.alone import RIVAL, WEBSHOP, Alone, Open, Others
from tests.ordering.histories import NOTHING, PRICE, TOTAL
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

TRANSPORTS = pytest.mark.parametrize("transport", [InProcess, Loopback])

ALL, ONE = (Item(sku="MUG", quantity=2),), (Item(sku="MUG", quantity=1),)

CREDIT = Means(method="store_credit")


async def ask_back(
    shop: Alone, order_id: str, items: Any = ONE, *, key: str = "k", **sent: Any
) -> Done[ReturnDocument]:
    """Ask to send something back, under an idempotency key."""
    wanted = RequestReturn(order_id=order_id, items=items, reason="chipped")
    sent = {"principal": WEBSHOP, "fingerprint": "body", **sent}
    found: Done[ReturnDocument] = await shop.bus.deliver(sealed(wanted, id=key, **sent))
    return found


@TRANSPORTS
async def test_goods_that_are_sent_back_are_paid_for_and_sold_again(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport()) as shop:
        order = await shop.completed()
        one = (await ask_back(shop, order.order_id)).answer
        assert (one.status, one.refund, one.rejection) == ("approved", PRICE, None)
        await shop.send(ReceiveReturn(return_id=one.return_id))
        await shop.comes_to(order.order_id, payment_status="partially_refunded")

        rest = (await ask_back(shop, order.order_id, key="k2")).answer
        spoilt = ReceiveReturn(return_id=rest.return_id, write_off=ONE)
        done = await shop.bus.send(spoilt)
        assert (done.answer.status, done.answer.refund) == ("received", TOTAL - PRICE)
        await shop.bus.send(spoilt)  # once more
        ended = await shop.comes_to(order.order_id, payment_status="refunded")
        assert (ended.status, ended.fulfillment_status, ended.refunded) == (
            "completed",
            "returned",
            TOTAL,
        )
        mug = (Lot(sku="MUG", quantity=1),)
        assert shop.others.told_to(RestockStock) == [
            RestockStock(reservation_id=order.order_id, return_id=one.return_id, restock=mug),
            RestockStock(reservation_id=order.order_id, return_id=rest.return_id, write_off=mug),
        ]
        refunds = shop.others.told_to(RefundPayment)
        assert [(r.refund_id, r.amount) for r in refunds] == [
            (one.return_id, PRICE),
            (rest.return_id, TOTAL - PRICE),
        ]
        found = await shop.ask(GetReturns(order_id=order.order_id))
        assert [(each.return_id, each.status) for each in found.data] == [
            (rest.return_id, "refunded"),
            (one.return_id, "refunded"),
        ]


async def test_the_same_key_answers_with_the_return_as_it_was_first(opened: Open) -> None:
    async with opened() as shop:
        order = await shop.completed()
        twins = await asyncio.gather(*(ask_back(shop, order.order_id, ALL) for _ in range(5)))
        assert len({done.answer.return_id for done in twins}) == 1
        assert sorted(done.repeated for done in twins) == [False] + [True] * 4
        first = twins[0].answer
        await shop.send(ReceiveReturn(return_id=first.return_id))
        again = await ask_back(shop, order.order_id, ALL)
        assert (again.answer, again.repeated) == (first, True)
        with pytest.raises(Invalid):
            await ask_back(shop, order.order_id, ONE, fingerprint="another")
        with pytest.raises(Refused) as refusal:
            await ask_back(shop, order.order_id, ONE, key="k2")
        assert refusal.value.code == "too_many_returned"


async def test_returns_asked_for_at_once_never_exceed_the_order(opened: Open) -> None:
    async with opened() as shop:
        order = await shop.completed()
        found = await asyncio.gather(
            *(ask_back(shop, order.order_id, key=f"k{n}") for n in range(6)),
            return_exceptions=True,
        )
        refused = [each for each in found if isinstance(each, Refused)]
        assert [each.code for each in refused] == ["too_many_returned"] * 4
        both = await shop.ask(GetReturns(order_id=order.order_id))
        assert (len(both.data), both.has_more) == (2, False)
        newest = await shop.ask(GetReturns(order_id=order.order_id, limit=1))
        assert (newest.data, newest.has_more) == (both.data[:1], True)
        after = newest.data[0].return_id
        rest = await shop.ask(GetReturns(order_id=order.order_id, limit=1, starting_after=after))
        assert (rest.data, rest.has_more) == (both.data[1:], False)
        with pytest.raises(NotFound):
            await shop.ask(GetReturns(order_id=order.order_id, starting_after="ret_0_none"))


async def test_a_return_is_decided_on_the_version_that_was_seen(opened: Open) -> None:
    async with opened() as shop:
        order = await shop.completed()
        with pytest.raises(Stale):
            await ask_back(shop, order.order_id, if_version=1)
        version = len(await shop.home.log.history(f"order-{order.order_id}"))
        assert (await ask_back(shop, order.order_id, if_version=version)).answer.return_id


async def test_another_clients_returns_are_unknown(opened: Open) -> None:
    async with opened() as shop:
        order = await shop.completed()
        mine = (await ask_back(shop, order.order_id)).answer
        for attempt in (
            ask_back(shop, order.order_id, principal=RIVAL, key="theirs"),
            shop.ask(GetReturns(order_id=order.order_id), RIVAL),
            shop.ask(GetReturns(order_id="ord_none")),
            shop.ask(GetReturn(return_id=mine.return_id), RIVAL),
            shop.send(ReceiveReturn(return_id=mine.return_id), RIVAL),
            shop.send(ApproveReturn(return_id="ret_1_none")),
            shop.send(
                RejectReturn(return_id=f"{mine.return_id[:4]}9{mine.return_id[5:]}", reason="x")
            ),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert (await shop.ask(GetReturn(return_id=mine.return_id))).status == "approved"


async def test_a_person_decides_on_what_is_dear_and_the_list_shows_it(opened: Open) -> None:
    others = Others(price=Money(amount=90_00, currency="EUR"))
    async with opened(others=others) as shop:
        order = await shop.completed()
        dear = (await ask_back(shop, order.order_id, ALL)).answer
        assert dear.status == "requested"
        done = await shop.bus.send(RejectReturn(return_id=dear.return_id, reason="used"))
        assert (done.answer.status, done.answer.rejection) == ("rejected", "used")
        second = (await ask_back(shop, order.order_id, ALL, key="k2")).answer
        done = await shop.bus.send(ApproveReturn(return_id=second.return_id))
        assert done.answer.status == "approved"

        async def listed(**wanted: Any) -> list[str]:
            page = await shop.bus.ask(ListReturns(min_position=done.position, **wanted))
            return [json.loads(each)["return_id"] for each in page.data]

        assert await listed() == [second.return_id, dear.return_id]
        assert await listed(status="rejected") == [dear.return_id]
        assert await listed(order_id=order.order_id, limit=1) == [second.return_id]
        assert await listed(order_id="ord_none") == []
        assert others.told_to(RefundPayment) == []


# --- store credit, and what costs nothing


async def test_an_order_beyond_the_store_credit_is_not_taken(opened: Open) -> None:
    others = Others(credit=TOTAL - Money(amount=1, currency="EUR"))
    async with opened(others=others) as shop:
        with pytest.raises(Refused, match=r"70\.99 EUR") as refusal:
            await shop.place(payment=CREDIT)
        assert refusal.value.code == "insufficient_credit"
        assert refusal.value.details == {"available": others.credit.model_dump()}
        assert await shop.home.log.head() == 0
        others.credit = TOTAL
        order = (await shop.place(payment=CREDIT, buyer_id="b7")).answer
        await shop.ask(AwaitOrder(order_id=order.order_id, seconds=30))
        (asked,) = others.told_to(AuthorizePayment)
        assert (asked.means.method, asked.means.token) == ("store_credit", None)
        assert others.looked_up == ["b1", "b7"]


async def test_who_pays_by_card_is_asked_for_no_store_credit(opened: Open) -> None:
    async with opened() as shop:
        means = Means(method="card", token="pm_card_visa", use_credit=True)
        await shop.place(payment=means)
        (asked,) = await eventually(lambda: shop.others.told_to(AuthorizePayment))
        assert (asked.means.use_credit, asked.means.token) == (True, "pm_card_visa")
        assert shop.others.looked_up == []


async def test_an_order_that_costs_nothing_is_not_taken(opened: Open) -> None:
    async with opened(others=Others(price=NOTHING, way_costs=NOTHING)) as shop:
        with pytest.raises(Refused) as refusal:
            await shop.place()
        assert refusal.value.code == "nothing_to_pay"
        assert await shop.home.log.head() == 0


# --- money that will not stay set aside


async def test_an_order_whose_money_lapses_before_it_is_shipped_is_cancelled(opened: Open) -> None:
    async with opened() as shop:
        order = (await shop.place()).answer
        await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        await shop.say(
            PaymentLapsed(
                payment_id=order.payment_id, reference=order.order_id, reason="card_declined"
            )
        )
        ended = await shop.comes_to(order.order_id, status="cancelled")
        assert (ended.reason, ended.payment_status) == ("authorization_expired", "voided")
