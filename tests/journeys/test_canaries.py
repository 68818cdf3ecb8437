"""Whatever goes wrong, no line of the process' log has a secret or a word about a person in it, and
each says which request and which order it is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from redis import Redis

from shop import embedded
from tests.hanging import hanging
from tests.journeys.canaries import UNPAYABLE, UNSHOWN, WORD
from tests.journeys.conftest import Stock, Stocked
from tests.journeys.processes import Process, running
from tests.journeys.shops import DOOR, ROOT, Web, basket, calling
from tests.waiting import eventually

CLIENT = "traced"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

PERSON: dict[str, Any] = {
    **DOOR,
    "house_number": f"{WORD} 1",
    "road": f"{WORD} road",
    "sub_district": f"{WORD} sub",
    "district": f"{WORD} district",
    "state": f"{WORD} state",
    "postcode": f"{WORD} code",
}

CALL = f"{WORD}: ring +423 232 00 00, {WORD}@example.org"
"""What people write into notes."""

NOBODY = "http://127.0.0.1:1"
"""Where nobody listens."""

JSON = {"Idempotency-Key": WORD, "Content-Type": "application/json"}

PROVOKED = {
    "request", "message", "request.failed", "request.database_away", "reader.retries",
    "reader.parked", "log.uncertain", "timer.failed", "cache.away", "thread.failed",
    "asyncio warns", "urllib3 warns",
}  # fmt: skip


@pytest.fixture
def shop(stock: Stock) -> Stocked:
    return stock(
        SHOP_LOG_LEVEL="debug",
        SHOP_ORDER_EXPIRY="1",
        SHOP_RETRY_ATTEMPTS="2",
        SHOP_WEBHOOKS_ALLOW_PRIVATE="true",
        PYTHONPATH=str(ROOT),
    )


def said(process: Process) -> list[dict[str, Any]]:
    """What the process has said in its log so far."""
    return [json.loads(line) for line in process.complaints if line.startswith("{")]


async def test_no_line_has_a_secret_or_a_word_about_a_person_in_it(
    shop: Stocked, servers: embedded.Servers, mongo: MongoClient[dict[str, Any]], sku: str
) -> None:
    words = ("serve", "--port", "0")
    started = Process.of_module(
        "tests.journeys.canaries", words, shop.shop.environment, shop.shop.folder
    )
    with running(started) as process:
        async with calling(process.address, shop.keys.web) as web:
            web.http.headers["traceparent"] = TRACEPARENT
            parked = await ordered(web, sku, token=UNPAYABLE)
            unshown = await ordered(web, sku, buyer=UNSHOWN)
            await ordered(web, sku, token="pm_card_chargeDeclined")
            await doorstep(shop, web, process, sku)
            await bad_requests(web)
            await heard(process, "reader.parked", "timer.failed", "log.uncertain")
            with hanging(int(mongo.admin.command("serverStatus")["pid"])):
                key = f"{WORD}-silent"
                answer = await web.post("/v1/orders", basket(sku, destination=PERSON), key=key)
                assert answer.status_code == 503
            with Redis.from_url(servers.redis_url or "") as redis:
                pid = int(redis.info("server")["process_id"])
            with hanging(pid):
                await web.get(f"/v1/orders/{parked}")
            await heard(process, "request.database_away", "cache.away")
        lines = said(process)
        told = {line["event"] for line in lines}
    assert told >= PROVOKED
    secret = shop.keys.web.partition(".")[2]
    for line in process.complaints:
        assert WORD not in line.lower(), line
        assert secret not in line, line
        assert line.startswith(("{", "ready http://")), line
    whereabouts(lines, parked, unshown)


def whereabouts(lines: Sequence[dict[str, Any]], parked: str, unshown: str) -> None:
    """A line says where it belongs."""
    found = [line for line in lines if line["event"] == "reader.retries"]
    (retries,) = (line for line in found if line["reader"] == "payment.gateway<payment")
    assert (retries["trace_id"], retries["order_id"]) == (TRACE, parked)
    assert retries["error"].startswith("ValidationError: int")
    assert retries["correlation"]
    failed = next(line for line in lines if line["event"] == "request.failed")
    assert (failed["trace_id"], failed["route"]) == (TRACE, "/v1/balances/{buyer_id}")
    assert failed["client"] == "web"
    assert "in refused" in failed["exception"]
    timer = next(line for line in lines if line["event"] == "timer.failed")
    assert timer["trace_id"] == TRACE
    placed = [line for line in lines if line["event"] == "request" and line["status"] == 201]
    assert {line["route"] for line in placed} == {"/v1/orders", "/v1/orders/{order_id}/returns"}
    shown = [line for line in lines if line["event"] == "reader.parked"]
    assert {line["reader"] for line in shown} >= {"payment.gateway<payment", "ordering.orders:v1"}
    assert unshown


async def ordered(
    web: Web, sku: str, token: str = f"pm_{WORD}_other", buyer: str = f"{WORD}-buyer"
) -> str:
    """The id of an order in which every word is to be kept."""
    body = basket(
        sku,
        buyer_id=buyer,
        destination=PERSON,
        payment={"method": "card", "token": token},
    )
    answer = await web.post("/v1/orders", body, key=f"{WORD}-{token}-{buyer}")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


async def doorstep(shop: Stocked, web: Web, process: Process, sku: str) -> None:
    """An order that goes all the way and comes back, with words about people at every step; and a
    webhook that nobody takes, at an address that is a secret."""
    shop.shop.cli("webhooks", "add", f"{NOBODY}/{WORD}?token={WORD}")
    order = await web.place(sku, buyer_id=f"{WORD}-buyer", destination=PERSON)
    await web.delivery_becomes(order, "scheduled")
    async with calling(process.address, shop.keys.carrier) as carrier:
        at = {"lat": 47.1, "lon": 9.5}
        await carrier.checkpoint(order, "picked_up", note=CALL, position=at)
        await carrier.checkpoint(order, "en_route", note=CALL, position=at)
        await carrier.checkpoint(order, "delivered", proof={"name": CALL, "note": CALL})
        path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
        late = await carrier.post(path, {"status": "picked_up", "note": CALL})
        assert late.status_code == 409
        odd = await carrier.post(path, {"status": "delivered", "proof": {"phone": CALL}})
        assert odd.status_code == 422
    await web.becomes(order, status="completed")
    items = [{"sku": sku, "quantity": 1}]
    back = f"/v1/orders/{order['order_id']}/returns"
    assert (await web.post(back, {"items": items, "reason": CALL})).status_code == 201
    # No field of ours: but people write such things where there is none.
    more: Any = {"name": f"{WORD} name", "email": f"{WORD}@example.org", "phone": CALL}
    unknown = await web.post("/v1/orders", basket(sku, destination={**PERSON, **more}, **more))
    assert unknown.status_code == 422

    async def told() -> Any:
        rows = shop.shop.rows("webhooks", "deliveries")
        return any(row["attempts"] for row in rows)

    await eventually(told, 40)
    assert shop.shop.rows("buyers", "export", f"{WORD}-buyer")


async def bad_requests(web: Web) -> None:
    """Whatever a client may do wrong, and a fault of our own."""
    http = web.http
    answers: list[httpx.Response] = [
        await http.get(f"/v1/balances/{WORD}-buyer"),
        await http.get(f"/{WORD}"),
        await http.get("/v1/orders", params={"buyer_id": f"{WORD}-buyer", WORD: "1"}),
        await http.get("/v1/orders", headers={"Authorization": f"Bearer {WORD}"}),
        await http.post("/v1/orders", content=f'{{"{WORD}": ', headers=JSON),
        await web.post("/v1/orders", {"buyer_id": [WORD], "destination": {"road": 1, WORD: 2}}),
        await web.post(f"/v1/orders/{WORD}/cancel", {"reason": WORD}),
        await web.post(f"/v1/payments/webhooks/{WORD}", {"token": WORD}),
        await web.post(f"/v1/deliveries/{WORD}/checkpoints", {"status": "arrived", "note": WORD}),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [500, 404, 422, 401, 400, 422, 404, 404, 403], statuses
    assert answers[0].json()["trace_id"] == TRACE


async def heard(process: Process, *events: str) -> None:
    """Wait until the process has said all of these."""
    await eventually(lambda: {line["event"] for line in said(process)} >= set(events), every=0.05)
