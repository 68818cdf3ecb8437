"""What must hold of the money: at every moment, and when nothing is under way any more."""

from __future__ import annotations

from collections import Counter

from bus.messages import Money
from ordering.contract import TERMINAL
from ordering.order import Order
from payment.contract import PaymentAuthorized, PaymentCaptured, PaymentRefunded
from payment.credit import hold as name_of
from payment.payment import Payment
from tests.payment.machine.bank import Hold
from tests.payment.machine.world import World


def hold_always(world: World) -> None:
    """Raise when anything is broken that must never be."""
    for hold in world.bank.holds.values():
        assert hold.refunded <= hold.captured <= hold.amount, f"{hold}: more than there was"
    for order, payment in world.orders():
        holds = world.bank.of(order.order_id)
        assert sum(hold.captures for hold in holds) <= 1, f"captured twice: {holds}"
        if payment is not None:
            told_is_possible(world, payment)
        if order.status == "cancelled":
            assert not any(map(kept, holds)), f"{order.order_id} is cancelled, but {holds}"
            assert payment is not None
            assert payment.ended
    credit_is_spent_once(world)


def kept(hold: Hold) -> bool:
    """Whether any money is set aside, may come to be, or was taken and not given back."""
    return hold.status in ("open", "held") or hold.captured > hold.refunded


def told_is_possible(world: World, payment: Payment) -> None:
    """What the events say of a payment: no more is taken than was set aside, or given back than was
    taken; and once."""
    told = world.log.events(f"payment-{payment.payment_id}")
    authorized = [event.amount.amount for event in told if isinstance(event, PaymentAuthorized)]
    captured = [event.amount.amount for event in told if isinstance(event, PaymentCaptured)]
    refunds = [event for event in told if isinstance(event, PaymentRefunded)]
    assert len(captured) <= 1, f"{payment.payment_id} was captured {captured}"
    assert sum(captured) <= max(authorized, default=0), f"{captured} of {authorized}"
    refunded = sum(event.amount.amount for event in refunds)
    assert refunded <= sum(captured), f"{refunded} given back of {captured}"
    assert len({event.refund_id for event in refunds}) == len(refunds), f"twice: {refunds}"


def credit_is_spent_once(world: World) -> None:
    """A buyer's ledger is what the payments made of it, and never below nothing."""
    spent: Counter[str] = Counter()
    set_aside: dict[str, int] = {}
    for _, payment in world.orders():
        if payment is None:
            continue
        back = sum(refund.credit.amount for refund in payment.refunds if refund.done)
        spent[payment.buyer_id] += cents(payment.credited) - back
        for attempt in payment.attempts:
            if attempt.credit is not None and attempt.hold is not None:
                set_aside[name_of(payment, attempt.hold)] = attempt.credit.amount
    held: dict[str, int] = {}
    for ledger in world.ledgers():
        held |= {name: amount.amount for name, amount in ledger.holds.items()}
        assert ledger.held.amount <= ledger.balance.amount, f"spent twice: {ledger}"
        left = ledger.granted.amount - spent[ledger.buyer_id]
        assert ledger.balance.amount == left, f"{left} should be left of {ledger}"
    assert held == set_aside, f"the ledgers keep {held}, the payments {set_aside}"


def cents(amount: Money | None) -> int:
    """So many, none for nothing."""
    return 0 if amount is None else amount.amount


def hold_in_the_end(world: World) -> None:
    """Raise when something is not as it should be though nobody has anything left to do."""
    assert not world.bag, f"nobody takes {[each.envelope.message for each in world.bag]}"
    for order, payment in world.orders():
        assert payment is not None, f"{order.order_id} was never to be paid"
        at_rest = order.status in TERMINAL or for_a_person(payment)
        assert at_rest, f"{order.order_id} is {order.status}, {order.payment_status}"
        books_agree(world, order, payment)


def for_a_person(payment: Payment) -> bool:
    """Whether somebody is shown that the money could not be taken."""
    failed = any(call.status == "failed" and call.operation == "capture" for call in payment.calls)
    return failed and payment.captured is None and not payment.cancelled


def books_agree(world: World, order: Order, payment: Payment) -> None:
    """What the gateway has taken, given back and still holds is what the events say."""
    holds = world.bank.of(order.order_id)
    given = sum(refund.card.amount for refund in payment.refunds if refund.done)
    says = (cents(payment.captured) - cents(payment.credited), given)
    has = (sum(hold.captured for hold in holds), sum(hold.refunded for hold in holds))
    assert has == says, f"of {order.order_id} the gateway has {has}, the events say {says}"
    held = [hold for hold in holds if hold.status in ("open", "held")]
    due = payment.paid_by is not None and payment.capturing is not None
    unpaid = due and payment.captured is None
    assert len(held) <= unpaid, f"{order.order_id} is {order.status}, but {held}"
    if order.status == "completed":
        assert order.total == payment.captured
