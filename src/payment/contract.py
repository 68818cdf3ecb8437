"""What payment says to others: the money is authorized, captured, voided, refunded, or declined.

A payment belongs to a `reference` (an order) and has attempts, one for each time its buyer tries
to pay.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bus.messages import ERASED, Command, Event, Id, Model, Money, Personal, Query, Text

Method = Literal["card", "store_credit"]

CANCELLATION = "cancellation"
"""The `refund_id` of what is given back because the payment was cancelled."""


class Means(Model):
    """How the buyer pays: `token` stands for the card, as the gateway's browser library made it.

    With `use_credit`, the buyer's store credit pays first and the card what is left.
    """

    method: Method
    token: Annotated[Text, Personal(ERASED)] | None = None
    use_credit: bool = False

    @model_validator(mode="after")
    def _a_card_has_a_token(self) -> Self:
        if self.method == "card" and self.token is None:
            raise ValueError("a card is paid with by its token: send one")
        return self


class NextAction(Model):
    """What the buyer has to do before the gateway goes on: 3-D Secure, say."""

    type: str
    url: str


class AuthorizePayment(Command[None], name="payment.AuthorizePayment"):
    """Have the money set aside. The outcome is an event. Refused with `nothing_to_pay` and
    `foreign_currency`."""

    payment_id: Id
    reference: Id
    buyer_id: Id
    attempt: int = Field(ge=1)
    amount: Money
    means: Means


class CapturePayment(Command[None], name="payment.CapturePayment"):
    """Take the money that was set aside, or so much of it; the rest is let go, for a payment is
    captured once. `PaymentCaptured` tells when it is done.

    Refused with `not_authorized`, `nothing_to_capture`, `above_authorized` and `foreign_currency`.
    """

    payment_id: Id
    amount: Money | None = None


class CancelPayment(Command[None], name="payment.CancelPayment"):
    """Give back whatever was set aside or taken, now or by an attempt still under way.

    `PaymentVoided` or `PaymentRefunded` tells when nothing is held any more.
    """

    payment_id: Id
    reference: Id


class RefundPayment(Command[None], name="payment.RefundPayment"):
    """Give back some of what was taken, once for each `refund_id`; `PaymentRefunded` tells when it
    is done.

    Refused with `not_captured`, `nothing_to_refund`, `above_captured`, `foreign_currency`, and with
    `refund_id_reused` when it came with another amount before.
    """

    payment_id: Id
    refund_id: Id
    amount: Money


class PaymentAuthorized(Event, name="payment.PaymentAuthorized"):
    """The money is set aside, until `capture_before` if the gateway says until when.

    `authorization` is the gateway's own name for it; a longer stay is asked for at `renew_at`.
    """

    payment_id: str
    reference: str
    attempt: int
    amount: Money
    authorization: str | None = None
    capture_before: datetime | None = None
    renew_at: datetime | None = None


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
    authorization: str | None = None


class PaymentLapsed(Event, name="payment.PaymentLapsed"):
    """The money will not stay set aside: the gateway declined to hold it for longer."""

    payment_id: str
    reference: str
    reason: str


class PaymentCaptured(Event, name="payment.PaymentCaptured"):
    """The money is ours."""

    payment_id: str
    reference: str
    amount: Money


class PaymentVoided(Event, name="payment.PaymentVoided"):
    """Nothing is kept and nothing is set aside any more; no attempt can change that."""

    payment_id: str
    reference: str


class PaymentRefunded(Event, name="payment.PaymentRefunded"):
    """Money that was taken has been given back: for a return, or all that was left of it because
    the payment was cancelled (`CANCELLATION`)."""

    payment_id: str
    reference: str
    amount: Money
    refund_id: str = CANCELLATION


class Balance(Model):
    """A buyer's store credit: all of it, what is set aside for orders, and what is free."""

    buyer_id: str
    balance: Money
    held: Money
    available: Money


class GetBalance(Query[Balance], name="payment.GetBalance"):
    """How much store credit does this buyer have? None at all, for a buyer never heard of."""

    buyer_id: Id
