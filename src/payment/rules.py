"""The rules of a payment: an intent before each call of the gateway, and what its answer leads to.

Several attempts may be under way. The first to be authorized is the one that pays; any other that
is authorized after it is voided. Once the payment is cancelled every attempt is wound down: what is
held is voided, then what was taken is refunded, and only then comes the one event that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from bus.messages import Money, NotFound, Refused
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from payment.gateway import ActionRequired, Approved, Declined, Outcome
from payment.payment import (
    Attempt,
    AttemptVoided,
    AuthorizationRequested,
    CancellationRequested,
    CaptureRequested,
    Payment,
    PaymentEvent,
    RefundRequested,
    VoidRequested,
    evolve,
    gateway_key,
)


def authorize(payment: Payment | None, asked: AuthorizePayment) -> list[PaymentEvent]:
    """Ask the gateway to set money aside, unless that was asked before or is no longer wanted.

    Store credit is not sold yet: paying with it is declined with `store_credit_unavailable`.
    """
    if payment is not None:
        if payment.cancelled or payment.paid_by is not None:
            return []
        if any(attempt.number >= asked.attempt for attempt in payment.attempts):
            return []
    if asked.means.method == "store_credit":
        return [
            PaymentDeclined(
                payment_id=asked.payment_id,
                reference=asked.reference,
                attempt=asked.attempt,
                reason="store_credit_unavailable",
            )
        ]
    return [
        AuthorizationRequested(
            payment_id=asked.payment_id,
            reference=asked.reference,
            buyer_id=asked.buyer_id,
            attempt=asked.attempt,
            gateway_key=gateway_key(asked.payment_id, "authorize", asked.attempt),
            amount=asked.amount,
            means=asked.means,
        )
    ]


def record_authorization(
    payment: Payment | None, payment_id: str, number: int, outcome: Outcome
) -> list[PaymentEvent]:
    """What follows from the gateway's answer to an attempt, however late it comes."""
    payment, attempt = attempted(payment, payment_id, number)
    if attempt.status not in ("requested", "action_required"):
        return []
    match outcome:
        case Declined():
            return winding_down(payment, declined(payment, number, outcome.reason))
        case Approved() | ActionRequired() if payment.cancelled:
            return [void(payment, number)]
        case Approved() if payment.paid_by is not None:
            return [void(payment, number)]
        case Approved():
            return [
                PaymentAuthorized(
                    payment_id=payment_id,
                    reference=payment.reference,
                    attempt=number,
                    amount=amount_of(payment, number),
                )
            ]
        case ActionRequired() if attempt.status == "action_required":
            return []
        case ActionRequired():
            return [
                PaymentActionRequired(
                    payment_id=payment_id,
                    reference=payment.reference,
                    attempt=number,
                    action=outcome.action,
                )
            ]
        case _:
            assert_never(outcome)


def capture(payment: Payment | None, payment_id: str) -> list[PaymentEvent]:
    """Take what is held: once, and never for what has been cancelled."""
    payment = known(payment, payment_id)
    if payment.cancelled or payment.capture != "not_asked":
        return []
    if payment.paid_by is None:
        raise Refused(
            "not_authorized",
            f"payment {payment.payment_id} cannot be captured: no attempt is authorized;"
            " wait for PaymentAuthorized",
            payment_id=payment.payment_id,
        )
    return [
        CaptureRequested(
            payment_id=payment.payment_id,
            attempt=payment.paid_by,
            gateway_key=gateway_key(payment.payment_id, "capture", payment.paid_by),
            authorization=gateway_key(payment.payment_id, "authorize", payment.paid_by),
            amount=amount_of(payment, payment.paid_by),
        )
    ]


def record_capture(payment: Payment | None, payment_id: str) -> list[PaymentEvent]:
    """The gateway has taken the money; what was cancelled meanwhile goes back at once."""
    payment = known(payment, payment_id)
    if payment.capture != "requested":
        return []
    captured = PaymentCaptured(
        payment_id=payment_id,
        reference=payment.reference,
        amount=amount_of(payment, payment.paid_by),
    )
    return winding_down(payment, captured)


