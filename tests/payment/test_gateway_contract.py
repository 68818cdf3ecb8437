"""What every gateway keeps: one suite, run on each adapter.

localstripe is not among them: it ignores idempotency keys and lets refunds exceed captures, so what
it can show of Stripe's interface is in `test_stripe_local`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from bus.messages import Money
from payment.builtin import BuiltinGateway
from payment.gateway import (
    EXPIRED,
    ActionRequired,
    Approved,
    Declined,
    Gateway,
    KeyReused,
    Outcome,
    OutcomeUnknown,
    Standing,
)
from tests.payment.stripe_process.running import StripeProcess, stripe_process

pytestmark = pytest.mark.anyio

VISA = "pm_card_visa"


def euros(cents: int) -> Money:
    return Money(amount=cents, currency="EUR")


PRICE = euros(10_50)


@dataclass
class Desk:
    """A gateway, and what a test can have happen at it."""

    gateway: Gateway
    another: Gateway
    """The same one, as another process sees it."""
    expire: Callable[[str], None]
    lose: Callable[[], str]
    """Have the next authorization's answer get lost; the token to make it with."""

    def key(self) -> str:
        return f"p-{uuid4().hex}:authorize:1"

    async def authorize(self, key: str, token: str = VISA, amount: Money = PRICE) -> Outcome:
        return await self.gateway.authorize(key, amount, token, "o1")

    async def hold(self, token: str = VISA) -> str:
        """The gateway's own name of a new hold."""
        outcome = await self.authorize(self.key(), token)
        assert isinstance(outcome, Approved | ActionRequired)
        assert outcome.authorization
        return outcome.authorization

    async def taken(self, amount: Money = PRICE) -> str:
        """A hold of 10.50 of which so much has been captured."""
        hold = await self.hold()
        assert await self.gateway.capture(f"{hold}:c", hold, amount) == Approved()
        return hold

    async def standing(self, authorization: str) -> Standing:
        found = [x async for x in self.another.standings() if x.authorization == authorization]
        (standing,) = found
        return standing


@asynccontextmanager
async def builtin(database: Database[dict[str, Any]]) -> AsyncIterator[Desk]:
    def expire(authorization: str) -> None:
        database["gateway_ledger"].update_one(
            {"_id": authorization},
            {"$set": {"outcome.capture_before": datetime(2026, 1, 1, tzinfo=UTC)}},
        )

    yield Desk(
        BuiltinGateway(database, slow=0),
        BuiltinGateway(database, slow=0),
        expire,
        lambda: "pm_fault_timeout",
    )


@asynccontextmanager
async def stripe(process: StripeProcess) -> AsyncIterator[Desk]:
    def lose() -> str:
        process.mood(next=["lose"])
        return VISA

    gateway, another = process.gateway(timeout=10.0), process.gateway(timeout=10.0)
    yield Desk(gateway, another, process.expire, lose)
    await gateway.close()
    await another.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeProcess]:
    with stripe_process(tmp_path_factory.mktemp("stripe")) as running:
        yield running


