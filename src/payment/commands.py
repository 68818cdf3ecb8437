"""What payment says to itself: the gateway's answers to be recorded, and what its own CLI asks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bus.messages import Command, Id, Model, Money, Query
from payment.gateway import Outcome

Status = Literal[
    "requested",
    "action_required",
    "declined",
    "authorized",
    "captured",
    "cancelling",
    "voided",
    "refunded",
]


class RecordAuthorization(Command[None], name="payment.RecordAuthorization"):
    """The gateway has answered to an attempt."""

    payment_id: Id
    attempt: int = Field(ge=1)
    outcome: Outcome


class RecordCapture(Command[None], name="payment.RecordCapture"):
    """The gateway has taken the money."""

    payment_id: Id


class RecordVoid(Command[None], name="payment.RecordVoid"):
    """The gateway has let go of what an attempt held."""

    payment_id: Id
    attempt: int = Field(ge=1)


class RecordRefund(Command[None], name="payment.RecordRefund"):
    """The gateway has given the money back."""

    payment_id: Id


class PaymentDocument(Model):
    """A payment as the shop's people see it; `amount` and `token` are those of the last attempt."""

    payment_id: str
    reference: str
    status: Status
    attempts: int
    buyer_id: str | None = None
    amount: Money | None = None
    token: str | None = None
    reason: str | None = None


class GetPayment(Query[PaymentDocument], name="payment.GetPayment"):
    """How does this payment stand? Refused with `unknown_payment`."""

    payment_id: Id


class ListPayments(Query[tuple[PaymentDocument, ...]], name="payment.ListPayments"):
    """The payments, newest first."""

    status: Status | None = None
    limit: int = Field(default=20, ge=1, le=1000)
