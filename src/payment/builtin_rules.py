"""What the built-in gateway says to a call, going by what its ledger has of the hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import TypeAdapter

from bus.messages import Money
from payment.contract import NextAction
from payment.gateway import (
    EXPIRED,
    ActionRequired,
    Approved,
    Declined,
    Operation,
    Outcome,
    Standing,
)

TIMEOUT, SLOW, UNAVAILABLE = "pm_fault_timeout", "pm_fault_slow", "pm_fault_unavailable"

GOOD = ("pm_card_visa", TIMEOUT, SLOW, UNAVAILABLE)

DECLINED = {
    "pm_card_chargeDeclined": "card_declined",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
}

ACTION = "pm_card_threeDSecure2Required"

TOKENS = frozenset((*GOOD, *DECLINED, ACTION))
"""Those of Stripe's test mode, and those that fail in known ways."""

APPROVED = Approved()

OUTCOMES: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, as it is asked. `authorization` is the hold that it is about."""

    key: str
    operation: Operation
    authorization: str
    amount: Money | None = None
    token: str | None = None
    reference: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What must be the same when the key comes again."""
        asked = {
            "operation": self.operation,
            "authorization": self.authorization,
            "amount": self.amount.model_dump() if self.amount else None,
            "token": named(self.token),
            "reference": self.reference,
        }
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Hold:
    """What the ledger has of an authorization: what was asked for, what came of it, and since.

    `captured` is `None` as long as nothing was taken; `refunds`, how often something was given
    back.
    """

    key: str
    outcome: Outcome
    amount: Money
    reference: str
    token: str
    at: datetime
    captured: int | None = None
    voided: bool = False
    refunds: int = 0
    refunded: int = 0

    def expired(self, now: datetime) -> bool:
        """Whether what was set aside is so no more."""
        until = self.outcome.capture_before if isinstance(self.outcome, Approved) else None
        return until is not None and now >= until


def named(token: str | None) -> str | None:
    """A token as the ledger keeps it: what is none of its own is nothing it should know."""
    return token if token is None or token in TOKENS else "unknown"


def judge(entry: Entry, hold: Hold | None, now: datetime, holds_for: timedelta) -> Outcome:
    """What a call leads to, unless another one is faster."""
    if entry.amount is not None and not entry.amount.amount:
        return Declined(reason="invalid_amount")
    if entry.operation == "authorize":
        return judge_token(entry, now + holds_for)
    if hold is None or isinstance(hold.outcome, Declined):
        return Declined(reason="nothing_held")
    if entry.amount is None:
        return Declined(reason="void_too_late") if hold.captured is not None else APPROVED
    if entry.amount.currency != hold.amount.currency:
        return Declined(reason="invalid_currency")
    if entry.operation == "capture":
        return judge_capture(entry.amount.amount, hold, now)
    return judge_refund(entry.amount.amount, hold)


def judge_token(entry: Entry, until: datetime) -> Outcome:
    """What a token stands for; any that Stripe's test mode does not have is no card."""
    if entry.token in GOOD:
        return Approved(authorization=entry.key, capture_before=until)
    if entry.token == ACTION:
        url = f"https://gateway.invalid/3d-secure/{entry.key}"
        action = NextAction(type="redirect", url=url)
        return ActionRequired(action=action, authorization=entry.key)
    return Declined(reason=DECLINED.get(entry.token or "", "invalid_payment_method"))


def judge_capture(amount: int, hold: Hold, now: datetime) -> Outcome:
    """What is held is taken once; what is not taken then is let go."""
    if isinstance(hold.outcome, ActionRequired):
        return Declined(reason="action_required")
    if hold.voided or hold.captured is not None:
        return Declined(reason="capture_too_late")
    if amount > hold.amount.amount:
        return Declined(reason="amount_too_large")
    return Declined(reason=EXPIRED) if hold.expired(now) else APPROVED


def judge_refund(amount: int, hold: Hold) -> Outcome:
    """What was taken is given back, at once or bit by bit, but never more than that."""
    if hold.captured is None:
        return Declined(reason="not_captured")
    if amount > hold.captured - hold.refunded:
        return Declined(reason="amount_too_large")
    return APPROVED


def written(entry: Entry, outcome: Outcome, hold: Hold | None, now: datetime) -> dict[str, Any]:
    """A call as the ledger keeps it. What `settles` a hold is there once for each, and so is each
    number of what `returns` something: so nothing is ever judged on what is no longer so."""
    document = {"_id": entry.key, **entry.request, "outcome": outcome.model_dump(), "at": now}
    if hold is None or outcome.type != "approved":
        return document
    if entry.operation == "refund":
        return document | {"returns": hold.key, "number": hold.refunds + 1}
    return document if hold.voided else document | {"settles": hold.key}


def holds_in(entries: Iterable[Mapping[str, Any]]) -> dict[str, Hold]:
    """The holds among these entries of the ledger, with what was done about each."""
    holds: dict[str, Hold] = {}
    later: list[Mapping[str, Any]] = []
    for entry in entries:
        if entry["operation"] != "authorize":
            later.append(entry)
            continue
        holds[entry["_id"]] = Hold(
            key=entry["_id"],
            outcome=OUTCOMES.validate_python(entry["outcome"]),
            amount=Money.model_validate(entry["amount"]),
            reference=entry["reference"],
            token=entry["token"],
            at=entry["at"],
        )
    for entry in later:
        if hold := holds.get(entry["authorization"]):
            holds[hold.key] = evolve(hold, entry)
    return holds


def evolve(hold: Hold, entry: Mapping[str, Any]) -> Hold:
    """A hold after something was done about it."""
    match entry["operation"]:
        case "capture":
            return replace(hold, captured=entry["amount"]["amount"])
        case "refund":
            refunded = hold.refunded + entry["amount"]["amount"]
            return replace(hold, refunds=hold.refunds + 1, refunded=refunded)
        case _:
            return replace(hold, voided=True)


def standing(hold: Hold, now: datetime) -> Standing:
    """How an authorization stands; one that was declined stands nowhere."""
    nothing = hold.amount.zero()
    captured = hold.amount.model_copy(update={"amount": hold.captured or 0})
    refunded = hold.amount.model_copy(update={"amount": hold.refunded})
    status = _status(hold, now)
    return Standing(
        authorization=hold.key,
        key=hold.key,
        reference=hold.reference,
        status=status,
        amount=hold.amount,
        held=hold.amount if status == "held" else nothing,
        captured=captured,
        refunded=refunded,
        at=hold.at,
    )


def _status(
    hold: Hold, now: datetime
) -> Literal["action_required", "held", "captured", "voided", "expired"]:
    if hold.captured is not None:
        return "captured"
    if hold.voided:
        return "voided"
    if isinstance(hold.outcome, ActionRequired):
        return "action_required"
    return "expired" if hold.expired(now) else "held"
