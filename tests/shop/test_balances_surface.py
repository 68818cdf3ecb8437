"""`GET /v1/balances/{buyer_id}`: what a buyer has, right after it has changed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from bus.messages import Money
from payment.balance_commands import CreditBuyer
from tests.shop.clients import Client, Running, problem


def money(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "EUR"}


async def test_a_balance_is_told_as_it_is_now(shop: Running, web: Client) -> None:
    buyer = f"buyer-{uuid4().hex[:10]}"
    for given in (0, 10_50):
        if given:
            gift = Money(amount=given, currency="EUR")
            await shop.platform.bus.send(CreditBuyer(buyer_id=buyer, amount=gift, reason="a gift"))
        answer = await web.get(f"/v1/balances/{buyer}")
        assert answer.status_code == 200
        assert answer.json() == {
            "buyer_id": buyer,
            "balance": money(given),
            "held": money(0),
            "available": money(given),
        }


@pytest.mark.parametrize("buyer", ["-", "b%20c", "b%0A", "é", "x" * 81, "$where"])
async def test_what_is_no_buyer_is_refused(web: Client, buyer: str) -> None:
    found = problem(await web.get(f"/v1/balances/{buyer}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["buyer_id"]


async def test_a_balance_is_only_read(web: Client) -> None:
    problem(await web.post("/v1/balances/b1", money(1)), 405, "not_allowed")
    problem(await web.get("/v1/balances/b1?currency=USD"), 422, "invalid")
