"""What can happen to a payment, and how it stands afterwards; `rules` decides what may happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never, get_args

from bus.messages import Event, Money
from payment.contract import (
    Means,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)

Operation = Literal["authorize", "capture", "void", "refund"]


class AuthorizationRequested(Event, name="payment.AuthorizationRequested"):
    """The gateway is to set the money aside. `means` holds a token, never a card number."""

    payment_id: str
    reference: str
    buyer_id: str
    attempt: int
    gateway_key: str
    amount: Money
    means: Means


class CaptureRequested(Event, name="payment.CaptureRequested"):
    """The gateway is to take what the attempt holds, under its key `authorization`."""

    payment_id: str
    attempt: int
    gateway_key: str
    authorization: str
    amount: Money


class VoidRequested(Event, name="payment.VoidRequested"):
    """The gateway is to let go of whatever the attempt holds, or might come to hold."""

    payment_id: str
    attempt: int
    gateway_key: str
    authorization: str


class RefundRequested(Event, name="payment.RefundRequested"):
    """The gateway is to give back what it took."""

    payment_id: str
    attempt: int
    gateway_key: str
    authorization: str
    amount: Money


class CancellationRequested(Event, name="payment.CancellationRequested"):
    """The money is wanted back: no attempt may hold any from here on."""

    payment_id: str
    reference: str


class AttemptVoided(Event, name="payment.AttemptVoided"):
    """The attempt holds nothing any more. The payment itself may stand on another attempt."""

    payment_id: str
    attempt: int


PaymentEvent = (
    AuthorizationRequested
    | PaymentAuthorized
    | PaymentDeclined
    | PaymentActionRequired
    | CaptureRequested
    | PaymentCaptured
    | VoidRequested
    | AttemptVoided
    | RefundRequested
    | CancellationRequested
    | PaymentVoided
    | PaymentRefunded
)
EVENTS: tuple[type[Event], ...] = get_args(PaymentEvent)

AttemptStatus = Literal[
    "requested", "action_required", "authorized", "declined", "voiding", "voided"
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to pay. `requested` and `voiding` wait for the gateway's answer."""

    number: int
    amount: Money | None
    status: AttemptStatus


@dataclass(frozen=True, slots=True)
class Payment:
    """How a payment stands. `paid_by` is the attempt that was the first to be authorized."""

    payment_id: str
    reference: str
    attempts: tuple[Attempt, ...] = ()
    paid_by: int | None = None
    capture: Literal["not_asked", "requested", "captured"] = "not_asked"
    refunding: bool = False
    cancelled: bool = False
    ended: bool = False

    def attempt(self, number: int) -> Attempt | None:
        """The attempt of this number, if there was one."""
        return next((attempt for attempt in self.attempts if attempt.number == number), None)


def gateway_key(payment_id: str, operation: Operation, attempt: int) -> str:
    """The one key under which the gateway is asked for this, however often it has to be asked."""
    return f"{payment_id}:{operation}:{attempt}"


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    """How a payment stands after an event."""
    if payment is None:
        payment = begun_by(event)
    match event:
        case AuthorizationRequested():
            return with_attempt(payment, event.attempt, "requested", event.amount)
        case PaymentAuthorized():
            return replace(
                with_attempt(payment, event.attempt, "authorized"), paid_by=event.attempt
            )
        case PaymentDeclined():
            return with_attempt(payment, event.attempt, "declined")
        case PaymentActionRequired():
            return with_attempt(payment, event.attempt, "action_required")
        case CaptureRequested():
            return replace(payment, capture="requested")
        case PaymentCaptured():
            return replace(payment, capture="captured")
        case VoidRequested():
            return with_attempt(payment, event.attempt, "voiding")
        case AttemptVoided():
            return with_attempt(payment, event.attempt, "voided")
        case RefundRequested():
            return replace(payment, refunding=True)
        case CancellationRequested():
            return replace(payment, cancelled=True)
        case PaymentVoided() | PaymentRefunded():
            return replace(payment, cancelled=True, ended=True)
        case _:
            assert_never(event)


def begun_by(event: PaymentEvent) -> Payment:
    """The payment that an event begins."""
    return Payment(event.payment_id, getattr(event, "reference", ""))


def with_attempt(
    payment: Payment, number: int, status: AttemptStatus, amount: Money | None = None
) -> Payment:
    """The payment with one attempt changed, or with a new one."""
    known = payment.attempt(number)
    if known is None:
        return replace(payment, attempts=(*payment.attempts, Attempt(number, amount, status)))
    changed = replace(known, status=status)
    return replace(
        payment, attempts=tuple(changed if each is known else each for each in payment.attempts)
    )
