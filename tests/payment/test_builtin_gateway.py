"""The built-in gateway on a real MongoDB: what it promises, it keeps, and a key is done once."""

import asyncio
import time
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from bus.messages import Money
from payment.builtin import BuiltinGateway
from payment.contract import Means
from payment.gateway import (
    ActionRequired,
    Approved,
    Declined,
    Gateway,
    GatewayUnavailable,
    KeyReused,
    Outcome,
    OutcomeUnknown,
)

pytestmark = pytest.mark.anyio

PRICE = Money(amount=10_50, currency="EUR")
MORE = Money(amount=10_51, currency="EUR")


@pytest.fixture
def database(mongo: MongoClient[dict[str, Any]], prefix: str) -> Database[dict[str, Any]]:
    return mongo[f"{prefix}_payment"]


@pytest.fixture
def gateway(database: Database[dict[str, Any]]) -> Gateway:
    return BuiltinGateway(database, slow=0)


def authorize(gateway: Gateway, key: str, token: str = "pm_card_visa") -> Any:
    return gateway.authorize(key, PRICE, Means(method="card", token=token), "o1")


def entries(database: Database[dict[str, Any]], operation: str) -> int:
    return database["gateway_ledger"].count_documents({"operation": operation})


@pytest.mark.parametrize(
    ("token", "outcome"),
    [
        ("pm_card_visa", Approved()),
        ("pm_fault_slow", Approved()),
        ("pm_card_chargeDeclined", Declined(reason="card_declined")),
        ("pm_card_chargeDeclinedInsufficientFunds", Declined(reason="insufficient_funds")),
        ("pm_card_mastercrad", Declined(reason="invalid_payment_method")),
    ],
)
async def test_a_test_card_behaves_as_its_name_says(
    gateway: Gateway, token: str, outcome: Outcome
) -> None:
    assert await authorize(gateway, "a", token) == outcome
    assert await gateway.look_up("a") == outcome


async def test_3d_secure_sends_the_buyer_to_the_bank_and_holds_nothing(gateway: Gateway) -> None:
    outcome = await authorize(gateway, "a", "pm_card_threeDSecure2Required")
    assert isinstance(outcome, ActionRequired)
    assert outcome.action.type == "redirect"
    assert outcome.action.url.startswith("https://")
    assert await gateway.capture("c", "a", PRICE) == Declined(reason="action_required")
    assert await gateway.void("v", "a") == Approved()


