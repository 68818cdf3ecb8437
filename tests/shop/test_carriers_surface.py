"""What carriers ask and say, and that none of them hears of another's deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bus.messages import Window, now
from catalog.stock_commands import GetStock
from delivery.commands import RescheduleDelivery
from tests.shop.clients import Body, Client, Running, problem
from tests.waiting import eventually


async def ordered(web: Client) -> str:
    """The id of a delivery that no carrier has yet."""
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    return str(order["delivery_id"])


def checkpoints(delivery_id: str) -> str:
    return f"/v1/deliveries/{delivery_id}/checkpoints"


async def listed(client: Client, position: str, **filters: Any) -> list[Body]:
    """The carrier's deliveries, once the list shows this position."""
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    answer = await client.get(f"/v1/deliveries?min_position={position}&{query}")
    assert answer.status_code == 200, answer.text
    found: list[Body] = answer.json()["data"]
    return found


async def test_a_carrier_takes_what_nobody_has_and_no_other_ever_sees_it(
    shop: Running, web: Client
) -> None:
    post, vans = [await shop.client("carrier") for _ in range(2)]
    delivery_id = await ordered(web)
    for carrier in (post, vans):  # it is nobody's yet
        problem(await carrier.get(f"/v1/deliveries/{delivery_id}"), 404, "unknown_delivery")
    taken = await post.post(checkpoints(delivery_id), {"status": "picked_up"})
    assert taken.json()["carrier"] == post.principal.removeprefix("carrier:")

    position = taken.headers["storefold-position"]
    (mine,) = await listed(post, position)
    assert (mine["delivery_id"], mine["status"]) == (delivery_id, "picked_up")
    assert (await post.get(f"/v1/deliveries/{delivery_id}")).json() == taken.json()

    assert await listed(vans, position) == []
    for status in ("picked_up", "en_route", "delivered"):
        answer = await vans.post(checkpoints(delivery_id), {"status": status})
        problem(answer, 404, "unknown_delivery")
    behind = f"/v1/deliveries?starting_after={delivery_id}"
    problem(await vans.get(behind), 404, "unknown_delivery")
    assert await shop.commits_of(vans) == 0


async def test_a_carriers_list_is_paged_and_filtered(shop: Running, web: Client) -> None:
    post = await shop.client("carrier")
    ids = [await ordered(web) for _ in range(3)]
    for delivery_id in ids:
        answer = await post.post(checkpoints(delivery_id), {"status": "picked_up"})
    answer = await post.post(checkpoints(ids[0]), {"status": "delivered"})
    position = answer.headers["storefold-position"]

    async def found(**filters: Any) -> list[str]:
        return [each["delivery_id"] for each in await listed(post, position, **filters)]

    assert await found() == ids[::-1]
    assert await found(limit=2) == [ids[2], ids[1]]
    assert await found(starting_after=ids[1]) == [ids[0]]
    assert await found(open="true") == [ids[2], ids[1]]
    assert await found(open="false") == [ids[0]]
    assert await found(status="delivered") == [ids[0]]
    assert await found(date="2026-11-28") == []
    assert await found(carrier="another") == []
    for wrong in ("status=lost", "limit=0", "date=tomorrow", "open=perhaps", "colour=red"):
        problem(await post.get(f"/v1/deliveries?{wrong}"), 422, "invalid")


async def test_who_took_the_goods_is_shown_to_the_shop(web: Client, carrier: Client) -> None:
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    path = checkpoints(order["delivery_id"])
    proof = {"name": "A. Neighbour", "note": "at number 14"}
    early = await carrier.post(path, {"status": "arrived", "proof": proof})
    assert problem(early, 422, "invalid")["errors"][0]["field"] == "proof"
    for wrong in ({"name": " "}, {"name": "x" * 201}, {"note": "nobody"}, {"name": "x", "age": 7}):
        body = {"status": "delivered", "proof": wrong}
        problem(await carrier.post(path, body), 422, "invalid")
    answer = await carrier.post(path, {"status": "delivered", "proof": proof})
    assert answer.status_code == 200, answer.text
    shown = (await web.get(f"/v1/orders/{order['order_id']}/delivery")).json()
    assert shown["checkpoints"][-1]["proof"] == proof
    await web.becomes(order, status="completed")


async def test_what_was_cancelled_or_is_over_is_told_and_sticks_nowhere(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    await web.post(f"/v1/orders/{order['order_id']}/cancel", {})
    await web.becomes(order, status="cancelled")
    late = await carrier.post(checkpoints(order["delivery_id"]), {"status": "picked_up"})
    assert "cancelled" in problem(late, 409, "delivery_ended")["detail"]

    delivery_id = await ordered(web)
    times = [f"2026-11-23T{hour:02}:00:00Z" for hour in (8, 12, 10, 14)]
    scans = ["picked_up", "delivered", "attempt_failed", "en_route"]
    answers = [
        await carrier.post(
            checkpoints(delivery_id), {"status": status, "at": at.replace("T8", "T08")}
        )
        for status, at in zip(scans, times, strict=True)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]
    assert (answers[2].json()["status"], answers[2].json()["attempts"]) == ("delivered", 1)
    parked = [
        each.database["parked"].count_documents({}) for each in shop.platform.contexts.values()
    ]
    assert sum(parked) == 0


async def stock(shop: Running) -> int:
    (level,) = await shop.platform.bus.ask(GetStock(skus=("MUG-RED",)))
    return level.on_hand


async def there_are(shop: Running, left: int) -> Any:
    return await stock(shop) == left


async def test_an_order_whose_doors_stay_shut_waits_and_ends_with_its_money_and_goods_back(
    shop: Running, web: Client, carrier: Client
) -> None:
    before, red = await stock(shop), [{"sku": "MUG-RED", "quantity": 3}]
    order = await web.becomes(await web.placed(items=red), fulfillment_status="scheduled")
    path = checkpoints(order["delivery_id"])
    await carrier.post(path, {"status": "picked_up"})
    await web.becomes(order, payment_status="captured")
    assert await eventually(lambda: there_are(shop, before - 3))
    failed = (await carrier.post(path, {"status": "attempt_failed", "note": "no answer"})).json()
    assert (failed["status"], failed["attempts"]) == ("attempt_failed", 1)

    start = now().replace(microsecond=0) + timedelta(days=1)
    window = Window.model_validate({"from": start, "to": start + timedelta(hours=2)})
    again = RescheduleDelivery(delivery_id=order["delivery_id"], when=window)
    assert (await shop.platform.bus.send(again)).answer.status == "rescheduled"

    async def moved() -> Any:
        found = (await web.get(f"/v1/orders/{order['order_id']}")).json()
        return found if "slot" in found else None

    waiting: Any = await eventually(moved)
    assert waiting["slot"]["from"] == start.isoformat().replace("+00:00", "Z")
    assert (waiting["status"], waiting["fulfillment_status"]) == ("confirmed", "shipped")

    await carrier.post(path, {"status": "returned_to_sender"})
    ended = await web.becomes(order, status="cancelled")
    assert (ended["payment_status"], ended["fulfillment_status"]) == ("refunded", "returned")
    assert (ended["refunded"], ended["reason"]) == (order["total"], "returned_to_sender")

    assert await eventually(lambda: there_are(shop, before))
