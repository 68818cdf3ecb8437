"""The rules of an order, as histories: what may happen next, and what it leads to."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bus.messages import Busy, NotFound, Refused
from ordering import cancelling, rules
from ordering.contract import TERMINAL
from ordering.order import Order, OrderEvent
from tests.ordering.histories import (
    ACTION,
    ARRANGED,
    ASKED,
    AT_THE_DOOR,
    CALLED_OFF,
    CANCELLED,
    CANCELLED_ORDER,
    CANCELLING,
    CAPTURED,
    COMPLETED,
    CONFIRMED,
    DELIVERED,
    DONE,
    EXPIRED,
    EXPIRY,
    GONE,
    GONE_ANYWAY,
    LATE,
    NEW,
    NOTHING,
    NOW,
    OTHER,
    PAID,
    PAYING,
    PLACED,
    REFUSED,
    REJECTED,
    RETURNED,
    SCHEDULED,
    SENT_BACK,
    SHAPES,
    SHIPPED,
    SLOT,
    TAKEN,
    TOTAL,
    TURNED_DOWN,
    UNDER_WAY,
    calling_off,
    declined,
    money_back,
    needs_action,
    replay,
    requested,
)

Rule = Callable[[Order], rules.Events]

STEPS: dict[str, Rule] = {
    "reject": lambda order: rules.reject(order, "out_of_stock", NOW),
    "request_payment": lambda order: rules.request_payment(order, NOW),
    "confirm": lambda order: rules.confirm(order, NOW),
    "decline": lambda order: rules.decline(order, 1, "card_declined", NOW),
    "require_action": lambda order: rules.require_action(order, 1, ACTION, NOW),
    "expire": lambda order: rules.expire(order, EXPIRY),
    "arrange_delivery": lambda order: rules.arrange_delivery(order, None, NOW),
    "ship": lambda order: rules.ship(order, NOW),
    "take_payment": lambda order: rules.take_payment(order, TOTAL, NOW),
    "deliver": lambda order: rules.deliver(order, NOW),
    "take_back": lambda order: cancelling.take_back(order, NOW),
    "abandon": lambda order: cancelling.abandon(order, "out_of_stock", NOW),
    "call_off_delivery": lambda order: cancelling.call_off_delivery(order, NOW),
    "return_money": lambda order: cancelling.return_money(order, NOTHING, NOW),
}

RETURNING = ("asked_back", "to_come_back", "kept", "came_back", "partly_back", "all_back")
"""Stages of a completed order of which something is sent back."""

abandoned = calling_off("out_of_stock")

EXPECTED: dict[str, dict[str, list[OrderEvent]]] = {
    "new": {
        "reject": [REJECTED],
        "request_payment": [requested()],
        "expire": [EXPIRED],
        "abandon": [abandoned],
    },
    "paying": {
        "confirm": [CONFIRMED],
        "decline": [declined()],
        "require_action": [needs_action()],
        "expire": [EXPIRED],
        "abandon": [abandoned],
    },
    "refused": {
        "confirm": [CONFIRMED],
        "expire": [EXPIRED],
        "abandon": [abandoned],
    },
    "asked": {
        "confirm": [CONFIRMED],
        "expire": [EXPIRED],
        "abandon": [abandoned],
    },
    "paid": {
        "arrange_delivery": [ARRANGED],
        "ship": [SHIPPED],
        "abandon": [abandoned],
    },
    "scheduled": {
        "ship": [SHIPPED],
        "abandon": [abandoned],
    },
    "under_way": {
        "take_payment": [TAKEN],
        "deliver": [DELIVERED],
        "take_back": [RETURNED, calling_off("returned_to_sender")],
    },
    "captured": {
        "deliver": [DELIVERED, COMPLETED],
        "take_back": [RETURNED, calling_off("returned_to_sender")],
    },
    "at_the_door": {"take_payment": [TAKEN, COMPLETED]},
    "done": {},
    "turned_down": {},
    "late": {"return_money": [money_back()]},
    "cancelling": {
        "ship": [GONE],
        "call_off_delivery": [CALLED_OFF],
        "return_money": [money_back()],
    },
    "cancelled": {},
    "sent_back": {"return_money": [money_back(), CANCELLED]},
    "refunded": {},
    "gone_anyway": {"deliver": [DELIVERED], "take_back": [RETURNED]},
    **{stage: {} for stage in RETURNING},
}
"""What every step decides at every stage; where it isn't named, nothing."""

