"""Giving back some of what was taken: never more than that in all, and once for each purpose."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Refused
from payment.calls import RefundRequested
from payment.cancellation import giving_back, kept, winding_down
from payment.contract import PaymentRefunded, RefundPayment
from payment.payment import Payment, PaymentEvent


def refund(payment: Payment, asked: RefundPayment, now: datetime) -> list[PaymentEvent]:
    """Give so much back, for the purpose that `refund_id` names."""
    known = payment.refund(asked.refund_id)
    if known is not None:
        if known.amount != asked.amount:
            raise Refused(
                "refund_id_reused",
                f"refund {asked.refund_id} of payment {payment.payment_id} is for {known.amount},"
                f" not {asked.amount}: name another refund otherwise",
            )
        return []
    left = kept(payment)
    if left is None or payment.cancelled:
        raise Refused(
            "not_captured",
            f"nothing can be refunded of payment {payment.payment_id}: "
            + ("it is cancelled, and all goes back" if payment.cancelled else "capture it first"),
        )
    if not asked.amount.amount:
        raise Refused("nothing_to_refund", f"refund {asked.refund_id} is for nothing: ask for more")
    if asked.amount.amount > left.amount:
        raise Refused(
            "above_captured",
            f"{asked.amount} cannot be refunded of payment {payment.payment_id}:"
            f" {left} of it is left",
            left=left.model_dump(),
        )
    return [giving_back(payment, asked.amount, asked.refund_id, now)]


def refunded(payment: Payment, asked: RefundRequested, now: datetime) -> list[PaymentEvent]:
    """The gateway has given its share back, and with it goes the store credit."""
    known = payment.refund(asked.refund_id)
    if known is None or known.done:
        return []
    given = PaymentRefunded(
        payment_id=payment.payment_id,
        reference=payment.reference,
        amount=known.amount,
        refund_id=asked.refund_id,
    )
    return winding_down(payment, [given], now)
