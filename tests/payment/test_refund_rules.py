"""Giving back some of what was taken: never more than that in all, and once for each purpose."""

import pytest

from bus.messages import Refused
from payment.contract import PaymentRefunded
from payment.payment import PaymentEvent
from tests.payment import decisions as rules
from tests.payment.histories import (
    AUTHORIZED,
    CANCEL,
    CAPTURING,
    REFUNDING,
    TAKEN,
    call_failed,
    euros,
    replay,
)

PART = REFUNDING.model_copy(update={"amount": euros(4_00), "refund_id": "ret_1"})
GIVEN = PaymentRefunded(payment_id="p1", reference="o1", amount=euros(4_00), refund_id="ret_1")


def test_a_part_of_what_was_taken_is_refunded() -> None:
    assert rules.give_back(replay(TAKEN), 4_00) == [PART]
    assert rules.record_refund(replay([*TAKEN, PART])) == [GIVEN]


def test_a_refund_is_asked_and_recorded_once() -> None:
    for history in ([*TAKEN, PART], [*TAKEN, PART, GIVEN]):
        assert rules.give_back(replay(history), 4_00) == []
    assert rules.record_refund(replay([*TAKEN, PART, GIVEN])) == []


def test_a_refund_under_a_name_that_was_used_for_another_amount_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        rules.give_back(replay([*TAKEN, PART]), 5_00)
    assert refusal.value.code == "refund_id_reused"


def test_each_refund_has_a_key_of_its_own() -> None:
    (second,) = rules.give_back(replay([*TAKEN, PART]), 1_00, "ret_2")
    assert getattr(second, "gateway_key", None) == "p1:refund:2"


def test_all_refunds_together_never_exceed_what_was_taken() -> None:
    """One that is under way counts as well."""
    assert rules.give_back(replay([*TAKEN, PART]), 6_50, "ret_2") != []
    with pytest.raises(Refused, match=r"6\.50 EUR of it is left") as refusal:
        rules.give_back(replay([*TAKEN, PART]), 6_51, "ret_2")
    assert refusal.value.code == "above_captured"


@pytest.mark.parametrize("history", [AUTHORIZED, [*AUTHORIZED, CAPTURING]])
def test_what_was_not_taken_is_not_refunded(history: list[PaymentEvent]) -> None:
    with pytest.raises(Refused, match="capture it first") as refusal:
        rules.give_back(replay(history), 1)
    assert refusal.value.code == "not_captured"


def test_what_was_cancelled_goes_back_as_a_whole() -> None:
    cancelled = replay([*TAKEN, *rules.cancel(replay(TAKEN), CANCEL)])
    with pytest.raises(Refused, match="all goes back"):
        rules.give_back(cancelled, 1)


def test_nothing_is_not_refunded() -> None:
    with pytest.raises(Refused) as refusal:
        rules.give_back(replay(TAKEN), 0)
    assert refusal.value.code == "nothing_to_refund"


def test_a_refund_that_the_gateway_declines_may_be_tried_again() -> None:
    failed = [*TAKEN, PART, *rules.record_refund(replay([*TAKEN, PART]), reason="lost_card")]
    assert failed[-1] == call_failed(PART, "lost_card")
    (again,) = rules.ask_again(replay(failed))
    assert again == PART.model_copy(update={"gateway_key": "p1:refund:1.2"})
    done = rules.record_refund(replay([*failed, again]))
    assert done == [GIVEN]
    assert rules.ask_again(replay([*failed, again, *done])) == []
