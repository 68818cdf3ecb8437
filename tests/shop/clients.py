"""Clients of a shop that runs inside the test's process, on the real servers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
from starlette.applications import Starlette

from bus.platform import Platform
from bus.rest import Endpoint
from ordering.routes import BASKET
from shop.keys import Keys
from tests.waiting import eventually

CARD = {"method": "card", "token": "pm_card_visa"}

Body = dict[str, Any]

DOOR: Body = {**BASKET["destination"], "position": {"lat": 47.1674, "lon": 9.51}}
"""An address that says where it is: the gazetteer, which takes seconds to read, is not asked."""

ORDER = {
    "order_id", "buyer_id", "status", "payment_status", "fulfillment_status", "items",
    "destination", "product_cost", "delivery_cost", "total", "refunded", "payment_id",
    "delivery_id", "placed_at", "updated_at", "version",
}  # fmt: skip
"""What every order shows; API.md names the rest."""


class Running(NamedTuple):
    """A shop at work, and what a test wants of it."""

    app: Starlette
    platform: Platform
    keys: Keys
    endpoints: list[Endpoint]

    async def client(self, scope: str = "shop", name: str | None = None) -> Client:
        """A client with a key of its own, who has no orders yet unless it is named."""
        name = name or f"client-{uuid4().hex[:10]}"
        return self.with_key(await self.keys.create(name, scope), f"{scope}:{name}")

    def with_key(self, key: str | None, principal: str = "") -> Client:
        """Whoever sends this key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=self.app)
        http = httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers)
        return Client(http, key, principal)

    async def commits_of(self, *clients: Client) -> int:
        """How many decisions stand in the logs for these clients' sake."""
        asked = {"meta.principal": {"$in": [client.principal for client in clients]}}
        logs = [context.log for context in self.platform.contexts.values()]
        return sum([await log.run(partial(log.collection.count_documents, asked)) for log in logs])


class Client:
    """One who asks, with a key."""

    _numbers = itertools.count()

    def __init__(self, http: httpx.AsyncClient, key: str | None, principal: str) -> None:
        self.http = http
        self.key = key
        self.principal = principal

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=spelled(headers))

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A body as it is (bytes), or as JSON; an idempotency key of its own unless one is
        given."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "content-type": "application/json",
            "idempotency-key": f"key-{next(self._numbers)}-{uuid4().hex[:6]}",
            **spelled(headers),
        }
        return await self.http.post(path, content=content, headers=sent)

    async def placed(self, wait: int = 15, **changes: Any) -> Body:
        """An order that has settled; with `wait=0`, as it was placed."""
        prefer = {"prefer": f"wait={wait}"} if wait else {}
        answer = await self.post("/v1/orders", basket(**changes), **prefer)
        assert answer.status_code == 201, answer.text
        order: Body = answer.json()
        return order

    async def becomes(self, order: Body, **fields: str) -> Body:
        """The order once these fields have these values."""

        async def look() -> Body:
            found: Body = (await self.get(f"/v1/orders/{order['order_id']}")).json()
            return found if all(found[name] == value for name, value in fields.items()) else {}

        return await eventually(look)


def spelled(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def basket(**changes: Any) -> Body:
    """The body of an order that can be served; `None` leaves a field out."""
    body = {"buyer_id": "buyer-1", **BASKET, "payment": CARD, **changes}
    return {name: value for name, value in body.items() if value is not None}


async def completed(web: Client, carrier: Client, **changes: Any) -> Body:
    """An order of two mugs that has come to its door."""
    order = await web.becomes(await web.placed(**changes), fulfillment_status="scheduled")
    for status in ("picked_up", "delivered"):
        path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
        assert (await carrier.post(path, {"status": status})).status_code == 200
    return await web.becomes(order, status="completed")


def problem(answer: httpx.Response, status: int, code: str | None = None) -> Body:
    """The problem in an answer, checked as API.md has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Body = answer.json()
    assert set(body) - {"details"} == {
        "type", "title", "status", "detail", "code", "errors", "trace_id",
    }  # fmt: skip
    assert body["status"] == status
    assert code in (None, body["code"]), body
    assert body["type"] == f"urn:storefold:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    assert len(answer.content) < 10_000
    return body


async def orders_of(client: Client, answer: httpx.Response) -> list[str]:
    """All its orders, the newest first, once the lists show what came of a command."""
    position = answer.headers["storefold-position"]
    found = (await client.get(f"/v1/orders?min_position={position}")).json()
    assert found["has_more"] is False
    return [order["order_id"] for order in found["data"]]
