"""What follows from the gateway's answers, however late they come, and from there being none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from bus.messages import NotFound
from payment import authorization, capture, refund
from payment.calls import (
    AuthorizationRequested,
    Call,
    CallFailed,
    CaptureRequested,
    OutcomeUnknown,
    RefundRequested,
    VoidRequested,
)
from payment.cancellation import voided, winding_down
from payment.commands import Answer, Unknown
from payment.gateway import ActionRequired, Approved, Declined
from payment.payment import Payment, PaymentEvent

PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
"""How long to wait before a call whose outcome is unknown is made again; then a person looks."""


def record(
    payment: Payment | None, payment_id: str, key: str, answer: Answer, now: datetime
) -> list[PaymentEvent]:
    """What follows from an answer to the call under a key."""
    payment = known(payment, payment_id)
    call = called(payment, key)
    if isinstance(answer, Unknown):
        return unknown(payment, call, now)
    match call.asked:
        case AuthorizationRequested():
            return _authorization(payment, call, answer, now)
        case CaptureRequested() if isinstance(answer, Approved):
            return capture.captured(payment, now)
        case VoidRequested() if isinstance(answer, Approved):
            return _voided(payment, call, now)
        case RefundRequested() as asked if isinstance(answer, Approved):
            return refund.refunded(payment, asked, now)
        case CaptureRequested() | VoidRequested() | RefundRequested():
            reason = answer.reason if isinstance(answer, Declined) else "action_required"
            return _failed(payment, call, reason, now)
        case _:
            assert_never(call.asked)


def _authorization(
    payment: Payment, call: Call, answer: Approved | Declined | ActionRequired, now: datetime
) -> list[PaymentEvent]:
    attempt = payment.attempt(call.asked.attempt)
    if attempt is None:
        raise ValueError(f"the call {call.asked.gateway_key} is of no attempt")
    match answer:
        case Approved():
            return authorization.approved(payment, attempt, answer, now)
        case Declined(reason=reason):
            return authorization.declined(payment, attempt, reason, now)
        case ActionRequired():
            return authorization.action_required(payment, attempt, answer, now)
        case _:
            assert_never(answer)


def _voided(payment: Payment, call: Call, now: datetime) -> list[PaymentEvent]:
    attempt = payment.attempt(call.asked.attempt)
    if attempt is None or attempt.status != "voiding":
        return []
    return voided(payment, attempt.number, now)


def _failed(payment: Payment, call: Call, reason: str, now: datetime) -> list[PaymentEvent]:
    """The gateway declined what it had no reason to."""
    if not call.open:
        return []
    failed = CallFailed(
        payment_id=payment.payment_id,
        reference=payment.reference,
        operation=call.operation,
        attempt=call.asked.attempt,
        gateway_key=call.asked.gateway_key,
        reason=reason,
    )
    if call.operation == "capture":
        return capture.failed(payment, failed, now)
    return winding_down(payment, [failed], now)


def unknown(payment: Payment, call: Call, now: datetime) -> list[PaymentEvent]:
    """Nobody can say what a call led to: it will be made again, a few times."""
    if call.status != "requested":
        return []
    tries = call.asked.tries
    return [
        OutcomeUnknown(
            payment_id=payment.payment_id,
            reference=payment.reference,
            operation=call.operation,
            attempt=call.asked.attempt,
            gateway_key=call.asked.gateway_key,
            tries=tries,
            ask_at=now + PAUSES[tries - 1] if tries <= len(PAUSES) else None,
        )
    ]


def ask_again(
    payment: Payment | None, payment_id: str, key: str | None, now: datetime
) -> list[PaymentEvent]:
    """Make again what nobody knows the outcome of, under the key it has; and what was declined
    though it should not have been, under a new one."""
    payment = known(payment, payment_id)
    if key is not None:
        called(payment, key)
    calls = [each for each in payment.calls if key in (None, each.asked.gateway_key)]
    return [again for call in calls if (again := _again(payment, call, now)) is not None]


def _again(payment: Payment, call: Call, now: datetime) -> PaymentEvent | None:
    asked = call.asked
    if call.status == "unknown":
        return asked.model_copy(update={"tries": asked.tries + 1})
    if call.status != "failed" or not _still_wanted(payment, call):
        return None
    alike = [each.asked.gateway_key for each in payment.calls if each.same_purpose(call)]
    new_key = f"{min(alike, key=len)}.{len(alike) + 1}"
    return asked.model_copy(update={"gateway_key": new_key, "at": now, "tries": 1})


def _still_wanted(payment: Payment, call: Call) -> bool:
    """Whether what the gateway declined is still to be done, and not being done already."""
    if any(each.open and each.same_purpose(call) for each in payment.calls):
        return False
    match call.asked:
        case AuthorizationRequested():
            return False  # its buyer pays again
        case CaptureRequested(attempt=number):
            return number == payment.paid_by and payment.captured is None and not payment.cancelled
        case VoidRequested(attempt=number):
            attempt = payment.attempt(number)
            return attempt is not None and attempt.status == "voiding"
        case RefundRequested(refund_id=refund_id):
            given = payment.refund(refund_id)
            return given is not None and not given.done
        case _:
            assert_never(call.asked)


def known(payment: Payment | None, payment_id: str) -> Payment:
    """The payment, which must have begun."""
    if payment is None:
        raise NotFound("unknown_payment", f"there is no payment {payment_id}: check its id")
    return payment


def called(payment: Payment, key: str) -> Call:
    """The call under a key, which must have been made."""
    call = payment.call(key)
    if call is None:
        raise NotFound(
            "unknown_call",
            f"payment {payment.payment_id} never called its gateway under {key}:"
            " see its calls with `shop payments show`",
        )
    return call
