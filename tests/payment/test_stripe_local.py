"""The Stripe adapter, by the official SDK, against localstripe: what somebody else thinks Stripe
does."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bus.messages import Money
from payment.gateway import EXPIRED, ActionRequired, Approved, Declined, Standing
from payment.stripe import StripeGateway
from tests.payment.localstripe import LocalStripe, local_stripe

pytestmark = pytest.mark.anyio

PRICE = Money(amount=10_50, currency="EUR")
HALF = Money(amount=5_25, currency="EUR")
NOTHING = PRICE.zero()

THREE_D_SECURE = "4000002500003155"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with local_stripe(tmp_path_factory.mktemp("localstripe")) as running:
        yield running


@pytest.fixture
async def gateway(there: LocalStripe) -> AsyncIterator[StripeGateway]:
    gateway = there.gateway()
    yield gateway
    await gateway.close()


@pytest.fixture
def key() -> str:
    return f"pay-{uuid4().hex}:authorize:1"


async def held(gateway: StripeGateway, key: str, token: str = "pm_card_visa") -> str:
    outcome = await gateway.authorize(key, PRICE, token, "order-1")
    assert isinstance(outcome, Approved)
    assert outcome.authorization is not None
    return outcome.authorization


async def standing(gateway: StripeGateway, key: str) -> Standing:
    (found,) = [each async for each in gateway.standings() if each.key == key]
    return found


async def test_money_is_set_aside_and_taken(gateway: StripeGateway, key: str) -> None:
    authorization = await held(gateway, key)
    assert authorization.startswith("pi_")
    before = await standing(gateway, key)
    assert (before.status, before.held, before.captured) == ("held", PRICE, NOTHING)
    assert (before.authorization, before.reference) == (authorization, "order-1")
    assert abs(before.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert await gateway.look_up("capture", "c", authorization) is None
    assert await gateway.capture("c", authorization, PRICE) == Approved()
    assert await gateway.look_up("capture", "c", authorization) == Approved()
    after = await standing(gateway, key)
    assert (after.status, after.held, after.captured) == ("captured", NOTHING, PRICE)


async def test_a_part_is_taken_and_given_back(gateway: StripeGateway, key: str) -> None:
    authorization = await held(gateway, key)
    assert await gateway.capture("c", authorization, HALF) == Approved()
    part = Money(amount=2_00, currency="EUR")
    assert await gateway.look_up("refund", "r1", authorization) is None
    assert await gateway.refund("r1", authorization, part) == Approved()
    assert await gateway.look_up("refund", "r1", authorization) == Approved()
    after = await standing(gateway, key)
    assert (after.status, after.amount) == ("captured", PRICE)
    assert after.captured - after.refunded == HALF - part


async def test_what_is_let_go_of_cannot_be_taken(gateway: StripeGateway, key: str) -> None:
    authorization = await held(gateway, key)
    assert await gateway.look_up("void", "v", authorization) is None
    for _ in range(2):
        assert await gateway.void("v", authorization) == Approved()
    assert await gateway.look_up("void", "v", authorization) == Approved()
    after = await standing(gateway, key)
    assert (after.status, after.held, after.captured) == ("voided", NOTHING, NOTHING)


async def test_what_is_taken_cannot_be_let_go_of(gateway: StripeGateway, key: str) -> None:
    authorization = await held(gateway, key)
    await gateway.capture("c", authorization, PRICE)
    assert await gateway.void("v", authorization) == Declined(reason="already_captured")
    assert await gateway.look_up("void", "v", authorization) == Declined(reason="already_captured")


async def test_a_card_is_declined_and_leaves_nothing_behind(
    gateway: StripeGateway, key: str
) -> None:
    outcome = await gateway.authorize(key, PRICE, "pm_card_chargeCustomerFail", "order-1")
    assert outcome == Declined(reason="card_declined")
    assert [each async for each in gateway.standings() if each.key == key] == []
    unknown = await gateway.authorize(f"{key}0", PRICE, "pm_none", "order-1")
    assert isinstance(unknown, Declined)


async def test_3d_secure_is_asked_for_and_then_done(
    gateway: StripeGateway, there: LocalStripe, key: str
) -> None:
    outcome = await gateway.authorize(key, PRICE, there.card(THREE_D_SECURE), "order-1")
    assert isinstance(outcome, ActionRequired)
    assert outcome.action.type == "use_stripe_sdk"
    authorization = outcome.authorization or ""
    assert (await standing(gateway, key)).status == "action_required"
    assert await gateway.look_up("authorize", key, authorization) == outcome
    there.authenticate(authorization)
    assert await gateway.look_up("authorize", key, authorization) == Approved(
        authorization=authorization
    )
    assert await gateway.capture("c", authorization, PRICE) == Approved()


async def test_3d_secure_that_nobody_did_is_let_go_of(
    gateway: StripeGateway, there: LocalStripe, key: str
) -> None:
    outcome: Any = await gateway.authorize(key, PRICE, there.card(THREE_D_SECURE), "order-1")
    assert await gateway.void("v", outcome.authorization) == Approved()
    assert await gateway.look_up("capture", "c", outcome.authorization) == Declined(reason=EXPIRED)


async def test_standings_are_read_page_by_page(
    gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {f"pay-{uuid4().hex}:authorize:1" for _ in range(5)}
    for each in keys:
        await held(gateway, each)
    monkeypatch.setattr("payment.stripe.PAGE", 2)
    found = [each.key async for each in gateway.standings()]
    assert keys <= set(found)
    assert len(set(found)) == len(found)


async def test_where_there_is_no_search_an_authorization_is_looked_for_page_by_page(
    gateway: StripeGateway, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorization = await held(gateway, key)
    await held(gateway, f"{key}2")
    monkeypatch.setattr("payment.stripe.PAGE", 1)
    assert await gateway.look_up("authorize", key, None) == Approved(authorization=authorization)
    assert await gateway.look_up("authorize", f"{key}3", None) is None
