"""Paying with store credit, alone or with a card: what the payment says and the ledger does."""

from functools import reduce

import pytest

from bus.messages import Refused
from payment import balance
from payment.balance import CreditGranted, Ledger
from payment.calls import AuthorizationRequested
from payment.contract import PaymentAuthorized, PaymentCaptured, PaymentRefunded
from payment.credit import entries
from payment.gateway import ActionRequired, Approved, Declined
from payment.payment import CreditSetAside, PaymentEvent
from tests.payment import decisions as rules
from tests.payment.histories import (
    ACTION,
    CANCEL,
    CANCELLING,
    VOIDED,
    attempt_voided,
    authorized,
    declined,
    euros,
    needs_action,
    pay,
    replay,
    requested,
    voiding,
)

ALL = pay(method="store_credit")
SOME = pay(use_credit=True)


def set_aside(cents: int, attempt: int = 1) -> CreditSetAside:
    return CreditSetAside(
        payment_id="p1", reference="o1", buyer_id="b1", attempt=attempt, amount=euros(cents)
    )


def by_card(attempt: int = 1, **more: int) -> AuthorizationRequested:
    return requested(attempt, 7_50, use_credit=True, **more)


BY_CREDIT: list[PaymentEvent] = [set_aside(10_50), authorized()]
BY_BOTH: list[PaymentEvent] = [set_aside(3_00), by_card(), authorized()]


def ledger(history: list[PaymentEvent], granted: int = 20_00) -> Ledger:
    """The buyer's ledger after this history, event by event."""
    state = balance.evolve(
        None, CreditGranted(buyer_id="b1", amount=euros(granted), reason="a gift")
    )
    for number, event in enumerate(history):
        state = reduce(balance.evolve, entries(replay(history[:number]), [event]), state)
    return state


def books(history: list[PaymentEvent]) -> tuple[int, int]:
    """What the buyer has and what of it is set aside."""
    found = ledger(history)
    return found.balance.amount, found.held.amount


def test_credit_alone_pays_without_the_gateway() -> None:
    assert rules.authorize(None, ALL, credit=10_50) == BY_CREDIT
    assert books(BY_CREDIT) == (20_00, 10_50)


@pytest.mark.parametrize("credit", [0, 10_49])
def test_credit_that_does_not_suffice_alone_is_declined(credit: int) -> None:
    assert rules.authorize(None, ALL, credit=credit) == [declined(reason="insufficient_credit")]


def test_the_card_pays_what_credit_leaves() -> None:
    assert rules.authorize(None, SOME, credit=3_00) == [set_aside(3_00), by_card()]
    found = rules.record_authorization(replay(BY_BOTH[:2]), 1, Approved())
    assert found == [authorized()]
    assert books(BY_BOTH) == (20_00, 3_00)


def test_who_has_no_credit_pays_by_card_and_who_has_enough_does_not() -> None:
    assert rules.authorize(None, SOME, credit=0) == [requested(use_credit=True)]
    assert rules.authorize(None, SOME, credit=99_00) == BY_CREDIT


def test_a_declined_card_frees_the_credit() -> None:
    history = BY_BOTH[:2]
    history += rules.record_authorization(replay(history), 1, Declined(reason="card_declined"))
    assert history[-1] == declined()
    assert books(history) == (20_00, 0)


def test_a_card_that_is_accepted_once_the_credit_is_free_again_is_let_go() -> None:
    history = [*BY_BOTH[:2], declined()]
    assert rules.record_authorization(replay(history), 1, Approved()) == [voiding()]


def test_credit_is_taken_without_the_gateway() -> None:
    taken = rules.capture(replay(BY_CREDIT))
    assert taken == [PaymentCaptured(payment_id="p1", reference="o1", amount=euros(10_50))]
    assert books([*BY_CREDIT, *taken]) == (9_50, 0)
    assert rules.capture(replay([*BY_CREDIT, *taken])) == []


def test_credit_and_card_are_taken_together() -> None:
    (asked,) = rules.capture(replay(BY_BOTH))
    assert (getattr(asked, "amount", None), getattr(asked, "credit", None)) == (
        euros(7_50),
        euros(3_00),
    )
    history = [*BY_BOTH, asked]
    assert books(history) == (20_00, 3_00)
    taken = rules.record_capture(replay(history))
    assert taken == [PaymentCaptured(payment_id="p1", reference="o1", amount=euros(10_50))]
    assert books([*history, *taken]) == (17_00, 0)


