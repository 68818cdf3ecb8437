"""A retry is recognised: one decision, one answer, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from bus.messages import Money
from catalog.commands import ChangePrice, ListProduct, Offered
from tests.shop.clients import Client, Running, basket, orders_of, problem


async def test_a_repeated_request_gets_its_first_answer(web: Client) -> None:
    key = uuid4().hex
    first = await web.post("/v1/orders", basket(), idempotency_key=key)
    assert "idempotent-replayed" not in first.headers
    await web.becomes(first.json(), fulfillment_status="scheduled")
    again = await web.post("/v1/orders", basket(), idempotency_key=key)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    for name in ("location", "etag"):
        assert again.headers[name] == first.headers[name]


async def test_a_key_used_with_another_body_is_refused(web: Client) -> None:
    key = uuid4().hex
    first = await web.post("/v1/orders", basket(), idempotency_key=key)
    for change in ({"buyer_id": "buyer-2"}, {"items": [{"sku": "MUG-RED", "quantity": 1}]}):
        answer = await web.post("/v1/orders", basket(**change), idempotency_key=key)
        assert problem(answer, 422)["code"] != "invalid"
    assert await orders_of(web, first) == [first.json()["order_id"]]


async def test_a_refusal_uses_up_no_key(web: Client) -> None:
    key = uuid4().hex
    body = basket(items=[{"sku": "GHOST", "quantity": 1}])
    problem(await web.post("/v1/orders", body, idempotency_key=key), 409, "unknown_sku")
    assert (await web.post("/v1/orders", basket(), idempotency_key=key)).status_code == 201


async def test_ten_twins_at_once_are_one_order_and_one_answer(web: Client) -> None:
    key = uuid4().hex
    answers = await asyncio.gather(
        *(web.post("/v1/orders", basket(), idempotency_key=key) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len(await orders_of(web, answers[0])) == 1


async def test_the_first_answer_stands_though_the_price_has_changed(
    shop: Running, web: Client
) -> None:
    sku = f"OLD-{uuid4().hex[:6]}".upper()
    price = Money(amount=100, currency="EUR")
    offered = Offered(sku=sku, name="Old", price=price, on_hand=9)
    await shop.platform.bus.send(ListProduct(product_id=sku, name="Old", variants=(offered,)))
    body = basket(items=[{"sku": sku, "quantity": 1}], expected_total=None)
    first = await web.post("/v1/orders", body, idempotency_key="old")
    assert first.status_code == 201
    dearer = Money(amount=200, currency="EUR")
    await shop.platform.bus.send(ChangePrice(sku=sku, price=dearer))
    again = await web.post("/v1/orders", body, idempotency_key="old")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_cancel_repeated_under_its_key_is_the_same_decision(web: Client) -> None:
    order = await web.placed()
    path = f"/v1/orders/{order['order_id']}/cancel"
    answers = [await web.post(path, {}, idempotency_key="stop") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["idempotent-replayed"] == "true"
    history = (await web.get(f"/v1/orders/{order['order_id']}/history")).json()["data"]
    types = [happening["type"] for happening in history]
    assert len(types) == len(set(types))
