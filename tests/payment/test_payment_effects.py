"""The reader that calls the gateway, on a real bus and MongoDB: charged once, whatever fails."""

import asyncio
from typing import Any

import pytest
from pymongo.database import Database

from bus.messages import Money
from bus.transport import InProcess, Loopback
from payment.builtin import BuiltinGateway
from payment.contract import (
    Means,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from payment.gateway import Approved, Declined, Outcome, OutcomeUnknown
from payment.payment import AuthorizationRequested
from tests.payment.shop import PRICE, Open
from tests.waiting import eventually, soon

pytestmark = pytest.mark.anyio


class Faulty(BuiltinGateway):
    """The built-in gateway, with something between it and us."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        super().__init__(database)
        self.executed = asyncio.Event()
        self.answers = asyncio.Event()
        self.calls = 0

    async def authorize(self, key: str, amount: Money, means: Means, reference: str) -> Outcome:
        self.calls += 1
        outcome = await super().authorize(key, amount, means, reference)
        self.executed.set()
        return await self.answer(outcome)

    async def answer(self, outcome: Outcome) -> Outcome:
        """What comes through; nothing, until `answers` is set."""
        await self.answers.wait()
        return outcome


@pytest.mark.parametrize("transport", [InProcess, Loopback])
async def test_a_card_is_authorized_captured_and_refunded(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport) as shop:
        await shop.pay("p1")
        told = await shop.happens("p1", PaymentAuthorized)
        assert (told.reference, told.attempt, told.amount) == ("order-p1", 1, PRICE)
        await shop.capture("p1")
        await shop.happens("p1", PaymentCaptured)
        await shop.cancel("p1")
        await shop.happens("p1", PaymentRefunded)
        assert [shop.ledger(each) for each in ("authorize", "capture", "refund", "void")] == [
            1,
            1,
            1,
            0,
        ]


async def test_a_decline_is_told_with_the_gateways_reason(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", "pm_card_chargeDeclinedInsufficientFunds")
        assert (await shop.happens("p1", PaymentDeclined)).reason == "insufficient_funds"
        await shop.pay("p1", attempt=2)
        assert (await shop.happens("p1", PaymentAuthorized)).attempt == 2


async def test_store_credit_is_declined_and_no_gateway_is_asked(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", method="store_credit")
        assert (await shop.happens("p1", PaymentDeclined)).reason == "store_credit_unavailable"
        assert len(await shop.events("p1")) == 1


async def test_after_3d_secure_the_buyer_pays_again(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", "pm_card_threeDSecure2Required")
        assert (await shop.happens("p1", PaymentActionRequired)).action.url
        await shop.pay("p1", attempt=2)
        assert (await shop.happens("p1", PaymentAuthorized)).attempt == 2
        await shop.cancel("p1")
        await shop.happens("p1", PaymentVoided)
        assert shop.ledger("void") == 2


async def test_a_timeout_charges_once(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", "pm_fault_timeout")
        await shop.happens("p1", PaymentAuthorized)
        assert shop.ledger("authorize") == 1


async def test_an_outage_is_sat_out(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", "pm_fault_unavailable")
        await shop.happens("p1", PaymentAuthorized)
        assert shop.ledger("authorize") == 1
        assert shop.parked() == []


async def test_a_failure_between_the_call_and_its_record_charges_once(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class Crashing(Faulty):
        async def answer(self, outcome: Outcome) -> Outcome:
            if self.calls == 1:
                raise RuntimeError("killed right after the gateway had done it")
            return outcome

    gateway = Crashing(database)
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        assert gateway.calls == 2
        assert shop.ledger("authorize") == 1


async def test_a_process_that_ends_between_the_call_and_its_record_charges_once(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    silent = Faulty(database)
    async with opened(silent) as shop:
        await shop.pay("p1")
        await soon(silent.executed.wait())
    async with opened() as shop:
        await shop.happens("p1", PaymentAuthorized)
        assert shop.ledger("authorize") == 1
        asked = [each for each in await shop.events("p1") if type(each) is AuthorizationRequested]
        assert len(asked) == 1


async def test_a_late_authorization_of_a_cancelled_payment_is_voided(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    gateway = Faulty(database)
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await soon(gateway.executed.wait())
        await shop.cancel("p1")
        gateway.answers.set()
        await shop.happens("p1", PaymentVoided)
        assert shop.ledger("void", settles="p1:authorize:1") == 1
        assert PaymentAuthorized not in map(type, await shop.events("p1"))


async def test_a_payment_cancelled_before_it_was_asked_for_is_never_asked_for(
    opened: Open,
) -> None:
    async with opened() as shop:
        await shop.cancel("p1")
        await shop.pay("p1")
        await shop.pay("p2")
        await shop.happens("p2", PaymentAuthorized)
        assert list(map(type, await shop.events("p1"))) == [PaymentVoided]
        assert shop.ledger("authorize") == 1


async def test_an_answer_that_never_comes_is_looked_up(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class Mute(Faulty):
        async def answer(self, outcome: Outcome) -> Outcome:
            raise OutcomeUnknown("no answer")

    gateway = Mute(database)
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        assert gateway.calls == 2


async def test_what_nobody_can_say_waits_for_a_person(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class Lost(Faulty):
        async def authorize(self, key: str, amount: Money, means: Means, reference: str) -> Outcome:
            if key.startswith("p1"):
                raise OutcomeUnknown("no answer")
            return Approved()

    async with opened(Lost(database), attempts=2) as shop:
        await shop.pay("p1")
        await shop.pay("p2")
        (parked,) = await eventually(shop.parked)
        assert parked["stream"] == "payment-p1"
        assert "does not know it" in parked["error"]
        await shop.happens("p2", PaymentAuthorized)


async def test_a_capture_that_the_gateway_refuses_waits_for_a_person(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class Expired(BuiltinGateway):
        async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
            return Declined(reason="authorization_expired")

    async with opened(Expired(database), attempts=2) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        await shop.capture("p1")
        (parked,) = await eventually(shop.parked)
        assert "authorization_expired" in parked["error"]
        assert PaymentCaptured not in map(type, await shop.events("p1"))
