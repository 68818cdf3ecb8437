"""Two sets of books, the events and the gateway's ledger, say the same."""

import asyncio
from collections import Counter

import pytest

from payment.calls import RefundRequested, VoidRequested
from payment.contract import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from tests.payment.shop import Open
from tests.waiting import soon

pytestmark = pytest.mark.anyio


TOKENS = (
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_threeDSecure2Required",
    "pm_fault_timeout",
    "pm_fault_unavailable",
)


async def test_the_ledger_agrees_with_the_events(opened: Open) -> None:
    """Every card and fault; cancelled at once, later or never; captured or not: side by side."""
    plans = {f"{t}-{c}-{f}": t for t in range(5) for c in range(3) for f in range(2)}
    async with opened() as shop:

        async def live(payment_id: str) -> None:
            _, cancelled, captured = map(int, payment_id.split("-"))
            await shop.pay(payment_id, TOKENS[plans[payment_id]])
            if cancelled == 1:
                await shop.cancel(payment_id)
            else:
                done = PaymentAuthorized | PaymentDeclined | PaymentActionRequired
                first = await shop.happens(payment_id, done)  # type: ignore[arg-type]
                if captured and isinstance(first, PaymentAuthorized):
                    await shop.capture(payment_id)
                if cancelled == 2:
                    await shop.cancel(payment_id)
                elif captured and isinstance(first, PaymentAuthorized):
                    await shop.happens(payment_id, PaymentCaptured)
            if cancelled:
                ended = PaymentVoided | PaymentRefunded
                await shop.happens(payment_id, ended)  # type: ignore[arg-type]

        await soon(asyncio.gather(*map(live, plans)), within=60)
        histories = {each: Counter(map(type, await shop.events(each))) for each in plans}
        for payment_id, told in histories.items():
            key = f"{payment_id}:authorize:1"
            assert shop.ledger("capture", authorization=key) == told[PaymentCaptured]
            assert shop.ledger("refund", authorization=key) == told[PaymentRefunded]
            assert told[RefundRequested] == told[PaymentRefunded]
            assert shop.ledger("void", authorization=key) == told[VoidRequested]
            held = shop.ledger("authorize", _id=key) - sum(
                shop.ledger(each, authorization=key) for each in ("void", "capture")
            )
            if payment_id.split("-")[1] != "0":
                assert held <= 0
                assert told[PaymentVoided] + told[PaymentRefunded] == 1
                assert told[PaymentCaptured] == told[PaymentRefunded]
