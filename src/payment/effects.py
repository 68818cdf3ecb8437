"""The calls of the gateway: an intent in, a call under its key, a command that records the answer.

The reader `payment.gateway` sees every intent at least once, so every call may be repeated; its key
makes that harmless. A gateway that is away is asked again for as long as it takes. An answer that
is lost is asked for again under the same key, then looked up; when nobody can say what happened,
the payment is parked for a person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Command
from payment.commands import RecordAuthorization, RecordCapture, RecordRefund, RecordVoid
from payment.gateway import Approved, Gateway, Outcome, OutcomeUnknown
from payment.payment import (
    AuthorizationRequested,
    CaptureRequested,
    RefundRequested,
    VoidRequested,
)

READER = "payment.gateway"

TRIES = 2
"""How often a call is made before its outcome is looked up."""


class GatewayRefused(Exception):
    """The gateway says no to what it had agreed to: a person has to look at this payment."""


class Effects:
    """What the reader does with each intent."""

    def __init__(self, gateway: Gateway, bus: Bus) -> None:
        self._gateway = gateway
        self._bus = bus

    async def authorize(self, asked: AuthorizationRequested, envelope: Envelope[Any]) -> None:
        """Have the money set aside."""
        key = asked.gateway_key
        outcome = await self._call(
            key, lambda: self._gateway.authorize(key, asked.amount, asked.means, asked.reference)
        )
        told = RecordAuthorization(
            payment_id=asked.payment_id, attempt=asked.attempt, outcome=outcome
        )
        await self._record(told, envelope)

    async def capture(self, asked: CaptureRequested, envelope: Envelope[Any]) -> None:
        """Have it taken."""
        key = asked.gateway_key
        await self._insist(
            key, lambda: self._gateway.capture(key, asked.authorization, asked.amount)
        )
        await self._record(RecordCapture(payment_id=asked.payment_id), envelope)

    async def void(self, asked: VoidRequested, envelope: Envelope[Any]) -> None:
        """Have it let go."""
        key = asked.gateway_key
        await self._insist(key, lambda: self._gateway.void(key, asked.authorization))
        await self._record(RecordVoid(payment_id=asked.payment_id, attempt=asked.attempt), envelope)

    async def refund(self, asked: RefundRequested, envelope: Envelope[Any]) -> None:
        """Have it given back."""
        key = asked.gateway_key
        await self._insist(
            key, lambda: self._gateway.refund(key, asked.authorization, asked.amount)
        )
        await self._record(RecordRefund(payment_id=asked.payment_id), envelope)

    async def _call(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of a call, however often it takes to hear it."""
        for _ in range(TRIES):
            try:
                return await call()
            except OutcomeUnknown:
                continue  # the same key: it is done once
        outcome = await self._gateway.look_up(key)
        if outcome is None:
            raise OutcomeUnknown(f"the gateway gave no answer to {key} and does not know it")
        return outcome

    async def _insist(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> None:
        """Have something done that the gateway has no reason to decline."""
        outcome = await self._call(key, call)
        if not isinstance(outcome, Approved):
            raise GatewayRefused(
                f"the gateway answered {outcome} to {key}: compare the payment with the gateway's"
                " own books, then retry or skip it"
            )

    async def _record(self, told: Command[None], envelope: Envelope[Any]) -> None:
        await self._bus.deliver(envelope.leads_to(told, READER, 0))
