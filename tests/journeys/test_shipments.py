"""An order whose goods lie in two warehouses, brought by two carriers, on a real shop."""

from __future__ import annotations

from typing import Any

from tests.journeys.conftest import HERE, THERE, Stocked
from tests.journeys.shops import DOOR, Order, Web

BOTH = [{"sku": HERE, "quantity": 2}, {"sku": THERE, "quantity": 1}]


async def booked(web: Web) -> tuple[Order, Any, Any]:
    """An order of what is here and there, and its two shipments, once both are to be fetched."""
    order = await web.place(HERE, items=BOTH)
    assert order["status"] == "confirmed"
    found = await web.becomes(order, fulfillment_status="scheduled")
    here, there = found["shipments"]
    assert here["delivery_id"] == found["delivery_id"] != there["delivery_id"]
    assert [each["warehouse_id"] for each in (here, there)] == ["vaduz", "zurich"]
    assert [each["items"] for each in (here, there)] == [[item] for item in BOTH]
    return found, here, there


async def test_goods_from_two_warehouses_are_brought_by_two_carriers_and_paid_once(
    shop: Stocked, web: Web, carrier: Web, vans: Web
) -> None:
    quote = (await web.post("/v1/quotes", {"items": BOTH, "destination": DOOR})).json()
    assert [item["available"] for item in quote["items"]] == [True, True]
    order, here, there = await booked(web)
    assert order["total"] == quote["total"]
    path = f"/v1/orders/{order['order_id']}"
    said = shop.shop.cli("orders", "show", order["order_id"])
    assert f"1 x {THERE} from zurich, scheduled ({there['delivery_id']})" in " ".join(said.split())
    deliveries = (await web.get(f"{path}/deliveries"))["data"]
    assert [(each["delivery_id"], each["items"]) for each in deliveries] == [
        (each["delivery_id"], each["items"]) for each in (here, there)
    ]

    await vans.checkpoint(there, "picked_up")
    await web.becomes(order, fulfillment_status="shipped", payment_status="captured")
    late = await web.post(f"{path}/cancel", {})
    assert (late.status_code, late.json()["code"]) == (409, "already_shipped")
    theirs = await carrier.http.get(f"/v1/deliveries/{there['delivery_id']}")
    assert (theirs.status_code, theirs.json()["code"]) == (404, "unknown_delivery")
    await vans.checkpoint(there, "delivered")
    await carrier.checkpoint(here, "picked_up")
    assert (await web.order(order))["status"] == "confirmed"
    await carrier.checkpoint(here, "delivered")

    ended = await web.becomes(order, status="completed", fulfillment_status="delivered")
    assert [each["status"] for each in ended["shipments"]] == ["delivered", "delivered"]
    assert shop.charges(order) == [("authorize", "approved"), ("capture", "approved")]
    history = await web.history(order)
    assert history[1] == "OrderSplit"
    assert (history.count("OrderShipped"), history.count("OrderDelivered")) == (1, 1)
    assert (await web.get(f"{path}/delivery"))["delivery_id"] == here["delivery_id"]
    told = (await web.http.get(f"{path}/events")).text  # which ends with the order
    for delivery in (await web.get(f"{path}/deliveries"))["data"]:
        assert delivery["status"] == "delivered"
        assert f'"delivery_id":"{delivery["delivery_id"]}"' in told.partition("event: delivery")[2]


async def test_what_one_carrier_brings_back_is_paid_back_once_the_other_has_come(
    shop: Stocked, web: Web, carrier: Web, vans: Web
) -> None:
    order, here, there = await booked(web)
    await vans.checkpoint(there, "picked_up")
    await vans.checkpoint(there, "returned_to_sender")
    await carrier.checkpoint(here, "picked_up")
    await carrier.checkpoint(here, "delivered")
    ended = await web.becomes(order, status="completed", payment_status="partially_refunded")
    assert ended["refunded"]["amount"] == 1250
    (back,) = (await web.get(f"/v1/orders/{order['order_id']}/returns"))["data"]
    assert (back["reason"], back["items"]) == ("returned_to_sender", BOTH[1:])
    assert shop.charges(order)[-1] == ("refund", "approved")


async def test_a_cancelled_order_of_two_shipments_has_both_called_off(
    shop: Stocked, web: Web
) -> None:
    order, _, _ = await booked(web)
    cancelled = await web.change(order, "cancel", {})
    assert (cancelled["status"], cancelled["payment_status"]) == ("cancelled", "voided")
    assert [each["status"] for each in cancelled["shipments"]] == ["cancelled", "cancelled"]
    deliveries = (await web.get(f"/v1/orders/{order['order_id']}/deliveries"))["data"]
    assert [each["status"] for each in deliveries] == ["cancelled", "cancelled"]
