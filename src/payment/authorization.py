"""Setting money aside: attempts to pay, what the gateway answers to them, and how what is set aside
stays so until the goods are shipped.

Several attempts may be under way. The first to be authorized is the one that pays; any other that
is authorized after it is voided.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bus.messages import Money, Refused
from payment.calls import AuthorizationRequested, gateway_key
from payment.cancellation import let_go, winding_down
from payment.capture import capturing
from payment.contract import (
    AuthorizePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentLapsed,
)
from payment.gateway import ActionRequired, Approved
from payment.payment import Attempt, CreditSetAside, Payment, PaymentEvent, evolve
from payment.renewal import amount_of, renewal_of

INSUFFICIENT = "insufficient_credit"
"""The reason when store credit is to pay for all and does not suffice."""


def authorize(
    payment: Payment | None, asked: AuthorizePayment, available: Money, now: datetime
) -> list[PaymentEvent]:
    """Set the money aside: of the `available` store credit if the buyer wants that, the rest by the
    gateway. Nothing, if that was asked before or is no longer wanted."""
    if not asked.amount.amount:
        raise Refused("nothing_to_pay", f"payment {asked.payment_id} is for nothing: ask for more")
    if payment is not None:
        if payment.cancelled or payment.paid_by is not None:
            return []
        if any(attempt.number >= asked.attempt for attempt in payment.attempts):
            return []
    credit, card = shares(asked, available + set_aside(payment, available.zero()))
    if card.amount and asked.means.method == "store_credit":
        return [_declined(asked.payment_id, asked.reference, asked.attempt, INSUFFICIENT)]
    events: list[PaymentEvent] = []
    if credit.amount:
        events.append(
            CreditSetAside(
                payment_id=asked.payment_id,
                reference=asked.reference,
                buyer_id=asked.buyer_id,
                attempt=asked.attempt,
                amount=credit,
            )
        )
    if not card.amount:
        return instead_of_others(payment, [*events, _authorized(asked, credit)], now)
    return [*events, _requested(asked, card, waiting(payment), now)]


def set_aside(payment: Payment | None, nothing: Money) -> Money:
    """The store credit kept for attempts that another one is to take the place of."""
    attempts = payment.attempts if payment is not None else ()
    return sum((each.credit for each in attempts if each.credit is not None), nothing)


def waiting(payment: Payment | None) -> Attempt | None:
    """The last attempt that waits for its buyer: it may have been seen to at the gateway."""
    attempts = payment.attempts if payment is not None else ()
    return next((each for each in reversed(attempts) if each.status == "action_required"), None)


def shares(asked: AuthorizePayment, available: Money) -> tuple[Money, Money]:
    """What store credit pays and what the card pays."""
    if asked.means.method == "card" and not asked.means.use_credit:
        return asked.amount.zero(), asked.amount
    credit = min(available, asked.amount, key=lambda money: money.amount)
    return credit, asked.amount - credit


def approved(
    payment: Payment, attempt: Attempt, outcome: Approved, now: datetime
) -> list[PaymentEvent]:
    """The gateway holds the money, however late it says so: it pays, or is let go again."""
    if attempt.status in ("authorized", "voiding", "voided"):
        return []
    if not _wanted(payment, attempt):
        held = replace(attempt, authorization=outcome.authorization or attempt.authorization)
        return [let_go(payment, held, now)]
    authorized = PaymentAuthorized(
        payment_id=payment.payment_id,
        reference=payment.reference,
        attempt=attempt.number,
        amount=amount_of(payment, attempt),
        authorization=outcome.authorization,
        capture_before=outcome.capture_before,
        renew_at=renewal_of(outcome.capture_before, now),
    )
    events: list[PaymentEvent] = [authorized]
    if payment.capturing is not None:  # it ran out before it could be taken
        events += capturing(evolve(payment, authorized), payment.capturing, now)
    return instead_of_others(payment, events, now)


def instead_of_others(
    payment: Payment | None, events: list[PaymentEvent], now: datetime
) -> list[PaymentEvent]:
    """The events, by which one attempt pays; whatever else holds money, or might, is let go."""
    for event in events:
        payment = evolve(payment, event)
    if payment is None:
        return events
    live = [
        each
        for each in payment.attempts
        if each.number != payment.paid_by and each.status in ("authorized", "action_required")
    ]
    return [*events, *(let_go(payment, each, now) for each in live)]


def _wanted(payment: Payment, attempt: Attempt) -> bool:
    """Whether what an attempt holds is what the payment stands on from now on."""
    paid = payment.paid_by is not None and payment.paid_by != attempt.renews
    partial = attempt.hold is not None and attempt.credit is None  # its credit is not kept for it
    taken = payment.captured is not None or payment.under_way("capture")
    return not (payment.cancelled or paid or partial or taken)


def declined(payment: Payment, attempt: Attempt, reason: str, now: datetime) -> list[PaymentEvent]:
    """The gateway says no to an attempt. One that was to renew another leaves it to run out."""
    if attempt.status not in ("requested", "action_required"):
        return []
    no = _declined(payment.payment_id, payment.reference, attempt.number, reason)
    return winding_down(payment, [no, *_lapsed(payment, attempt, reason)], now)


def action_required(
    payment: Payment, attempt: Attempt, outcome: ActionRequired, now: datetime
) -> list[PaymentEvent]:
    """The gateway wants something of the buyer, who is there to do it only the first time."""
    if attempt.status != "requested":
        return []
    asked = PaymentActionRequired(
        payment_id=payment.payment_id,
        reference=payment.reference,
        attempt=attempt.number,
        action=outcome.action,
        authorization=outcome.authorization,
    )
    if payment.cancelled:
        return winding_down(payment, [asked], now)
    if payment.paid_by is None:
        return [asked]
    known = evolve(payment, asked).attempt(attempt.number) or attempt
    return [asked, let_go(payment, known, now), *_lapsed(payment, attempt, "action_required")]


def _lapsed(payment: Payment, attempt: Attempt, reason: str) -> list[PaymentEvent]:
    """What is held for goods that are still in the house is going to run out."""
    if attempt.renews is None or payment.cancelled or payment.capturing is not None:
        return []
    return [
        PaymentLapsed(payment_id=payment.payment_id, reference=payment.reference, reason=reason)
    ]


def _requested(
    asked: AuthorizePayment, amount: Money, earlier: Attempt | None, now: datetime
) -> AuthorizationRequested:
    return AuthorizationRequested(
        payment_id=asked.payment_id,
        reference=asked.reference,
        buyer_id=asked.buyer_id,
        attempt=asked.attempt,
        gateway_key=gateway_key(asked.payment_id, "authorize", asked.attempt),
        amount=amount,
        means=asked.means,
        instead_of=earlier.number if earlier else None,
        at=now,
    )


def _authorized(asked: AuthorizePayment, amount: Money) -> PaymentAuthorized:
    return PaymentAuthorized(
        payment_id=asked.payment_id,
        reference=asked.reference,
        attempt=asked.attempt,
        amount=amount,
    )


def _declined(payment_id: str, reference: str, number: int, reason: str) -> PaymentDeclined:
    return PaymentDeclined(
        payment_id=payment_id, reference=reference, attempt=number, reason=reason
    )
