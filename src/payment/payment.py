"""What can happen to a payment, and how it stands afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never, get_args

from bus.messages import Event, Money
from payment.calls import (
    Asked,
    AuthorizationRequested,
    Call,
    CallFailed,
    CallStatus,
    CaptureRequested,
    OutcomeUnknown,
    RefundRequested,
    VoidRequested,
)
from payment.contract import (
    CANCELLATION,
    Means,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentLapsed,
    PaymentRefunded,
    PaymentVoided,
)
from payment.gateway import Operation


class CreditSetAside(Event, name="payment.CreditSetAside"):
    """So much of the buyer's store credit is kept for this attempt."""

    payment_id: str
    reference: str
    buyer_id: str
    attempt: int
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
    Asked
    | CreditSetAside
    | PaymentAuthorized
    | PaymentDeclined
    | PaymentActionRequired
    | PaymentLapsed
    | PaymentCaptured
    | AttemptVoided
    | CancellationRequested
    | PaymentVoided
    | PaymentRefunded
    | OutcomeUnknown
    | CallFailed
)
EVENTS: tuple[type[Event], ...] = get_args(PaymentEvent)

AttemptStatus = Literal[
    "requested", "action_required", "authorized", "declined", "voiding", "voided"
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to pay: `amount` by card, `credit` by the store credit set aside for attempt
    `hold`. `requested` and `voiding` wait for the gateway's answer."""

    number: int
    amount: Money | None = None
    status: AttemptStatus = "requested"
    credit: Money | None = None
    hold: int | None = None
    means: Means | None = None
    authorization: str | None = None
    renews: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back, or to be: `card` by the gateway, `credit` as store credit."""

    refund_id: str
    card: Money
    credit: Money
    done: bool = False

    @property
    def amount(self) -> Money:
        """All of it."""
        return self.card + self.credit


@dataclass(frozen=True, slots=True)
class Payment:
    """How a payment stands. `paid_by` is the attempt that holds the money, or held it; `capturing`
    is what was to be taken, `captured` what has been, `credited` how much of it by store credit."""

    payment_id: str
    reference: str
    buyer_id: str = ""
    attempts: tuple[Attempt, ...] = ()
    calls: tuple[Call, ...] = ()
    paid_by: int | None = None
    capturing: Money | None = None
    captured: Money | None = None
    credited: Money | None = None
    refunds: tuple[Refund, ...] = ()
    cancelled: bool = False
    ended: bool = False

    @property
    def on_credit(self) -> bool:
        """Whether any attempt was to be paid with store credit."""
        return any(attempt.hold is not None for attempt in self.attempts)

    def attempt(self, number: int | None) -> Attempt | None:
        """The attempt of this number, if there was one."""
        return next((attempt for attempt in self.attempts if attempt.number == number), None)

    def call(self, key: str) -> Call | None:
        """The call under this key, if there was one."""
        return next(filter(under(key), self.calls), None)

    def under_way(self, operation: Operation) -> bool:
        """Whether the gateway's answer to such a call is awaited."""
        return any(call.open for call in self.calls if call.operation == operation)

    def refund(self, refund_id: str) -> Refund | None:
        """What is given back under this name, if anything."""
        return next((refund for refund in self.refunds if refund.refund_id == refund_id), None)


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    """How a payment stands after an event."""
    if payment is None:
        payment = Payment(event.payment_id, getattr(event, "reference", ""))
    match event:
        case AuthorizationRequested() | CaptureRequested() | VoidRequested() | RefundRequested():
            return _asked(payment, event)
        case CreditSetAside():
            return _credit_set_aside(payment, event)
        case PaymentAuthorized():
            return _authorized(answered(payment, "authorize", event.attempt), event)
        case PaymentDeclined():
            payment = answered(payment, "authorize", event.attempt, "failed")
            return with_attempt(payment, event.attempt, status="declined", credit=None)
        case PaymentActionRequired(attempt=number, authorization=authorization):
            payment = answered(payment, "authorize", number)
            return with_attempt(
                payment, number, status="action_required", authorization=authorization
            )
        case PaymentCaptured():
            return _captured(answered(payment, "capture", payment.paid_by), event.amount)
        case AttemptVoided():
            payment = answered(payment, "void", event.attempt)
            return with_attempt(payment, event.attempt, status="voided", credit=None)
        case PaymentRefunded():
            return _refunded(payment, event)
        case CancellationRequested():
            return replace(payment, cancelled=True)
        case PaymentVoided():
            return replace(payment, cancelled=True, ended=True)
        case OutcomeUnknown():
            return marked(payment, "unknown", under(event.gateway_key))
        case CallFailed():
            return marked(payment, "failed", under(event.gateway_key))
        case PaymentLapsed():
            return payment
        case _:
            assert_never(event)


def _asked(payment: Payment, event: Asked) -> Payment:
    """The gateway is called, for the first time or once more."""
    again = payment.call(event.gateway_key) is not None
    others = tuple(call for call in payment.calls if call.asked.gateway_key != event.gateway_key)
    payment = replace(payment, calls=(*others, Call(event)))
    match event:
        case AuthorizationRequested() if not again:
            payment = replace(payment, buyer_id=event.buyer_id)
            return with_attempt(
                payment,
                event.attempt,
                amount=event.amount,
                means=event.means,
                renews=event.renews,
            )
        case CaptureRequested():
            return replace(payment, capturing=event.amount + (event.credit or event.amount.zero()))
        case VoidRequested():  # what is let go unasked for had been set aside
            payment = answered(payment, "authorize", event.attempt)
            return with_attempt(payment, event.attempt, status="voiding")
        case RefundRequested():
            credit = event.credit or event.amount.zero()
            return with_refund(payment, Refund(event.refund_id, event.amount, credit))
        case _:
            return payment


def _credit_set_aside(payment: Payment, event: CreditSetAside) -> Payment:
    """The credit is kept for this attempt, and for no earlier one any more."""
    earlier = tuple(replace(attempt, credit=None) for attempt in payment.attempts)
    payment = replace(payment, attempts=earlier, buyer_id=event.buyer_id)
    return with_attempt(payment, event.attempt, credit=event.amount, hold=event.attempt)


def _authorized(payment: Payment, event: PaymentAuthorized) -> Payment:
    """The attempt pays; one that renews another takes over the store credit set aside for it."""
    payment = with_attempt(
        payment, event.attempt, status="authorized", authorization=event.authorization
    )
    attempt = payment.attempt(event.attempt)
    renewed = payment.attempt(attempt.renews) if attempt is not None else None
    if renewed is not None:
        payment = with_attempt(payment, event.attempt, credit=renewed.credit, hold=renewed.hold)
        payment = with_attempt(payment, renewed.number, credit=None)
    return replace(payment, paid_by=event.attempt)


def _captured(payment: Payment, amount: Money) -> Payment:
    """The money is taken: first from the store credit, the rest by the gateway."""
    paid = payment.attempt(payment.paid_by)
    credit = paid.credit if paid is not None and paid.credit is not None else amount.zero()
    payment = replace(
        payment,
        capturing=amount,
        captured=amount,
        credited=min(credit, amount, key=lambda money: money.amount),
    )
    return payment if paid is None else with_attempt(payment, paid.number, credit=None)


def _refunded(payment: Payment, event: PaymentRefunded) -> Payment:
    """The money is the buyer's again; what the gateway was not asked for was store credit."""
    asked = payment.refund(event.refund_id) or Refund(
        event.refund_id, event.amount.zero(), event.amount
    )
    payment = with_refund(payment, replace(asked, done=True))
    payment = marked(
        payment, "succeeded", lambda x: getattr(x.asked, "refund_id", None) == event.refund_id
    )
    over = event.refund_id == CANCELLATION
    return replace(payment, cancelled=payment.cancelled or over, ended=payment.ended or over)


def with_attempt(payment: Payment, number: int, **change: Any) -> Payment:
    """The payment with one attempt changed, or with a new one."""
    known = payment.attempt(number)
    if known is None:
        return replace(payment, attempts=(*payment.attempts, Attempt(number, **change)))
    changed = replace(known, **change)
    return replace(
        payment, attempts=tuple(changed if each is known else each for each in payment.attempts)
    )


def with_refund(payment: Payment, refund: Refund) -> Payment:
    """The payment with one refund changed, or with a new one."""
    others = tuple(each for each in payment.refunds if each.refund_id != refund.refund_id)
    return replace(payment, refunds=(*others, refund))


def under(key: str) -> Callable[[Call], bool]:
    """Which call is the one under a key."""
    return lambda call: call.asked.gateway_key == key


def answered(
    payment: Payment,
    operation: Operation,
    number: int | None,
    status: CallStatus = "succeeded",
) -> Payment:
    """The payment once the gateway has answered to the calls of this sort for an attempt."""
    return marked(payment, status, lambda x: x.operation == operation and x.asked.attempt == number)


def marked(payment: Payment, status: CallStatus, which: Callable[[Call], bool]) -> Payment:
    """The payment with some of its calls in another status."""
    calls = tuple(replace(call, status=status) if which(call) else call for call in payment.calls)
    return replace(payment, calls=calls)
