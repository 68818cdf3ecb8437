"""Who may ask what: every row of the surface, with every kind of key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bus.rest import HTML, SCOPES, Endpoint
from tests.shop.clients import Client, Running, basket, problem
from tests.shop.issuers import token
from tests.shop.rows import ROWS, Scene, ask, name_of

CONTRACT = [
    ("POST", "/v1/orders", "shop"),
    ("GET", "/v1/orders", "shop"),
    ("GET", "/v1/orders/{order_id}", "shop"),
    ("POST", "/v1/orders/{order_id}/cancel", "shop"),
    ("POST", "/v1/orders/{order_id}/payment", "shop"),
    ("POST", "/v1/orders/{order_id}/returns", "shop"),
    ("GET", "/v1/orders/{order_id}/returns", "shop"),
    ("GET", "/v1/orders/{order_id}/history", "shop"),
    ("GET", "/v1/orders/{order_id}/events", "shop"),
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

OPEN = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"}


async def no_key(shop: Running) -> None:
    return None


async def nonsense(shop: Running) -> str:
    return "nonsense"


async def cut_short(shop: Running) -> str:
    return (await shop.keys.create("cut", "shop"))[:-1]


async def guessed(shop: Running) -> str:
    return f"{(await shop.keys.create('here', 'shop')).partition('.')[0]}.{'x' * 43}"


async def unknown(shop: Running) -> str:
    return f"sk_{uuid4().hex[:12]}.{'x' * 43}"


async def revoked(shop: Running) -> str:
    key = await shop.keys.create("gone", "shop")
    await shop.keys.revoke(key)
    return key


async def expired(shop: Running) -> str:
    return await shop.keys.create("over", "shop", timedelta(days=-1))


async def expired_token(shop: Running) -> str:
    return token(iat=1, exp=300)


async def strangers_token(shop: Running) -> str:
    return token(header={"kid": "stranger"})


BAD = [
    no_key,
    nonsense,
    cut_short,
    guessed,
    unknown,
    revoked,
    expired,
    expired_token,
    strangers_token,
]
"""Keys and tokens that open nothing."""

OPENED = [row for row, case in ROWS.items() if case.unsigned is None]
OWN = [row for row in OPENED if ROWS[row].refusal]
SIGNED_ROWS = [row for row in ROWS if row not in OPENED]


def endpoint(shop: Running, name: str) -> Endpoint:
    (found,) = [row for row in shop.endpoints if name_of(row) == name]
    return found


async def test_the_surface_is_what_the_outside_contract_says(shop: Running) -> None:
    found = [(row.method, row.path, row.scope) for row in shop.endpoints]
    assert set(CONTRACT) <= set(found)
    assert len(set(found)) == len(found)


async def test_no_row_of_the_surface_is_missing_in_the_matrix(shop: Running) -> None:
    assert {name_of(row) for row in shop.endpoints} == set(ROWS), "see tests/shop/rows.py"
    keyed = {name_of(row) for row in shop.endpoints if row.scope in SCOPES}
    assert keyed == set(OPENED)
    assert {row for row in ROWS if "order_id" in row} == {row for row in OWN if "order_id" in row}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", OPENED)
async def test_a_key_that_opens_nothing_is_not_answered(
    shop: Running, name: str, bad: Callable[[Running], Awaitable[str | None]]
) -> None:
    row, key = endpoint(shop, name), await bad(shop)
    answer = await ask(shop.with_key(key), row, filled(row))
    problem(answer, 401, "unauthorized")
    challenge = answer.headers["www-authenticate"].partition(", error_description=")[0]
    assert challenge == ('Bearer error="invalid_token"' if key else "Bearer")


@pytest.mark.parametrize("name", OPENED)
async def test_a_key_for_something_else_is_forbidden(shop: Running, name: str) -> None:
    row = endpoint(shop, name)
    others = [await shop.client(scope) for scope in SCOPES if scope != row.scope]
    scopes = " ".join(f"storefold:{scope}" for scope in SCOPES if scope != row.scope)
    tokens = [token(client_id="other", scope=scope) for scope in (scopes, "openid")]
    for client in (*others, *map(shop.with_key, tokens)):
        answer = await ask(client, row, filled(row))
        assert f"scope {row.scope}" in problem(answer, 403, "forbidden")["detail"]
        challenge = f'Bearer error="insufficient_scope", scope="{row.scope}"'
        assert answer.headers["www-authenticate"] == challenge
    assert await shop.commits_of(*others) == 0


@pytest.mark.parametrize("name", OPENED)
async def test_the_right_key_opens_what_is_ones_own_and_hides_it_from_others(
    shop: Running, web: Client, carrier: Client, name: str
) -> None:
    row, case = endpoint(shop, name), ROWS[name]
    asked = {**case.path, **await case.about(Scene(web, carrier))}
    if case.refusal:
        other = await shop.client(row.scope)
        theirs, nobodys = [await ask(other, row, each) for each in (asked, filled(row))]
        problem(theirs, 404, case.refusal)
        assert told(theirs, asked) == told(nobodys, filled(row)), "it must not tell what there is"
        assert await shop.commits_of(other) == 0
    client = {"shop": web, "carrier": carrier}.get(row.scope) or await shop.client(row.scope)
    answer = await ask(client, row, asked)
    assert answer.status_code == row.status, answer.text


@pytest.mark.parametrize("name", OPENED)
async def test_a_token_opens_what_a_key_of_its_scope_does(shop: Running, name: str) -> None:
    row = endpoint(shop, name)
    client = shop.with_key(token(scope=f"openid storefold:{row.scope}", client_id="issued"))
    answer = await ask(client, row, {**filled(row), **ROWS[name].path})
    assert answer.status_code in {row.status, 404}, answer.text


async def test_an_issuers_client_has_orders_of_its_own_and_no_keys(
    shop: Running, web: Client
) -> None:
    name = web.principal.partition(":")[2]
    theirs = (await web.placed(wait=0))["order_id"]
    issued = shop.with_key(token(client_id=name))
    mine = (await issued.placed(wait=0))["order_id"]
    again = shop.with_key(token(client_id=name, jti="another"))
    assert (await again.get(f"/v1/orders/{mine}")).status_code == 200
    problem(await issued.get(f"/v1/orders/{theirs}"), 404, "unknown_order")
    problem(await web.get(f"/v1/orders/{mine}"), 404, "unknown_order")
    other = shop.with_key(token(client_id="other"))
    problem(await other.get(f"/v1/orders/{mine}"), 404, "unknown_order")


def filled(row: Endpoint) -> dict[str, str]:
    """The row's path, about things that there are not."""
    return dict.fromkeys(re.findall(r"{(\w+)}", row.path), "ghost")


