"""What payment's own CLI asks: how payments stand, and whether the gateway's books say the same."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from bus.messages import Id, Model, Money, Query
from payment.calls import CallStatus
from payment.gateway import Operation

Status = Literal[
    "requested",
    "action_required",
    "declined",
    "authorized",
    "captured",
    "partially_refunded",
    "refunded",
    "cancelling",
    "voided",
]

Trouble = Literal["unknown", "failed"]
"""Why a person may have to look at a call of the gateway: nobody knows what it led to, or it was
declined with no reason to."""


class CallDocument(Model):
    """One call of the gateway; a void has no `amount`, a `refund_id` only a refund."""

    key: str
    operation: Operation
    attempt: int
    status: CallStatus = "requested"
    tries: int = 1
    amount: Money | None = None
    refund_id: str | None = None
    reason: str | None = None


class RefundDocument(Model):
    """What has been given back under one name."""

    refund_id: str
    amount: Money


class PaymentDocument(Model):
    """A payment as the shop's people see it. `amount` is that of the attempt that pays, or of the
    last one; `credit`, how much of it is store credit; `trouble`, what a person may have to look
    at."""

    payment_id: str
    reference: str = ""
    status: Status = "requested"
    attempts: int = 0
    buyer_id: str | None = None
    amount: Money | None = None
    credit: Money | None = None
    captured: Money | None = None
    refunded: Money | None = None
    reason: str | None = None
    trouble: tuple[Trouble, ...] = ()
    calls: tuple[CallDocument, ...] = ()
    refunds: tuple[RefundDocument, ...] = ()


class GetPayment(Query[PaymentDocument], name="payment.GetPayment"):
    """How does this payment stand, as of `min_position` at least? Refused with
    `unknown_payment`."""

    payment_id: Id
    min_position: int = Field(default=0, ge=0)


class ListPayments(Query[tuple[PaymentDocument, ...]], name="payment.ListPayments"):
    """The payments, newest first: all, those in a status, or those in trouble."""

    status: Status | None = None
    trouble: Trouble | None = None
    limit: int = Field(default=20, ge=1, le=1000)
    min_position: int = Field(default=0, ge=0)


class Difference(Model):
    """What the gateway and the events do not agree upon, and what to do about it."""

    payment_id: str
    reference: str
    gateway: str
    events: str
    do: str


class Report(Model):
    """What came of comparing the gateway's books with the events.

    `differences` are the first that were found; with `more`, there are others. Payments whose
    calls were `under_way` all the time were left out.
    """

    compared: int
    differences: tuple[Difference, ...] = ()
    under_way: int = 0
    more: bool = False


class Reconcile(Query[Report], name="payment.Reconcile"):
    """Do the gateway's books say what the events say, of the payments begun since then, or of
    all?"""

    since: datetime | None = None