@pytest.fixture(scope="module")
def ledger(mongo: MongoClient[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    database = mongo[f"test{uuid4().hex[:12]}_payment"]
    yield database
    mongo.drop_database(database)


@pytest.fixture(params=["builtin", "stripe"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    adapters: dict[str, Callable[[], AbstractAsyncContextManager[Desk]]] = {
        "builtin": lambda: builtin(request.getfixturevalue("ledger")),
        "stripe": lambda: stripe(request.getfixturevalue("process")),
    }
    async with adapters[request.param]() as opened:
        yield opened


def declined(outcome: Outcome) -> bool:
    return isinstance(outcome, Declined)


async def test_a_hold_is_named_and_says_how_long_it_lasts(desk: Desk) -> None:
    outcome = await desk.authorize(desk.key())
    assert isinstance(outcome, Approved)
    assert outcome.authorization
    assert outcome.capture_before
    assert outcome.capture_before - datetime.now(UTC) > timedelta(days=1)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_mastercrad", "invalid_payment_method"),
    ],
)
async def test_a_declined_card_is_declined_again_under_its_key(
    desk: Desk, token: str, reason: str
) -> None:
    key = desk.key()
    for gateway in (desk.gateway, desk.another, desk.gateway):
        assert await gateway.authorize(key, PRICE, token, "o1") == Declined(reason=reason)


async def test_a_repeated_call_answers_what_the_first_led_to(desk: Desk) -> None:
    key = desk.key()
    outcome = await desk.authorize(key)
    assert isinstance(outcome, Approved)
    hold = outcome.authorization or ""
    for gateway in (desk.gateway, desk.another):
        assert await gateway.authorize(key, PRICE, VISA, "o1") == outcome
        assert await gateway.capture(f"{key}:c", hold, euros(8_00)) == Approved()
        assert await gateway.refund(f"{key}:r", hold, euros(5_00)) == Approved()
    standing = await desk.standing(hold)
    assert (standing.captured, standing.refunded) == (euros(8_00), euros(5_00))


async def test_twins_at_two_processes_hold_once(desk: Desk) -> None:
    keys = [desk.key() for _ in range(5)]

    async def insist(gateway: Gateway, key: str) -> Outcome:
        while True:
            try:
                return await gateway.authorize(key, PRICE, VISA, "o1")
            except OutcomeUnknown:
                continue  # its twin is under way: Stripe answers 409 to the second

    twins = [insist(each, key) for key in keys for each in (desk.gateway, desk.another)]
    names = {outcome.authorization for outcome in await asyncio.gather(*twins)}  # type: ignore[union-attr]
    assert len(names) == len(keys)
    found = [x async for x in desk.gateway.standings() if x.key in keys]
    assert sorted(x.key for x in found) == sorted(keys)
    assert {x.held for x in found} == {PRICE}


async def test_a_key_names_one_call(desk: Desk) -> None:
    key = desk.key()
    first = await desk.authorize(key)
    with pytest.raises(KeyReused):
        await desk.authorize(key, amount=euros(10_51))
    assert await desk.authorize(key) == first


async def test_a_lost_answer_is_unknown_and_the_same_key_tells_it(desk: Desk) -> None:
    key = desk.key()
    token = desk.lose()
    with pytest.raises(OutcomeUnknown):
        await desk.authorize(key, token)
    found = await desk.another.look_up("authorize", key, None)
    assert isinstance(found, Approved)
    again = await desk.authorize(key, token)
    assert isinstance(again, Approved)
    assert again.authorization == found.authorization
    assert [x.held async for x in desk.gateway.standings() if x.key == key] == [PRICE]


async def test_calls_are_looked_up_by_their_keys(desk: Desk) -> None:
    key = desk.key()
    outcome = await desk.authorize(key)
    assert isinstance(outcome, Approved)
    hold = outcome.authorization or ""
    assert await desk.another.look_up("authorize", key, None) == outcome
    assert await desk.another.look_up("capture", f"{key}:c", hold) is None
    await desk.gateway.capture(f"{key}:c", hold, PRICE)
    assert await desk.another.look_up("capture", f"{key}:c", hold) == Approved()
    assert await desk.another.look_up("refund", f"{key}:r", hold) is None
    await desk.gateway.refund(f"{key}:r", hold, PRICE)
    assert await desk.another.look_up("refund", f"{key}:r", hold) == Approved()


async def test_a_call_nobody_made_is_unknown(desk: Desk) -> None:
    assert await desk.gateway.look_up("authorize", desk.key(), None) is None


async def test_a_part_is_captured_once_and_the_rest_let_go(desk: Desk) -> None:
    hold = await desk.taken(euros(4_00))
    assert declined(await desk.gateway.capture(f"{hold}:c2", hold, euros(1_00)))
    standing = await desk.standing(hold)
    assert (standing.status, standing.amount) == ("captured", PRICE)
    assert (standing.held, standing.captured) == (euros(0), euros(4_00))


async def test_no_more_is_captured_than_is_held(desk: Desk) -> None:
    hold = await desk.hold()
    assert declined(await desk.gateway.capture(f"{hold}:c", hold, euros(10_51)))
    assert await desk.gateway.capture(f"{hold}:c2", hold, PRICE) == Approved()


async def test_what_is_let_go_is_not_captured(desk: Desk) -> None:
    hold = await desk.hold()
    assert await desk.gateway.void(f"{hold}:v", hold) == Approved()
    assert declined(await desk.gateway.capture(f"{hold}:c", hold, PRICE))
    assert await desk.gateway.void(f"{hold}:v2", hold) == Approved()
    standing = await desk.standing(hold)
    assert (standing.status, standing.held) == ("voided", euros(0))


async def test_what_is_captured_is_not_let_go(desk: Desk) -> None:
    hold = await desk.taken()
    assert declined(await desk.gateway.void(f"{hold}:v", hold))
    standing = await desk.standing(hold)
    assert standing.captured == PRICE


async def test_capture_and_void_at_once_have_one_winner(desk: Desk) -> None:
    for _ in range(3):
        hold = await desk.hold()
        outcomes = await asyncio.gather(
            desk.gateway.capture(f"{hold}:c", hold, PRICE),
            desk.another.void(f"{hold}:v", hold),
        )
        assert [outcome.type for outcome in outcomes].count("approved") == 1


async def test_refunds_bit_by_bit_never_exceed_what_was_captured(desk: Desk) -> None:
    hold = await desk.taken(euros(8_00))
    assert await desk.gateway.refund(f"{hold}:r1", hold, euros(3_00)) == Approved()
    assert declined(await desk.gateway.refund(f"{hold}:r2", hold, euros(5_01)))
    assert await desk.gateway.refund(f"{hold}:r3", hold, euros(5_00)) == Approved()
    assert declined(await desk.gateway.refund(f"{hold}:r4", hold, euros(1)))
    standing = await desk.standing(hold)
    assert standing.refunded == euros(8_00)


async def test_refunds_at_once_from_two_processes_never_exceed_it(desk: Desk) -> None:
    hold = await desk.taken()
    outcomes = await asyncio.gather(
        *(
            gateway.refund(f"{hold}:{number}:{number_of}", hold, euros(2_00))
            for number in range(5)
            for number_of, gateway in enumerate((desk.gateway, desk.another))
        )
    )
    assert [outcome.type for outcome in outcomes].count("approved") == 5
    standing = await desk.standing(hold)
    assert standing.refunded == euros(10_00)


async def test_what_was_not_captured_is_not_refunded(desk: Desk) -> None:
    hold = await desk.hold()
    assert declined(await desk.gateway.refund(f"{hold}:r", hold, PRICE))


async def test_a_hold_that_has_run_out_is_not_captured_and_may_be_let_go(desk: Desk) -> None:
    hold = await desk.hold()
    desk.expire(hold)
    outcome = await desk.gateway.capture(f"{hold}:c", hold, PRICE)
    assert outcome == Declined(reason=EXPIRED)
    standing = await desk.standing(hold)
    assert (standing.status, standing.held) == ("expired", euros(0))
    assert await desk.gateway.void(f"{hold}:v", hold) == Approved()


async def test_3d_secure_sends_the_buyer_to_the_bank_and_holds_nothing(desk: Desk) -> None:
    outcome = await desk.authorize(desk.key(), "pm_card_threeDSecure2Required")
    assert isinstance(outcome, ActionRequired)
    hold = outcome.authorization or ""
    assert outcome.action.url.startswith("http")
    assert declined(await desk.gateway.capture(f"{hold}:c", hold, PRICE))
    standing = await desk.standing(hold)
    assert (standing.status, standing.held) == ("action_required", euros(0))
    assert await desk.gateway.void(f"{hold}:v", hold) == Approved()


async def test_nothing_is_taken_where_nothing_is_held(desk: Desk) -> None:
    for call in (
        desk.gateway.capture(f"{desk.key()}:c", "pi_nobody", PRICE),
        desk.gateway.void(f"{desk.key()}:v", "pi_nobody"),
        desk.gateway.refund(f"{desk.key()}:r", "pi_nobody", PRICE),
    ):
        assert declined(await call)


async def test_nothing_is_not_an_amount(desk: Desk) -> None:
    assert declined(await desk.authorize(desk.key(), amount=euros(0)))
    hold = await desk.taken()
    assert declined(await desk.gateway.refund(f"{hold}:r0", hold, euros(0)))


async def test_standings_are_those_since_a_moment(desk: Desk) -> None:
    hold = await desk.hold()
    standing = await desk.standing(hold)
    assert (standing.reference, standing.status, standing.held) == ("o1", "held", PRICE)
    later = [x async for x in desk.gateway.standings(datetime.now(UTC) + timedelta(days=1))]
    assert later == []
    before = [x.key async for x in desk.gateway.standings(datetime.now(UTC) - timedelta(days=1))]
    assert standing.key in before
