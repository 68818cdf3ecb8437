"""Histories of payments and of store credit: what the rules decide, step by step, as it is
stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from bus.messages import Event, Money
from payment.balance import CreditGranted
from payment.commands import Unknown
from payment.credit import entries
from payment.gateway import EXPIRED, ActionRequired, Approved, Declined
from payment.payment import Payment, PaymentEvent
from tests.payment import decisions as rules
from tests.payment.histories import ACTION, AT, CANCEL, pay, replay

Step = Callable[[Payment | None], list[PaymentEvent]]

HELD = Approved(authorization="pi_1", capture_before=AT + timedelta(days=7))


def lived(*steps: Step) -> list[PaymentEvent]:
    """A payment's history when these steps follow one another; each has to lead to something."""
    history: list[PaymentEvent] = []
    for step in steps:
        events = step(replay(history))
        assert events, f"the step behind {history[-1:]} leads to nothing"
        history += events
    return history


def in_books(*histories: list[PaymentEvent], granted: int = 20_00) -> Sequence[Event]:
    """The ledger of the buyer of these payments."""
    gift = CreditGranted(buyer_id="b1", amount=Money(amount=granted, currency="EUR"), reason="gift")
    return [gift, *(entry for history in histories for entry in entries(None, history))]


def pays(attempt: int = 1, credit: int = 0, *, use_credit: bool = False) -> Step:
    """By card, with store credit for some of it where there is any."""
    return lambda payment: rules.authorize(payment, pay(attempt, use_credit=use_credit), credit)


def pays_by_credit(available: int) -> Step:
    """All of it, or nothing."""
    return lambda payment: rules.authorize(payment, pay(method="store_credit"), available)


def answered(attempt: int = 1, outcome: Approved | Declined | ActionRequired = HELD) -> Step:
    """The gateway's answer to an attempt."""
    return lambda payment: rules.record_authorization(payment, attempt, outcome)


def unknown(key: str) -> Step:
    """Nobody knows what became of a call."""
    return lambda payment: rules.record(payment, key, Unknown())


def asked_again(payment: Payment | None) -> list[PaymentEvent]:
    """By a timer or a person."""
    return rules.ask_again(payment)


def captures(amount: int | None = None) -> Step:
    """All that is held, or a part."""
    return lambda payment: rules.capture(payment, amount)


def captured(attempt: int = 1, reason: str | None = None) -> Step:
    """The gateway has taken it, or could not."""
    return lambda payment: rules.record_capture(payment, attempt, reason)


def renewed(payment: Payment | None) -> list[PaymentEvent]:
    """It is to stay set aside for longer."""
    return rules.renew(payment)


def voided(attempt: int = 1, reason: str | None = None) -> Step:
    """The gateway has let go of it, or could not."""
    return lambda payment: rules.record_void(payment, attempt, reason)


def gives_back(amount: int, refund_id: str = "ret_1") -> Step:
    """Some of it."""
    return lambda payment: rules.give_back(payment, amount, refund_id)


def given_back(number: int = 1, reason: str | None = None) -> Step:
    """The gateway has given it back, or could not."""
    return lambda payment: rules.record_refund(payment, number, reason)


def cancels(payment: Payment | None) -> list[PaymentEvent]:
    """All of it is wanted back."""
    return rules.cancel(payment, CANCEL)


AUTHORIZED = (pays(), answered())
TAKEN = (*AUTHORIZED, captures(), captured())
ASKED = (pays(), answered(outcome=ActionRequired(action=ACTION, authorization="pi_1")))
NO = Declined(reason="card_declined")
BY_CREDIT = (pays_by_credit(15_00),)
BY_BOTH = (pays(credit=3_00, use_credit=True), answered())
BOTH_TAKEN = (*BY_BOTH, captures(), captured())

