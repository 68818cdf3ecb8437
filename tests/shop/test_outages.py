"""Redis or MongoDB stops answering: reads stay right, requests are answered in time, and nothing is
lost."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from redis import Redis

from ordering.views import ORDERS
from shop import embedded
from tests.hanging import hanging
from tests.shop.clients import Client, Running, basket, orders_of, problem
from tests.waiting import eventually

SOON = 8.0
"""Seconds within which every request is answered, with a patience of one second."""


@pytest.fixture
def redis_pid(servers: embedded.Servers) -> int:
    assert servers.redis_url
    with Redis.from_url(servers.redis_url) as client:
        return int(client.info("server")["process_id"])


@pytest.fixture
def mongod_pid(mongo: MongoClient[dict[str, Any]]) -> int:
    return int(mongo.admin.command("serverStatus")["pid"])


@pytest.fixture(autouse=True)
async def well_again(shop: Running) -> AsyncIterator[None]:
    """The next test finds a shop that works."""
    yield

    async def ready() -> Any:
        return (await shop.with_key(None).get("/readyz")).status_code == 200

    await eventually(ready, within=40)


async def test_without_redis_everything_works_and_reads_are_right(
    shop: Running, web: Client, redis_pid: int
) -> None:
    before = await web.becomes(await web.placed(), fulfillment_status="scheduled")

    async def cached() -> Any:
        await web.get(f"/v1/orders/{before['order_id']}")  # if Redis was slow when it was written
        return await shop.platform.cache.get(ORDERS.cache_key(before["order_id"]))

    await eventually(cached)
    with hanging(redis_pid):
        for order in (before, await web.placed()):
            assert order["status"] == "confirmed"
            path = f"/v1/orders/{order['order_id']}"
            cancelled = await web.post(f"{path}/cancel", {}, prefer="wait=15")
            assert cancelled.json()["status"] == "cancelled"
            assert (await web.get(path)).json()["status"] == "cancelled"
    # Redis still holds what was true before.
    await eventually(lambda: not shop.platform.cache.away)
    for _ in range(5):
        found = (await web.get(f"/v1/orders/{before['order_id']}")).json()
        assert found["status"] == "cancelled"


async def test_while_mongodb_hangs_requests_are_answered_in_time_and_then_done_once(
    shop: Running, web: Client, mongod_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = uuid4().hex
    monkeypatch.setattr("shop.web.PATIENCE", 1.0)
    with hanging(mongod_pid):
        started = time.monotonic()
        for answer in (
            await web.post("/v1/orders", basket(), idempotency_key=key),
            await web.get("/v1/orders"),
            await web.get("/v1/orders/ord_nobody-has-read-it"),
        ):
            assert "same Idempotency-Key" in problem(answer, 503, "busy")["detail"]
            assert int(answer.headers["retry-after"]) >= 1
        ready = await shop.with_key(None).get("/readyz")
        assert time.monotonic() - started < SOON
        assert ready.status_code == 503
        assert "MongoDB" in ready.text
        assert (await shop.with_key(None).get("/livez")).status_code == 200
    monkeypatch.setattr("shop.web.PATIENCE", 30.0)

    async def placed() -> Any:
        answer = await web.post("/v1/orders", basket(), idempotency_key=key)
        return answer if answer.status_code == 201 else None

    answer = await eventually(placed, within=30)
    assert await orders_of(web, answer) == [answer.json()["order_id"]]
    await web.becomes(answer.json(), status="confirmed")
