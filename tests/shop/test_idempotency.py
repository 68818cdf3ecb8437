"""A retry is recognised: one decision, one answer, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from bus.messages import Command, Money
from bus.rest import Endpoint
from catalog.commands import ChangePrice, ListProduct, Offered
from tests.shop.clients import Client, Running, basket, orders_of, problem
from tests.shop.rows import ROWS, Ids, Scene, ask, name_of

KEYED = [name for name, case in ROWS.items() if case.other]

TWINS = 10


async def asked(shop: Running, web: Client, name: str) -> tuple[Endpoint, Client, Ids]:
    """A row, who may ask it, and about what."""
    (row,) = [row for row in shop.endpoints if name_of(row) == name]
    carrier = await shop.client("carrier")
    case = ROWS[name]
    path = {**case.path, **await case.about(Scene(web, carrier))}
    return row, carrier if row.scope == "carrier" else web, path


def first_answer(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """What a replay has to repeat."""
    same = {name: answer.headers.get(name, "") for name in ("etag", "location")}
    return answer.status_code, answer.text, same


async def test_every_command_of_the_surface_is_tried_twice(shop: Running) -> None:
    commands = {name_of(row) for row in shop.endpoints if issubclass(row.message, Command)}
    assert commands == set(KEYED), "say in tests/shop/rows.py how to make another request of it"


@pytest.mark.parametrize("name", KEYED)
async def test_what_is_asked_again_under_its_key_is_answered_as_at_first(
    shop: Running, web: Client, name: str
) -> None:
    row, client, path = await asked(shop, web, name)
    first = await ask(client, row, path, idempotency_key="again")
    assert (first.status_code, first.headers.get("idempotent-replayed")) == (row.status, None)
    again = await ask(client, row, path, idempotency_key="again")
    assert again.headers["idempotent-replayed"] == "true"
    assert first_answer(again) == first_answer(first)
    other = await ask(client, row, path, ROWS[name].other, idempotency_key="again")
    problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("name", KEYED)
async def test_twins_at_once_are_one_decision_and_one_answer(
    shop: Running, web: Client, name: str
) -> None:
    row, client, path = await asked(shop, web, name)
    answers = await asyncio.gather(
        *(ask(client, row, path, idempotency_key="twins") for _ in range(TWINS))
    )
    assert {answer.status_code for answer in answers} == {row.status}
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["storefold-position"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


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


async def test_a_refusal_uses_up_no_key(shop: Running, web: Client, carrier: Client) -> None:
    sku, key = f"SOON-{uuid4().hex[:6]}", uuid4().hex
    body = basket(items=[{"sku": sku, "quantity": 1}])
    for _ in range(2):
        problem(await web.post("/v1/orders", body, idempotency_key=key), 409, "unknown_sku")
    await sell(shop, sku, 100)
    placed = await web.post("/v1/orders", body, idempotency_key=key)
    assert (placed.status_code, placed.headers.get("idempotent-replayed")) == (201, None)

    order = await web.becomes(placed.json(), fulfillment_status="scheduled")
    path, back = f"/v1/orders/{order['order_id']}/returns", {"items": body["items"], "reason": "no"}
    problem(await web.post(path, back, idempotency_key=key), 409, "not_delivered")
    for status in ("picked_up", "delivered"):
        await carrier.post(f"/v1/deliveries/{order['delivery_id']}/checkpoints", {"status": status})
    await web.becomes(order, status="completed")
    returned = await web.post(path, back, idempotency_key=key)
    assert (returned.status_code, returned.headers.get("idempotent-replayed")) == (201, None)


async def sell(shop: Running, sku: str, cents: int) -> None:
    offered = Offered(sku=sku, name="Some", price=Money(amount=cents, currency="EUR"), on_hand=9)
    await shop.platform.bus.send(ListProduct(product_id=sku, name="Some", variants=(offered,)))


async def test_who_waited_for_an_order_to_settle_is_answered_again_as_it_settled(
    web: Client,
) -> None:
    key, wait = uuid4().hex, "wait=15"
    first = await web.post("/v1/orders", basket(), idempotency_key=key, prefer=wait)
    assert first.json()["status"] == "confirmed"
    order = await web.becomes(first.json(), fulfillment_status="scheduled")
    cancel = f"/v1/orders/{order['order_id']}/cancel"
    stopped = await web.post(cancel, {}, idempotency_key=key, prefer=wait)
    assert stopped.json()["status"] == "cancelled"
    for path, body, answer in (("/v1/orders", basket(), first), (cancel, {}, stopped)):
        again = await web.post(path, body, idempotency_key=key, prefer=wait)
        assert again.headers["idempotent-replayed"] == "true"
        assert first_answer(again) == first_answer(answer)


async def test_the_first_answer_stands_though_the_price_has_changed(
    shop: Running, web: Client
) -> None:
    sku = f"OLD-{uuid4().hex[:6]}"
    await sell(shop, sku, 100)
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
    first = await web.post(path, {}, idempotency_key="stop")
    await web.becomes(order, status="cancelled")
    again = await web.post(path, {}, idempotency_key="stop")
    assert again.headers["idempotent-replayed"] == "true"
    assert first_answer(again) == first_answer(first)
    assert first.json()["status"] == "cancelling"
    history = (await web.get(f"/v1/orders/{order['order_id']}/history")).json()["data"]
    types = [happening["type"] for happening in history]
    assert len(types) == len(set(types))