NOT_PICKED_UP = ["deliver", "take_back", "take_payment"]
NOT_CALLED_OFF = ["call_off_delivery", "return_money"]
NOT_CONFIRMED = ["arrange_delivery", "ship", *NOT_PICKED_UP, *NOT_CALLED_OFF]

TOO_EARLY: dict[str, list[str]] = {
    "new": ["confirm", "decline", "require_action", *NOT_CONFIRMED],
    "paying": NOT_CONFIRMED,
    "refused": NOT_CONFIRMED,
    "asked": NOT_CONFIRMED,
    "paid": [*NOT_PICKED_UP, *NOT_CALLED_OFF],
    "scheduled": [*NOT_PICKED_UP, *NOT_CALLED_OFF],
    "under_way": NOT_CALLED_OFF,
    "captured": NOT_CALLED_OFF,
    "at_the_door": NOT_CALLED_OFF,
    "cancelling": NOT_PICKED_UP,
}
"""Steps that must be brought again: what they follow from has not been heard of yet."""


@pytest.mark.parametrize(
    ("stage", "step"), [(stage, step) for stage, steps in TOO_EARLY.items() for step in steps]
)
def test_a_step_that_comes_before_its_turn_is_not_lost(stage: str, step: str) -> None:
    with pytest.raises(Refused) as refusal:
        STEPS[step](replay(SHAPES[stage]))
    assert refusal.value.code == "too_early"
    assert refusal.value.details == {"step": step}


@pytest.mark.parametrize(
    ("stage", "step"),
    [(stage, step) for stage in SHAPES for step in STEPS if step not in TOO_EARLY.get(stage, ())],
)
def test_a_step_decides_only_what_is_its_turn(stage: str, step: str) -> None:
    assert list(STEPS[step](replay(SHAPES[stage]))) == EXPECTED[stage].get(step, [])


@pytest.mark.parametrize(
    ("stage", "step"), [(stage, step) for stage, steps in EXPECTED.items() for step in steps]
)
def test_a_step_taken_twice_decides_nothing_more(stage: str, step: str) -> None:
    after = [*SHAPES[stage], *STEPS[step](replay(SHAPES[stage]))]
    assert list(STEPS[step](replay(after))) == []


def test_an_order_is_placed_once() -> None:
    assert list(rules.place(None, PLACED)) == [PLACED]
    assert list(rules.place(replay(NEW), PLACED)) == []
    assert list(rules.place(replay(DONE), PLACED)) == []


def test_a_new_order_waits_unpaid() -> None:
    order = replay(NEW)
    assert (order.status, order.payment_status, order.fulfillment_status) == (
        "pending",
        "not_paid",
        "unfulfilled",
    )
    assert (order.refunded, order.placed_at, order.updated_at) == (NOTHING, PLACED.at, PLACED.at)


def test_nothing_can_happen_to_an_order_that_was_never_placed() -> None:
    with pytest.raises(ValueError, match=r"ordering\.OrderShipped before the order was placed"):
        replay([SHIPPED])


def test_an_unknown_order_is_not_found() -> None:
    with pytest.raises(NotFound, match="ord_9") as refusal:
        rules.known(None, "ord_9")
    assert refusal.value.code == "unknown_order"


# --- paying


@pytest.mark.parametrize("history", [REFUSED, ASKED])
def test_a_buyer_may_pay_again_by_other_means(history: list[OrderEvent]) -> None:
    order = replay(history)
    assert list(rules.pay(order, OTHER, NOW)) == [requested(2, OTHER)]


def test_paying_again_forgets_why_the_last_attempt_failed() -> None:
    order = replay([*REFUSED, requested(2)])
    assert (order.payment_status, order.reason, order.attempt) == ("not_paid", None, 2)
    assert replay([*ASKED, requested(2)]).next_action is None


