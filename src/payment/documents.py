"""A payment's document: what its people see of it, event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, assert_never

from bus.messages import Money
from payment.calls import (
    Asked,
    AuthorizationRequested,
    CallFailed,
    CaptureRequested,
    OutcomeUnknown,
    RefundRequested,
    VoidRequested,
)
from payment.contract import (
    CANCELLATION,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentLapsed,
    PaymentRefunded,
    PaymentVoided,
)
from payment.payment import AttemptVoided, CancellationRequested, CreditSetAside, PaymentEvent
from payment.queries import CallDocument, PaymentDocument, RefundDocument, Status, Trouble

ACTION_REQUIRED = "action_required"
"""The reason of a call to authorize that the buyer has to do something about."""

SETTLED: frozenset[Status] = frozenset(
    {"authorized", "captured", "partially_refunded", "refunded", "cancelling", "voided"}
)
"""What another attempt's answer does not change."""


def shown(doc: PaymentDocument | None, event: PaymentEvent) -> PaymentDocument:
    """A payment's document after an event; the same after seeing it twice."""
    if doc is None:
        doc = PaymentDocument(payment_id=event.payment_id)
    doc = changed(doc, event)
    reference = doc.reference or getattr(event, "reference", "")
    trouble = tuple(sorted(set(troubles(doc))))
    if (reference, trouble) == (doc.reference, doc.trouble):
        return doc
    return doc.model_copy(update={"reference": reference, "trouble": trouble})


def changed(doc: PaymentDocument, event: PaymentEvent) -> PaymentDocument:
    """What one event changes."""
    match event:
        case AuthorizationRequested():
            return with_call(_attempted(doc, event), event)
        case VoidRequested(attempt=number):
            return with_call(_approved(doc, number), event)
        case CaptureRequested() | RefundRequested():
            return with_call(doc, event)
        case CreditSetAside(attempt=number, amount=credit):
            change = {"buyer_id": event.buyer_id, "amount": credit, "credit": credit}
            return doc.model_copy(update={**change, **_status(doc, "requested", number)})
        case PaymentAuthorized(attempt=number, amount=amount):
            change = {"amount": amount, "reason": None, **_status(doc, "authorized", number)}
            doc = marked(doc, _authorize(number), status="succeeded", reason=None)
            return doc.model_copy(update=change)
        case PaymentDeclined(attempt=number, reason=reason):
            return _declined(doc, number, reason)
        case PaymentActionRequired(attempt=number):
            doc = marked(doc, _authorize(number), status="succeeded", reason=ACTION_REQUIRED)
            return doc.model_copy(update=_status(doc, "action_required", number))
        case PaymentLapsed(reason=reason):
            return doc.model_copy(update={"reason": reason})
        case PaymentCaptured(amount=amount):
            doc = answered(doc, lambda call: call.operation == "capture")
            status: Status = "cancelling" if doc.status == "cancelling" else "captured"
            return doc.model_copy(update={"captured": amount, "status": status})
        case AttemptVoided(attempt=number):
            return answered(doc, lambda x: x.operation == "void" and x.attempt == number)
        case CancellationRequested():
            return doc.model_copy(update={"status": "cancelling"})
        case PaymentVoided():
            given = doc.refunded is not None
            return doc.model_copy(update={"status": "refunded" if given else "voided"})
        case PaymentRefunded():
            return _refunded(doc, event)
        case OutcomeUnknown(gateway_key=key):
            return marked(doc, lambda call: call.key == key, status="unknown")
        case CallFailed(gateway_key=key, reason=reason):
            return marked(doc, lambda call: call.key == key, status="failed", reason=reason)
        case _:
            assert_never(event)


def _authorize(number: int) -> Callable[[CallDocument], bool]:
    return lambda call: call.operation == "authorize" and call.attempt == number


def _approved(doc: PaymentDocument, number: int) -> PaymentDocument:
    """What an attempt holds is to be let go: so the gateway had approved it, if only late, or has
    asked something of the buyer."""
    late = [x for x in doc.calls if _authorize(number)(x) and x.status != "succeeded"]
    return marked(doc, lambda call: call in late, status="succeeded", reason=None)


