"""A gateway with books of its own. It takes the money as often as it is asked to under another key:
that nobody asks twice is the shop's to see to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from bus.messages import Money
from payment.contract import NextAction
from payment.gateway import (
    EXPIRED,
    ActionRequired,
    Approved,
    Declined,
    GatewayUnavailable,
    Operation,
    Outcome,
    OutcomeUnknown,
)

Fate = Literal["answered", "lost", "unheard", "away", "declined"]
"""What becomes of one call: `lost` is done and its answer never comes, `unheard` is not done and
nobody knows."""

WEEK = timedelta(days=7)
ACTION = NextAction(type="redirect", url="https://bank.example/3ds")


@dataclass
class Hold:
    """Money set aside under a name; amounts in minor units."""

    name: str
    key: str
    reference: str
    amount: int
    until: datetime
    status: Literal["open", "held", "captured", "voided"] = "held"
    captures: int = 0
    captured: int = 0
    refunded: int = 0


class Bank:
    """`payment.gateway.Gateway`; `fates` says what becomes of the next calls."""

    name = "model"
    remembers = timedelta(hours=24)

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.fates: deque[Fate] = deque()
        self.holds: dict[str, Hold] = {}
        self._clock = clock
        self._outcomes: dict[str, tuple[Outcome, datetime]] = {}
        self._requests: dict[str, tuple[object, ...]] = {}

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        """Set money aside."""

        def do() -> Outcome:
            if token == "declined":
                return Declined(reason="card_declined")
            name = f"hold-{len(self.holds) + 1}"
            hold = Hold(name, key, reference, amount.amount, self._clock() + WEEK)
            self.holds[name] = hold
            if token == "asks":
                hold.status = "open"
                return ActionRequired(action=ACTION, authorization=name)
            return Approved(authorization=name, capture_before=hold.until)

        return self._call(key, do, amount.amount, token, reference)

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take it."""

        def do() -> Outcome:
            hold = self._hold(authorization)
            if hold is None or hold.status not in ("held", "captured"):
                return Declined(reason="nothing_held")
            if hold.status == "held" and self._clock() > hold.until:
                return Declined(reason=EXPIRED)
            hold.status = "captured"
            hold.captures += 1
            hold.captured += amount.amount
            return Approved()

        return self._call(key, do, authorization, amount.amount)

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of it."""

        def do() -> Outcome:
            hold = self._hold(authorization)
            if hold is None or hold.status == "captured":
                return Declined(reason="nothing_held")
            hold.status = "voided"
            return Approved()

        return self._call(key, do, authorization)

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give it back."""

        def do() -> Outcome:
            hold = self._hold(authorization)
            if hold is None or hold.status != "captured":
                return Declined(reason="nothing_taken")
            hold.refunded += amount.amount
            return Approved()

        return self._call(key, do, authorization, amount.amount)

    async def look_up(
        self, operation: Operation, key: str, authorization: str | None
    ) -> Outcome | None:
        """What a call led to."""
        fate = self.fates.popleft() if self.fates else "answered"
        if fate == "away":
            raise GatewayUnavailable("the bank is closed")
        if fate in ("lost", "unheard"):
            raise OutcomeUnknown(key)
        return self._outcomes[key][0] if key in self._outcomes else None

    def confirm(self, hold: Hold) -> None:
        """The buyer has done what was asked for."""
        hold.status = "held"
        done = Approved(authorization=hold.name, capture_before=hold.until)
        self._outcomes[hold.key] = (done, self._outcomes[hold.key][1])

    def of(self, reference: str) -> list[Hold]:
        """All that was ever set aside for an order."""
        return [hold for hold in self.holds.values() if hold.reference == reference]

    def _hold(self, name: str) -> Hold | None:
        by_key = {hold.key: hold for hold in self.holds.values()}
        return self.holds.get(name) or by_key.get(name)

    def _call(self, key: str, do: Callable[[], Outcome], *request: Any) -> Outcome:
        assert self._requests.setdefault(key, request) == request, f"{key} names two calls"
        fate = self.fates.popleft() if self.fates else "answered"
        if fate == "away":
            raise GatewayUnavailable("the bank is closed")
        if fate == "unheard":
            raise OutcomeUnknown(key)
        known = self._outcomes.get(key)
        if known is None or self._clock() - known[1] > self.remembers:
            outcome = Declined(reason="processing_error") if fate == "declined" else do()
            self._outcomes[key] = known = (outcome, self._clock())
        if fate == "lost":
            raise OutcomeUnknown(key)
        return known[0]
