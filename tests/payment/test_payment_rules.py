"""Paying and taking the money, as histories: what happened, what is asked, what follows."""

import pytest

from bus.messages import NotFound, Refused
from payment import rules
from payment.gateway import ActionRequired, Approved, Declined
from payment.payment import PaymentEvent, gateway_key
from tests.payment.histories import (
    ACTION,
    AUTHORIZED,
    CAPTURED,
    CAPTURING,
    TAKEN,
    attempt_voided,
    authorized,
    declined,
    needs_action,
    pay,
    replay,
    requested,
    voiding,
)


def test_the_gateway_is_asked_before_anything_else_happens() -> None:
    assert rules.authorize(None, pay()) == [requested()]


def test_a_key_follows_from_payment_operation_and_attempt() -> None:
    keys = {
        gateway_key(payment, operation, attempt)
        for payment in ("p1", "p2")
        for operation in ("authorize", "capture", "void", "refund")
        for attempt in (1, 2)
    }
    assert len(keys) == 16
    assert gateway_key("p1", "void", 2) == gateway_key("p1", "void", 2)


@pytest.mark.parametrize(
    "history",
    [
        [requested()],
        [requested(), declined()],
        [requested(), needs_action()],
        [requested(), declined(), requested(2)],
    ],
)
def test_an_attempt_that_is_known_is_not_asked_again(history: list[PaymentEvent]) -> None:
    assert rules.authorize(replay(history), pay(1)) == []


def test_a_declined_payment_may_be_paid_again() -> None:
    assert rules.authorize(replay([requested(), declined()]), pay(2)) == [requested(2)]


def test_after_3d_secure_the_buyer_pays_again() -> None:
    assert rules.authorize(replay([requested(), needs_action()]), pay(2)) == [requested(2)]


@pytest.mark.parametrize("history", [AUTHORIZED, [*AUTHORIZED, CAPTURING], TAKEN])
def test_what_is_paid_is_not_paid_again(history: list[PaymentEvent]) -> None:
    assert rules.authorize(replay(history), pay(2)) == []


def test_store_credit_is_declined_without_a_call() -> None:
    assert rules.authorize(None, pay(method="store_credit")) == [
        declined(reason="store_credit_unavailable")
    ]


def test_a_card_pays_after_store_credit_was_declined() -> None:
    assert rules.authorize(replay([declined()]), pay(2)) == [requested(2)]


def test_an_approval_is_an_authorization() -> None:
    found = rules.record_authorization(replay([requested()]), "p1", 1, Approved())
    assert found == [authorized()]


def test_a_decline_is_told_with_its_reason() -> None:
    outcome = Declined(reason="insufficient_funds")
    found = rules.record_authorization(replay([requested()]), "p1", 1, outcome)
    assert found == [declined(reason="insufficient_funds")]


def test_an_action_is_told_once() -> None:
    outcome = ActionRequired(action=ACTION)
    assert rules.record_authorization(replay([requested()]), "p1", 1, outcome) == [needs_action()]
    again = replay([requested(), needs_action()])
    assert rules.record_authorization(again, "p1", 1, outcome) == []


def test_an_action_that_was_taken_authorizes() -> None:
    found = rules.record_authorization(replay([requested(), needs_action()]), "p1", 1, Approved())
    assert found == [authorized()]


@pytest.mark.parametrize(
    "outcome", [Approved(), Declined(reason="x"), ActionRequired(action=ACTION)]
)
@pytest.mark.parametrize(
    "history", [AUTHORIZED, [requested(), declined()], [*AUTHORIZED, voiding()]]
)
def test_an_answer_that_comes_twice_changes_nothing(
    history: list[PaymentEvent], outcome: Approved | Declined | ActionRequired
) -> None:
    assert rules.record_authorization(replay(history), "p1", 1, outcome) == []


def test_a_second_authorization_is_voided() -> None:
    paid_twice = replay([requested(), needs_action(), requested(2), authorized(2)])
    assert rules.record_authorization(paid_twice, "p1", 1, Approved()) == [voiding(1)]


def test_the_payment_stands_when_another_attempt_is_voided() -> None:
    history: list[PaymentEvent] = [requested(), needs_action(), requested(2), authorized(2)]
    found = rules.record_void(replay([*history, voiding(1)]), "p1", 1)
    assert found == [attempt_voided(1)]


def test_what_is_authorized_is_captured() -> None:
    assert rules.capture(replay(AUTHORIZED), "p1") == [CAPTURING]
    assert rules.record_capture(replay([*AUTHORIZED, CAPTURING]), "p1") == [CAPTURED]


@pytest.mark.parametrize("history", [[*AUTHORIZED, CAPTURING], TAKEN])
def test_a_capture_is_asked_once(history: list[PaymentEvent]) -> None:
    assert rules.capture(replay(history), "p1") == []


def test_a_capture_is_recorded_once() -> None:
    assert rules.record_capture(replay(TAKEN), "p1") == []


@pytest.mark.parametrize("history", [[requested()], [requested(), declined()], [declined()]])
def test_what_is_not_authorized_cannot_be_captured(history: list[PaymentEvent]) -> None:
    with pytest.raises(Refused, match="no attempt is authorized") as refusal:
        rules.capture(replay(history), "p1")
    assert refusal.value.code == "not_authorized"


def test_an_unknown_payment_is_refused() -> None:
    with pytest.raises(NotFound, match="no payment p1"):
        rules.capture(None, "p1")
    with pytest.raises(NotFound, match="no attempt 7"):
        rules.record_void(replay([requested()]), "p1", 7)
