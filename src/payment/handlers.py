"""What each command to payment does: one decision on one payment's stream."""

from __future__ import annotations

from typing import Any

from bus.envelope import Envelope
from bus.streams import Kind, Streams
from payment import rules
from payment.commands import RecordAuthorization, RecordCapture, RecordRefund, RecordVoid
from payment.contract import AuthorizePayment, CancelPayment, CapturePayment
from payment.payment import evolve

payments = Kind("payment", evolve)


class Handlers:
    """The handlers of payment's commands, on its streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def authorize(self, asked: AuthorizePayment, envelope: Envelope[Any]) -> None:
        """Have money set aside."""
        await self._streams.decide(
            payments(asked.payment_id),
            lambda payment: rules.authorize(payment, asked),
            envelope,
            new=asked.attempt == 1,
        )

    async def capture(self, asked: CapturePayment, envelope: Envelope[Any]) -> None:
        """Have it taken."""
        await self._streams.decide(
            payments(asked.payment_id),
            lambda payment: rules.capture(payment, asked.payment_id),
            envelope,
        )

    async def cancel(self, asked: CancelPayment, envelope: Envelope[Any]) -> None:
        """Have it given back."""
        await self._streams.decide(
            payments(asked.payment_id), lambda payment: rules.cancel(payment, asked), envelope
        )

    async def record_authorization(
        self, told: RecordAuthorization, envelope: Envelope[Any]
    ) -> None:
        """Keep what became of an attempt."""
        await self._streams.decide(
            payments(told.payment_id),
            lambda payment: rules.record_authorization(
                payment, told.payment_id, told.attempt, told.outcome
            ),
            envelope,
        )

    async def record_capture(self, told: RecordCapture, envelope: Envelope[Any]) -> None:
        """Keep that the money is ours."""
        await self._streams.decide(
            payments(told.payment_id),
            lambda payment: rules.record_capture(payment, told.payment_id),
            envelope,
        )

    async def record_void(self, told: RecordVoid, envelope: Envelope[Any]) -> None:
        """Keep that an attempt holds nothing."""
        await self._streams.decide(
            payments(told.payment_id),
            lambda payment: rules.record_void(payment, told.payment_id, told.attempt),
            envelope,
        )

    async def record_refund(self, told: RecordRefund, envelope: Envelope[Any]) -> None:
        """Keep that the money is the buyer's again."""
        await self._streams.decide(
            payments(told.payment_id),
            lambda payment: rules.record_refund(payment, told.payment_id),
            envelope,
        )
