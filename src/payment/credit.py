"""What the events of a payment mean for its buyer's store credit; both are committed together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from payment.balance import BalanceEvent, CreditHeld, CreditReleased, CreditReturned, CreditTaken
from payment.contract import PaymentCaptured, PaymentDeclined, PaymentRefunded
from payment.payment import (
    Attempt,
    AttemptVoided,
    CreditSetAside,
    Payment,
    PaymentEvent,
    evolve,
)


def entries(payment: Payment | None, events: Sequence[PaymentEvent]) -> list[BalanceEvent]:
    """What the buyer's ledger has to say of these events of a payment."""
    if not (payment is not None and payment.on_credit) and not any(
        isinstance(event, CreditSetAside) for event in events
    ):
        return []  # as with most payments
    found: list[BalanceEvent] = []
    for event in events:
        before, payment = payment, evolve(payment, event)
        found += _entries(before, event, payment)
    return found


def _entries(before: Payment | None, event: PaymentEvent, after: Payment) -> Iterator[BalanceEvent]:
    match event:
        case CreditSetAside(buyer_id=buyer_id, amount=amount):
            for attempt in before.attempts if before is not None else ():
                yield from _released(after, attempt)  # the new attempt takes its place
            yield CreditHeld(buyer_id=buyer_id, hold=hold(after, event.attempt), amount=amount)
        case PaymentDeclined(attempt=number) | AttemptVoided(attempt=number) if before is not None:
            yield from _released(after, before.attempt(number))
        case PaymentCaptured() if before is not None:
            paid = before.attempt(before.paid_by)
            if paid is not None and paid.credit is not None and paid.hold is not None:
                taken = after.credited or paid.credit.zero()
                yield CreditTaken(
                    buyer_id=after.buyer_id, hold=hold(after, paid.hold), amount=taken
                )
        case PaymentRefunded(refund_id=refund_id):
            refund = after.refund(refund_id)
            if refund is not None and refund.credit.amount:
                yield CreditReturned(
                    buyer_id=after.buyer_id,
                    payment_id=after.payment_id,
                    refund_id=refund_id,
                    amount=refund.credit,
                )
        case _:
            pass


def _released(payment: Payment, attempt: Attempt | None) -> Iterator[BalanceEvent]:
    if attempt is not None and attempt.credit is not None and attempt.hold is not None:
        yield CreditReleased(buyer_id=payment.buyer_id, hold=hold(payment, attempt.hold))


def hold(payment: Payment, number: int) -> str:
    """The name under which store credit is set aside for an attempt."""
    return f"{payment.payment_id}:{number}"
