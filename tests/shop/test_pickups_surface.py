"""What is sent back is fetched at the door: from the web shop's request to the warehouse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bus.messages import now
from ordering import admin
from ordering.commands import ApproveReturn, GetReturn, ReceiveReturn, RejectReturn
from tests.shop.clients import Body, Client, Running, completed, problem
from tests.shop.test_returns_surface import ONE
from tests.waiting import eventually


def window(hours: float = 1) -> Body:
    start = now().replace(microsecond=0) + timedelta(hours=hours)
    return {"from": start.isoformat(), "to": (start + timedelta(hours=2)).isoformat()}


def spelled(moment: str) -> str:
    return moment.replace("+00:00", "Z")


async def fetched(web: Client, order: Body, **wish: Any) -> Body:
    """A return that is to be fetched."""
    path = f"/v1/orders/{order['order_id']}/returns"
    answer = await web.post(path, {**ONE, "pickup": wish})
    assert answer.status_code == 201, answer.text
    found: Body = answer.json()
    return found


async def becomes(web: Client, sent_back: Body, status: str) -> Body:
    """The return, once its pick-up is so far."""

    async def look() -> Body:
        answer = await web.get(f"/v1/orders/{sent_back['order_id']}/returns")
        (found,) = [
            each for each in answer.json()["data"] if each["return_id"] == sent_back["return_id"]
        ]
        return found if found["pickup"]["status"] == status else {}

    shown: Body = await eventually(look)
    return shown


async def test_a_return_is_fetched_and_paid_for_once_somebody_has_looked_at_it(
    shop: Running, web: Client, carrier: Client
) -> None:
    order, suits = await completed(web, carrier), window()
    asked = await fetched(web, order, window=suits)
    pickup = asked["pickup"]
    assert (asked["status"], pickup["status"]) == ("approved", "requested")
    await becomes(web, asked, "scheduled")

    path = f"/v1/orders/{order['order_id']}/returns/{asked['return_id']}/pickup"
    delivery = (await web.get(path)).json()
    assert delivery["delivery_id"] == pickup["delivery_id"]
    assert (delivery["kind"], delivery["status"]) == ("return", "scheduled")
    assert delivery["order_id"] == order["order_id"]
    assert delivery["origin"] == order["destination"]
    assert delivery["destination"]["district"] == "Vaduz"
    assert delivery["items"] == ONE["items"]
    assert {name: delivery["slot"][name] for name in suits} == {
        name: spelled(moment) for name, moment in suits.items()
    }

    scans = f"/v1/deliveries/{pickup['delivery_id']}/checkpoints"
    for status in ("en_route", "arrived"):
        assert (await carrier.post(scans, {"status": status})).status_code == 200
    assert (await becomes(web, asked, "scheduled"))["status"] == "approved"
    await carrier.post(scans, {"status": "picked_up"})
    await becomes(web, asked, "on_its_way")
    late = await web.post(f"/v1/orders/{order['order_id']}/cancel", {})
    problem(late, 409, "order_ended")
    await carrier.post(scans, {"status": "delivered", "proof": {"name": "The warehouse"}})
    assert (await becomes(web, asked, "arrived"))["status"] == "approved"
    found = await shop.platform.bus.ask(GetReturn(return_id=asked["return_id"]))
    row = admin._return(found.model_dump(mode="json"), as_json=False)
    assert str(row["pickup"]).startswith(f"{pickup['delivery_id']} is arrived, 20")

    unpaid = (await web.get(f"/v1/orders/{order['order_id']}")).json()
    assert (unpaid["payment_status"], unpaid["fulfillment_status"]) == ("captured", "delivered")
    await shop.platform.bus.send(ReceiveReturn(return_id=asked["return_id"]))
    await web.becomes(order, payment_status="partially_refunded")


async def test_a_pickup_waits_for_the_approval_and_ends_with_a_rejection(
    shop: Running, web: Client, carrier: Client
) -> None:
    send = shop.platform.bus.send
    dear = await completed(web, carrier, items=[{"sku": "MUG-BLUE", "quantity": 9}])
    path = f"/v1/orders/{dear['order_id']}/returns"
    all_of_it = {"items": dear_items(dear), "reason": "too many", "pickup": {}}
    asked = (await web.post(path, all_of_it)).json()
    assert (asked["status"], "pickup" in asked) == ("requested", False)
    nobody = await web.get(f"{path}/{asked['return_id']}/pickup")
    problem(nobody, 404, "no_pickup")
    await send(ApproveReturn(return_id=asked["return_id"]))
    pickup = (await becomes(web, asked, "scheduled"))["pickup"]
    assert "window" not in pickup

    await send(RejectReturn(return_id=asked["return_id"], reason="it is worn"))
    await becomes(web, asked, "cancelled")
    delivery = (await web.get(f"{path}/{asked['return_id']}/pickup")).json()
    assert delivery["status"] == "cancelled"
    scans = f"/v1/deliveries/{pickup['delivery_id']}/checkpoints"
    problem(await carrier.post(scans, {"status": "picked_up"}), 409, "delivery_ended")


def dear_items(order: Body) -> list[Body]:
    return [{"sku": item["sku"], "quantity": item["quantity"]} for item in order["items"]]


async def test_what_the_buyer_brings_is_not_fetched_any_more(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await completed(web, carrier)
    asked = await fetched(web, order, window=window())
    await becomes(web, asked, "scheduled")
    await shop.platform.bus.send(ReceiveReturn(return_id=asked["return_id"]))
    await becomes(web, asked, "cancelled")

    async def called_off() -> Any:
        path = f"/v1/orders/{order['order_id']}/returns/{asked['return_id']}/pickup"
        return (await web.get(path)).json()["status"] == "cancelled"

    assert await eventually(called_off)


async def test_when_nobody_is_at_home_the_goods_stay_and_the_return_goes_on(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await completed(web, carrier)
    asked = await fetched(web, order)
    pickup = (await becomes(web, asked, "scheduled"))["pickup"]
    scans = f"/v1/deliveries/{pickup['delivery_id']}/checkpoints"
    failed = (await carrier.post(scans, {"status": "attempt_failed"})).json()
    assert (failed["status"], failed["attempts"]) == ("attempt_failed", 1)
    await carrier.post(scans, {"status": "returned_to_sender"})
    assert (await becomes(web, asked, "failed"))["status"] == "approved"
    await shop.platform.bus.send(ReceiveReturn(return_id=asked["return_id"]))
    await web.becomes(order, payment_status="partially_refunded")


async def test_a_wish_that_cannot_be_meant_is_refused(web: Client, carrier: Client) -> None:
    order = await completed(web, carrier)
    path = f"/v1/orders/{order['order_id']}/returns"
    backwards = {"from": window(3)["from"], "to": window(1)["from"]}
    wishes: list[Any] = [True, {"window": {}}, {"window": backwards}, {"slot_id": "monday"}]
    for wrong in wishes:
        problem(await web.post(path, {**ONE, "pickup": wrong}), 422, "invalid")
    yesterday = {**ONE, "pickup": {"window": window(-24)}}
    problem(await web.post(path, yesterday), 409, "pickup_window_over")
    assert (await web.get(path)).json()["data"] == []


@pytest.mark.parametrize("ghost", ["ret_1_ghost", "ret_9_"])
async def test_a_return_that_there_is_not_has_no_pickup(web: Client, ghost: str) -> None:
    order = await web.placed(wait=0)
    answer = await web.get(f"/v1/orders/{order['order_id']}/returns/{ghost}/pickup")
    problem(answer, 404, "unknown_return")
