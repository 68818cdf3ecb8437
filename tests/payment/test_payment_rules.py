"""Paying and taking the money, as histories: what happened, what is asked, what follows."""

import pytest

from bus.messages import NotFound, Refused
from payment.calls import gateway_key
from payment.commands import Answer, Unknown
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
    TAKEN,
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
    waits = replay([requested(), needs_action()])
    assert rules.authorize(waits, pay(2)) == [requested(2, instead_of=1)]


def test_who_pays_again_leaves_nothing_waiting_at_the_gateway() -> None:
    history: list[PaymentEvent] = [requested(), needs_action(), requested(2, instead_of=1)]
    found = rules.record_authorization(replay(history), 2, Approved())
    assert found == [authorized(2), voiding(1)]


@pytest.mark.parametrize("history", [AUTHORIZED, [*AUTHORIZED, CAPTURING], TAKEN])
def test_what_is_paid_is_not_paid_again(history: list[PaymentEvent]) -> None:
    assert rules.authorize(replay(history), pay(2)) == []


def test_a_card_pays_after_store_credit_was_declined() -> None:
    assert rules.authorize(replay([declined()]), pay(2)) == [requested(2)]


def test_an_approval_is_an_authorization() -> None:
    found = rules.record_authorization(replay([requested()]), 1, Approved())
    assert found == [authorized()]


def test_a_decline_is_told_with_its_reason() -> None:
    outcome = Declined(reason="insufficient_funds")
    found = rules.record_authorization(replay([requested()]), 1, outcome)
    assert found == [declined(reason="insufficient_funds")]


def test_an_action_is_told_once() -> None:
    outcome = ActionRequired(action=ACTION)
    assert rules.record_authorization(replay([requested()]), 1, outcome) == [needs_action()]
    again = replay([requested(), needs_action()])
    assert rules.record_authorization(again, 1, outcome) == []


def test_an_action_that_was_taken_authorizes() -> None:
    found = rules.record_authorization(replay([requested(), needs_action()]), 1, Approved())
    assert found == [authorized()]


@pytest.mark.parametrize(
    "outcome", [Approved(), Declined(reason="x"), ActionRequired(action=ACTION)]
)
@pytest.mark.parametrize(
    "history", [AUTHORIZED, [*AUTHORIZED, voiding()], [requested(), voiding(), attempt_voided()]]
)
def test_an_answer_that_comes_twice_changes_nothing(
    history: list[PaymentEvent], outcome: Approved | Declined | ActionRequired
) -> None:
    assert rules.record_authorization(replay(history), 1, outcome) == []


def test_a_card_that_is_accepted_after_all_pays() -> None:
    """The buyer gave the gateway another card for the same attempt."""
    late = rules.record_authorization(replay([requested(), declined()]), 1, Approved())
    assert late == [authorized()]


def test_a_second_authorization_is_voided() -> None:
    paid_twice = replay([requested(), needs_action(), requested(2), authorized(2)])
    assert rules.record_authorization(paid_twice, 1, Approved()) == [voiding(1)]


def test_what_is_let_go_at_once_goes_by_the_gateways_own_name() -> None:
    late = Approved(authorization="pi_1")
    histories: tuple[list[PaymentEvent], ...] = (
        [requested(), CANCELLING],
        [requested(), requested(2), authorized(2)],
    )
    for history in histories:
        (asked,) = rules.record_authorization(replay(history), 1, late)
        assert asked == voiding().model_copy(update={"authorization": "pi_1"})


def test_the_payment_stands_when_another_attempt_is_voided() -> None:
    history: list[PaymentEvent] = [requested(), needs_action(), requested(2), authorized(2)]
    found = rules.record_void(replay([*history, voiding(1)]), 1)
    assert found == [attempt_voided(1)]


def test_what_is_authorized_is_captured() -> None:
    assert rules.capture(replay(AUTHORIZED)) == [CAPTURING]
    assert rules.record_capture(replay([*AUTHORIZED, CAPTURING])) == [CAPTURED]


@pytest.mark.parametrize("history", [[*AUTHORIZED, CAPTURING], TAKEN])
def test_a_capture_is_asked_once(history: list[PaymentEvent]) -> None:
    assert rules.capture(replay(history)) == []


def test_a_capture_is_recorded_once() -> None:
    assert rules.record_capture(replay(TAKEN)) == []


@pytest.mark.parametrize("history", [[requested()], [requested(), declined()], [declined()]])
def test_what_is_not_authorized_cannot_be_captured(history: list[PaymentEvent]) -> None:
    with pytest.raises(Refused, match="no attempt is authorized") as refusal:
        rules.capture(replay(history))
    assert refusal.value.code == "not_authorized"


def test_an_unknown_payment_is_refused() -> None:
    with pytest.raises(NotFound, match="no payment p1"):
        rules.capture(None)


@pytest.mark.parametrize(
    "answer", [Approved(), Declined(reason="x"), ActionRequired(action=ACTION), Unknown()]
)
def test_an_answer_to_a_call_that_was_never_made_is_refused(answer: Answer) -> None:
    with pytest.raises(NotFound, match="never called its gateway") as refusal:
        rules.record(replay([requested()]), "p1:void:7", answer)
    assert refusal.value.code == "unknown_call"


def test_nothing_cannot_be_authorized() -> None:
    with pytest.raises(Refused, match="for nothing") as refusal:
        rules.authorize(None, pay(amount=0))
    assert refusal.value.code == "nothing_to_pay"


@pytest.mark.parametrize(
    ("amount", "code"), [(0, "nothing_to_capture"), (10_51, "above_authorized")]
)
def test_no_more_is_captured_than_is_held_and_no_less_than_a_cent(amount: int, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        rules.capture(replay(AUTHORIZED), amount)
    assert refusal.value.code == code


def test_a_part_is_captured_and_the_rest_let_go() -> None:
    (asked,) = rules.capture(replay(AUTHORIZED), 4_00)
    assert asked == CAPTURING.model_copy(update={"amount": euros(4_00)})
    found = rules.record_capture(replay([*AUTHORIZED, asked]))
    assert found == [CAPTURED.model_copy(update={"amount": euros(4_00)})]
    assert rules.capture(replay([*AUTHORIZED, asked, *found]), 6_50) == []


def test_a_capture_that_fails_is_for_a_person_to_see() -> None:
    asked = [*AUTHORIZED, CAPTURING]
    failed = rules.record_capture(replay(asked), reason="processing_error")
    assert failed == [call_failed(CAPTURING, "processing_error")]
    assert rules.record_capture(replay([*asked, *failed]), reason="processing_error") == []
    again = rules.ask_again(replay([*asked, *failed]))
    assert again == [CAPTURING.model_copy(update={"gateway_key": "p1:capture:1.2"})]
    assert rules.ask_again(replay([*asked, *failed, *again])) == []
    taken = rules.record(replay([*asked, *failed, *again]), "p1:capture:1.2", Approved())
    assert taken == [CAPTURED]
    assert rules.ask_again(replay([*asked, *failed, *again, *taken])) == []


def test_a_payment_whose_capture_failed_is_voided_when_cancelled() -> None:
    failed = [*AUTHORIZED, CAPTURING, call_failed(CAPTURING, "processing_error")]
    assert rules.cancel(replay(failed), CANCEL) == [CANCELLING, voiding()]
    assert rules.ask_again(replay([*failed, CANCELLING, voiding()])) == []
