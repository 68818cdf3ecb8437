"""Taking what is set aside: once, all or part of it, and never for what has been cancelled."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Money, Refused
from payment.calls import CallFailed, CaptureRequested, gateway_key
from payment.cancellation import hold_of, let_go, winding_down
from payment.contract import CapturePayment, PaymentCaptured
from payment.gateway import EXPIRED
from payment.payment import Payment, PaymentEvent, evolve
from payment.renewal import amount_of, renewed


def capture(payment: Payment, asked: CapturePayment, now: datetime) -> list[PaymentEvent]:
    """Take what is held, or so much of it: once, and never for what has been cancelled."""
    if payment.cancelled or payment.capturing is not None:
        return []
    attempt = payment.attempt(payment.paid_by)
    if attempt is None:
        raise Refused(
            "not_authorized",
            f"payment {payment.payment_id} cannot be captured: no attempt is authorized;"
            " wait for PaymentAuthorized",
            payment_id=payment.payment_id,
        )
    held = amount_of(payment, attempt)
    amount = held if asked.amount is None else asked.amount
    if not amount.amount:
        raise Refused(
            "nothing_to_capture",
            f"payment {payment.payment_id} cannot be captured for {amount}: cancel it instead",
        )
    if amount.amount > held.amount:
        raise Refused(
            "above_authorized",
            f"{amount} cannot be captured of payment {payment.payment_id}: {held} is authorized",
            authorized=held.model_dump(),
        )
    return capturing(payment, amount, now)


def capturing(payment: Payment, amount: Money, now: datetime) -> list[PaymentEvent]:
    """Take so much: the store credit first, the rest by the gateway, which may have nothing to
    do."""
    attempt = payment.attempt(payment.paid_by)
    if attempt is None:
        raise ValueError(f"payment {payment.payment_id} holds nothing that could be captured")
    credit = min(attempt.credit or amount.zero(), amount, key=lambda money: money.amount)
    card = amount - credit
    if not card.amount:
        taken = PaymentCaptured(
            payment_id=payment.payment_id, reference=payment.reference, amount=amount
        )
        unused = [] if attempt.amount is None else [let_go(payment, attempt, now)]
        return [taken, *unused]
    return [
        CaptureRequested(
            payment_id=payment.payment_id,
            attempt=attempt.number,
            gateway_key=gateway_key(payment.payment_id, "capture", attempt.number),
            authorization=hold_of(payment, attempt),
            amount=card,
            credit=credit if credit.amount else None,
            at=now,
        )
    ]


def captured(payment: Payment, now: datetime) -> list[PaymentEvent]:
    """The gateway has taken the money; what was cancelled meanwhile goes back at once."""
    if payment.captured is not None or payment.capturing is None:
        return []
    taken = PaymentCaptured(
        payment_id=payment.payment_id, reference=payment.reference, amount=payment.capturing
    )
    return winding_down(payment, [taken], now)


def failed(payment: Payment, failure: CallFailed, now: datetime) -> list[PaymentEvent]:
    """The gateway did not take what it had set aside. What has run out is set aside anew, then
    taken; anything else is for a person to see."""
    if failure.reason == EXPIRED and not payment.cancelled:
        return [failure, *renewed(evolve(payment, failure), now)]
    return winding_down(payment, [failure], now)