def test_a_part_is_taken_of_the_credit_first() -> None:
    taken = rules.capture(replay(BY_BOTH), 2_00)
    assert taken == [
        PaymentCaptured(payment_id="p1", reference="o1", amount=euros(2_00)),
        voiding(),
    ]
    assert books([*BY_BOTH, *taken, attempt_voided()]) == (18_00, 0)
    (asked,) = rules.capture(replay(BY_BOTH), 5_00)
    assert getattr(asked, "amount", None) == euros(2_00)


def test_the_card_is_refunded_before_the_credit() -> None:
    (asked,) = rules.capture(replay(BY_BOTH))
    history = [*BY_BOTH, asked, *rules.record_capture(replay([*BY_BOTH, asked]))]
    (first,) = rules.give_back(replay(history), 5_00)
    assert getattr(first, "amount", None) == euros(5_00)
    history += [first, *rules.record_refund(replay([*history, first]))]
    (second,) = rules.give_back(replay(history), 4_00, "ret_2")
    assert (getattr(second, "amount", None), getattr(second, "credit", None)) == (
        euros(2_50),
        euros(1_50),
    )
    assert books(history) == (17_00, 0)
    history += [second, *rules.record_refund(replay([*history, second]), 2)]
    assert books(history) == (18_50, 0)
    third = rules.give_back(replay(history), 1_50, "ret_3")
    assert third == [
        PaymentRefunded(payment_id="p1", reference="o1", amount=euros(1_50), refund_id="ret_3")
    ]
    assert books([*history, *third]) == (20_00, 0)
    with pytest.raises(Refused):
        rules.give_back(replay([*history, *third]), 1, "ret_4")


def test_cancelling_frees_the_credit() -> None:
    found = rules.cancel(replay(BY_CREDIT), CANCEL)
    assert found == [CANCELLING, attempt_voided(), VOIDED]
    assert books([*BY_CREDIT, *found]) == (20_00, 0)
    both = [*BY_BOTH, *rules.cancel(replay(BY_BOTH), CANCEL)]
    assert books(both) == (20_00, 3_00)
    both += rules.record_void(replay(both))
    assert both[-1] == VOIDED
    assert books(both) == (20_00, 0)


def test_cancelling_what_credit_paid_gives_it_back() -> None:
    taken = [*BY_CREDIT, *rules.capture(replay(BY_CREDIT))]
    found = rules.cancel(replay(taken), CANCEL)
    assert found == [
        CANCELLING,
        PaymentRefunded(payment_id="p1", reference="o1", amount=euros(10_50)),
    ]
    assert books([*taken, *found]) == (20_00, 0)


def test_who_pays_again_has_the_credit_of_the_attempt_that_waits() -> None:
    history: list[PaymentEvent] = [set_aside(3_00), by_card()]
    history += rules.record_authorization(replay(history), 1, ActionRequired(action=ACTION))
    again = rules.authorize(replay(history), pay(2, use_credit=True), credit=0)
    assert again == [set_aside(3_00, 2), by_card(2, instead_of=1)]
    history += again
    assert books(history) == (20_00, 3_00)
    assert rules.record_authorization(replay(history), 1, Approved()) == [voiding(1)]
    history += rules.record_authorization(replay(history), 2, Approved())
    assert books(history) == (20_00, 3_00)
    assert isinstance(history[-2], PaymentAuthorized)
    assert history[-2].amount == euros(10_50)


def test_a_renewal_takes_the_credit_along() -> None:
    history = [*BY_BOTH, *rules.renew(replay(BY_BOTH))]
    assert history[-1] == by_card(2, renews=1)
    history += rules.record_authorization(replay(history), 2, Approved())
    assert history[-2:] == [authorized(2), voiding(1)]
    history += rules.record_void(replay(history))
    assert books(history) == (20_00, 3_00)
    assert rules.renew(replay(BY_CREDIT)) == []


def test_paying_again_by_card_alone_frees_the_credit_of_what_was_declined() -> None:
    history: list[PaymentEvent] = [set_aside(3_00), by_card(), declined()]
    history += rules.authorize(replay(history), pay(2))
    assert history[-1] == requested(2)
    assert books(history) == (20_00, 0)


def test_who_pays_by_credit_in_the_end_leaves_no_card_waiting() -> None:
    waits = replay([requested(), needs_action()])
    again = rules.authorize(waits, pay(2, method="store_credit"), credit=10_50)
    assert again == [set_aside(10_50, 2), authorized(2), voiding(1)]
