"""Giving the money back, as histories: nothing stays held, and the end is told once."""

import pytest

from payment import rules
from payment.gateway import ActionRequired, Approved, Declined
from payment.payment import PaymentEvent
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
    declined,
    needs_action,
    pay,
    replay,
    requested,
    voiding,
)


def test_a_cancelled_payment_is_never_captured() -> None:
    for end in ([], [voiding()], [voiding(), attempt_voided(), VOIDED]):
        assert rules.capture(replay([*AUTHORIZED, CANCELLING, *end]), "p1") == []


def test_cancelling_what_was_never_asked_voids_it_for_ever() -> None:
    assert rules.cancel(None, CANCEL) == [VOIDED]
    assert rules.authorize(replay([VOIDED]), pay()) == []
    assert rules.capture(replay([VOIDED]), "p1") == []


@pytest.mark.parametrize("history", [[requested(), declined()], [declined()]])
def test_cancelling_what_was_declined_voids_it(history: list[PaymentEvent]) -> None:
    assert rules.cancel(replay(history), CANCEL) == [CANCELLING, VOIDED]


def test_cancelling_waits_for_an_authorization_under_way() -> None:
    assert rules.cancel(replay([requested()]), CANCEL) == [CANCELLING]


def test_a_late_authorization_of_a_cancelled_payment_is_voided() -> None:
    late = replay([requested(), CANCELLING])
    assert rules.record_authorization(late, "p1", 1, Approved()) == [voiding()]


def test_a_late_decline_of_a_cancelled_payment_ends_it() -> None:
    late = replay([requested(), CANCELLING])
    found = rules.record_authorization(late, "p1", 1, Declined(reason="card_declined"))
    assert found == [declined(), VOIDED]


def test_a_late_action_of_a_cancelled_payment_is_called_off_at_the_gateway() -> None:
    late = replay([requested(), CANCELLING])
    found = rules.record_authorization(late, "p1", 1, ActionRequired(action=ACTION))
    assert found == [voiding()]


def test_cancelling_what_is_held_voids_it() -> None:
    assert rules.cancel(replay(AUTHORIZED), CANCEL) == [CANCELLING, voiding()]
    found = rules.record_void(replay([*AUTHORIZED, CANCELLING, voiding()]), "p1", 1)
    assert found == [attempt_voided(), VOIDED]


def test_cancelling_calls_off_what_waits_for_the_buyer() -> None:
    assert rules.cancel(replay([requested(), needs_action()]), CANCEL) == [CANCELLING, voiding()]


def test_voided_is_told_when_the_last_attempt_is_over() -> None:
    history: list[PaymentEvent] = [requested(), needs_action(), requested(2), authorized(2)]
    both: list[PaymentEvent] = [CANCELLING, voiding(1), voiding(2)]
    assert rules.cancel(replay(history), CANCEL) == both
    history += both
    assert rules.record_void(replay(history), "p1", 2) == [attempt_voided(2)]
    history.append(attempt_voided(2))
    assert rules.record_void(replay(history), "p1", 1) == [attempt_voided(1), VOIDED]


def test_cancelling_what_was_taken_refunds_it() -> None:
    assert rules.cancel(replay(TAKEN), CANCEL) == [CANCELLING, REFUNDING]
    assert rules.record_refund(replay([*TAKEN, CANCELLING, REFUNDING]), "p1") == [REFUNDED]


def test_cancelling_waits_for_a_capture_under_way_and_refunds_it() -> None:
    under_way = [*AUTHORIZED, CAPTURING]
    assert rules.cancel(replay(under_way), CANCEL) == [CANCELLING]
    found = rules.record_capture(replay([*under_way, CANCELLING]), "p1")
    assert found == [CAPTURED, REFUNDING]


def test_the_refund_waits_until_nothing_else_is_held() -> None:
    history: list[PaymentEvent] = [requested(2), *TAKEN, CANCELLING]
    found = rules.record_authorization(replay(history), "p1", 2, Approved())
    assert found == [voiding(2)]
    assert rules.record_void(replay([*history, *found]), "p1", 2) == [
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


@pytest.mark.parametrize("history", [TAKEN, [*TAKEN, CANCELLING, REFUNDING, REFUNDED]])
def test_a_refund_that_nobody_waits_for_is_not_told(history: list[PaymentEvent]) -> None:
    assert rules.record_refund(replay(history), "p1") == []


def test_a_void_that_nobody_waits_for_is_not_told() -> None:
    history = [*AUTHORIZED, CANCELLING, voiding(), attempt_voided(), VOIDED]
    assert rules.record_void(replay(history), "p1", 1) == []
    assert rules.record_void(replay(AUTHORIZED), "p1", 1) == []
