"""What payment says to others: the money is authorized, captured, voided, refunded, or declined.

A payment belongs to a `reference` (an order) and has attempts, one for each time its buyer tries
to pay.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bus.messages import Command, Event, Id, Model, Money, Text

Method = Literal["card", "store_credit"]


class Means(Model):
    """How the buyer pays: `token` stands for the card, as the gateway's browser library made it."""

    method: Method
    token: Text


class NextAction(Model):
    """What the buyer has to do before the gateway goes on: 3-D Secure, say."""

    type: str
    url: str


class AuthorizePayment(Command[None], name="payment.AuthorizePayment"):
    """Have the gateway set the money aside. The outcome is an event."""

    payment_id: Id
    reference: Id
    buyer_id: Id
    attempt: int = Field(ge=1)
    amount: Money
    means: Means


class CapturePayment(Command[None], name="payment.CapturePayment"):
    """Take the money that was set aside; `PaymentCaptured` tells when it is done."""

    payment_id: Id


class CancelPayment(Command[None], name="payment.CancelPayment"):
    """Give back whatever was set aside or taken, now or by an attempt still under way.

    `PaymentVoided` or `PaymentRefunded` tells when nothing is held any more.
    """

    payment_id: Id
    reference: Id


class PaymentAuthorized(Event, name="payment.PaymentAuthorized"):
    """The money is set aside."""

    payment_id: str
    reference: str
    attempt: int
    amount: Money


class PaymentDeclined(Event, name="payment.PaymentDeclined"):
    """The gateway said no to this attempt, for good."""

    payment_id: str
    reference: str
    attempt: int
    reason: str


class PaymentActionRequired(Event, name="payment.PaymentActionRequired"):
    """The buyer has to do something first."""

    payment_id: str
    reference: str
    attempt: int
    action: NextAction


class PaymentCaptured(Event, name="payment.PaymentCaptured"):
    """The money is ours."""

    payment_id: str
    reference: str
    amount: Money


class PaymentVoided(Event, name="payment.PaymentVoided"):
    """Nothing was taken and nothing is set aside any more; no attempt can change that."""

    payment_id: str
    reference: str


class PaymentRefunded(Event, name="payment.PaymentRefunded"):
    """The money that was taken has been given back."""

    payment_id: str
    reference: str
    amount: Money
