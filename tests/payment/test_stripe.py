"""The Stripe adapter, by the official SDK, against a gateway with Stripe's rules and bad days."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bus.messages import Money
from payment.gateway import (
    EXPIRED,
    ActionRequired,
    Approved,
    Declined,
    GatewayUnavailable,
    KeyReused,
    Outcome,
    OutcomeUnknown,
    Standing,
)
from payment.stripe import StripeGateway
from payment.stripe_objects import Refund, refunded
from tests.listening import listening
from tests.payment.stripe_process.running import API_KEY, StripeProcess, stripe_process

pytestmark = pytest.mark.anyio

PRICE = Money(amount=10_50, currency="EUR")
MORE = Money(amount=10_51, currency="EUR")
PART = Money(amount=4_00, currency="EUR")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeProcess]:
    with stripe_process(tmp_path_factory.mktemp("stripe")) as running:
        yield running


@pytest.fixture
async def gateway(there: StripeProcess) -> AsyncIterator[StripeGateway]:
    there.mood()
    gateway = there.gateway()
    yield gateway
    await gateway.close()


@pytest.fixture
def key() -> str:
    return f"pay-{uuid4().hex}:authorize:1"


def authorize(gateway: StripeGateway, key: str, token: str = "pm_card_visa") -> Any:
    return gateway.authorize(key, PRICE, token, "order-1")


async def held(gateway: StripeGateway, key: str) -> str:
    outcome = await authorize(gateway, key)
    assert isinstance(outcome, Approved)
    return outcome.authorization or ""


async def standing(gateway: StripeGateway, key: str) -> Standing:
    (found,) = [each async for each in gateway.standings() if each.key == key]
    return found


async def test_a_hold_says_how_long_it_lasts(gateway: StripeGateway, key: str) -> None:
    outcome = await authorize(gateway, key)
    assert isinstance(outcome, Approved)
    assert outcome.capture_before is not None
    left = outcome.capture_before - datetime.now(UTC)
    assert timedelta(days=6) < left < timedelta(days=8)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_mastercrad", "invalid_payment_method"),
    ],
)
async def test_a_card_is_declined_for_its_reason_however_often_it_is_asked(
    gateway: StripeGateway, key: str, token: str, reason: str
) -> None:
    for _ in range(2):
        assert await authorize(gateway, key, token) == Declined(reason=reason)
    assert [each async for each in gateway.standings() if each.key == key] == []


async def test_an_amount_that_stripe_has_no_coin_for_never_leaves(
    gateway: StripeGateway, there: StripeProcess, key: str
) -> None:
    odd = Money(amount=5_124, currency="KWD")
    refused = Declined(reason="unpayable_amount")
    assert await gateway.authorize(key, odd, "pm_card_visa", "order-1") == refused
    assert await gateway.capture(f"{key}c", "pi_1", odd) == refused
    assert await gateway.refund(f"{key}r", "pi_1", odd) == refused
    assert key not in there.books().entries


@pytest.mark.parametrize("fate", ["lose", "fail"])
async def test_a_lost_answer_is_unknown_and_the_same_key_tells(
    gateway: StripeGateway, there: StripeProcess, key: str, fate: str
) -> None:
    there.mood(next=[fate])
    with pytest.raises(OutcomeUnknown, match=key):
        await authorize(gateway, key)
    found = await gateway.look_up("authorize", key, None)
    assert isinstance(found, Approved)
    assert await authorize(gateway, key) == found
    assert await held(gateway, key) == found.authorization
    assert sum(hold.reference == "order-1" for hold in there.books().holds.values()) >= 1
    assert len([each async for each in gateway.standings() if each.key == key]) == 1


async def test_lost_answers_to_captures_voids_and_refunds_are_found_by_how_things_stand(
    gateway: StripeGateway, there: StripeProcess, key: str
) -> None:
    first, second = await held(gateway, key), await held(gateway, f"{key}2")
    there.mood(next=["lose", "lose", "lose"])
    for operation, id, call in (
        ("capture", first, gateway.capture(f"{key}c", first, PRICE)),
        ("refund", first, gateway.refund(f"{key}r", first, PART)),
        ("void", second, gateway.void(f"{key}v", second)),
    ):
        with pytest.raises(OutcomeUnknown):
            await call
        found: Any = operation
        assert await gateway.look_up(found, f"{key}{found[0]}", id) == Approved()
    assert await gateway.refund(f"{key}r", first, PART) == Approved()
    assert (await standing(gateway, key)).refunded == PART


async def test_what_was_never_asked_is_unknown_to_it(gateway: StripeGateway, key: str) -> None:
    assert await gateway.look_up("authorize", key, None) is None
    assert await gateway.look_up("authorize", key, "pi_none") is None
    authorization = await held(gateway, key)
    for operation in ("capture", "void", "refund"):
        assert await gateway.look_up(operation, "k", authorization) is None
        assert await gateway.look_up(operation, "k", None) is None
        assert await gateway.look_up(operation, "k", "pi_none") is None


async def test_an_authorization_older_than_the_newest_is_found_by_search(
    gateway: StripeGateway, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await authorize(gateway, key)
    await held(gateway, f"{key}2")
    monkeypatch.setattr("payment.stripe.PAGE", 1)
    assert await gateway.look_up("authorize", key, None) == found


async def test_one_who_is_away_has_done_nothing(
    gateway: StripeGateway, there: StripeProcess, key: str
) -> None:
    there.mood(next=["refuse"])
    with pytest.raises(GatewayUnavailable, match="503"):
        await authorize(gateway, key)
    assert await gateway.look_up("authorize", key, None) is None
    nobody = there.gateway(base="http://127.0.0.1:9")
    with pytest.raises(GatewayUnavailable, match="ConnectError"):
        await authorize(nobody, key)
    with pytest.raises(GatewayUnavailable, match="ConnectError"):
        await nobody.look_up("authorize", key, None)
    await nobody.close()
    await held(gateway, key)


async def test_who_answers_too_late_may_have_done_it(there: StripeProcess, key: str) -> None:
    there.mood(next=["silent"])
    hasty = there.gateway(timeout=0.5)
    with pytest.raises(OutcomeUnknown, match="Timeout"):
        await authorize(hasty, key)
    await hasty.close()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "<html>", OutcomeUnknown),
        (200, "[]", OutcomeUnknown),
        (200, '{"id": "pi_1", "object": "payment_intent"}', OutcomeUnknown),
        (500, "<html>", OutcomeUnknown),
        (502, "", OutcomeUnknown),
        (404, "<html>", OutcomeUnknown),
        (503, "<html>", GatewayUnavailable),
        (409, '{"error": {"code": "idempotency_key_in_use"}}', GatewayUnavailable),
        (429, '{"error": {"code": "lock_timeout"}}', GatewayUnavailable),
        (403, '{"error": {"message": "no"}}', GatewayUnavailable),
        (400, '{"error": {"type": "idempotency_error"}}', KeyReused),
    ],
)
async def test_an_answer_is_taken_for_no_more_than_it_says(
    status: int, body: str, error: type[Exception]
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = f"HTTP/1.1 {status} said\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        writer.write(f"{said}\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with listening(talk) as address:
        gateway = StripeGateway(API_KEY, base=address)
        with pytest.raises(error):
            await authorize(gateway, "k")
        if error is not KeyReused:
            with pytest.raises(GatewayUnavailable):
                await gateway.intent("pi_1")
        await gateway.close()


async def test_a_key_that_stripe_does_not_accept_is_named_by_its_setting(
    there: StripeProcess, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = StripeGateway("rk_live_s3cret", base=there.address)
    for call in (authorize(gateway, key), gateway.look_up("authorize", key, None)):
        with pytest.raises(GatewayUnavailable, match="SHOP_STRIPE_API_KEY") as refused:
            await call
        assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r}"
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(gateway)
    await gateway.close()


async def test_a_key_names_one_call(gateway: StripeGateway, key: str) -> None:
    authorization = await held(gateway, key)
    with pytest.raises(KeyReused):
        await gateway.authorize(key, MORE, "pm_card_visa", "order-1")
    with pytest.raises(KeyReused):
        await gateway.capture(key, authorization, PRICE)
    assert await held(gateway, key) == authorization


async def test_a_hold_that_has_run_out_is_not_captured_and_may_be_let_go_of(
    gateway: StripeGateway, there: StripeProcess, key: str
) -> None:
    authorization = await held(gateway, key)
    there.expire(authorization)
    assert await gateway.capture(f"{key}c", authorization, PRICE) == Declined(reason=EXPIRED)
    assert await gateway.void(f"{key}v", authorization) == Approved()
    assert (await standing(gateway, key)).status == "expired"
    assert await gateway.look_up("authorize", key, authorization) == Declined(reason=EXPIRED)


async def test_no_more_is_taken_than_is_held_and_no_more_given_back_than_was_taken(
    gateway: StripeGateway, key: str
) -> None:
    authorization = await held(gateway, key)
    early = await gateway.refund(f"{key}e", authorization, PART)
    assert early == Declined(reason="charge_not_captured")
    above = await gateway.capture(f"{key}m", authorization, MORE)
    assert above == Declined(reason="amount_too_large")
    assert await gateway.capture(f"{key}c", authorization, PART) == Approved()
    again = await gateway.capture(f"{key}d", authorization, PART)
    assert again == Declined(reason="already_captured")
    assert await gateway.void(f"{key}v", authorization) == Declined(reason="already_captured")
    above = await gateway.refund(f"{key}f", authorization, PRICE)
    assert above == Declined(reason="amount_too_large")
    assert await gateway.refund(f"{key}r", authorization, PART) == Approved()
    over = await gateway.refund(f"{key}s", authorization, PART)
    assert over == Declined(reason="charge_already_refunded")
    found = await standing(gateway, key)
    assert (found.amount, found.captured, found.refunded) == (PRICE, PART, PART)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", Approved()),
        ("pending", Approved()),
        ("requires_action", Approved()),
        ("failed", Declined(reason="lost_or_stolen_card")),
        ("canceled", Declined(reason="lost_or_stolen_card")),
    ],
)
def test_a_refund_is_done_when_stripe_sees_to_it(status: str, outcome: Outcome) -> None:
    assert refunded(Refund(status=status, failure_reason="lost_or_stolen_card")) == outcome
    assert refunded(Refund(status="failed")) == Declined(reason="refund_failed")


async def test_nothing_is_taken_where_nothing_is_held(gateway: StripeGateway, key: str) -> None:
    nothing = Declined(reason="nothing_held")
    assert await gateway.capture(f"{key}c", "pi_none", PRICE) == nothing
    assert await gateway.void(f"{key}v", "pi_none") == nothing
    gone = await gateway.refund(f"{key}r", "pi_none", PRICE)
    assert gone == Declined(reason="resource_missing")


@pytest.mark.parametrize("success", [True, False])
async def test_3d_secure_sends_the_buyer_to_the_bank(
    there: StripeProcess, key: str, success: bool
) -> None:
    gateway = there.gateway(return_url="https://shop.example/paid")
    outcome = await authorize(gateway, key, "pm_card_threeDSecure2Required")
    assert isinstance(outcome, ActionRequired)
    assert outcome.action.type == "redirect_to_url"
    assert outcome.action.url.startswith("https://hooks.stripe.invalid/")
    assert (await standing(gateway, key)).held == PRICE.zero()
    there.authenticate(outcome.authorization or "", success=success)
    found = await gateway.look_up("authorize", key, None)
    assert found is not None
    assert found.type == ("approved" if success else "declined")
    await gateway.close()


async def test_standings_since_a_moment_are_read_page_by_page(
    gateway: StripeGateway, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{key}{number}" for number in range(5)]
    for each in keys:
        await held(gateway, each)
    monkeypatch.setattr("payment.stripe.PAGE", 2)
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    found = [each.key async for each in gateway.standings(a_minute_ago)]
    assert found[:5] == keys[::-1]
    assert len(set(found)) == len(found)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert [each async for each in gateway.standings(later)] == []


async def test_the_processs_books_outlive_it(
    tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    with stripe_process(folder) as first:
        gateway = first.gateway()
        authorization = await held(gateway, key)
        await gateway.close()
    with stripe_process(folder) as second:
        gateway = second.gateway()
        assert await held(gateway, key) == authorization
        assert await gateway.capture(f"{key}c", authorization, PRICE) == Approved()
        (hold,) = second.books().of_orders()["order-1"]
        assert (hold.captured, hold.captures, hold.kept) == (10_50, [f"{key}c"], 10_50)
        await gateway.close()
