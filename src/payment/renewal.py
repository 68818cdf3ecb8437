"""What is set aside does not stay so for ever: before it runs out it is set aside anew."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Money
from payment.calls import AuthorizationRequested, gateway_key
from payment.payment import Attempt, Payment, PaymentEvent


def renew(payment: Payment | None, number: int, now: datetime) -> list[PaymentEvent]:
    """Set aside anew what an attempt holds. A payment that is cancelled, is being captured, or
    stands on another attempt by now needs no renewal."""
    if payment is None or payment.paid_by != number or payment.cancelled:
        return []
    if payment.capturing is not None or payment.under_way("authorize"):
        return []
    return renewed(payment, now)


def renewed(payment: Payment, now: datetime) -> list[PaymentEvent]:
    """Have the gateway set aside anew what the payment stands on; where no card is in it, nothing
    runs out."""
    attempt = payment.attempt(payment.paid_by)
    if attempt is None or attempt.amount is None or attempt.means is None:
        return []
    number = max(each.number for each in payment.attempts) + 1
    return [
        AuthorizationRequested(
            payment_id=payment.payment_id,
            reference=payment.reference,
            buyer_id=payment.buyer_id,
            attempt=number,
            gateway_key=gateway_key(payment.payment_id, "authorize", number),
            amount=attempt.amount,
            means=attempt.means,
            renews=attempt.number,
            at=now,
        )
    ]


def renewal_of(capture_before: datetime | None, now: datetime) -> datetime | None:
    """When to have it renewed: with a seventh of its time left, which is a day of the usual
    week."""
    if capture_before is None:
        return None
    return capture_before - (capture_before - now) / 7


def amount_of(payment: Payment, attempt: Attempt) -> Money:
    """All that an attempt pays: by card, and the credit set aside for it or for what it renews."""
    renewed = payment.attempt(attempt.renews)
    credit = attempt.credit if renewed is None else attempt.credit or renewed.credit
    parts = [part for part in (attempt.amount, credit) if part is not None]
    if not parts:
        raise ValueError(f"attempt {attempt.number} of {payment.payment_id} asked for no money")
    return sum(parts[1:], parts[0])