def test_what_an_old_attempt_leads_to_no_longer_matters() -> None:
    order = replay([*REFUSED, requested(2)])
    assert list(rules.decline(order, 1, "expired_card", NOW)) == []
    assert list(rules.require_action(order, 1, ACTION, NOW)) == []
    assert list(rules.decline(order, 2, "card_declined", NOW)) == [declined(2)]


def test_the_outcome_of_an_attempt_that_is_not_known_yet_is_brought_again() -> None:
    order = replay(REFUSED)
    with pytest.raises(Refused, match="bring it again"):
        rules.decline(order, 2, "card_declined", NOW)
    with pytest.raises(Refused, match="bring it again"):
        rules.require_action(order, 2, ACTION, NOW)


def test_an_old_attempt_that_is_authorized_after_all_pays() -> None:
    order = replay([*ASKED, requested(2), declined(2)])
    assert list(rules.confirm(order, NOW)) == [CONFIRMED]
    paid = replay([*ASKED, requested(2), declined(2), CONFIRMED])
    assert (paid.payment_status, paid.reason, paid.next_action) == ("authorized", None, None)


@pytest.mark.parametrize("history", [NEW, PAYING])
def test_nobody_pays_twice_at_once(history: list[OrderEvent]) -> None:
    with pytest.raises(Refused, match="right now") as refusal:
        rules.pay(replay(history), OTHER, NOW)
    assert refusal.value.code == "payment_under_way"


@pytest.mark.parametrize("history", [PAID, SCHEDULED, UNDER_WAY, CAPTURED, AT_THE_DOOR, DONE])
def test_what_is_paid_cannot_be_paid_again(history: list[OrderEvent]) -> None:
    with pytest.raises(Refused) as refusal:
        rules.pay(replay(history), OTHER, NOW)
    assert refusal.value.code == "already_paid"


@pytest.mark.parametrize(
    "history", [TURNED_DOWN, LATE, CANCELLING, CANCELLED_ORDER, SENT_BACK, GONE_ANYWAY]
)
def test_an_order_that_has_ended_cannot_be_paid(history: list[OrderEvent]) -> None:
    order = replay(history)
    with pytest.raises(Refused) as refusal:
        rules.pay(order, OTHER, NOW)
    assert refusal.value.code == "order_ended"
    assert refusal.value.details == {"status": order.status}


def test_a_decline_tells_the_reason_and_leaves_the_order_pending() -> None:
    order = replay(REFUSED)
    assert (order.status, order.payment_status, order.reason) == (
        "pending",
        "declined",
        "card_declined",
    )


def test_the_buyer_is_told_what_the_bank_wants() -> None:
    order = replay(ASKED)
    assert (order.payment_status, order.next_action) == ("requires_action", ACTION)
    assert replay([*ASKED, CONFIRMED]).next_action is None


# --- expiry


@pytest.mark.parametrize("history", [NEW, PAYING, REFUSED, ASKED])
def test_no_order_expires_before_its_time(history: list[OrderEvent]) -> None:
    with pytest.raises(Busy):  # so that the timer comes back
        rules.expire(replay(history), EXPIRY - timedelta(milliseconds=1))


@pytest.mark.parametrize("history", [PAID, DONE, TURNED_DOWN, CANCELLED_ORDER, LATE])
def test_a_timer_that_comes_early_to_what_is_settled_is_done_with(
    history: list[OrderEvent],
) -> None:
    assert list(rules.expire(replay(history), NOW)) == []


def test_an_expired_order_says_why() -> None:
    order = replay(LATE)
    assert (order.status, order.reason) == ("expired", "not_paid_in_time")
    assert replay([*ASKED, EXPIRED]).next_action is None


# --- the way to the door


def test_the_slot_is_what_delivery_says() -> None:
    in_slot = ARRANGED.model_copy(update={"slot": SLOT})
    assert list(rules.arrange_delivery(replay(PAID), SLOT, NOW)) == [in_slot]
    assert replay([*PAID, in_slot]).slot == SLOT


def test_money_taken_before_the_goods_arrive_completes_nothing() -> None:
    assert replay(CAPTURED).status == "confirmed"
    assert replay(AT_THE_DOOR).status == "confirmed"
    order = replay(DONE)
    assert (order.status, order.payment_status, order.fulfillment_status) == (
        "completed",
        "captured",
        "delivered",
    )


# --- calling off


