"""Giving everything back: what is held is voided, what was taken is refunded, and only then comes
the one event that says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

from bus.messages import Money
from payment.calls import RefundRequested, VoidRequested, gateway_key
from payment.contract import CANCELLATION, CancelPayment, PaymentRefunded, PaymentVoided
from payment.payment import (
    Attempt,
    AttemptVoided,
    CancellationRequested,
    Payment,
    PaymentEvent,
    evolve,
)


def cancel(payment: Payment | None, asked: CancelPayment, now: datetime) -> list[PaymentEvent]:
    """Have everything given back; where nothing was ever asked for, that is done with."""
    if payment is not None and payment.cancelled:
        return []
    if payment is None or not payment.attempts:
        return [PaymentVoided(payment_id=asked.payment_id, reference=asked.reference)]
    wanted = CancellationRequested(payment_id=payment.payment_id, reference=payment.reference)
    return winding_down(payment, [wanted], now)


def voided(payment: Payment, number: int, now: datetime) -> list[PaymentEvent]:
    """The gateway has let go of what an attempt held."""
    return winding_down(
        payment, [AttemptVoided(payment_id=payment.payment_id, attempt=number)], now
    )


def winding_down(
    payment: Payment, events: Iterable[PaymentEvent], now: datetime
) -> list[PaymentEvent]:
    """The events and, when the payment is cancelled, the next steps to giving everything back."""
    found = list(events)
    payment = reduce(evolve, found, payment)
    while steps := _next_steps(payment, now):
        found += steps
        payment = reduce(evolve, steps, payment)
    return found


def _next_steps(payment: Payment, now: datetime) -> list[PaymentEvent]:
    """Void what is held, await what is under way, refund what was taken, then say it is over."""
    if not payment.cancelled or payment.ended:
        return []
    charged = payment.captured is not None or payment.under_way("capture")
    others = [a for a in payment.attempts if not (charged and a.number == payment.paid_by)]
    live = [each for each in others if each.status in ("authorized", "action_required")]
    if live:
        return [let_go(payment, each, now) for each in live]
    if payment.under_way("capture") or any(not refund.done for refund in payment.refunds):
        return []
    if any(each.status in ("requested", "voiding") for each in others):
        return []
    left = kept(payment)
    if left is None or not left.amount:
        return [PaymentVoided(payment_id=payment.payment_id, reference=payment.reference)]
    return [giving_back(payment, left, CANCELLATION, now)]


def let_go(payment: Payment, attempt: Attempt, now: datetime) -> PaymentEvent:
    """Have an attempt let go; what only store credit pays for needs no gateway."""
    if attempt.amount is None:
        return AttemptVoided(payment_id=payment.payment_id, attempt=attempt.number)
    return VoidRequested(
        payment_id=payment.payment_id,
        attempt=attempt.number,
        gateway_key=gateway_key(payment.payment_id, "void", attempt.number),
        authorization=hold_of(payment, attempt),
        at=now,
    )


def giving_back(payment: Payment, amount: Money, refund_id: str, now: datetime) -> PaymentEvent:
    """Have so much given back: by card as long as there is any left on it, then as credit."""
    on_card = card_kept(payment)
    card = min(amount, on_card, key=lambda money: money.amount)
    paid = payment.attempt(payment.paid_by)
    if not card.amount or paid is None:
        return PaymentRefunded(
            payment_id=payment.payment_id,
            reference=payment.reference,
            amount=amount,
            refund_id=refund_id,
        )
    credit = amount - card
    return RefundRequested(
        payment_id=payment.payment_id,
        attempt=paid.number,
        gateway_key=gateway_key(payment.payment_id, "refund", len(payment.refunds) + 1),
        authorization=hold_of(payment, paid),
        amount=card,
        refund_id=refund_id,
        credit=credit if credit.amount else None,
        at=now,
    )


def kept(payment: Payment) -> Money | None:
    """What was taken and is not given back, nor about to be; `None` when nothing was taken."""
    if payment.captured is None:
        return None
    return payment.captured - total(
        (refund.amount for refund in payment.refunds), payment.captured.zero()
    )


def card_kept(payment: Payment) -> Money:
    """What the gateway took and has not given back, nor is about to."""
    if payment.captured is None:
        raise ValueError(f"nothing was captured of payment {payment.payment_id}")
    taken = payment.captured - (payment.credited or payment.captured.zero())
    return taken - total((refund.card for refund in payment.refunds), taken.zero())


def total(amounts: Iterable[Money], nothing: Money) -> Money:
    """The sum of amounts."""
    return sum(amounts, nothing)


def hold_of(payment: Payment, attempt: Attempt) -> str:
    """The gateway's own name for what an attempt holds; some use the key that it was asked by."""
    return attempt.authorization or gateway_key(payment.payment_id, "authorize", attempt.number)
