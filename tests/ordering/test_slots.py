"""An order and its slot: held before it is placed, booked with its delivery, freed when it ends."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bus.messages import Event, Invalid, Refused, now
from catalog.contract import ReserveStock
from delivery.clock import WEEK
from delivery.contract import (
    CancelDelivery,
    DeliveryDocument,
    FreeSlot,
    GetDelivery,
    HoldSlot,
    ScheduleDelivery,
    Slot,
)
from delivery.slot_commands import SetWindow
from delivery.views import DELIVERIES
from ordering import cancelling, rules
from ordering.contract import CancelOrder, Item, QuoteBasket
from ordering.order import Order, OrderEvent
from payment.contract import AuthorizePayment
from shop import doctor, embedded
from tests.ordering.alone import Open, Others, declined, denied, scheduled, stays_silent
from tests.ordering.histories import (
    CONFIRMED,
    DOOR,
    EXPIRY,
    NOW,
    PLACED,
    PRICE,
    SLOT,
    replay,
    requested,
)
from tests.ordering.whole import DOOR as WHOLE_DOOR
from tests.ordering.whole import SKU, running, settings_of
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

IN_SLOT = PLACED.model_copy(update={"slot": SLOT})

TOMORROW = now() + timedelta(days=1)
WINDOW = Slot.model_validate({"slot_id": "s1", "from": TOMORROW, "to": TOMORROW})


def with_slot() -> Others:
    others = Others(slot=WINDOW)
    others.answers[ScheduleDelivery] = scheduled_in_slot
    return others


def scheduled_in_slot(asked: ScheduleDelivery) -> Event:
    when = WINDOW if asked.slot_id == "s1" else None
    return scheduled(asked).model_copy(update={"slot": when})


Ends = Callable[[Order], list[OrderEvent]]


@pytest.mark.parametrize(
    ("history", "ends"),
    [
        ([], lambda order: rules.reject(order, "out_of_stock", NOW)),
        ([requested()], lambda order: rules.expire(order, EXPIRY)),
        ([requested()], lambda order: cancelling.cancel(order, "changed_my_mind", NOW)),
        ([requested(), CONFIRMED], lambda order: cancelling.abandon(order, "out_of_stock", NOW)),
    ],
)
def test_whatever_ends_an_order_names_the_slot_that_is_free_then(
    history: list[OrderEvent], ends: Ends
) -> None:
    (without,) = ends(replay([PLACED, *history]))
    (event,) = ends(replay([IN_SLOT, *history]))
    assert event == without.model_copy(update={"slot_id": "s1"})


async def test_a_quote_offers_slots_and_an_order_comes_in_the_one_that_was_chosen(
    opened: Open,
) -> None:
    async with opened(others=with_slot()) as shop:
        items = (Item(sku="MUG", quantity=2),)
        quote = await shop.ask(QuoteBasket(items=items, destination=DOOR))
        assert [slot.slot_id for slot in quote.slots] == ["s1"]
        order = (await shop.place(slot_id="s1")).answer
        assert order.slot == quote.slots[0]
        settled = await shop.comes_to(order.order_id, fulfillment_status="scheduled")
        assert settled.slot == order.slot
        (asked,) = shop.others.told_to(ScheduleDelivery)
        assert asked.slot_id == "s1"


async def test_a_place_is_held_until_the_order_can_no_more_be_confirmed(opened: Open) -> None:
    async with opened(others=with_slot()) as shop:
        order = (await shop.place(slot_id="s1")).answer
        state = await shop.state(order.order_id)
        assert shop.others.held == [
            HoldSlot(
                slot_id="s1",
                reference=order.order_id,
                warehouse_id="vaduz",
                until=state.expires_at,
            )
        ]


async def test_the_warehouse_whose_slot_it_is_sends_it_or_a_part_of_it(opened: Open) -> None:
    async with opened(others=with_slot()) as shop:
        await shop.place(slot_id="s1")
        await shop.place()
        await eventually(lambda: len(shop.others.told_to(ReserveStock)) == 2)
        asked = {(x.warehouses, x.first_sends) for x in shop.others.told_to(ReserveStock)}
        assert asked == {(("vaduz", "sargans"), True), (("vaduz", "sargans"), False)}


@pytest.mark.parametrize(("short", "offered"), [((), ["s1"]), (("MUG",), [])])
async def test_a_quote_offers_no_slot_in_which_nothing_of_it_could_come(
    opened: Open, short: tuple[str, ...], offered: list[str]
) -> None:
    others = with_slot()
    others.stocked, others.short_in_slot = (), short
    async with opened(others=others) as shop:
        items = (Item(sku="MUG", quantity=2),)
        quote = await shop.ask(QuoteBasket(items=items, destination=DOOR))
        assert [slot.slot_id for slot in quote.slots] == offered
        assert [item.available for item in quote.items] == [True]


@pytest.mark.parametrize("stocked", [None, ("sargans",), ("buchs", "vaduz")])
async def test_where_one_has_everything_nobody_is_asked_what_several_have(
    opened: Open, stocked: tuple[str, ...] | None
) -> None:
    others = with_slot()
    others.stocked = stocked
    async with opened(others=others) as shop:
        await shop.ask(QuoteBasket(items=(Item(sku="MUG", quantity=2),), destination=DOOR))
        assert others.asked_for == []


async def test_a_quote_says_what_no_few_warehouses_have_together(opened: Open) -> None:
    others = with_slot()
    others.stocked, others.short_anywhere = ("buchs",), ("MUG",)  # from where no road leads there
    async with opened(others=others) as shop:
        items = (Item(sku="MUG", quantity=2), Item(sku="BOWL", quantity=2))
        quote = await shop.ask(QuoteBasket(items=items, destination=DOOR))
        assert [item.available for item in quote.items] == [False, True]


async def test_nothing_is_placed_without_the_slot_that_was_wanted(opened: Open) -> None:
    async with opened(others=with_slot()) as shop:
        with pytest.raises(Refused) as refused:
            await shop.place(slot_id="s2")
        assert refused.value.code == "unknown_slot"
        assert await shop.home.log.head() == 0


async def test_no_place_is_held_for_what_is_refused(opened: Open) -> None:
    async with opened(others=with_slot()) as shop:
        with pytest.raises(Refused):
            await shop.place(slot_id="s1", expected_total=PRICE)
        assert shop.others.held == []


async def test_the_same_key_holds_no_second_place(opened: Open) -> None:
    async with opened(others=with_slot()) as shop:
        first = await shop.place(key="k1", slot_id="s1")
        again = await shop.place(key="k1", slot_id="s1")
        assert (again.answer, again.repeated) == (first.answer, True)
        with pytest.raises(Invalid):
            await shop.place(key="k1", body="another", slot_id="s1")
        assert len(shop.others.held) == 1


async def test_a_rejected_order_frees_its_place(opened: Open) -> None:
    others = with_slot()
    others.answers[ReserveStock] = denied
    async with opened(others=others) as shop:
        order = (await shop.place(slot_id="s1")).answer
        await shop.comes_to(order.order_id, status="rejected")
        freed = FreeSlot(slot_id="s1", reference=order.order_id)
        await eventually(lambda: freed in shop.others.told)


async def test_an_expired_order_frees_its_place(opened: Open) -> None:
    others = with_slot()
    others.answers[AuthorizePayment] = declined
    async with opened(others=others, expiry=timedelta(milliseconds=50)) as shop:
        order = (await shop.place(slot_id="s1")).answer
        await shop.comes_to(order.order_id, status="expired")
        freed = FreeSlot(slot_id="s1", reference=order.order_id)
        await eventually(lambda: freed in shop.others.told)


async def test_a_cancelled_order_names_its_place_to_delivery(opened: Open) -> None:
    others = with_slot()
    others.answers[AuthorizePayment] = stays_silent
    async with opened(others=others) as shop:
        order = (await shop.place(slot_id="s1")).answer
        await shop.send(CancelOrder(order_id=order.order_id))
        (asked,) = await eventually(lambda: shop.others.told_to(CancelDelivery))
        assert asked.slot_id == "s1"


async def test_an_order_whose_place_somebody_else_has_by_then_comes_without_a_slot(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as shop:
        await shop.stock_up()
        await shop.bus.send(
            SetWindow(warehouse_id="vaduz", days=WEEK, start="00:00", end="24:00", capacity=1)
        )
        items = (Item(sku=SKU, quantity=1),)
        slot, *_ = (await shop.ask(QuoteBasket(items=items, destination=WHOLE_DOOR))).slots

        late = await shop.place("pm_card_chargeDeclined", slot_id=slot.slot_id)
        await shop.comes_to(late, payment_status="declined")
        with pytest.raises(Refused) as refused:
            await shop.place(slot_id=slot.slot_id)
        assert refused.value.code == "slot_full"
        # As if its place had lapsed.
        await shop.bus.send(FreeSlot(slot_id=slot.slot_id, reference=late.order_id))
        quick = await shop.place(slot_id=slot.slot_id)
        assert (await shop.comes_to_rest(quick)).slot == slot

        await shop.pay(late)
        assert (await shop.comes_to_rest(late)).slot is None
        found = await shop.ask(GetDelivery(delivery_id=late.delivery_id))
        assert DeliveryDocument.model_validate_json(found.body).slot_lost == slot.slot_id
        (view,) = (v for v in shop.platform.contexts["delivery"].views if v.view is DELIVERIES)
        (finding,) = await eventually(lambda: list(doctor._undelivered(view.collection)))
        assert (finding.state, finding.what) == ("look", "lost slot")
        assert late.delivery_id in finding.detail
        await shop.check_books(late, quick)
