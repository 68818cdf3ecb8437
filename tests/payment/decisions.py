"""The decisions about payment `p1`, with the clock stopped and the gateway's answers at hand."""

from payment import answers, cancellation, refund, renewal
from payment import authorization as authorizing
from payment import capture as capturing
from payment.commands import Answer
from payment.contract import AuthorizePayment, CancelPayment, CapturePayment, RefundPayment
from payment.gateway import Approved, Declined, Outcome
from payment.payment import Payment, PaymentEvent
from tests.payment.histories import AT, euros

Events = list[PaymentEvent]


def authorize(payment: Payment | None, asked: AuthorizePayment, credit: int = 0) -> Events:
    return authorizing.authorize(payment, asked, euros(credit), AT)


def capture(payment: Payment | None, amount: int | None = None) -> Events:
    asked = CapturePayment(payment_id="p1", amount=None if amount is None else euros(amount))
    return capturing.capture(answers.known(payment, "p1"), asked, AT)


def cancel(payment: Payment | None, asked: CancelPayment) -> Events:
    return cancellation.cancel(payment, asked, AT)


def give_back(payment: Payment | None, amount: int, refund_id: str = "ret_1") -> Events:
    asked = RefundPayment(payment_id="p1", refund_id=refund_id, amount=euros(amount))
    return refund.refund(answers.known(payment, "p1"), asked, AT)


def renew(payment: Payment | None, attempt: int = 1) -> Events:
    return renewal.renew(payment, attempt, AT)


def ask_again(payment: Payment | None, key: str | None = None) -> Events:
    return answers.ask_again(payment, "p1", key, AT)


def record(payment: Payment | None, key: str, answer: Answer) -> Events:
    return answers.record(payment, "p1", key, answer, AT)


def record_authorization(payment: Payment | None, attempt: int, outcome: Outcome) -> Events:
    return record(payment, f"p1:authorize:{attempt}", outcome)


def record_capture(payment: Payment | None, attempt: int = 1, reason: str | None = None) -> Events:
    return record(payment, f"p1:capture:{attempt}", done(reason))


def record_void(payment: Payment | None, attempt: int = 1, reason: str | None = None) -> Events:
    return record(payment, f"p1:void:{attempt}", done(reason))


def record_refund(payment: Payment | None, number: int = 1, reason: str | None = None) -> Events:
    return record(payment, f"p1:refund:{number}", done(reason))


def done(reason: str | None) -> Approved | Declined:
    return Approved() if reason is None else Declined(reason=reason)
