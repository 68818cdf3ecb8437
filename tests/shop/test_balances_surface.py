"""`GET /v1/balances/{buyer_id}`: what a buyer has, right after it has changed."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bus.messages import Money
from payment.balance_commands import CreditBuyer
from tests.shop.clients import DOOR, Client, Running, basket, problem


def money(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "EUR"}


async def gift(shop: Running, cents: int) -> str:
    """A buyer who has been given so much."""
    buyer = f"buyer-{uuid4().hex[:10]}"
    amount = Money(amount=cents, currency="EUR")
    await shop.platform.bus.send(CreditBuyer(buyer_id=buyer, amount=amount, reason="a gift"))
    return buyer


async def sums(web: Client, buyer: str) -> list[int]:
    """The buyer's balance, what of it is set aside, and what can be spent, in cents."""
    told = (await web.get(f"/v1/balances/{buyer}")).json()
    return [told[name]["amount"] for name in ("balance", "held", "available")]


async def test_a_balance_is_told_as_it_is_now(shop: Running, web: Client) -> None:
    for buyer, given in ((await gift(shop, 10_50), 10_50), ("never-heard-of", 0)):
        answer = await web.get(f"/v1/balances/{buyer}")
        assert answer.status_code == 200
        assert answer.json() == {
            "buyer_id": buyer,
            "balance": money(given),
            "held": money(0),
            "available": money(given),
        }


async def test_of_orders_at_once_as_many_are_confirmed_as_the_credit_pays_for(
    shop: Running, web: Client
) -> None:
    total = (await web.placed(destination=DOOR))["total"]["amount"]
    buyer = await gift(shop, 2 * total + 1)
    body = basket(buyer_id=buyer, destination=DOOR, payment={"method": "store_credit"})
    posts = [web.post("/v1/orders", body, prefer="wait=15") for _ in range(5)]
    answers = await asyncio.gather(*posts)
    orders = [answer.json() for answer in answers if answer.status_code == 201]
    confirmed = [order for order in orders if order["payment_status"] == "authorized"]
    assert len(confirmed) == 2
    assert await sums(web, buyer) == [2 * total + 1, 2 * total, 1]
    problem(await web.post("/v1/orders", body), 409, "insufficient_credit")
    for order in confirmed:
        path = f"/v1/orders/{order['order_id']}/cancel"
        assert (await web.post(path, {}, prefer="wait=15")).json()["status"] == "cancelled"
    assert await sums(web, buyer) == [2 * total + 1, 0, 2 * total + 1]


@pytest.mark.parametrize("buyer", ["-", "b%20c", "b%0A", "é", "x" * 81, "$where"])
async def test_what_is_no_buyer_is_refused(web: Client, buyer: str) -> None:
    found = problem(await web.get(f"/v1/balances/{buyer}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["buyer_id"]


async def test_a_balance_is_only_read(web: Client) -> None:
    problem(await web.post("/v1/balances/b1", money(1)), 405, "not_allowed")
    problem(await web.get("/v1/balances/b1?currency=USD"), 422, "invalid")
