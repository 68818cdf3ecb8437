"""Who may ask what: every row of the surface, with every kind of key."""

from __future__ import annotations

import json

import httpx
import pytest

from bus.rest import SCOPES, SIGNED, Endpoint
from tests.shop.clients import Client, Running, basket, problem

ROWS = [
    ("POST", "/v1/orders", "shop"),
    ("GET", "/v1/orders", "shop"),
    ("GET", "/v1/orders/{order_id}", "shop"),
    ("POST", "/v1/orders/{order_id}/cancel", "shop"),
    ("POST", "/v1/orders/{order_id}/payment", "shop"),
    ("POST", "/v1/orders/{order_id}/returns", "shop"),
    ("GET", "/v1/orders/{order_id}/returns", "shop"),
    ("GET", "/v1/orders/{order_id}/history", "shop"),
    ("GET", "/v1/orders/{order_id}/delivery", "shop"),
    ("POST", "/v1/quotes", "shop"),
    ("GET", "/v1/products", "shop"),
    ("GET", "/v1/products/{product_id}", "shop"),
    ("GET", "/v1/products/{product_id}/images/{n}", "shop"),
    ("POST", "/v1/deliveries/{delivery_id}/checkpoints", "carrier"),
    ("GET", "/v1/balances/{buyer_id}", "shop"),
    ("POST", "/v1/payments/webhooks/{gateway}", "signature"),
]
"""API.md's table, as far as it is built."""

OPEN = {"/livez", "/readyz", "/openapi.json", "/docs"}


async def ask(client: Client, row: Endpoint, **ids: str) -> httpx.Response:
    """What a row answers; the things in its path are those named, or unknown."""
    things = ("order_id", "product_id", "delivery_id", "buyer_id", "gateway")
    known = {**dict.fromkeys(things, "ghost"), "n": "1", **ids}
    path = row.path.format(**known)
    if row.method == "GET":
        return await client.get(path)
    return await client.post(path, dict(row.example or {}))


def keyed(shop: Running) -> list[Endpoint]:
    """The rows that a key opens."""
    return [row for row in shop.endpoints if row.scope != SIGNED]


async def test_the_surface_is_what_the_outside_contract_says(shop: Running) -> None:
    found = [(row.method, row.path, row.scope) for row in shop.endpoints]
    assert set(ROWS) <= set(found)
    assert len(set(found)) == len(found)


async def test_without_a_key_that_opens_nothing_is_answered(shop: Running) -> None:
    revoked = await shop.keys.create("gone", "shop")
    await shop.keys.revoke(revoked)
    prefix = (await shop.keys.create("here", "shop")).partition(".")[0]
    for key in (None, "nonsense", revoked, f"{prefix}.{'x' * 43}", f"{prefix}.", "sk_"):
        for row in keyed(shop):
            answer = await ask(shop.with_key(key), row)
            problem(answer, 401, "unauthorized")
            wrong = ' error="invalid_token"' if key else ""
            assert answer.headers["www-authenticate"] == f"Bearer{wrong}"


async def test_a_key_for_something_else_is_forbidden_and_the_right_one_is_not(
    shop: Running,
) -> None:
    clients = {scope: await shop.client(scope) for scope in SCOPES}
    for row in keyed(shop):
        for scope, client in clients.items():
            answer = await ask(client, row)
            if scope == row.scope:
                assert answer.status_code not in (401, 403), row.path
                assert answer.status_code < 500
            else:
                assert f"scope {row.scope}" in problem(answer, 403, "forbidden")["detail"]
                challenge = f'Bearer error="insufficient_scope", scope="{row.scope}"'
                assert answer.headers["www-authenticate"] == challenge
    assert await shop.commits_of(clients["carrier"], clients["admin"]) == 0


async def test_no_key_opens_what_is_signed(shop: Running) -> None:
    rows = [row for row in shop.endpoints if row.scope == SIGNED]
    assert [row.path for row in rows] == ["/v1/payments/webhooks/{gateway}"]
    for client in (shop.with_key(None), await shop.client("admin")):
        problem(await ask(client, rows[0]), 404, "unknown_gateway")


async def test_another_clients_order_is_unknown_everywhere(shop: Running, web: Client) -> None:
    order = await web.placed()
    other = await shop.client()
    rows = [row for row in shop.endpoints if "{order_id}" in row.path]
    assert len(rows) >= 5
    for row in rows:
        theirs = await ask(other, row, order_id=order["order_id"])
        nobodys = await ask(other, row, order_id="ghost")
        known = {**problem(theirs, 404, "unknown_order"), "trace_id": ""}
        unknown = {**problem(nobodys, 404, "unknown_order"), "trace_id": ""}
        ghost = json.loads(json.dumps(unknown).replace("ghost", order["order_id"]))
        assert known == ghost, "the answers must not tell which orders there are"
    assert (await other.get("/v1/orders")).json() == {"data": [], "has_more": False}
    after = await other.get(f"/v1/orders?starting_after={order['order_id']}")
    assert after.status_code in (404, 422)
    assert await shop.commits_of(other) == 0
    assert (await ask(web, rows[0], order_id=order["order_id"])).status_code == 200


async def test_keys_of_one_name_open_the_same_orders(shop: Running) -> None:
    first, second = [await shop.client(name="two-keys") for _ in range(2)]
    order = await first.placed(wait=0)
    assert (await second.get(f"/v1/orders/{order['order_id']}")).status_code == 200


async def test_the_same_idempotency_key_of_two_clients_is_two_orders(
    shop: Running, web: Client
) -> None:
    other = await shop.client()
    orders = [
        (await client.post("/v1/orders", basket(), idempotency_key="one")).json()["order_id"]
        for client in (web, other)
    ]
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer\tx", "Bearer " + "x" * 60_000, "é"],
    ids=lambda header: header[:12],
)
async def test_whatever_stands_in_authorization_is_no_fault_of_ours(
    shop: Running, header: str
) -> None:
    answer = await shop.with_key(None).http.get(
        "/v1/orders", headers=[(b"authorization", header.encode("latin-1"))]
    )
    problem(answer, 401, "unauthorized")


async def test_the_word_bearer_is_read_in_any_case(shop: Running, web: Client) -> None:
    for word in ("Bearer", "bearer", "BEARER"):
        headers = {"authorization": f"{word} {web.key}"}
        answer = await shop.with_key(None).http.get("/v1/orders", headers=headers)
        assert answer.status_code == 200


async def test_only_the_process_itself_is_open(shop: Running) -> None:
    nobody = shop.with_key(None)
    for path in OPEN:
        assert (await nobody.get(path)).status_code == 200
    named = {route.path for route in shop.app.routes if hasattr(route, "path")}
    assert named - {row.path for row in shop.endpoints} == OPEN
