"""The reader that calls the gateway, on a real bus and MongoDB: charged once, whatever fails."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bus.messages import Event, Money, Refused
from bus.transport import InProcess, Loopback
from payment import answers
from payment.builtin import BuiltinGateway
from payment.calls import AuthorizationRequested, CallFailed
from payment.calls import OutcomeUnknown as NobodyKnows
from payment.commands import AskAgain
from payment.contract import (
    CapturePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundPayment,
)
from payment.gateway import Approved, Declined, Operation, Outcome, OutcomeUnknown
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

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        self.calls += 1
        outcome = await super().authorize(key, amount, token, reference)
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


async def test_credit_that_nobody_has_is_declined_and_no_gateway_is_asked(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", method="store_credit")
        assert (await shop.happens("p1", PaymentDeclined)).reason == "insufficient_credit"
        assert len(await shop.events("p1")) == 1


async def test_parts_of_what_was_taken_are_refunded(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        await shop.capture("p1", 8_00)
        await shop.happens("p1", PaymentCaptured)
        await asyncio.gather(shop.refund("p1", 3_00), shop.refund("p1", 3_00))
        await shop.refund("p1", 5_00, "ret_2")
        with pytest.raises(Refused):
            await shop.refund("p1", 1, "ret_3")

        async def both() -> bool:
            told = [each for each in await shop.events("p1") if isinstance(each, PaymentRefunded)]
            return sorted(each.amount.amount for each in told) == [3_00, 5_00]

        done: bool = await eventually(both)
        assert done
        assert shop.ledger("refund") == 2


@pytest.mark.parametrize(
    "amount", [Money(amount=1, currency="USD"), Money(amount=0, currency="EUR")]
)
async def test_foreign_money_and_none_at_all_are_refused(opened: Open, amount: Money) -> None:
    async with opened() as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        told = await shop.events("p1")
        for command in (
            CapturePayment(payment_id="p1", amount=amount),
            RefundPayment(payment_id="p1", refund_id="r", amount=amount),
        ):
            with pytest.raises(Refused):
                await shop.bus.send(command)
        assert await shop.events("p1") == told


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


class Lost(Faulty):
    """The answers about `p1` get lost, and nobody knows, until the line is `mended`."""

    mended = False

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        if key.startswith("p1") and not self.mended:
            raise OutcomeUnknown("no answer")
        return await BuiltinGateway.authorize(self, key, amount, token, reference)


async def test_what_nobody_can_say_holds_up_nobody_and_is_asked_again(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    gateway = Lost(database)
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.pay("p2")
        told = await shop.happens("p1", NobodyKnows)
        assert (told.gateway_key, told.tries) == ("p1:authorize:1", 1)
        await shop.happens("p2", PaymentAuthorized)
        gateway.mended = True
        await shop.bus.send(AskAgain(payment_id="p1"))
        await shop.happens("p1", PaymentAuthorized)
        assert shop.ledger("authorize", _id="p1:authorize:1") == 1
        assert shop.parked() == []


async def test_a_timer_asks_again(
    opened: Open, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PAUSES", (timedelta(0),))
    gateway = Lost(database)
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.happens("p1", NobodyKnows)
        gateway.mended = True
        await shop.happens("p1", PaymentAuthorized)


async def test_what_the_gateway_has_forgotten_is_looked_up_before_it_is_asked_again(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    """It was done, the process died for longer than the gateway remembers keys, and woke up."""

    class Forgetful(Faulty):
        remembers = timedelta(0)

        async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
            self.calls += 1
            return await BuiltinGateway.authorize(self, key, amount, token, reference)

    gateway = Forgetful(database)
    key = "p1:authorize:1"
    await BuiltinGateway(database).authorize(key, PRICE, "pm_card_visa", "order-p1")
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        assert gateway.calls == 0
        await shop.pay("p2")
        await shop.happens("p2", PaymentAuthorized)
        assert gateway.calls == 1


async def test_who_pays_again_having_seen_to_it_is_not_asked_for_more(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class SeenTo(Faulty):
        async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
            self.calls += 1
            return await BuiltinGateway.authorize(self, key, amount, token, reference)

        async def look_up(
            self, operation: Operation, key: str, authorization: str | None
        ) -> Outcome | None:
            return Approved(authorization=key)

    gateway = SeenTo(database)
    async with opened(gateway) as shop:
        await shop.pay("p1", "pm_card_threeDSecure2Required")
        await shop.happens("p1", PaymentActionRequired)
        await shop.pay("p1", attempt=2)
        assert (await shop.happens("p1", PaymentAuthorized)).attempt == 1
        assert (await shop.happens("p1", PaymentDeclined)).attempt == 2
        assert gateway.calls == 1


async def test_a_capture_that_the_gateway_refuses_waits_for_a_person(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    class Refusing(BuiltinGateway):
        async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
            if key.endswith(".2"):
                return await super().capture(key, authorization, amount)
            return Declined(reason="processing_error")

    async with opened(Refusing(database)) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        await shop.capture("p1")
        assert (await shop.happens("p1", CallFailed)).reason == "processing_error"
        await shop.bus.send(AskAgain(payment_id="p1"))
        await shop.happens("p1", PaymentCaptured)
        assert shop.ledger("capture") == 1


async def test_a_hold_that_runs_out_is_renewed_and_then_taken(
    opened: Open, database: Database[dict[str, Any]]
) -> None:
    """Its time is up before anybody asks: by the timer, it stands anew."""
    gateway = BuiltinGateway(database, holds_for=timedelta(milliseconds=700))
    async with opened(gateway) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)

        async def renewed() -> list[Event]:
            told = await shop.events("p1")
            return [x for x in told if isinstance(x, PaymentAuthorized) and x.attempt > 1]

        found: list[Event] = await eventually(renewed)
        assert found
        await shop.capture("p1")
        await shop.happens("p1", PaymentCaptured)
        assert shop.ledger("capture") == 1
