"""Giving the money back, as histories: nothing stays held, and the end is told once."""

import pytest

from payment.calls import RefundRequested
from payment.contract import CANCELLATION
from payment.gateway import ActionRequired, Approved, Declined
from payment.payment import PaymentEvent
from tests.payment import decisions as rules
from tests.payment.histories import (
    ACTION,
    AUTHORIZED,
    CANCEL,
    CANCELLING,
    CAPTURED,
    CAPTURING,
    REFUNDED,
    REFUNDING,
    TAKEN,
    VOIDED,
    attempt_voided,
    authorized,
    call_failed,
    declined,
    euros,
    needs_action,
    pay,
    replay,
    requested,
    voiding,
)


def test_a_cancelled_payment_is_never_captured() -> None:
    for end in ([], [voiding()], [voiding(), attempt_voided(), VOIDED]):
        assert rules.capture(replay([*AUTHORIZED, CANCELLING, *end])) == []


def test_cancelling_what_was_never_asked_voids_it_for_ever() -> None:
    assert rules.cancel(None, CANCEL) == [VOIDED]
    assert rules.authorize(replay([VOIDED]), pay()) == []
    assert rules.capture(replay([VOIDED])) == []


@pytest.mark.parametrize("history", [[requested(), declined()], [declined()]])
def test_cancelling_what_was_declined_voids_it(history: list[PaymentEvent]) -> None:
    assert rules.cancel(replay(history), CANCEL) == [CANCELLING, VOIDED]


def test_cancelling_waits_for_an_authorization_under_way() -> None:
    assert rules.cancel(replay([requested()]), CANCEL) == [CANCELLING]


def test_a_late_authorization_of_a_cancelled_payment_is_voided() -> None:
    late = replay([requested(), CANCELLING])
    assert rules.record_authorization(late, 1, Approved()) == [voiding()]


def test_a_late_decline_of_a_cancelled_payment_ends_it() -> None:
    late = replay([requested(), CANCELLING])
    found = rules.record_authorization(late, 1, Declined(reason="card_declined"))
    assert found == [declined(), VOIDED]


def test_a_late_action_of_a_cancelled_payment_is_called_off_at_the_gateway() -> None:
    late = replay([requested(), CANCELLING])
    found = rules.record_authorization(late, 1, ActionRequired(action=ACTION))
    assert found == [needs_action(), voiding()]


def test_cancelling_what_is_held_voids_it() -> None:
    assert rules.cancel(replay(AUTHORIZED), CANCEL) == [CANCELLING, voiding()]
    found = rules.record_void(replay([*AUTHORIZED, CANCELLING, voiding()]), 1)
    assert found == [attempt_voided(), VOIDED]


def test_cancelling_calls_off_what_waits_for_the_buyer() -> None:
    assert rules.cancel(replay([requested(), needs_action()]), CANCEL) == [CANCELLING, voiding()]


def test_voided_is_told_when_the_last_attempt_is_over() -> None:
    history: list[PaymentEvent] = [requested(), needs_action(), requested(2), authorized(2)]
    both: list[PaymentEvent] = [CANCELLING, voiding(1), voiding(2)]
    assert rules.cancel(replay(history), CANCEL) == both
    history += both
    assert rules.record_void(replay(history), 2) == [attempt_voided(2)]
    history.append(attempt_voided(2))
    assert rules.record_void(replay(history), 1) == [attempt_voided(1), VOIDED]


def test_cancelling_what_was_taken_refunds_it() -> None:
    assert rules.cancel(replay(TAKEN), CANCEL) == [CANCELLING, REFUNDING]
    assert rules.record_refund(replay([*TAKEN, CANCELLING, REFUNDING])) == [REFUNDED]


def test_cancelling_waits_for_a_capture_under_way_and_refunds_it() -> None:
    under_way = [*AUTHORIZED, CAPTURING]
    assert rules.cancel(replay(under_way), CANCEL) == [CANCELLING]
    found = rules.record_capture(replay([*under_way, CANCELLING]))
    assert found == [CAPTURED, REFUNDING]


def test_the_refund_waits_until_nothing_else_is_held() -> None:
    history: list[PaymentEvent] = [requested(2), *TAKEN, CANCELLING]
    found = rules.record_authorization(replay(history), 2, Approved())
    assert found == [voiding(2)]
    assert rules.record_void(replay([*history, *found]), 2) == [
        attempt_voided(2),
        REFUNDING,
    ]


@pytest.mark.parametrize(
    "history",
    [
        [VOIDED],
        [requested(), CANCELLING],
        [*AUTHORIZED, CANCELLING, voiding()],
        [*AUTHORIZED, CANCELLING, voiding(), attempt_voided(), VOIDED],
        [*TAKEN, CANCELLING, REFUNDING],
        [*TAKEN, CANCELLING, REFUNDING, REFUNDED],
    ],
)
def test_cancelling_twice_does_nothing(history: list[PaymentEvent]) -> None:
    assert rules.cancel(replay(history), CANCEL) == []


def test_a_refund_that_nobody_waits_for_is_not_told() -> None:
    assert rules.record_refund(replay([*TAKEN, CANCELLING, REFUNDING, REFUNDED])) == []


def test_a_void_that_nobody_waits_for_is_not_told() -> None:
    history = [*AUTHORIZED, CANCELLING, voiding(), attempt_voided(), VOIDED]
    assert rules.record_void(replay(history), 1) == []


def test_a_void_that_the_gateway_declines_keeps_the_payment_open() -> None:
    history = [*AUTHORIZED, CANCELLING, voiding()]
    failed = rules.record_void(replay(history), reason="void_too_late")
    assert failed == [call_failed(voiding(), "void_too_late")]
    again = rules.ask_again(replay([*history, *failed]))
    assert again == [voiding().model_copy(update={"gateway_key": "p1:void:1.2"})]
    found = rules.record(replay([*history, *failed, *again]), "p1:void:1.2", Approved())
    assert found == [attempt_voided(), VOIDED]


def test_a_payment_of_which_some_was_refunded_gives_back_the_rest() -> None:
    (asked,) = rules.give_back(replay(TAKEN), 4_00)
    history = [*TAKEN, asked]
    assert rules.cancel(replay(history), CANCEL) == [CANCELLING]
    history += [CANCELLING]
    given, rest = rules.record_refund(replay(history))
    assert isinstance(rest, RefundRequested)
    assert (rest.amount, rest.refund_id) == (euros(6_50), CANCELLATION)
    assert rest.gateway_key == "p1:refund:2"
    found = rules.record_refund(replay([*history, given, rest]), 2)
    assert found == [REFUNDED.model_copy(update={"amount": euros(6_50)})]


def test_a_payment_that_was_all_refunded_ends_when_cancelled() -> None:
    history = [*TAKEN, *rules.give_back(replay(TAKEN), 10_50)]
    history += rules.record_refund(replay(history))
    assert rules.cancel(replay(history), CANCEL) == [CANCELLING, VOIDED]
