"""The calls of the gateway: an intent in, a call under its key, a command that records the answer.

The reader `payment.gateway` sees every intent at least once, so every call may be repeated; its key
makes that harmless for as long as the gateway remembers it, and what is older is looked up first.
A gateway that is away is asked again for as long as it takes. An answer that is lost is asked for
again under the same key, then looked up; when nobody can say what happened, that is recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import now
from payment.calls import (
    Asked,
    AuthorizationRequested,
    CaptureRequested,
    RefundRequested,
    VoidRequested,
    gateway_key,
)
from payment.commands import Answer, RecordOutcome, Unknown
from payment.gateway import Approved, Declined, Gateway, Operation, Outcome, OutcomeUnknown

READER = "payment.gateway"

TRIES = 2
"""How often a call is made before its outcome is looked up."""

SUPERSEDED = "earlier_attempt_authorized"
"""Why an attempt was not made: its buyer had seen to the one before."""


class Effects:
    """What the reader does with each intent."""

    def __init__(self, gateway: Gateway, bus: Bus) -> None:
        self._gateway = gateway
        self._bus = bus

    async def authorize(self, asked: AuthorizationRequested, envelope: Envelope[Any]) -> None:
        """Have the money set aside, unless the buyer has seen to the attempt that waited."""
        earlier = asked.instead_of
        if earlier is not None:
            key = gateway_key(asked.payment_id, "authorize", earlier)
            found = await self._look_up("authorize", key)
            if isinstance(found, Approved):
                await self._record(asked, key, found, envelope, 1)
                found = Declined(reason=SUPERSEDED)
                await self._record(asked, asked.gateway_key, found, envelope, 0)
                return
            if isinstance(found, Unknown):
                await self._record(asked, asked.gateway_key, found, envelope, 0)
                return
        await self.call(asked, envelope)

    async def call(self, asked: Asked, envelope: Envelope[Any]) -> None:
        """Make the call and record what came of it."""
        await self._record(asked, asked.gateway_key, await self._outcome(asked), envelope, 0)

    async def _outcome(self, asked: Asked) -> Answer:
        """The outcome of a call, however often it takes to hear it."""
        authorization = getattr(asked, "authorization", None)
        if asked.at is not None and now() - asked.at > self._gateway.remembers:
            found = await self._look_up(asked.operation, asked.gateway_key, authorization)
            if found is not None:
                return found
        make = self._made(asked)
        for _ in range(TRIES):
            try:
                return await make()
            except OutcomeUnknown:
                continue  # the same key: it is done once
        found = await self._look_up(asked.operation, asked.gateway_key, authorization)
        return Unknown() if found is None else found

    def _made(self, asked: Asked) -> Callable[[], Awaitable[Outcome]]:
        gateway, key = self._gateway, asked.gateway_key
        match asked:
            case AuthorizationRequested(amount=amount, means=means, reference=reference):
                return lambda: gateway.authorize(key, amount, means.token or "", reference)
            case CaptureRequested(authorization=authorization, amount=amount):
                return lambda: gateway.capture(key, authorization, amount)
            case VoidRequested(authorization=authorization):
                return lambda: gateway.void(key, authorization)
            case RefundRequested(authorization=authorization, amount=amount):
                return lambda: gateway.refund(key, authorization, amount)
            case _:
                assert_never(asked)

    async def _look_up(
        self, operation: Operation, key: str, authorization: str | None = None
    ) -> Answer | None:
        """What a call led to; `None` when there was none."""
        try:
            return await self._gateway.look_up(operation, key, authorization)
        except OutcomeUnknown:
            return Unknown()

    async def _record(
        self, asked: Asked, key: str, answer: Answer, envelope: Envelope[Any], index: int
    ) -> None:
        told = RecordOutcome(payment_id=asked.payment_id, gateway_key=key, outcome=answer)
        await self._bus.deliver(envelope.leads_to(told, READER, index))
