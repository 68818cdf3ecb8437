"""A shop that takes money by Stripe lets go of it when it stops."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bus.messages import Money
from shop import embedded
from shop.running import assembled
from shop.settings import Settings


async def test_a_shop_that_has_stopped_keeps_no_connection_to_stripe(
    servers: embedded.Servers,
) -> None:
    parts = assembled(
        Settings(
            _env_file=None,
            mongodb_url=servers.mongodb_url,
            redis_url=servers.redis_url,
            mongodb_prefix=f"stripe{uuid4().hex[:10]}",
            payment_gateway="stripe",
            stripe_api_key="sk_test_1",
            stripe_webhook_secret="whsec_1",
            stripe_api_base="http://127.0.0.1:9",
        )
    )
    gateway = parts.gateway()
    await parts.platform().stop()
    with pytest.raises(RuntimeError, match="closed"):
        await gateway.authorize("k", Money(amount=100, currency="EUR"), "pm_card_visa", "ord_1")
    await parts.redis().aclose()
    parts.mongo().close()