@pytest.mark.parametrize("history", [NEW, PAYING, REFUSED, ASKED, PAID, SCHEDULED])
def test_an_order_may_be_cancelled_until_it_is_picked_up(history: list[OrderEvent]) -> None:
    assert list(cancelling.cancel(replay(history), "changed_my_mind", NOW)) == [calling_off()]


@pytest.mark.parametrize("history", [UNDER_WAY, CAPTURED, AT_THE_DOOR])
def test_what_is_on_its_way_cannot_be_cancelled(history: list[OrderEvent]) -> None:
    with pytest.raises(Refused, match="have it returned") as refusal:
        cancelling.cancel(replay(history), "changed_my_mind", NOW)
    assert refusal.value.code == "already_shipped"


@pytest.mark.parametrize("history", [TURNED_DOWN, LATE, DONE])
def test_an_order_that_has_ended_cannot_be_cancelled(history: list[OrderEvent]) -> None:
    with pytest.raises(Refused) as refusal:
        cancelling.cancel(replay(history), "changed_my_mind", NOW)
    assert refusal.value.code == "order_ended"


@pytest.mark.parametrize("history", [CANCELLING, CANCELLED_ORDER, SENT_BACK, GONE_ANYWAY])
def test_cancelling_twice_is_cancelling_once(history: list[OrderEvent]) -> None:
    assert list(cancelling.cancel(replay(history), "another reason", NOW)) == []


def test_a_cancelled_order_waits_for_its_money_and_its_goods() -> None:
    no_delivery = [*CANCELLING, CALLED_OFF]
    assert replay(no_delivery).status == "cancelling"
    assert list(cancelling.return_money(replay(no_delivery), NOTHING, NOW)) == [
        money_back(),
        CANCELLED,
    ]
    no_money = [*CANCELLING, money_back()]
    assert replay(no_money).status == "cancelling"
    assert list(cancelling.call_off_delivery(replay(no_money), NOW)) == [CALLED_OFF, CANCELLED]


def test_a_pick_up_that_was_faster_than_the_cancellation_takes_no_money() -> None:
    assert list(rules.ship(replay(CANCELLING), NOW)) == [GONE]
    without_money = replay([*CANCELLING, money_back()])
    assert list(rules.ship(without_money, NOW)) == [GONE, CANCELLED]
    order = replay(GONE_ANYWAY)
    assert (order.status, order.payment_status, order.fulfillment_status) == (
        "cancelled",
        "voided",
        "shipped",
    )


def test_goods_that_nobody_fetches_are_no_longer_scheduled() -> None:
    assert replay(CANCELLED_ORDER).fulfillment_status == "unfulfilled"


def test_goods_that_were_on_the_way_back_are_seen_to_return() -> None:
    returned = replay([*GONE_ANYWAY, RETURNED])
    assert (returned.status, returned.fulfillment_status) == ("cancelled", "returned")


def test_goods_brought_back_are_refunded() -> None:
    assert list(cancelling.return_money(replay(SENT_BACK), TOTAL, NOW)) == [
        money_back(TOTAL),
        CANCELLED,
    ]
    order = replay([*SENT_BACK, money_back(TOTAL), CANCELLED])
    assert (order.payment_status, order.refunded, order.reason) == (
        "refunded",
        TOTAL,
        "returned_to_sender",
    )


def test_a_late_authorization_of_a_cancelled_order_confirms_nothing() -> None:
    cancelled = [*PAYING, calling_off()]
    assert list(rules.confirm(replay(cancelled), NOW)) == []
    assert list(rules.decline(replay(cancelled), 1, "card_declined", NOW)) == []
    assert list(rules.require_action(replay(cancelled), 1, ACTION, NOW)) == []


def test_the_money_of_an_expired_order_comes_back_without_moving_it() -> None:
    order = replay([*LATE, money_back()])
    assert (order.status, order.payment_status) == ("expired", "voided")


@pytest.mark.parametrize("stage", SHAPES)
def test_every_stage_is_told_apart_from_its_end(stage: str) -> None:
    ends = {"done", "turned_down", "late", "cancelled", "refunded", "gone_anyway", *RETURNING}
    assert (replay(SHAPES[stage]).status in TERMINAL) == (stage in ends)
