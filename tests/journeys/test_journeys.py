"""What may happen to an order on its way, on a real shop with a real MongoDB and a real Redis."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.journeys.conftest import STOCK, Stock, Stocked
from tests.journeys.shops import CARD, Web, calling
from tests.waiting import eventually

DECLINED = {"method": "card", "token": "pm_card_chargeDeclined"}
SECURE = {"method": "card", "token": "pm_card_threeDSecure2Required"}


async def test_a_declined_order_is_confirmed_once_it_is_paid_otherwise(
    shop: Stocked, web: Web, sku: str
) -> None:
    order = await web.place(sku, payment=DECLINED)
    assert (order["status"], order["payment_status"]) == ("pending", "declined")
    assert order["reason"] == "card_declined"
    paid = await web.change(order, "payment", CARD)
    assert (paid["status"], paid["payment_status"]) == ("confirmed", "authorized")
    assert "reason" not in paid
    assert (await web.history(order))[:5] == [
        "OrderPlaced",
        "PaymentRequested",
        "PaymentDeclined",
        "PaymentRequested",
        "OrderConfirmed",
    ]
    assert shop.charges(order) == [("authorize", "declined"), ("authorize", "approved")]


async def test_a_buyer_who_has_to_act_first_is_told_where_and_pays_then(
    shop: Stocked, web: Web, sku: str
) -> None:
    order = await web.place(sku, payment=SECURE)
    assert (order["status"], order["payment_status"]) == ("pending", "requires_action")
    assert order["next_action"]["type"] == "redirect"
    assert order["next_action"]["url"].startswith("https://")
    paid = await web.change(order, "payment", CARD)
    assert (paid["status"], paid["payment_status"]) == ("confirmed", "authorized")
    assert "next_action" not in paid
    assert ("authorize", "approved") in shop.charges(order)


async def test_an_order_for_more_than_there_is_is_rejected_and_costs_nothing(
    shop: Stocked, web: Web, sku: str
) -> None:
    order = await web.place(sku, STOCK + 1)
    assert (order["status"], order["reason"]) == ("rejected", "out_of_stock")
    assert order["payment_status"] == "not_paid"
    assert await web.history(order) == ["OrderPlaced", "OrderRejected"]
    assert shop.charges(order) == []
    await web.available_becomes(sku, STOCK)


async def test_a_cancelled_order_gives_money_and_stock_back_and_nobody_comes(
    shop: Stocked, web: Web, sku: str
) -> None:
    order = await web.place(sku, 3)
    assert order["status"] == "confirmed"
    await web.delivery_becomes(order, "scheduled")
    cancelled = await web.change(order, "cancel", {"reason": "changed my mind"})
    assert (cancelled["status"], cancelled["payment_status"]) == ("cancelled", "voided")
    assert cancelled["reason"] == "changed my mind"
    assert shop.charges(order) == [("authorize", "approved"), ("void", "approved")]
    await web.available_becomes(sku, STOCK)
    await web.delivery_becomes(order, "cancelled")


async def test_an_order_that_the_carrier_has_is_not_cancelled_any_more(
    shop: Stocked, web: Web, carrier: Web, sku: str
) -> None:
    order = await web.place(sku)
    await web.delivery_becomes(order, "scheduled")
    await carrier.checkpoint(order, "picked_up")
    await web.becomes(order, payment_status="captured")
    answer = await web.post(f"/v1/orders/{order['order_id']}/cancel", {})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "already_shipped"
    assert (await web.order(order))["status"] == "confirmed"
    assert shop.charges(order) == [("authorize", "approved"), ("capture", "approved")]


@pytest.mark.parametrize("token", ["pm_fault_timeout", "pm_fault_unavailable"])
async def test_a_gateway_that_fails_charges_once_and_confirms_in_the_end(
    shop: Stocked, web: Web, sku: str, token: str
) -> None:
    order = await web.place(sku, payment={"method": "card", "token": token})
    assert (order["status"], order["payment_status"]) == ("confirmed", "authorized")
    assert [made for made in shop.charges(order) if made[0] == "authorize"] == [
        ("authorize", "approved")
    ]


async def test_an_order_that_nobody_pays_expires_and_frees_its_stock(
    stock: Stock, transport: str, sku: str
) -> None:
    shop = stock(transport, SHOP_ORDER_EXPIRY="2 s")
    with shop.shop.serve() as process:
        async with calling(process.address, shop.keys.web) as web:
            order = await web.place(sku, 5, payment=DECLINED)
            assert order["payment_status"] == "declined"
            await web.becomes(order, status="expired")
            await web.available_becomes(sku, STOCK)
            order = await web.order(order)
            lived = _time(order["updated_at"]) - _time(order["placed_at"])
            assert lived.total_seconds() >= 2
            assert order["reason"] == "not_paid_in_time"
            late = await web.post(f"/v1/orders/{order['order_id']}/payment", CARD)
            assert (late.status_code, late.json()["code"]) == (409, "order_ended")
            await eventually(lambda: shop.kept(sku) == 0, every=0.5)
    assert shop.charges(order) == [("authorize", "declined")]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