PAYMENTS: dict[str, list[PaymentEvent]] = {
    "held_until": lived(*AUTHORIZED),
    "captured_in_part": lived(*AUTHORIZED, captures(4_00), captured()),
    "capture_failed": lived(*AUTHORIZED, captures(), captured(reason="processing_error")),
    "capture_failed_then_retried": lived(
        *AUTHORIZED,
        captures(),
        captured(reason="processing_error"),
        asked_again,
        lambda payment: rules.record(payment, "p1:capture:1.2", Approved()),
    ),
    "ran_out_and_was_renewed": lived(
        *AUTHORIZED,
        captures(),
        captured(reason=EXPIRED),
        answered(2),
        captured(2),
        voided(1),
    ),
    "renewed": lived(*AUTHORIZED, renewed, answered(2), voided(1)),
    "lapsed": lived(*AUTHORIZED, renewed, answered(2, NO)),
    "lapsed_for_an_action": lived(
        *AUTHORIZED, renewed, answered(2, ActionRequired(action=ACTION)), voided(2)
    ),
    "unknown": lived(pays(), unknown("p1:authorize:1")),
    "unknown_then_settled": lived(pays(), unknown("p1:authorize:1"), asked_again, answered()),
    "unknown_at_every_call": lived(
        pays(),
        unknown("p1:authorize:1"),
        asked_again,
        answered(),
        captures(),
        unknown("p1:capture:1"),
        asked_again,
        captured(),
        gives_back(4_00),
        unknown("p1:refund:1"),
        asked_again,
        given_back(),
    ),
    "void_unknown": lived(*AUTHORIZED, cancels, unknown("p1:void:1"), asked_again, voided()),
    "void_failed_then_retried": lived(
        *AUTHORIZED,
        cancels,
        voided(reason="processing_error"),
        asked_again,
        lambda payment: rules.record(payment, "p1:void:1.2", Approved()),
    ),
    "refunded_in_part": lived(*TAKEN, gives_back(4_00), given_back()),
    "refunded_in_parts": lived(
        *TAKEN,
        gives_back(4_00),
        given_back(1),
        gives_back(6_50, "ret_2"),
        given_back(2),
    ),
    "refund_failed_then_retried": lived(
        *TAKEN,
        gives_back(4_00),
        given_back(reason="lost_card"),
        asked_again,
        lambda payment: rules.record(payment, "p1:refund:1.2", Approved()),
    ),
    "refunded_in_part_then_cancelled": lived(
        *TAKEN, gives_back(4_00), given_back(), cancels, given_back(2)
    ),
    "paid_by_credit": lived(*BY_CREDIT),
    "credit_captured": lived(*BY_CREDIT, captures()),
    "credit_refunded": lived(*BY_CREDIT, captures(), gives_back(10_50)),
    "credit_voided": lived(*BY_CREDIT, cancels),
    "credit_declined": lived(pays_by_credit(10_49)),
    "paid_by_both": lived(*BY_BOTH),
    "both_captured": lived(*BOTH_TAKEN),
    "both_captured_in_part": lived(*BY_BOTH, captures(2_00), voided()),
    "both_refunded": lived(*BOTH_TAKEN, gives_back(9_00), given_back()),
    "both_cancelled": lived(*BOTH_TAKEN, cancels, given_back()),
    "card_declined_beside_credit": lived(pays(credit=3_00, use_credit=True), answered(outcome=NO)),
    "credit_kept_for_the_next_attempt": lived(
        pays(credit=3_00, use_credit=True),
        answered(outcome=ActionRequired(action=ACTION, authorization="pi_1")),
        pays(2, use_credit=True),
        answered(2),
        voided(1),
    ),
    "confirmed_by_webhook": lived(*ASKED, answered()),
    "paid_again_after_3d_secure": lived(*ASKED, pays(2), answered(2), voided(1)),
    "accepted_after_a_decline": lived(pays(), answered(outcome=NO), answered()),
    "late_success_of_another_attempt": lived(
        pays(), answered(outcome=NO), pays(2), answered(2), answered(1), voided(1)
    ),
    "late_success_after_a_cancellation": lived(pays(), cancels, answered(), voided()),
}

BALANCES: dict[str, Sequence[Event]] = {
    "granted": in_books(),
    "held": in_books(PAYMENTS["paid_by_both"]),
    "taken": in_books(PAYMENTS["credit_captured"]),
    "taken_in_part": in_books(PAYMENTS["both_captured_in_part"]),
    "released": in_books(PAYMENTS["credit_voided"]),
    "released_by_a_decline": in_books(PAYMENTS["card_declined_beside_credit"]),
    "returned": in_books(PAYMENTS["credit_refunded"]),
    "returned_in_part": in_books(PAYMENTS["both_refunded"]),
    "kept_for_another_attempt": in_books(PAYMENTS["credit_kept_for_the_next_attempt"]),
}
