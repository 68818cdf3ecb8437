"""What the shop's people see of the payments."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast

import pytest

from bus.messages import NotFound
from payment.calls import OutcomeUnknown, RefundRequested
from payment.contract import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentLapsed,
    PaymentRefunded,
)
from payment.documents import shown
from payment.payment import PaymentEvent
from payment.queries import GetPayment, ListPayments, PaymentDocument
from tests.golden.shapes import SHAPES
from tests.payment import decisions as rules
from tests.payment.histories import (
    AT,
    AUTHORIZED,
    CANCELLING,
    CAPTURED,
    CAPTURING,
    PRICE,
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
from tests.payment.shop import Open
from tests.waiting import eventually

RETURN = RefundRequested(
    payment_id="p1",
    attempt=1,
    gateway_key="p1:refund:1",
    authorization="p1:authorize:1",
    amount=euros(4_00),
    refund_id="ret_1",
    at=AT,
)
RETURNED = PaymentRefunded(payment_id="p1", reference="o1", amount=euros(4_00), refund_id="ret_1")
REST_RETURNED = PaymentRefunded(
    payment_id="p1", reference="o1", amount=euros(6_50), refund_id="ret_2"
)


def unknown(asked: Any) -> OutcomeUnknown:
    return OutcomeUnknown(
        payment_id="p1",
        reference="o1",
        operation=asked.operation,
        attempt=asked.attempt,
        gateway_key=asked.gateway_key,
        tries=asked.tries,
    )


def document(history: Sequence[PaymentEvent]) -> PaymentDocument:
    doc = reduce(shown, history, None)
    assert doc is not None
    return doc


@pytest.mark.parametrize(
    ("history", "status", "attempts"),
    [
        ([requested()], "requested", 1),
        ([requested(), declined()], "declined", 1),
        ([requested(), needs_action()], "action_required", 1),
        ([requested(), needs_action(), authorized()], "authorized", 1),
        ([requested(), declined(), requested(2), authorized(2)], "authorized", 2),
        ([requested(), requested(2), authorized(1), declined(2)], "authorized", 2),
        ([requested(), requested(2), declined(1)], "requested", 2),
        ([requested(), needs_action(), requested(2), needs_action(1)], "requested", 2),
        ([*AUTHORIZED, requested(2, renews=1), declined(2)], "authorized", 2),
        (TAKEN, "captured", 1),
        ([*TAKEN, RETURN], "captured", 1),
        ([*TAKEN, RETURN, RETURNED], "partially_refunded", 1),
        ([*TAKEN, RETURN, RETURNED, REST_RETURNED], "refunded", 1),
        ([*TAKEN, RETURN, CANCELLING, RETURNED], "cancelling", 1),
        ([*TAKEN, RETURN, RETURNED, REST_RETURNED, CANCELLING, VOIDED], "refunded", 1),
        ([requested(), CANCELLING, declined()], "cancelling", 1),
        ([*AUTHORIZED, CAPTURING, CANCELLING, CAPTURED], "cancelling", 1),
        ([requested(), CANCELLING, VOIDED], "voided", 1),
        ([*TAKEN, CANCELLING, REFUNDING, REFUNDED], "refunded", 1),
        ([VOIDED], "voided", 0),
    ],
)
def test_a_document_shows_how_the_payment_stands(
    history: list[PaymentEvent], status: str, attempts: int
) -> None:
    doc = document(history)
    assert (doc.status, doc.attempts) == (status, attempts)


def test_every_call_is_shown_with_its_key_and_what_came_of_it() -> None:
    failed = call_failed(voiding(2), "void_too_late")
    opened: list[PaymentEvent] = [requested(), declined(), requested(2), authorized(2)]
    history: list[PaymentEvent] = [*opened, CANCELLING, voiding(2), failed]
    assert [(x.key, x.status, x.reason) for x in document(history).calls] == [
        ("p1:authorize:1", "failed", "card_declined"),
        ("p1:authorize:2", "succeeded", None),
        ("p1:void:2", "failed", "void_too_late"),
    ]
    done = [*history, *rules.ask_again(replay(history)), attempt_voided(2), VOIDED]
    assert [(x.key, x.status) for x in document(done).calls][2:] == [
        ("p1:void:2", "failed"),
        ("p1:void:2.2", "succeeded"),
    ]


def test_a_call_that_is_made_again_keeps_its_key_and_counts_its_tries() -> None:
    history: list[PaymentEvent] = [*AUTHORIZED, CAPTURING, unknown(CAPTURING)]
    doc = document(history)
    assert (doc.trouble, doc.calls[-1].status, doc.calls[-1].tries) == (("unknown",), "unknown", 1)
    again = document([*history, *rules.ask_again(replay(history))])
    assert (again.trouble, again.calls[-1].status, again.calls[-1].tries) == ((), "requested", 2)
    done = document([*history, *rules.ask_again(replay(history)), CAPTURED])
    assert (done.status, done.calls[-1].status) == ("captured", "succeeded")


def test_what_failed_is_trouble_until_something_is_done_about_it() -> None:
    history: list[PaymentEvent] = [*AUTHORIZED, CAPTURING, call_failed(CAPTURING, "processing")]
    assert document(history).trouble == ("failed",)
    assert document([*history, *rules.ask_again(replay(history))]).trouble == ()
    assert document([*history, CANCELLING, voiding(), attempt_voided(), VOIDED]).trouble == ()
    refusal: list[PaymentEvent] = [*TAKEN, RETURN, call_failed(RETURN, "lost_card")]
    assert document(refusal).trouble == ("failed",)
    assert document([*refusal, RETURNED]).trouble == ()  # a person has seen to it


def test_a_declined_card_is_no_trouble() -> None:
    assert document([requested(), declined()]).trouble == ()


def test_a_hold_that_is_let_go_unasked_was_approved() -> None:
    late: list[PaymentEvent] = [*AUTHORIZED, requested(2), voiding(2), attempt_voided(2)]
    assert [x.status for x in document(late).calls] == ["succeeded"] * 3


def test_the_reason_is_that_of_the_attempt_that_counts() -> None:
    assert document([requested(), declined()]).reason == "card_declined"
    assert document([requested(), declined(), requested(2)]).reason is None
    assert document([*AUTHORIZED, requested(2), declined(2)]).reason is None
    lapsed = PaymentLapsed(payment_id="p1", reference="o1", reason="expired_card")
    renewal = [*AUTHORIZED, requested(2, renews=1), declined(2), lapsed]
    assert document(renewal).reason == "expired_card"


def test_amounts_are_told_with_their_share_of_store_credit() -> None:
    history = rules.authorize(None, pay(use_credit=True), 3_00)
    doc = document(history)
    assert (doc.amount, doc.credit) == (PRICE, euros(3_00))
    paid = document([*history, authorized()])
    assert (paid.amount, paid.credit, paid.captured) == (PRICE, euros(3_00), None)
    by_card = document([*history, declined(), requested(2)])
    assert (by_card.amount, by_card.credit) == (PRICE, None)
    taken = document([*TAKEN, RETURN, RETURNED])
    assert (taken.captured, taken.refunded) == (PRICE, euros(4_00))


@pytest.mark.parametrize("shape", SHAPES["payment"])
def test_an_event_seen_twice_changes_nothing_more(shape: str) -> None:
    doc: PaymentDocument | None = None
    for event in SHAPES["payment"][shape]:
        doc = shown(doc, cast(PaymentEvent, event))
        assert shown(doc, cast(PaymentEvent, event)) == doc


@pytest.mark.parametrize("shape", SHAPES["payment"])
def test_the_document_has_the_calls_of_the_payment(shape: str) -> None:
    history: Sequence[Any] = SHAPES["payment"][shape]
    payment, doc = replay(list(history)), document(history)
    assert payment is not None
    assert {x.key for x in doc.calls} == {x.asked.gateway_key for x in payment.calls}
    assert doc.captured == payment.captured
    assert (doc.status in ("voided", "refunded")) >= payment.ended


@pytest.mark.anyio
async def test_payments_can_be_listed_and_shown(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        await shop.pay("p2", "pm_card_chargeDeclined")
        await shop.happens("p2", PaymentDeclined)

        async def listed() -> Any:
            found = await shop.bus.ask(ListPayments())
            return [each.status for each in found] == ["declined", "authorized"]

        assert await eventually(listed)
        (refused,) = await shop.bus.ask(ListPayments(status="declined"))
        assert (refused.payment_id, refused.reason) == ("p2", "card_declined")
        assert await shop.bus.ask(ListPayments(trouble="unknown")) == ()
        one = await shop.bus.ask(GetPayment(payment_id="p1"))
        assert (one.reference, one.amount, one.attempts) == ("order-p1", PRICE, 1)
        with pytest.raises(NotFound, match="no payment p3"):
            await shop.bus.ask(GetPayment(payment_id="p3"))