def told(answer: httpx.Response, path: Mapping[str, str]) -> Any:
    """All that an answer tells, but for what was asked and the trace."""
    text = answer.text.replace(answer.json()["trace_id"], "TRACE")
    for name, value in path.items():
        text = text.replace(value, name)
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, text


@pytest.mark.parametrize("name", SIGNED_ROWS)
async def test_no_key_opens_what_is_signed(shop: Running, name: str) -> None:
    row, case = endpoint(shop, name), ROWS[name]
    assert case.unsigned
    for client in (shop.with_key(None), *[await shop.client(scope) for scope in SCOPES]):
        answer = await ask(client, row, {**filled(row), **case.path})
        if row.media == HTML:
            assert answer.status_code == case.unsigned[0]
            assert answer.headers["content-type"].startswith(HTML)
        else:
            problem(answer, *case.unsigned)


async def test_another_clients_orders_are_in_no_list(shop: Running, web: Client) -> None:
    order, other = await web.placed(wait=0), await shop.client()
    assert (await other.get("/v1/orders")).json() == {"data": [], "has_more": False}
    theirs, nobodys = [
        told(await other.get(f"/v1/orders?starting_after={each}"), {"order_id": each})
        for each in (order["order_id"], "ord_ghost")
    ]
    assert theirs == nobodys
    assert theirs[0] in (404, 422)


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
