"""Quotes, orders, lists and deliveries over HTTP, as the outside contract has them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from bus.messages import now
from ordering.routes import BASKET
from shop.doors import Doors
from shop.web import surface
from tests.shop.clients import CARD, DOOR, ORDER, Client, Running, basket, problem

MONEY = {"amount", "currency"}

QUOTE = {
    "quote_id", "items", "product_cost", "delivery_cost", "total", "distance_m", "duration_s",
    "warehouse_id", "slots", "expires_at",
}  # fmt: skip

DELIVERY = {"delivery_id", "order_id", "status", "carrier", "tracking_number", "checkpoints"}

LINE = {"sku", "name", "quantity", "unit_price", "line_total"}


def moment(text: str) -> datetime:
    """An RFC 3339 time in UTC."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_a_quote_has_the_shape_of_the_contract(web: Client) -> None:
    quote = (await web.post("/v1/quotes", BASKET)).json()
    assert set(quote) == QUOTE
    (line,) = quote["items"]
    assert set(line) == LINE | {"available"}
    assert line["available"] is True
    assert line["line_total"] == quote["product_cost"] == {"amount": 3780, "currency": "EUR"}
    assert quote["delivery_cost"] == {"amount": 5000, "currency": "EUR"}
    assert quote["total"] == {"amount": 8780, "currency": "EUR"}
    assert all(type(quote[name]) is int for name in ("distance_m", "duration_s"))
    assert moment(quote["expires_at"]) > now()
    for slot in quote["slots"]:
        assert set(slot) == {"slot_id", "from", "to"}
        assert moment(slot["from"]) < moment(slot["to"])


async def test_an_order_that_names_its_quote_is_placed_as_quoted(
    shop: Running, web: Client
) -> None:
    quote = (await web.post("/v1/quotes", BASKET)).json()
    body = basket(quote_id=quote["quote_id"], expected_total=quote["total"])
    order = (await web.post("/v1/orders", body, prefer="wait=15")).json()
    assert (order["status"], order["total"]) == ("confirmed", quote["total"])

    items = [{"sku": "MUG-BLUE", "quantity": 3}]
    other = await web.post("/v1/orders", {**body, "items": items, "expected_total": quote["total"]})
    problem(other, 409, "quote_mismatch")
    rival = await shop.client()
    problem(await rival.post("/v1/orders", body), 404, "unknown_quote")
    problem(await web.post("/v1/orders", {**body, "quote_id": "quote-1"}), 404, "unknown_quote")
    long = {**body, "quote_id": "x" * 4097}
    assert "quote_id" in str(problem(await web.post("/v1/orders", long), 422)["errors"])


async def test_an_order_has_the_shape_of_the_contract(web: Client) -> None:
    quote = (await web.post("/v1/quotes", BASKET)).json()
    body = basket(expected_total=quote["total"])
    answer = await web.post("/v1/orders", body, prefer="wait=15")
    assert answer.status_code == 201
    order = answer.json()
    assert answer.headers["location"] == f"/v1/orders/{order['order_id']}"
    assert answer.headers["etag"] == f'"{order["version"]}"'
    assert set(order) == ORDER
    assert (order["status"], order["payment_status"]) == ("confirmed", "authorized")
    assert order["total"] == quote["total"]
    assert order["refunded"] == {"amount": 0, "currency": "EUR"}
    assert order["destination"] == BASKET["destination"]
    assert set(order["items"][0]) == LINE
    assert moment(order["placed_at"]) <= moment(order["updated_at"])
    assert (await web.get(answer.headers["location"])).json()["order_id"] == order["order_id"]


async def test_an_order_that_is_not_waited_for_is_answered_as_placed(web: Client) -> None:
    order = await web.placed(wait=0)
    assert (order["status"], order["version"]) == ("pending", 1)
    settled = await web.becomes(order, status="confirmed", fulfillment_status="scheduled")
    assert settled["version"] > 1


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("pm_card_chargeDeclined", {"status": "pending", "payment_status": "declined"}),
        (
            "pm_card_threeDSecure2Required",
            {"status": "pending", "payment_status": "requires_action"},
        ),
    ],
)
async def test_waiting_ends_when_it_is_the_buyers_turn_who_can_pay_again(
    web: Client, token: str, expected: dict[str, str]
) -> None:
    order = await web.placed(payment={"method": "card", "token": token})
    assert expected.items() <= order.items()
    assert ("next_action" in order) == (expected["payment_status"] == "requires_action")
    path = f"/v1/orders/{order['order_id']}/payment"
    paid = await web.post(path, CARD, prefer="wait=15", if_match=f'"{order["version"]}"')
    assert paid.status_code == 200
    assert (paid.json()["status"], paid.json()["payment_status"]) == ("confirmed", "authorized")
    assert "next_action" not in paid.json()
    problem(await web.post(path, CARD), 409)


async def test_what_is_sold_out_is_rejected(web: Client) -> None:
    order = await web.placed(items=[{"sku": "SCARCE", "quantity": 2}])
    assert (order["status"], order["reason"]) == ("rejected", "out_of_stock")
    problem(await web.post(f"/v1/orders/{order['order_id']}/cancel", {}), 409)


