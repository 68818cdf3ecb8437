"""The calls of the gateway: each begins with an intent, under a key of its own, and ends with an
answer, a failure, or nobody knowing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from bus.messages import Event, Money
from payment.contract import CANCELLATION, Means
from payment.gateway import Operation


class Intent(Event):
    """The gateway is to be called, under this key, for the `tries`-th time.

    `at` is when it was first wanted; `attempt`, whose money it is about.
    """

    payment_id: str
    attempt: int
    gateway_key: str
    at: datetime | None = None
    tries: int = 1


class AuthorizationRequested(Intent, name="payment.AuthorizationRequested", whose="buyer_id"):
    """The gateway is to set the money aside. `means` holds a token, never a card number.

    `renews` is the attempt whose money will not stay set aside for long enough; `instead_of`, the
    one that waits for its buyer, who pays again now, or says so having done what was asked for.
    """

    operation: ClassVar[Operation] = "authorize"

    reference: str
    buyer_id: str
    amount: Money
    means: Means
    renews: int | None = None
    instead_of: int | None = None


class CaptureRequested(Intent, name="payment.CaptureRequested"):
    """The gateway is to take `amount` of what it holds under `authorization`; `credit` comes from
    the buyer's store credit besides."""

    operation: ClassVar[Operation] = "capture"

    authorization: str
    amount: Money
    credit: Money | None = None


class VoidRequested(Intent, name="payment.VoidRequested"):
    """The gateway is to let go of whatever the attempt holds, or might come to hold."""

    operation: ClassVar[Operation] = "void"

    authorization: str


class RefundRequested(Intent, name="payment.RefundRequested"):
    """The gateway is to give back `amount` of what it took; `credit` goes back to the buyer's store
    credit besides."""

    operation: ClassVar[Operation] = "refund"

    authorization: str
    amount: Money
    refund_id: str = CANCELLATION
    credit: Money | None = None


class OutcomeUnknown(Event, name="payment.OutcomeUnknown"):
    """Nobody could say what the call led to; it is made again at `ask_at`, or a person has to look
    at it."""

    payment_id: str
    reference: str
    operation: Operation
    attempt: int
    gateway_key: str
    tries: int
    ask_at: datetime | None = None


class CallFailed(Event, name="payment.CallFailed"):
    """The gateway declined what it had no reason to: a person has to look at it."""

    payment_id: str
    reference: str
    operation: Operation
    attempt: int
    gateway_key: str
    reason: str


Asked = AuthorizationRequested | CaptureRequested | VoidRequested | RefundRequested
"""The intents."""

CallStatus = Literal["requested", "unknown", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the gateway, by its key."""

    asked: Asked
    status: CallStatus = "requested"

    @property
    def operation(self) -> Operation:
        """What the gateway is asked to do."""
        return self.asked.operation

    @property
    def open(self) -> bool:
        """Whether what came of it is not known yet."""
        return self.status in ("requested", "unknown")

    def same_purpose(self, other: Call) -> bool:
        """Whether another call was made to do the same."""
        purpose = (self.operation, self.asked.attempt, getattr(self.asked, "refund_id", None))
        return purpose == (
            other.operation,
            other.asked.attempt,
            getattr(other.asked, "refund_id", None),
        )


def gateway_key(payment_id: str, operation: Operation, number: int) -> str:
    """The one key under which the gateway is asked for this, however often it has to be asked.

    `number` is the attempt's, or the refund's. What was declined for good and is to be tried all
    the same is another call: it has the key of the first, and `.2` behind it.
    """
    return f"{payment_id}:{operation}:{number}"