def cancel(payment: Payment | None, asked: CancelPayment) -> list[PaymentEvent]:
    """Have everything given back; where nothing was ever asked for, that is done with."""
    if payment is not None and payment.cancelled:
        return []
    if payment is None or not payment.attempts:
        return [PaymentVoided(payment_id=asked.payment_id, reference=asked.reference)]
    wanted = CancellationRequested(payment_id=payment.payment_id, reference=payment.reference)
    return winding_down(payment, wanted)


def record_void(payment: Payment | None, payment_id: str, number: int) -> list[PaymentEvent]:
    """The gateway has let go of what an attempt held."""
    payment, attempt = attempted(payment, payment_id, number)
    if attempt.status != "voiding":
        return []
    return winding_down(payment, AttemptVoided(payment_id=payment.payment_id, attempt=number))


def record_refund(payment: Payment | None, payment_id: str) -> list[PaymentEvent]:
    """The gateway has given the money back."""
    payment = known(payment, payment_id)
    if not payment.refunding or payment.ended:
        return []
    return [
        PaymentRefunded(
            payment_id=payment_id,
            reference=payment.reference,
            amount=amount_of(payment, payment.paid_by),
        )
    ]


def winding_down(payment: Payment, event: PaymentEvent) -> list[PaymentEvent]:
    """The event and, when the payment is cancelled, the next step to giving everything back."""
    return [event, *next_step_back(evolve(payment, event))]


def next_step_back(payment: Payment) -> Sequence[PaymentEvent]:
    """Void what is held, await what is under way, refund what was taken, then say it is over."""
    if not payment.cancelled:
        return ()
    charged = None if payment.capture == "not_asked" else payment.paid_by
    others = [attempt for attempt in payment.attempts if attempt.number != charged]
    live = [each for each in others if each.status in ("authorized", "action_required")]
    if live:
        return [void(payment, each.number) for each in live]
    if payment.capture == "requested" or payment.refunding:
        return ()
    if any(each.status in ("requested", "voiding") for each in others):
        return ()
    if charged is None:
        return [PaymentVoided(payment_id=payment.payment_id, reference=payment.reference)]
    return [
        RefundRequested(
            payment_id=payment.payment_id,
            attempt=charged,
            gateway_key=gateway_key(payment.payment_id, "refund", charged),
            authorization=gateway_key(payment.payment_id, "authorize", charged),
            amount=amount_of(payment, charged),
        )
    ]


def void(payment: Payment, number: int) -> VoidRequested:
    """Have an attempt let go."""
    return VoidRequested(
        payment_id=payment.payment_id,
        attempt=number,
        gateway_key=gateway_key(payment.payment_id, "void", number),
        authorization=gateway_key(payment.payment_id, "authorize", number),
    )


def declined(payment: Payment, number: int, reason: str) -> PaymentDeclined:
    """Tell that an attempt came to nothing."""
    return PaymentDeclined(
        payment_id=payment.payment_id, reference=payment.reference, attempt=number, reason=reason
    )


def amount_of(payment: Payment, number: int | None) -> Money:
    """The amount that an attempt was made for."""
    attempt = payment.attempt(number) if number is not None else None
    if attempt is None or attempt.amount is None:
        raise ValueError(f"payment {payment.payment_id} never asked for money in attempt {number}")
    return attempt.amount


def known(payment: Payment | None, payment_id: str) -> Payment:
    """The payment, which must have begun."""
    if payment is None:
        raise NotFound("unknown_payment", f"there is no payment {payment_id}: check its id")
    return payment


def attempted(payment: Payment | None, payment_id: str, number: int) -> tuple[Payment, Attempt]:
    """The payment and one of its attempts, which must have been made."""
    payment = known(payment, payment_id)
    attempt = payment.attempt(number)
    if attempt is None:
        raise NotFound(
            "unknown_attempt", f"payment {payment_id} has no attempt {number}: check the number"
        )
    return payment, attempt
