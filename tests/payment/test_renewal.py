"""What is set aside stays so until the goods are shipped, or the buyer hears that it will not."""

from datetime import timedelta

import pytest

from payment.commands import RenewAuthorization
from payment.contract import PaymentAuthorized, PaymentCaptured, PaymentLapsed
from payment.gateway import EXPIRED, ActionRequired, Approved, Declined
from payment.payment import PaymentEvent
from payment.policies import renew_in_time
from tests.payment import decisions as rules
from tests.payment.histories import (
    ACTION,
    AT,
    AUTHORIZED,
    CANCELLING,
    CAPTURING,
    PRICE,
    TAKEN,
    attempt_voided,
    authorized,
    call_failed,
    declined,
    needs_action,
    replay,
    requested,
    voiding,
)

RENEWING = requested(2, renews=1)
WEEK = timedelta(days=7)


def lapsed(reason: str) -> PaymentLapsed:
    return PaymentLapsed(payment_id="p1", reference="o1", reason=reason)


def test_it_is_renewed_with_a_seventh_of_its_time_left() -> None:
    outcome = Approved(authorization="pi_1", capture_before=AT + WEEK)
    (told,) = rules.record_authorization(replay([requested()]), 1, outcome)
    assert isinstance(told, PaymentAuthorized)
    assert (told.authorization, told.capture_before) == ("pi_1", AT + WEEK)
    assert renew_in_time(told) == (
        "renew-p1",
        AT + timedelta(days=6),
        RenewAuthorization(payment_id="p1", attempt=1),
    )


def test_what_lasts_for_ever_is_not_renewed() -> None:
    assert renew_in_time(authorized()) == ("renew-p1",)


def test_a_renewal_is_an_attempt_of_its_own_by_the_same_means() -> None:
    assert rules.renew(replay(AUTHORIZED)) == [RENEWING]
    assert rules.renew(replay([*AUTHORIZED, RENEWING])) == []


@pytest.mark.parametrize(
    "history",
    [
        [requested()],
        [*AUTHORIZED, CANCELLING, voiding()],
        [*AUTHORIZED, CAPTURING],
        TAKEN,
        [*AUTHORIZED, RENEWING, authorized(2), voiding(1)],
    ],
)
def test_what_needs_no_renewal_is_not_renewed(history: list[PaymentEvent]) -> None:
    assert rules.renew(replay(history)) == []


def test_a_renewed_payment_stands_on_the_new_attempt_and_lets_go_of_the_old() -> None:
    history = [*AUTHORIZED, RENEWING]
    found = rules.record_authorization(replay(history), 2, Approved())
    assert found == [authorized(2), voiding(1)]
    (asked,) = rules.capture(replay([*history, *found, attempt_voided(1)]))
    assert getattr(asked, "authorization", None) == "p1:authorize:2"


@pytest.mark.parametrize(
    "outcome", [Declined(reason="card_declined"), ActionRequired(action=ACTION)]
)
def test_a_renewal_that_fails_is_told_and_the_old_hold_stands(
    outcome: Declined | ActionRequired,
) -> None:
    history = [*AUTHORIZED, RENEWING]
    found = rules.record_authorization(replay(history), 2, outcome)
    if isinstance(outcome, Declined):
        assert found == [declined(2), lapsed("card_declined")]
    else:
        assert found == [needs_action(2), voiding(2), lapsed("action_required")]
    (asked,) = rules.capture(replay([*history, *found]))
    assert getattr(asked, "authorization", None) == "p1:authorize:1"


def test_a_renewal_of_what_was_cancelled_meanwhile_is_let_go() -> None:
    history = [*AUTHORIZED, RENEWING, CANCELLING, voiding(1)]
    assert rules.record_authorization(replay(history), 2, Approved()) == [voiding(2)]
    assert rules.record_authorization(replay(history), 2, Declined(reason="card_declined")) == [
        declined(2)
    ]


def test_what_ran_out_before_it_was_taken_is_set_aside_anew_and_then_taken() -> None:
    history = [*AUTHORIZED, CAPTURING]
    failed = rules.record_capture(replay(history), reason=EXPIRED)
    assert failed == [call_failed(CAPTURING, EXPIRED), RENEWING]
    history += failed
    asked = CAPTURING.model_copy(
        update={"attempt": 2, "gateway_key": "p1:capture:2", "authorization": "p1:authorize:2"}
    )
    found = rules.record_authorization(replay(history), 2, Approved())
    assert found == [authorized(2), asked, voiding(1)]
    taken = PaymentCaptured(payment_id="p1", reference="o1", amount=PRICE)
    assert rules.record_capture(replay([*history, *found]), 2) == [taken]


def test_shipped_goods_that_nobody_pays_for_are_for_a_person_to_see() -> None:
    history = [*AUTHORIZED, CAPTURING, call_failed(CAPTURING, EXPIRED), RENEWING]
    found = rules.record_authorization(replay(history), 2, Declined(reason="card_declined"))
    assert found == [declined(2)]
    again = CAPTURING.model_copy(update={"gateway_key": "p1:capture:1.2"})
    assert rules.ask_again(replay([*history, *found])) == [again]


def test_a_renewal_that_comes_while_the_old_hold_is_being_taken_is_let_go() -> None:
    """Whether it is taken nobody may know for hours: it must not be taken of both."""
    history = [*AUTHORIZED, RENEWING, CAPTURING]
    found = rules.record_authorization(replay(history), 2, Approved())
    assert found == [voiding(2)]
    taken = PaymentCaptured(payment_id="p1", reference="o1", amount=PRICE)
    assert rules.record_capture(replay([*history, *found])) == [taken]
