"""Histories of payment `p1` to build tests on."""

from functools import reduce

from bus.messages import Money
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
    AuthorizationRequested,
    CancellationRequested,
    CaptureRequested,
    Payment,
    PaymentEvent,
    RefundRequested,
    VoidRequested,
    evolve,
)

PRICE = Money(amount=10_50, currency="EUR")
ACTION = NextAction(type="redirect", url="https://bank.example/3ds")
CANCEL = CancelPayment(payment_id="p1", reference="o1")


def replay(history: list[PaymentEvent]) -> Payment | None:
    return reduce(evolve, history, None)


def pay(attempt: int = 1, method: Method = "card") -> AuthorizePayment:
    return AuthorizePayment(
        payment_id="p1",
        reference="o1",
        buyer_id="b1",
        attempt=attempt,
        amount=PRICE,
        means=Means(method=method, token="pm_card_visa"),
    )


def requested(attempt: int = 1) -> AuthorizationRequested:
    return AuthorizationRequested(
        payment_id="p1",
        reference="o1",
        buyer_id="b1",
        attempt=attempt,
        gateway_key=f"p1:authorize:{attempt}",
        amount=PRICE,
        means=Means(method="card", token="pm_card_visa"),
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
    )


def attempt_voided(attempt: int = 1) -> AttemptVoided:
    return AttemptVoided(payment_id="p1", attempt=attempt)


CAPTURING = CaptureRequested(
    payment_id="p1",
    attempt=1,
    gateway_key="p1:capture:1",
    authorization="p1:authorize:1",
    amount=PRICE,
)
CAPTURED = PaymentCaptured(payment_id="p1", reference="o1", amount=PRICE)
REFUNDING = RefundRequested(
    payment_id="p1",
    attempt=1,
    gateway_key="p1:refund:1",
    authorization="p1:authorize:1",
    amount=PRICE,
)
REFUNDED = PaymentRefunded(payment_id="p1", reference="o1", amount=PRICE)
CANCELLING = CancellationRequested(payment_id="p1", reference="o1")
VOIDED = PaymentVoided(payment_id="p1", reference="o1")

AUTHORIZED: list[PaymentEvent] = [requested(), authorized()]
TAKEN: list[PaymentEvent] = [*AUTHORIZED, CAPTURING, CAPTURED]
