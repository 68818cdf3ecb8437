"""The rules of returns, as histories: what may be sent back, and what is given for it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money, NotFound, Refused
from ordering import return_rules as rules
from ordering.contract import Item, PricedItem
from ordering.order import Order, OrderEvent
from ordering.return_rules import Terms
from ordering.returns import ReturnApproved, ReturnReceived, ReturnRequested, pieces
from ordering.rules import Events
from tests.ordering.histories import (
    ALL_BACK,
    ASKED_BACK,
    AT_THE_DOOR,
    CAME_BACK,
    CANCELLED_ORDER,
    DELIVERY,
    DONE,
    GONE_ANYWAY,
    KEPT,
    LATE,
    MUGS,
    NOTHING,
    NOW,
    PAID,
    PARTLY_BACK,
    PLACED,
    PRICE,
    REST,
    TO_COME_BACK,
    TOTAL,
    TURNED_DOWN,
    UNDER_WAY,
    approved,
    came_back,
    mugs,
    paid_back,
    replay,
    sending_back,
    turned_down,
)

TERMS = Terms(window=timedelta(days=30), auto_approve=PRICE.amount)


def asked(
    order: Order, *items: tuple[str, int], at: Any = NOW, terms: Terms = TERMS
) -> list[OrderEvent]:
    wanted = [Item(sku=sku, quantity=quantity) for sku, quantity in items]
    return list(rules.request(order, wanted, "chipped", terms, at))


def received(order: Order, number: int = 1, **write_off: int) -> list[OrderEvent]:
    spoilt = [Item(sku="MUG-BLUE", quantity=quantity) for quantity in write_off.values()]
    return list(rules.receive(order, rules.known(order, f"ret_{number}_1"), spoilt, NOW))


def refused(decision: Callable[[], object], code: str) -> Refused:
    with pytest.raises(Refused) as refusal:
        decision()
    assert refusal.value.code == code
    return refusal.value


# --- requested


def test_a_small_return_is_approved_by_rule_at_once() -> None:
    assert asked(replay(DONE), ("MUG-BLUE", 1)) == [sending_back(1, PRICE), approved()]


def test_a_dear_return_waits_for_a_person() -> None:
    order = replay(DONE)
    assert asked(order, ("MUG-BLUE", 2)) == [sending_back(2, TOTAL)]
    a_cent_less = TERMS._replace(auto_approve=TOTAL.amount - 1)
    assert asked(order, ("MUG-BLUE", 2), terms=a_cent_less) == [sending_back(2, TOTAL)]
    enough = TERMS._replace(auto_approve=TOTAL.amount)
    assert asked(order, ("MUG-BLUE", 2), terms=enough) == [sending_back(2, TOTAL), approved()]


def test_two_lines_of_one_sku_are_the_sum() -> None:
    found = asked(replay(DONE), ("MUG-BLUE", 1), ("MUG-BLUE", 1))
    assert found == [sending_back(2, TOTAL)]


def test_the_next_return_has_the_next_number_and_the_orders_suffix() -> None:
    assert asked(replay(KEPT), ("MUG-BLUE", 1))[0] == sending_back(1, PRICE, 2)
    assert rules.order_id_of("ret_2_1") == "ord_1"


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (PAID, "not_delivered"),
        (UNDER_WAY, "not_delivered"),
        (AT_THE_DOOR, "payment_under_way"),
        (CANCELLED_ORDER, "order_ended"),
        (GONE_ANYWAY, "order_ended"),
        (LATE, "order_ended"),
        (TURNED_DOWN, "order_ended"),
    ],
)
def test_only_what_was_delivered_and_paid_for_can_be_sent_back(
    history: list[OrderEvent], code: str
) -> None:
    refused(lambda: asked(replay(history), ("MUG-BLUE", 1)), code)


def test_goods_are_sent_back_within_the_window() -> None:
    order = replay(DONE)
    assert order.delivered_at == NOW
    last = NOW + TERMS.window
    assert asked(order, ("MUG-BLUE", 1), at=last)
    over = refused(
        lambda: asked(order, ("MUG-BLUE", 1), at=last + timedelta(milliseconds=1)),
        "return_window_over",
    )
    assert over.details == {"until": last.isoformat()}


def test_no_more_is_sent_back_than_was_ordered_and_the_refusal_says_what_is_left() -> None:
    assert refused(
        lambda: asked(replay(DONE), ("MUG-BLUE", 2), ("MUG-BLUE", 1)), "too_many_returned"
    ).details == {"left": {"MUG-BLUE": 2}}
    for history in (ASKED_BACK, TO_COME_BACK, CAME_BACK, PARTLY_BACK):
        order = replay(history)
        left = refused(partial(asked, order, ("MUG-BLUE", 2)), "too_many_returned")
        assert left.details == {"left": {"MUG-BLUE": 1}}
        assert asked(order, ("MUG-BLUE", 1))
    nothing = refused(lambda: asked(replay(ALL_BACK), ("MUG-BLUE", 1)), "too_many_returned")
    assert nothing.details == {"left": {"MUG-BLUE": 0}}


def test_what_was_rejected_may_be_asked_for_again() -> None:
    assert asked(replay(KEPT), ("MUG-BLUE", 2)) == [sending_back(2, TOTAL, 2)]


def test_what_was_not_ordered_cannot_be_sent_back() -> None:
    wrong = refused(lambda: asked(replay(DONE), ("MUG-BLUE", 1), ("BOWL", 1)), "not_in_order")
    assert wrong.details == {"skus": ["BOWL"]}


# --- approved or rejected


def test_a_return_is_approved_once() -> None:
    found = rules.known(replay(ASKED_BACK), "ret_1_1")
    assert list(rules.approve(found, "admin:cli", NOW)) == [approved(1, "admin:cli")]
    for history in (TO_COME_BACK, CAME_BACK, PARTLY_BACK):
        assert list(rules.approve(rules.known(replay(history), "ret_1_1"), "x", NOW)) == []
    kept = rules.known(replay(KEPT), "ret_1_1")
    assert "used" in refused(lambda: rules.approve(kept, "x", NOW), "already_rejected").message


@pytest.mark.parametrize("history", [ASKED_BACK, TO_COME_BACK])
def test_a_return_is_rejected_until_it_is_received(history: list[OrderEvent]) -> None:
    found = rules.known(replay(history), "ret_1_1")
    assert list(rules.reject(found, "used", NOW)) == [turned_down()]
    assert list(rules.reject(rules.known(replay(KEPT), "ret_1_1"), "again", NOW)) == []
    for later in (CAME_BACK, PARTLY_BACK):
        here = rules.known(replay(later), "ret_1_1")
        refused(partial(rules.reject, here, "used", NOW), "already_received")


def test_a_return_nobody_asked_for_is_unknown() -> None:
    with pytest.raises(NotFound, match="ret_9_1"):
        rules.known(replay(DONE), "ret_9_1")


# --- received


def test_what_is_fit_is_restocked_and_the_rest_is_written_off() -> None:
    order = replay([*DONE, sending_back(2, TOTAL), approved()])
    assert received(order) == [came_back(2, 0, TOTAL)]
    assert received(order, spoilt=1) == [came_back(1, 1, TOTAL)]
    assert received(order, spoilt=1, too=1) == [came_back(0, 2, TOTAL)]
    refused(lambda: received(order, spoilt=3), "not_in_return")


def test_a_return_is_received_once() -> None:
    order = replay([*TO_COME_BACK, came_back(0, 1, PRICE)])
    assert received(order, spoilt=1) == []
    refused(lambda: received(order), "already_received")
    assert received(replay(PARTLY_BACK)) == []


def test_only_what_was_approved_is_received() -> None:
    refused(lambda: received(replay(ASKED_BACK)), "not_approved")
    refused(lambda: received(replay(KEPT)), "already_rejected")


def test_the_delivery_cost_goes_back_with_the_last_piece_whoever_asked_first() -> None:
    both = [*TO_COME_BACK, sending_back(1, REST, 2), approved(2)]
    assert received(replay(both), 2) == [came_back(1, 0, PRICE, 2)]
    then = [*both, *received(replay(both), 2)]
    assert received(replay(then), 1) == [came_back(1, 0, REST, 1)]


def test_the_delivery_cost_stays_when_something_is_kept() -> None:
    one_kept = [*ASKED_BACK, sending_back(1, REST, 2), approved(2), turned_down(1)]
    assert received(replay(one_kept), 2) == [came_back(1, 0, PRICE, 2)]


def test_a_return_that_is_worth_nothing_is_settled_without_the_gateway() -> None:
    free = MUGS.model_copy(update={"unit_price": NOTHING, "line_total": NOTHING})
    paid = PricedItem(sku="BOWL", name="Bowl", quantity=1, unit_price=PRICE, line_total=PRICE)
    placed = PLACED.model_copy(update={"items": (free, paid), "product_cost": PRICE})
    order = replay([placed, *DONE[1:], sending_back(2, NOTHING), approved()])
    events = received(order)
    assert events == [came_back(2, 0, NOTHING), paid_back(NOTHING)]
    after = replay([placed, *DONE[1:], sending_back(2, NOTHING), approved(), *events])
    assert (after.payment_status, after.refunded) == ("captured", NOTHING)


# --- refunded


def test_the_refund_of_a_return_is_settled_once() -> None:
    order = replay(CAME_BACK)
    assert list(rules.settle(order, "ret_1_1", PRICE, NOW)) == [paid_back(PRICE)]
    assert list(rules.settle(replay(PARTLY_BACK), "ret_1_1", PRICE, NOW)) == []
    for early in (DONE, ASKED_BACK, TO_COME_BACK):
        order = replay(early)
        refused(partial(rules.settle, order, "ret_1_1", PRICE, NOW), "too_early")


@pytest.mark.parametrize(
    ("history", "stands"),
    [
        (ASKED_BACK, ("captured", "delivered", 0)),
        (CAME_BACK, ("captured", "delivered", 0)),
        (PARTLY_BACK, ("partially_refunded", "delivered", PRICE.amount)),
        (ALL_BACK[:-1], ("partially_refunded", "returned", PRICE.amount)),
        (ALL_BACK, ("refunded", "returned", TOTAL.amount)),
    ],
)
def test_an_order_shows_what_of_it_went_back(history: list[OrderEvent], stands: Any) -> None:
    order = replay(history)
    assert order.status == "completed"
    assert (order.payment_status, order.fulfillment_status, order.refunded.amount) == stands


# --- the law


BOWL = PricedItem(
    sku="BOWL",
    name="Bowl",
    quantity=3,
    unit_price=Money(amount=7, currency="EUR"),
    line_total=Money(amount=21, currency="EUR"),
)
SEVERAL = PLACED.model_copy(
    update={
        "items": (MUGS, BOWL, MUGS),
        "product_cost": PRICE.times(4) + BOWL.line_total,
        "total": PRICE.times(4) + BOWL.line_total + DELIVERY,
    }
)
RETURNS = st.integers(1, 4)
STEPS = st.one_of(
    st.tuples(st.just("request"), st.sampled_from(["MUG-BLUE", "BOWL"]), st.integers(1, 3)),
    st.tuples(
        st.sampled_from(["approve", "reject", "receive", "spoil", "settle"]), st.just(""), RETURNS
    ),
)


def step(order: Order, what: str, sku: str, number: int) -> Events:
    """What a step decides."""
    if what == "request":
        return asked(order, (sku, number))
    found = rules.known(order, f"ret_{number}_1")
    match what:
        case "approve":
            return rules.approve(found, "admin:cli", NOW)
        case "reject":
            return rules.reject(found, "used", NOW)
        case "receive":
            return rules.receive(order, found, (), NOW)
        case "spoil":
            spoilt = [Item(sku=item.sku, quantity=item.quantity) for item in found.items]
            return rules.receive(order, found, spoilt, NOW)
        case _:
            return rules.settle(order, found.return_id, found.refund, NOW)


@given(st.lists(STEPS, max_size=40))
def test_never_more_goes_back_than_was_ordered_and_paid(steps: list[tuple[str, str, int]]) -> None:
    history: list[OrderEvent] = [SEVERAL, *DONE[1:]]
    for each in [*steps, *(("settle", "", number) for number in range(1, 5))]:
        try:
            events = step(replay(history), *each)
        except Refused:
            continue
        history += events
        if each[0] != "request":
            assert list(step(replay(history), *each)) == [], "a step taken twice decides once"
    order = replay(history)
    claimed = pieces(*(found.items for found in order.returns if found.status != "rejected"))
    assert claimed <= pieces(order.items)
    owed = [event.refund.amount for event in history if isinstance(event, ReturnReceived)]
    assert sum(owed) <= order.total.amount
    back = pieces(*(found.items for found in order.returns if found.received))
    whole = back == pieces(order.items)
    assert (sum(owed) == order.total.amount) == whole
    assert (order.fulfillment_status == "returned") == whole
    assert order.refunded.amount <= sum(owed)
    assert (order.payment_status == "refunded") == (order.refunded == order.total)
    requested = [event for event in history if isinstance(event, ReturnRequested)]
    by_rule = [e.return_id for e in history if isinstance(e, ReturnApproved) and e.by == "rule"]
    small = [e.return_id for e in requested if e.refund.amount <= TERMS.auto_approve]
    assert by_rule == small


def test_returns_are_numbered_without_a_gap() -> None:
    assert [found.return_id for found in replay(ALL_BACK).returns] == ["ret_1_1", "ret_2_1"]
    assert [found.items for found in replay(ALL_BACK).returns] == [mugs(1), mugs(1)]
