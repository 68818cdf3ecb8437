"""The built-in gateway on a real MongoDB: its cards and faults, and how it keeps its ledger. What
it shares with other gateways is in `test_gateway_contract`."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from bus.messages import Money
from payment.builtin import BuiltinGateway
from payment.gateway import Approved, Declined, Gateway, GatewayUnavailable, Outcome, OutcomeUnknown

pytestmark = pytest.mark.anyio

PRICE = Money(amount=10_50, currency="EUR")
LITTLE = Money(amount=1, currency="EUR")


@pytest.fixture
def database(mongo: MongoClient[dict[str, Any]], prefix: str) -> Database[dict[str, Any]]:
    return mongo[f"{prefix}_payment"]


@pytest.fixture
def gateway(database: Database[dict[str, Any]]) -> Gateway:
    return BuiltinGateway(database, slow=0)


async def authorize(gateway: Gateway, key: str, token: str = "pm_card_visa") -> Outcome:
    return await gateway.authorize(key, PRICE, token, "o1")


def entries(database: Database[dict[str, Any]], operation: str) -> int:
    return database["gateway_ledger"].count_documents({"operation": operation})


@pytest.mark.parametrize("token", ["pm_card_visa", "pm_fault_slow"])
async def test_a_hold_has_the_key_for_its_name_and_lasts_a_week(
    gateway: Gateway, token: str
) -> None:
    outcome = await authorize(gateway, "a", token)
    assert isinstance(outcome, Approved)
    assert outcome.authorization == "a"
    assert await gateway.look_up("authorize", "a", None) == outcome
    (standing,) = [each async for each in gateway.standings()]
    assert outcome.capture_before == standing.at + timedelta(days=7)


async def test_a_hold_runs_out(database: Database[dict[str, Any]]) -> None:
    gateway = BuiltinGateway(database, holds_for=timedelta(0))
    await authorize(gateway, "a")
    expired = Declined(reason="authorization_expired")
    assert await gateway.capture("c", "a", PRICE) == expired
    assert await gateway.void("v", "a") == Approved()
    assert await gateway.capture("c", "a", PRICE) == expired
    assert await gateway.capture("c2", "a", PRICE) == Declined(reason="capture_too_late")


async def test_the_ledger_is_only_added_to(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    await authorize(gateway, "a")
    before = list(database["gateway_ledger"].find())
    for _ in range(2):
        await gateway.capture("c", "a", PRICE)
        await gateway.refund("r", "a", LITTLE)
        await gateway.refund("too-much", "a", PRICE)
    ledger = list(database["gateway_ledger"].find().sort("at", 1))
    assert ledger[:1] == before
    assert sorted(entry["_id"] for entry in ledger) == ["a", "c", "r", "too-much"]


async def test_many_refunds_at_once_are_judged_one_by_one(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    other = BuiltinGateway(database)
    await authorize(gateway, "a")
    await gateway.capture("c", "a", Money(amount=30, currency="EUR"))
    found = await asyncio.gather(
        *(
            each.refund(f"r{n}{each is other}", "a", LITTLE)
            for n in range(20)
            for each in (gateway, other)
        )
    )
    assert sorted(outcome.type for outcome in found) == ["approved"] * 30 + ["declined"] * 10
    numbers = [entry["number"] for entry in database["gateway_ledger"].find({"returns": "a"})]
    assert sorted(numbers) == list(range(1, 31))


async def test_the_ledger_of_an_older_release_is_gone_on_with(
    database: Database[dict[str, Any]],
) -> None:
    ledger = database["gateway_ledger"]
    ledger.create_index(
        "returns", unique=True, partialFilterExpression={"returns": {"$exists": True}}
    )
    gateway = BuiltinGateway(database)
    await authorize(gateway, "a")
    await gateway.capture("c", "a", PRICE)
    await gateway.refund("r", "a", LITTLE)
    ledger.update_one({"_id": "r"}, {"$unset": {"number": ""}})
    ledger.update_one({"_id": "a"}, {"$set": {"outcome": {"type": "approved"}}})
    assert await gateway.refund("r2", "a", LITTLE) == Approved()
    (standing,) = [each async for each in gateway.standings()]
    assert (standing.captured, standing.refunded) == (PRICE, LITTLE + LITTLE)


async def test_neither_nothing_nor_foreign_money_is_taken(gateway: Gateway) -> None:
    await authorize(gateway, "a")
    assert await gateway.capture("c0", "a", LITTLE.zero()) == Declined(reason="invalid_amount")
    francs = Money(amount=1, currency="CHF")
    assert await gateway.capture("c", "a", francs) == Declined(reason="invalid_currency")


async def test_an_answer_may_be_lost_to_any_call(database: Database[dict[str, Any]]) -> None:
    gateway = BuiltinGateway(database, loses=("capture", "refund"))
    assert isinstance(await authorize(gateway, "a", "pm_fault_timeout"), Approved)
    with pytest.raises(OutcomeUnknown):
        await gateway.capture("c", "a", PRICE)
    assert await gateway.capture("c", "a", PRICE) == Approved()
    with pytest.raises(OutcomeUnknown):
        await gateway.refund("r", "a", LITTLE)
    assert await gateway.look_up("refund", "r", "a") == Approved()
    assert entries(database, "refund") == 1


async def test_a_hold_is_looked_up_as_what_it_is(gateway: Gateway) -> None:
    await authorize(gateway, "a")
    assert await gateway.look_up("capture", "a", None) is None


async def test_an_outage_ends_after_two_failures_also_for_another_process(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    with pytest.raises(GatewayUnavailable):
        await authorize(gateway, "a", "pm_fault_unavailable")
    assert await gateway.look_up("authorize", "a", None) is None
    restarted = BuiltinGateway(database)
    with pytest.raises(GatewayUnavailable):
        await authorize(restarted, "a", "pm_fault_unavailable")
    assert entries(database, "authorize") == 0
    for each in (restarted, gateway, BuiltinGateway(database)):
        assert (await authorize(each, "a", "pm_fault_unavailable")).type == "approved"
    assert entries(database, "authorize") == 1


async def test_the_ledger_outlives_the_process(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    await authorize(gateway, "a")
    restarted = BuiltinGateway(database)
    assert (await authorize(restarted, "a")).type == "approved"
    assert await restarted.capture("c", "a", PRICE) == Approved()
    assert await BuiltinGateway(database).look_up("capture", "c", None) == Approved()
    assert entries(database, "authorize") == 1


async def test_slow_takes_the_time_it_was_given(database: Database[dict[str, Any]]) -> None:
    gateway = BuiltinGateway(database, slow=0.2)
    began = time.monotonic()
    assert (await authorize(gateway, "a", "pm_fault_slow")).type == "approved"
    assert time.monotonic() - began >= 0.2


async def test_a_thousand_authorizations_share_their_writes(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    await authorize(gateway, "warm")
    found = await asyncio.gather(*(authorize(gateway, f"a{n}") for n in range(1000)))
    assert [outcome.type for outcome in found] == ["approved"] * 1000
    assert entries(database, "authorize") == 1001
