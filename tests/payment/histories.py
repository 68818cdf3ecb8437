"""Histories of payment `p1` to build tests on."""

from datetime import UTC, datetime
from functools import reduce

from bus.messages import Money
from payment.calls import (
    Asked,
    AuthorizationRequested,
    CallFailed,
    CaptureRequested,
    RefundRequested,
    VoidRequested,
)
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    Means,
    Method,
    NextAction,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from payment.payment import (
    AttemptVoided,
    CancellationRequested,
    Payment,
    PaymentEvent,
    evolve,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
PRICE = Money(amount=10_50, currency="EUR")
ACTION = NextAction(type="redirect", url="https://bank.example/3ds")
CANCEL = CancelPayment(payment_id="p1", reference="o1")


def euros(cents: int) -> Money:
    return Money(amount=cents, currency="EUR")


def replay(history: list[PaymentEvent]) -> Payment | None:
    return reduce(evolve, history, None)


def pay(
    attempt: int = 1, method: Method = "card", amount: int = 10_50, use_credit: bool = False
) -> AuthorizePayment:
    return AuthorizePayment(
        payment_id="p1",
        reference="o1",
        buyer_id="b1",
        attempt=attempt,
        amount=euros(amount),
        means=Means(method=method, token="pm_card_visa", use_credit=use_credit),
    )


def requested(
    attempt: int = 1, amount: int = 10_50, *, use_credit: bool = False, **more: int
) -> AuthorizationRequested:
    return AuthorizationRequested(
        payment_id="p1",
        reference="o1",
        buyer_id="b1",
        attempt=attempt,
        gateway_key=f"p1:authorize:{attempt}",
        amount=euros(amount),
        means=Means(method="card", token="pm_card_visa", use_credit=use_credit),
        at=AT,
        **more,
    )


def authorized(attempt: int = 1) -> PaymentAuthorized:
    return PaymentAuthorized(payment_id="p1", reference="o1", attempt=attempt, amount=PRICE)


def declined(attempt: int = 1, reason: str = "card_declined") -> PaymentDeclined:
    return PaymentDeclined(payment_id="p1", reference="o1", attempt=attempt, reason=reason)


def needs_action(attempt: int = 1) -> PaymentActionRequired:
    return PaymentActionRequired(payment_id="p1", reference="o1", attempt=attempt, action=ACTION)


def voiding(attempt: int = 1) -> VoidRequested:
    return VoidRequested(
        payment_id="p1",
        attempt=attempt,
        gateway_key=f"p1:void:{attempt}",
        authorization=f"p1:authorize:{attempt}",
        at=AT,
    )


def call_failed(asked: Asked, reason: str) -> CallFailed:
    return CallFailed(
        payment_id="p1",
        reference="o1",
        operation=asked.operation,
        attempt=asked.attempt,
        gateway_key=asked.gateway_key,
        reason=reason,
    )


def attempt_voided(attempt: int = 1) -> AttemptVoided:
    return AttemptVoided(payment_id="p1", attempt=attempt)


CAPTURING = CaptureRequested(
    payment_id="p1",
    attempt=1,
    gateway_key="p1:capture:1",
    authorization="p1:authorize:1",
    amount=PRICE,
    at=AT,
)
CAPTURED = PaymentCaptured(payment_id="p1", reference="o1", amount=PRICE)
REFUNDING = RefundRequested(
    payment_id="p1",
    attempt=1,
    gateway_key="p1:refund:1",
    authorization="p1:authorize:1",
    amount=PRICE,
    at=AT,
)
REFUNDED = PaymentRefunded(payment_id="p1", reference="o1", amount=PRICE)
CANCELLING = CancellationRequested(payment_id="p1", reference="o1")
VOIDED = PaymentVoided(payment_id="p1", reference="o1")

AUTHORIZED: list[PaymentEvent] = [requested(), authorized()]
TAKEN: list[PaymentEvent] = [*AUTHORIZED, CAPTURING, CAPTURED]
