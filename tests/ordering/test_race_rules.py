"""The races of an order's life as histories: whoever is faster, the order ends the same way, and
nobody pays for what was called off."""

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations

import pytest

from bus.messages import Busy, Refused
from ordering import cancelling, rules
from ordering.order import Order, OrderEvent
from ordering.policies import POLICIES
from payment.contract import CapturePayment
from tests.ordering.histories import (
    EXPIRY,
    NOTHING,
    NOW,
    OTHER,
    PAYING,
    REFUSED,
    SCHEDULED,
    TOTAL,
    UNDER_WAY,
    replay,
)

Step = Callable[[Order], rules.Events]

STEPS: dict[str, Step] = {
    "cancel": lambda order: cancelling.cancel(order, "changed_my_mind", NOW),
    "pay": lambda order: rules.pay(order, OTHER, EXPIRY),
    "authorized": lambda order: rules.confirm(order, NOW),
    "expire": lambda order: rules.expire(order, EXPIRY),
    "pick up": lambda order: rules.ship(order, NOW),
    "lapse": lambda order: cancelling.abandon(order, "authorization_expired", NOW),
    "captured": lambda order: rules.take_payment(order, TOTAL, NOW),
    "bring back": lambda order: cancelling.take_back(order, NOW),
    "nobody comes": lambda order: cancelling.call_off_delivery(order, NOW),
    "voided": lambda order: cancelling.return_money(order, NOTHING, NOW),
    "refunded": lambda order: cancelling.return_money(order, TOTAL, NOW),
}


def after(history: Sequence[OrderEvent], *steps: str) -> tuple[list[OrderEvent], list[str]]:
    """The history after these steps, and the codes of those that were refused."""
    now, refusals = list(history), []
    for step in steps:
        try:
            now += STEPS[step](replay(now))
        except Refused as refusal:
            refusals.append(refusal.code)
    return now, refusals


def captures(history: Iterable[OrderEvent]) -> int:
    """How often the money is taken."""
    commands = [
        c for event in history if type(event) in POLICIES for c in POLICIES[type(event)](event)
    ]
    return sum(isinstance(command, CapturePayment) for command in commands)


def stands(history: list[OrderEvent]) -> tuple[str, str, str]:
    order = replay(history)
    return order.status, order.payment_status, order.fulfillment_status


# --- cancel against pay


@pytest.mark.parametrize("first", ["cancel", "authorized"])
def test_a_cancelled_order_is_voided_whether_it_was_paid_before_or_after(first: str) -> None:
    second = "authorized" if first == "cancel" else "cancel"
    history, refusals = after(PAYING, first, second, "nobody comes", "voided")
    assert refusals == []
    assert stands(history) == ("cancelled", "voided", "unfulfilled")
    assert captures(history) == 0


def test_who_cancels_and_pays_at_once_has_cancelled() -> None:
    history, refusals = after(REFUSED, "cancel", "pay")
    assert (stands(history)[0], refusals) == ("cancelling", ["order_ended"])
    history, refusals = after(REFUSED, "pay", "cancel", "authorized", "nobody comes", "voided")
    assert (stands(history)[:2], refusals) == (("cancelled", "voided"), [])


# --- late authorization on a cancelled order


def test_a_late_authorization_moves_no_cancelled_order() -> None:
    called_off, _ = after(PAYING, "cancel")
    for ending in permutations(["authorized", "nobody comes", "voided"]):
        history, refusals = after(called_off, *ending)
        assert refusals == []
        assert stands(history) == ("cancelled", "voided", "unfulfilled")
        assert not rules.awaits_money(replay(history))


# --- expiry against pay


def test_an_order_that_expired_first_is_not_paid() -> None:
    history, refusals = after(REFUSED, "expire", "pay")
    assert (stands(history)[0], refusals) == ("expired", ["order_ended"])
    for ending in permutations(["authorized", "voided"]):
        history, refusals = after(PAYING, "expire", *ending)
        assert (stands(history)[:2], refusals) == (("expired", "voided"), [])
        assert captures(history) == 0


def test_an_order_that_was_paid_first_does_not_expire() -> None:
    history, refusals = after(PAYING, "authorized", "expire")
    assert (stands(history)[:2], refusals) == (("confirmed", "authorized"), [])


def test_an_attempt_under_way_does_not_stop_the_clock() -> None:
    history, _ = after(REFUSED, "pay", "expire")
    assert stands(history)[0] == "expired"
    early = replay(after(REFUSED, "pay")[0])
    with pytest.raises(Busy):
        rules.expire(early, NOW)


# --- capture against cancel


@pytest.mark.parametrize("calls_off", ["cancel", "lapse"])
def test_what_was_called_off_before_the_pick_up_is_never_captured(calls_off: str) -> None:
    history, refusals = after(SCHEDULED, calls_off, "pick up", "voided")
    assert refusals == []
    assert stands(history) == ("cancelled", "voided", "shipped")
    assert captures(history) == 0


def test_what_was_picked_up_first_is_captured_and_can_no_longer_be_cancelled() -> None:
    history, refusals = after(SCHEDULED, "pick up", "cancel", "captured")
    assert refusals == ["already_shipped"]
    assert stands(history) == ("confirmed", "captured", "shipped")
    assert captures(history) == 1
    assert not cancelling.may_be_called_off(replay(history))


def test_money_that_lapses_once_the_goods_have_left_calls_nothing_off() -> None:
    history, refusals = after(SCHEDULED, "pick up", "lapse")
    assert (stands(history)[0], refusals) == ("confirmed", [])
    assert captures(history) == 1


@pytest.mark.parametrize("first", ["captured", "bring back"])
def test_goods_brought_back_are_refunded_whether_they_were_captured_before_or_after(
    first: str,
) -> None:
    second = "bring back" if first == "captured" else "captured"
    history, refusals = after(UNDER_WAY, first, second, "refunded")
    assert refusals == []
    assert stands(history) == ("cancelled", "refunded", "returned")
    assert replay(history).refunded == TOTAL
