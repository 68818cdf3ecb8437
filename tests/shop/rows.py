"""A right request to each row of the surface, and whose things it is about.

The matrix of `test_scopes.py` is made from this table, and what is repeated under one key in
`test_idempotency.py`. A row of the surface that is not here fails them: add a line,
`everybodys(...)` for what all clients of the scope may see, `own(...)` for what is no other
client's business. What takes an Idempotency-Key says how to make another request of its example.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from bus.rest import Endpoint
from tests.shop.clients import Body, Client, completed
from tests.waiting import eventually

Ids = dict[str, str]
"""Parameters in a path."""


class Scene(NamedTuple):
    """Whose things a request is about, and who brings them."""

    web: Client
    carrier: Client


About = Callable[[Scene], Awaitable[Ids]]


async def nothing(scene: Scene) -> Ids:
    """It is about nothing in particular."""
    return {}


def fresh(name: str) -> About:
    """Something that nobody has heard of yet."""

    async def about(scene: Scene) -> Ids:
        return {name: f"new-{uuid4().hex}"}

    return about


async def placed(scene: Scene) -> Ids:
    """An order that is confirmed, and its delivery."""
    return ids(await scene.web.becomes(await scene.web.placed(), fulfillment_status="scheduled"))


async def taken(scene: Scene) -> Ids:
    """A delivery that the carrier has."""
    about = await placed(scene)
    path = f"/v1/deliveries/{about['delivery_id']}/checkpoints"
    assert (await scene.carrier.post(path, {"status": "picked_up"})).status_code == 200
    return about


async def declined(scene: Scene) -> Ids:
    """An order that waits for another card."""
    card = {"method": "card", "token": "pm_card_chargeDeclined"}
    return ids(await scene.web.placed(payment=card))


async def delivered(scene: Scene) -> Ids:
    """An order that has come to its door."""
    return ids(await completed(scene.web, scene.carrier))


async def to_be_fetched(scene: Scene) -> Ids:
    """A return whose goods somebody fetches."""
    about = await delivered(scene)
    path = f"/v1/orders/{about['order_id']}/returns"
    mug = {"items": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "chipped", "pickup": {}}
    sent_back = (await scene.web.post(path, mug)).json()
    fetched = f"{path}/{sent_back['return_id']}/pickup"
    await eventually(lambda: is_there(scene.web, fetched))
    return {**about, "return_id": sent_back["return_id"]}


async def is_there(client: Client, path: str) -> Any:
    return (await client.get(path)).status_code == 200


def ids(order: Body) -> Ids:
    return {name: order[name] for name in ("order_id", "delivery_id")}


@dataclass(frozen=True)
class Case:
    """How to ask a row rightly: about what, with what else in the path; the body is its example."""

    about: About = nothing
    path: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    """The code of the 404 that another client gets; none if this is everybody's."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """What makes another request of the example, where an Idempotency-Key tells them apart."""
    unsigned: tuple[int, str] | None = None
    """The problem of whoever does not sign it, where no key opens it."""


def everybodys(about: About = nothing, other: Body | None = None, **path: str) -> Case:
    """What every client of the row's scope may ask."""
    return Case(about, path, other=other or {})


def own(about: About, refusal: str = "unknown_order", other: Body | None = None) -> Case:
    """What is a client's own: others are told that there is no such thing."""
    return Case(about, refusal=refusal, other=other or {})


def signed(status: int, code: str, **path: str) -> Case:
    """What a signature opens, of the body or in the path, and no key."""
    return Case(path=path, unsigned=(status, code))


ROWS: dict[str, Case] = {
    "POST /v1/orders": everybodys(other={"buyer_id": "buyer-2"}),
    "GET /v1/orders": everybodys(),
    "GET /v1/orders/{order_id}": own(placed),
    "POST /v1/orders/{order_id}/cancel": own(placed, other={"reason": "too blue"}),
    "POST /v1/orders/{order_id}/payment": own(declined, other={"token": "pm_fault_slow"}),
    "POST /v1/orders/{order_id}/returns": own(delivered, other={"reason": "too blue"}),
    "GET /v1/orders/{order_id}/returns": own(placed),
    "GET /v1/orders/{order_id}/returns/{return_id}/pickup": own(to_be_fetched),
    "GET /v1/orders/{order_id}/history": own(placed),
    "GET /v1/orders/{order_id}/delivery": own(placed),
    "GET /v1/orders/{order_id}/events": own(delivered),  # so that it ends
    "POST /v1/orders/{order_id}/tracking": own(placed),
    "GET /v1/track/{token}": signed(404, "unknown_tracking_link"),
    "GET /v1/track/{token}/events": signed(404, "unknown_tracking_link"),
    "GET /v1/orders/{order_id}/deliveries": own(placed),
    "POST /v1/quotes": everybodys(),
    "GET /v1/products": everybodys(),
    "GET /v1/products/{product_id}": everybodys(product_id="mug"),
    "GET /v1/products/{product_id}/images/{n}": everybodys(product_id="mug", n="1"),
    "GET /v1/deliveries": everybodys(),
    "GET /v1/deliveries/{delivery_id}": own(taken, "unknown_delivery"),
    "POST /v1/deliveries/{delivery_id}/checkpoints": own(
        taken, "unknown_delivery", {"note": "at the ramp"}
    ),
    "GET /v1/balances/{buyer_id}": everybodys(fresh("buyer_id")),
    "POST /v1/payments/webhooks/{gateway}": signed(404, "unknown_gateway", gateway="stripe"),
}


def name_of(row: Endpoint) -> str:
    return f"{row.method} {row.path}"


async def ask(
    client: Client,
    row: Endpoint,
    path: Mapping[str, str],
    other: Mapping[str, Any] | None = None,
    **headers: str,
) -> httpx.Response:
    """What a row answers this client, with these parameters in its path; `other` changes its
    example."""
    address = row.path.format(**path)
    if row.method == "GET":
        return await client.get(address, **headers)
    return await client.post(address, {**(row.example or {}), **(other or {})}, **headers)
