"""The payments as the shop's own people see them."""

from __future__ import annotations

from typing import Any, assert_never, get_args

from bus.envelope import Envelope
from bus.messages import NotFound
from bus.views import Documents, View
from payment.commands import GetPayment, ListPayments, PaymentDocument
from payment.contract import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from payment.payment import AuthorizationRequested, CancellationRequested

Shown = (
    AuthorizationRequested
    | PaymentAuthorized
    | PaymentDeclined
    | PaymentActionRequired
    | PaymentCaptured
    | CancellationRequested
    | PaymentVoided
    | PaymentRefunded
)


def shown(doc: PaymentDocument | None, event: Shown) -> PaymentDocument:
    """A payment's document after an event."""
    if doc is None:
        doc = PaymentDocument(
            payment_id=event.payment_id, reference=event.reference, status="requested", attempts=0
        )
    match event:
        case AuthorizationRequested():
            change = {
                "buyer_id": event.buyer_id,
                "amount": event.amount,
                "token": event.means.token,
                "reason": None,
                **status(doc, "requested", event.attempt),
            }
        case PaymentAuthorized():
            change = {"reason": None, **status(doc, "authorized", event.attempt)}
        case PaymentDeclined():
            change = {"reason": event.reason, **status(doc, "declined", event.attempt)}
        case PaymentActionRequired():
            change = status(doc, "action_required", event.attempt)
        case PaymentCaptured():
            change = {"status": "captured"}
        case CancellationRequested():
            change = {"status": "cancelling"}
        case PaymentVoided():
            change = {"status": "voided"}
        case PaymentRefunded():
            change = {"status": "refunded"}
        case _:
            assert_never(event)
    return doc.model_copy(update=change)


def status(doc: PaymentDocument, to: str, attempt: int) -> dict[str, Any]:
    """The status an attempt gives the payment, unless another one or a later event says more."""
    settled = doc.status in ("authorized", "captured", "cancelling") or attempt < doc.attempts
    overruled = settled and to != "authorized"
    return {
        "status": doc.status if overruled else to,
        "attempts": max(doc.attempts, attempt),
    }


PAYMENTS: View[PaymentDocument] = View(
    name="payments",
    version=1,
    shape=PaymentDocument,
    ids={event: lambda event: str(event.payment_id) for event in get_args(Shown)},
    evolve=shown,
    indexes=[[("first", -1)], [("doc.status", 1), ("first", -1)]],
)


class Queries:
    """The questions about payments, answered from their view."""

    def __init__(self, documents: Documents[PaymentDocument]) -> None:
        self._documents = documents

    async def get(self, asked: GetPayment, _: Envelope[Any]) -> PaymentDocument:
        """One payment."""
        found = await self._documents.get(asked.payment_id)
        if found is None:
            raise NotFound(
                "unknown_payment",
                f"there is no payment {asked.payment_id}: see `shop payments list`",
            )
        return found.doc

    async def list(self, asked: ListPayments, _: Envelope[Any]) -> tuple[PaymentDocument, ...]:
        """The newest payments."""
        query = {} if asked.status is None else {"doc.status": asked.status}
        found = await self._documents.find(query, limit=asked.limit)
        return tuple(stored.doc for stored in found)