async def test_a_cancelled_order_is_void_and_stays_so(web: Client) -> None:
    order = await web.placed()
    path = f"/v1/orders/{order['order_id']}/cancel"
    cancelled = await web.post(path, {"reason": "too late"}, prefer="wait=15")
    assert cancelled.status_code == 200
    assert (cancelled.json()["status"], cancelled.json()["payment_status"]) == (
        "cancelled",
        "voided",
    )
    assert cancelled.json()["reason"] == "too late"
    again = await web.http.post(path)
    assert (again.status_code, again.json()["version"]) == (200, cancelled.json()["version"])


async def test_a_stale_version_changes_nothing(web: Client) -> None:
    order = await web.placed()
    order = await web.becomes(order, fulfillment_status="scheduled")
    path = f"/v1/orders/{order['order_id']}"
    for tag in ('"1"', '"999"', 'W/"1"', "1", '"x"'):
        answer = await web.post(f"{path}/cancel", {}, if_match=tag)
        problem(answer, 412, "stale_version")
    assert (await web.get(path)).json() == order
    tag = f'"{order["version"]}"'
    assert (await web.post(f"{path}/cancel", {}, if_match=tag)).status_code == 200


async def test_what_the_asker_has_is_not_sent_again(web: Client) -> None:
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    path = f"/v1/orders/{order['order_id']}"
    first = await web.get(path)
    same = await web.get(path, if_none_match=first.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    assert (await web.get(path, if_none_match='"1"')).json() == order


async def test_an_arrival_is_told_anew_to_who_has_the_version_but_not_the_arrival(
    web: Client, carrier: Client
) -> None:
    order = await web.becomes(await web.placed(destination=DOOR), fulfillment_status="scheduled")
    path = f"/v1/orders/{order['order_id']}/delivery"
    van = {"position": {"lat": 47.15, "lon": 9.515}}
    scans = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
    assert (await carrier.post(scans, {"status": "en_route", **van})).status_code == 200
    first = await web.get(path)
    assert moment(first.json()["eta"]) > now()
    assert first.json()["distance_remaining_m"] > 1_000
    line = first.json()["route"]
    assert line["type"] == "LineString"
    assert line["coordinates"][0] == [9.515, 47.15]
    tag = first.headers["etag"]
    assert (await web.get(path, if_none_match=tag)).status_code == 304
    version = f'{tag.partition("-")[0]}"'
    assert version != tag
    assert (await web.get(path, if_none_match=version)).status_code == 200


async def test_a_delivery_is_followed_to_the_door(web: Client, carrier: Client) -> None:
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    path = f"/v1/orders/{order['order_id']}/delivery"
    delivery = (await web.get(path)).json()
    assert set(delivery) >= DELIVERY
    assert (delivery["order_id"], delivery["status"]) == (order["order_id"], "scheduled")
    scans = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
    here = {"lat": 47.1665, "lon": 9.5101}
    answer = await carrier.post(scans, {"status": "picked_up", "position": here})
    assert answer.status_code == 200
    assert answer.json()["status"] == "picked_up"
    assert set(answer.json()["position"]) == {"lat", "lon", "at"}
    assert set(answer.json()["checkpoints"][0]) <= {"status", "position", "at", "note"}
    await web.becomes(order, payment_status="captured", fulfillment_status="shipped")
    problem(await web.post(f"/v1/orders/{order['order_id']}/cancel", {}), 409)
    await carrier.post(scans, {"status": "delivered"})
    done = await web.becomes(order, status="completed")
    assert (done["payment_status"], done["fulfillment_status"]) == ("captured", "delivered")
    assert (await web.get(path)).json()["status"] == "delivered"
    history = (await web.get(f"/v1/orders/{order['order_id']}/history")).json()
    assert history["has_more"] is False
    events = history["data"]
    assert all(set(event) == {"position", "version", "type", "at", "data"} for event in events)
    assert events[0]["type"] == "ordering.OrderPlaced"
    assert [event["position"] for event in events] == sorted(event["position"] for event in events)
    assert events[-1]["version"] == done["version"]


async def test_the_same_checkpoint_under_its_key_is_recorded_once(
    web: Client, carrier: Client
) -> None:
    order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    scans = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
    body = {"status": "picked_up", "at": "2026-01-01T10:00:00+02:00", "note": "at the dock"}
    answers = [await carrier.post(scans, body, idempotency_key="scan") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    delivery = (await web.get(f"/v1/orders/{order['order_id']}/delivery")).json()
    (scan,) = delivery["checkpoints"]
    assert scan["at"] == "2026-01-01T08:00:00Z"


async def test_what_a_client_placed_is_counted_as_its_own(shop: Running, web: Client) -> None:
    await web.placed()
    assert await shop.commits_of(web) > 1


async def test_the_process_says_that_it_lives_and_is_ready(shop: Running) -> None:
    nobody = shop.with_key(None)
    assert (await nobody.get("/livez")).json() == {"status": "live"}
    assert (await nobody.get("/readyz")).json() == {"status": "ready"}


async def test_a_process_whose_readers_do_not_run_is_not_ready(shop: Running) -> None:
    class Stopped:
        async def faults(self) -> list[str]:
            return ["reader ordering.checkout<ordering has stopped"]

    stopped: Any = Stopped()
    app = surface(stopped, Doors(shop.keys), [])
    answer = await shop._replace(app=app).with_key(None).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["faults"] == ["reader ordering.checkout<ordering has stopped"]
    assert answer.headers["retry-after"]