async def test_a_repeated_key_answers_the_first_outcome(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    for _ in range(3):
        assert await authorize(gateway, "a") == Approved()
        assert await gateway.capture("c", "a", PRICE) == Approved()
        assert await gateway.refund("r", "a", PRICE) == Approved()
        assert await gateway.capture("too-much", "a", MORE) == Declined(reason="amount_too_large")
    assert [entries(database, each) for each in ("authorize", "refund")] == [1, 1]
    assert entries(database, "capture") == 2


async def test_a_key_names_one_call(gateway: Gateway) -> None:
    await authorize(gateway, "a")
    with pytest.raises(KeyReused):
        await gateway.authorize("a", MORE, Means(method="card", token="pm_card_visa"), "o1")
    with pytest.raises(KeyReused):
        await gateway.capture("a", "a", PRICE)
    assert await authorize(gateway, "a") == Approved()


async def test_twins_at_two_gateways_are_done_once(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    other = BuiltinGateway(database)
    keys = [f"a{n}" for n in range(40)]
    found = await asyncio.gather(
        *(authorize(each, key) for key in keys for each in (gateway, other, gateway))
    )
    assert found == [Approved()] * 120
    assert entries(database, "authorize") == 40


@pytest.mark.parametrize("first", ["capture", "void"])
async def test_a_hold_is_captured_or_voided_but_not_both(gateway: Gateway, first: str) -> None:
    await authorize(gateway, "a")
    if first == "capture":
        assert await gateway.capture("c", "a", PRICE) == Approved()
        assert await gateway.void("v", "a") == Declined(reason="void_too_late")
        assert await gateway.look_up("v") == Declined(reason="void_too_late")
    else:
        assert await gateway.void("v", "a") == Approved()
        assert await gateway.capture("c", "a", PRICE) == Declined(reason="capture_too_late")
    assert await gateway.capture("c2", "a", PRICE) == Declined(reason="capture_too_late")


async def test_capture_and_void_at_once_have_one_winner(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    other = BuiltinGateway(database)
    keys = [f"a{n}" for n in range(20)]
    await asyncio.gather(*(authorize(gateway, key) for key in keys))
    captured = asyncio.gather(*(gateway.capture(f"c-{key}", key, PRICE) for key in keys))
    voided = asyncio.gather(*(other.void(f"v-{key}", key) for key in keys))
    for pair in zip(await captured, await voided, strict=True):
        assert [outcome.type for outcome in pair].count("approved") == 1


async def test_money_goes_back_once_and_only_if_it_was_taken(gateway: Gateway) -> None:
    await authorize(gateway, "a")
    assert await gateway.refund("early", "a", PRICE) == Declined(reason="not_captured")
    await gateway.capture("c", "a", PRICE)
    assert await gateway.refund("more", "a", MORE) == Declined(reason="not_captured")
    assert await gateway.refund("r", "a", PRICE) == Approved()
    assert await gateway.refund("again", "a", PRICE) == Declined(reason="refund_too_late")


@pytest.mark.parametrize("token", [None, "pm_card_chargeDeclined"])
async def test_nothing_is_taken_where_nothing_is_held(gateway: Gateway, token: str | None) -> None:
    if token:
        await authorize(gateway, "a", token)
    assert await gateway.capture("c", "a", PRICE) == Declined(reason="nothing_held")
    assert await gateway.void("v", "a") == Declined(reason="nothing_held")
    assert await gateway.refund("r", "a", PRICE) == Declined(reason="nothing_held")


async def test_a_timeout_executes_and_loses_its_answer_once(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    with pytest.raises(OutcomeUnknown):
        await authorize(gateway, "a", "pm_fault_timeout")
    assert entries(database, "authorize") == 1
    assert await gateway.look_up("a") == Approved()
    assert await authorize(gateway, "a", "pm_fault_timeout") == Approved()
    assert entries(database, "authorize") == 1


async def test_an_outage_ends_after_two_failures_also_for_another_process(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    with pytest.raises(GatewayUnavailable):
        await authorize(gateway, "a", "pm_fault_unavailable")
    assert await gateway.look_up("a") is None
    restarted = BuiltinGateway(database)
    with pytest.raises(GatewayUnavailable):
        await authorize(restarted, "a", "pm_fault_unavailable")
    assert entries(database, "authorize") == 0
    for each in (restarted, gateway, BuiltinGateway(database)):
        assert await authorize(each, "a", "pm_fault_unavailable") == Approved()
    assert entries(database, "authorize") == 1


async def test_the_ledger_outlives_the_process(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    await authorize(gateway, "a")
    restarted = BuiltinGateway(database)
    assert await authorize(restarted, "a") == Approved()
    assert await restarted.capture("c", "a", PRICE) == Approved()
    assert await BuiltinGateway(database).look_up("c") == Approved()
    assert entries(database, "authorize") == 1


async def test_slow_takes_the_time_it_was_given(database: Database[dict[str, Any]]) -> None:
    gateway = BuiltinGateway(database, slow=0.2)
    began = time.monotonic()
    assert await authorize(gateway, "a", "pm_fault_slow") == Approved()
    assert time.monotonic() - began >= 0.2


async def test_nobody_has_seen_an_unknown_key(gateway: Gateway) -> None:
    assert await gateway.look_up("never") is None


async def test_a_thousand_authorizations_share_their_writes(
    gateway: Gateway, database: Database[dict[str, Any]]
) -> None:
    await authorize(gateway, "warm")
    found = await asyncio.gather(*(authorize(gateway, f"a{n}") for n in range(1000)))
    assert found == [Approved()] * 1000
    assert entries(database, "authorize") == 1001