def _attempted(doc: PaymentDocument, event: AuthorizationRequested) -> PaymentDocument:
    """The buyer tries to pay, or what is held is to be so for longer; a call that is only made
    again is nothing new."""
    if event.attempt < doc.attempts or any(map(_authorize(event.attempt), doc.calls)):
        return doc
    just_set_aside = event.attempt == doc.attempts and doc.credit is not None
    credit = doc.credit if just_set_aside or event.renews is not None else None
    change: dict[str, Any] = {
        "buyer_id": event.buyer_id,
        "amount": event.amount if credit is None else event.amount + credit,
        "credit": credit,
        **_status(doc, "requested", event.attempt),
    }
    if change["status"] == "requested":
        change["reason"] = None
    return doc.model_copy(update=change)


def _declined(doc: PaymentDocument, number: int, reason: str) -> PaymentDocument:
    doc = marked(doc, _authorize(number), status="failed", reason=reason)
    change = _status(doc, "declined", number)
    if change["status"] == "declined":
        change["reason"] = reason
    return doc.model_copy(update=change)


def _refunded(doc: PaymentDocument, event: PaymentRefunded) -> PaymentDocument:
    others = tuple(each for each in doc.refunds if each.refund_id != event.refund_id)
    refunds = (*others, RefundDocument(refund_id=event.refund_id, amount=event.amount))
    refunded = sum((each.amount for each in refunds), event.amount.zero())
    over = event.refund_id == CANCELLATION or refunded == doc.captured
    status: Status = "refunded" if over else "partially_refunded"
    if doc.status == "cancelling" and event.refund_id != CANCELLATION:
        status = "cancelling"
    doc = answered(doc, lambda call: call.refund_id == event.refund_id)
    return doc.model_copy(update={"refunds": refunds, "refunded": refunded, "status": status})


def _status(doc: PaymentDocument, to: Status, attempt: int) -> dict[str, Any]:
    """The status an attempt gives the payment, unless another one or a later event says more."""
    settled = doc.status in SETTLED or attempt < doc.attempts
    told = to == "authorized" and doc.status in ("requested", "action_required", "declined")
    return {
        "status": to if told or not settled else doc.status,
        "attempts": max(doc.attempts, attempt),
    }


def with_call(doc: PaymentDocument, asked: Asked) -> PaymentDocument:
    """The gateway is called, for the first time or once more under the same key."""
    call = CallDocument(
        key=asked.gateway_key,
        operation=asked.operation,
        attempt=asked.attempt,
        tries=asked.tries,
        amount=_amount(asked),
        refund_id=asked.refund_id if isinstance(asked, RefundRequested) else None,
    )
    known = any(each.key == call.key for each in doc.calls)
    calls = (call if each.key == call.key else each for each in doc.calls)
    return doc.model_copy(update={"calls": tuple(calls) if known else (*doc.calls, call)})


def _amount(asked: Asked) -> Money | None:
    return None if isinstance(asked, VoidRequested) else asked.amount


def answered(doc: PaymentDocument, which: Callable[[CallDocument], bool]) -> PaymentDocument:
    """What was to be done is done: by the call that waited for an answer, or else by the last one
    that was thought to have failed."""
    alike = [call for call in doc.calls if which(call)]
    waiting = [call for call in alike if call.status in ("requested", "unknown")]
    if not waiting and all(call.status == "failed" for call in alike):
        waiting = alike[-1:]
    keys = {call.key for call in waiting}
    return marked(doc, lambda call: call.key in keys, status="succeeded", reason=None)


def marked(
    doc: PaymentDocument, which: Callable[[CallDocument], bool], **change: Any
) -> PaymentDocument:
    """The document with some of its calls changed."""
    if not any(map(which, doc.calls)):
        return doc
    calls = (call.model_copy(update=change) if which(call) else call for call in doc.calls)
    return doc.model_copy(update={"calls": tuple(calls)})


def troubles(doc: PaymentDocument) -> Iterator[Trouble]:
    """What a person may have to look at: calls whose outcome nobody knows, and those that failed
    with nothing done about it since. A card that is declined is none."""
    for call in doc.calls:
        if call.status == "unknown":
            yield "unknown"
        if call.status == "failed" and call.operation != "authorize" and not _moot(doc, call):
            yield "failed"


def _moot(doc: PaymentDocument, failed: CallDocument) -> bool:
    """Whether what failed has been done by another call, is being done, or need not be any more."""
    if doc.status in ("voided", "refunded"):
        return True
    if failed.operation == "capture":
        return any(x.operation == "capture" and x.status != "failed" for x in doc.calls)
    return any(
        x.operation == failed.operation
        and x.status != "failed"
        and (x.attempt, x.refund_id) == (failed.attempt, failed.refund_id)
        for x in doc.calls
    )
