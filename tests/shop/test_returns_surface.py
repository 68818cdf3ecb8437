"""What is sent back, from the web shop's request to the person at the warehouse: REST and CLI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from bus.dispatch import Bus
from bus.messages import Money, Refused
from bus.platform import Platform
from catalog.stock_commands import GetStock
from ordering import admin
from payment.balance_commands import CreditBuyer
from tests.shop.clients import Body, Client, Running, completed, problem

R = TypeVar("R")

ONE = {"items": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "it is chipped"}
BOTH = {"items": [{"sku": "MUG-BLUE", "quantity": 2}], "reason": "too blue"}


class Here:
    """The shop that is at work already, for a command that runs in a thread."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._loop = asyncio.get_running_loop()

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


Typed = Callable[..., Coroutine[Any, Any, str]]


@pytest.fixture
async def returns(shop: Running) -> Typed:
    """What `shop returns` prints."""
    here = Here(shop.platform)

    @contextmanager
    def opened() -> Iterator[Here]:
        yield here

    async def typed(*arguments: str, code: int = 0) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, admin.returns(opened), arguments)
        if isinstance(result.exception, Refused):  # the CLI's top level tells it
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stderr if code else result.stdout

    return typed


async def stock(shop: Running) -> int:
    (level,) = await shop.platform.bus.ask(GetStock(skus=("MUG-BLUE",)))
    return level.on_hand


async def test_a_mug_goes_back_and_the_money_too(
    shop: Running, web: Client, carrier: Client, returns: Typed
) -> None:
    order = await completed(web, carrier)
    path, before = f"/v1/orders/{order['order_id']}/returns", await stock(shop)
    first = await web.post(path, ONE, idempotency_key="one", if_match=f'"{order["version"]}"')
    assert first.status_code == 201, first.text
    found = first.json()
    assert found == {
        "return_id": found["return_id"],
        "order_id": order["order_id"],
        "status": "approved",
        "items": ONE["items"],
        "reason": "it is chipped",
        "refund": {"amount": 1890, "currency": "EUR"},
        "requested_at": found["requested_at"],
    }
    problem(await web.post(path, ONE, if_match=f'"{order["version"]}"'), 412, "stale_version")
    problem(await web.post(path, BOTH), 409, "too_many_returned")

    told = json.loads(await returns("receive", found["return_id"], "--json"))
    assert told["status"] == "received"
    part = await web.becomes(order, payment_status="partially_refunded")
    assert part["refunded"] == found["refund"]

    again = await web.post(path, ONE, idempotency_key="one")
    assert (again.json(), again.headers["idempotent-replayed"]) == (found, "true")

    rest = (await web.post(path, ONE)).json()
    assert "received" in await returns("receive", rest["return_id"], "--write-off", "MUG-BLUE=1")
    ended = await web.becomes(order, payment_status="refunded", fulfillment_status="returned")
    assert (ended["refunded"], ended["status"]) == (order["total"], "completed")
    assert await stock(shop) == before + 1
    listed = (await web.get(path)).json()
    assert listed["has_more"] is False
    assert [each["return_id"] for each in listed["data"]] == [rest["return_id"], found["return_id"]]
    assert {each["status"] for each in listed["data"]} == {"refunded"}
    payment = order["order_id"].replace("ord_", "pay_")
    ledger = shop.platform.contexts["payment"].database["gateway_ledger"]
    refunds = [each async for each in _found(ledger, payment)]
    assert sorted(refunds) == sorted([1890, order["total"]["amount"] - 1890])


async def _found(ledger: Any, payment: str) -> Any:
    """What the gateway has given back of a payment."""
    wanted = {"operation": "refund", "authorization": {"$regex": f"^{payment}:"}}
    for entry in await asyncio.to_thread(lambda: list(ledger.find(wanted))):
        yield entry["amount"]["amount"] if isinstance(entry["amount"], dict) else entry["amount"]


async def test_what_was_paid_by_card_and_credit_goes_back_to_the_card_first(
    shop: Running, web: Client, carrier: Client, returns: Typed
) -> None:
    gift = Money(amount=50_00, currency="EUR")
    await shop.platform.bus.send(CreditBuyer(buyer_id="giver", amount=gift, reason="a gift"))
    both = {"method": "card", "token": "pm_card_visa", "use_credit": True}
    order = await completed(web, carrier, buyer_id="giver", payment=both)
    path = f"/v1/orders/{order['order_id']}/returns"

    async def credit() -> int:
        found: int = (await web.get("/v1/balances/giver")).json()["available"]["amount"]
        return found

    one = (await web.post(path, ONE)).json()
    await returns("receive", one["return_id"])
    await web.becomes(order, payment_status="partially_refunded")
    assert await credit() == 0
    rest = (await web.post(path, ONE)).json()
    await returns("receive", rest["return_id"])
    await web.becomes(order, payment_status="refunded")
    assert await credit() == gift.amount


async def test_a_person_approves_or_rejects_what_is_dear(
    web: Client, carrier: Client, returns: Typed
) -> None:
    order = await completed(web, carrier)  # 37.80 and 50.00 for the way
    path = f"/v1/orders/{order['order_id']}/returns"
    found = (await web.post(path, BOTH)).json()
    assert found["refund"] == order["total"]
    assert found["status"] == "approved"
    rejected = json.loads(await returns("reject", found["return_id"], "--reason", "worn", "--json"))
    assert (rejected["status"], rejected["rejection"]) == ("rejected", "worn")
    for refused in (("approve", found["return_id"]), ("receive", found["return_id"])):
        with pytest.raises(Refused) as refusal:
            await returns(*refused)
        assert refusal.value.code == "already_rejected"
    with pytest.raises(Refused, match="ret_1_ghost"):
        await returns("show", "ret_1_ghost")
    shown = await returns("show", found["return_id"])
    assert "2 x MUG-BLUE" in shown
    assert "87.80 EUR" in shown
    listed = await returns("list", "--status", "rejected", "--order", order["order_id"], "--json")
    assert [json.loads(line)["return_id"] for line in listed.splitlines()] == [found["return_id"]]
    assert found["return_id"] in await returns("list", "--order", order["order_id"])
    assert "write MUG-BLUE=2" in await returns(
        "receive", found["return_id"], "--write-off", "two mugs", code=2
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {**ONE, "items": []},
        {**ONE, "reason": " "},
        {**ONE, "items": [{"sku": "MUG-BLUE", "quantity": 0}]},
        {**ONE, "items": [{"sku": "MUG-BLUE", "quantity": -1}]},
        {**ONE, "items": [{"sku": "MUG-BLUE", "quantity": 2**53}]},
        {**ONE, "refund": {"amount": 1, "currency": "EUR"}},
    ],
)
async def test_a_return_that_cannot_be_meant_is_refused(web: Client, wrong: Body) -> None:
    problem(await web.post("/v1/orders/ord_ghost/returns", wrong), 422, "invalid")


async def test_what_is_not_delivered_cannot_be_sent_back(web: Client) -> None:
    order = await web.placed()
    path = f"/v1/orders/{order['order_id']}/returns"
    problem(await web.post(path, ONE), 409, "not_delivered")
    assert (await web.get(path)).json() == {"data": [], "has_more": False}
