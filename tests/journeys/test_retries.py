"""Two processes of one shop, asked again: the answer is the first, whoever gives it, and a key that
is revoked is revoked at both."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from tests.journeys.conftest import Stock, Stocked
from tests.journeys.processes import Process
from tests.journeys.shops import Web, basket, calling, gathered
from tests.waiting import eventually

TWINS = 10

REVOKED_WITHIN = 5.0
"""Seconds after which a revoked key opens nothing, on any replica."""

SLOW = {"method": "card", "token": "pm_fault_slow"}


class House(NamedTuple):
    """A shop and its two processes."""

    shop: Stocked
    processes: tuple[Process, Process]


@pytest.fixture(scope="module")
def house(stock: Stock) -> Iterator[House]:
    shop = stock()
    with ExitStack() as running:
        one, two = [running.enter_context(shop.shop.serve()) for _ in range(2)]
        yield House(shop, (one, two))


@pytest.fixture
async def both(house: House) -> AsyncIterator[list[Web]]:
    """The web shop's server, calling one process and the other."""
    one, two = [process.address for process in house.processes]
    async with (
        calling(one, house.shop.keys.web) as first,
        calling(two, house.shop.keys.web) as other,
    ):
        yield [first, other]


async def test_a_revoked_key_opens_no_replica_after_5_s(house: House) -> None:
    (key,) = house.shop.shop.cli("keys", "create", "gone", "--scope", "shop").split()
    one, two = [process.address for process in house.processes]
    async with calling(one, key) as first, calling(two, key) as other:

        async def statuses() -> list[int]:
            answers = await gathered(*(web.http.get("/v1/orders") for web in (first, other)))
            return [answer.status_code for answer in answers]

        assert await statuses() == [200, 200]
        house.shop.shop.cli("keys", "revoke", key.partition(".")[0])
        revoked = time.monotonic()

        async def closed() -> list[int]:
            return found if (found := await statuses()) == [401, 401] else []

        found: list[int] = await eventually(closed, REVOKED_WITHIN)
        assert found == [401, 401]
        assert time.monotonic() - revoked <= REVOKED_WITHIN


async def test_twins_of_a_return_are_one_return_on_two_replicas_and_after_a_restart(
    house: House, both: list[Web], sku: str
) -> None:
    async with calling(house.processes[1].address, house.shop.keys.carrier) as carrier:
        order = await both[0].becomes(await both[0].place(sku, 2), fulfillment_status="scheduled")
        for status in ("picked_up", "delivered"):
            await carrier.checkpoint(order, status)
        await both[0].becomes(order, status="completed")
    path = f"/v1/orders/{order['order_id']}/returns"
    back = {"items": [{"sku": sku, "quantity": 1}], "reason": "too blue"}

    def send_back(web: Web) -> Awaitable[httpx.Response]:
        return web.post(path, back, key="twins")

    answers = await gathered(*map(send_back, both * (TWINS // 2)))
    assert_one(answers, 201)
    with house.shop.shop.serve() as anew:
        async with calling(anew.address, house.shop.keys.web) as web:
            assert_replayed(await send_back(web), answers[0])
            assert len((await web.get(path))["data"]) == 1


async def test_an_answer_lost_with_its_process_is_given_by_the_others(
    house: House, both: list[Web], sku: str
) -> None:
    buyer, key = f"buyer-{uuid4().hex[:8]}", uuid4().hex
    body = basket(sku, buyer_id=buyer, payment=SLOW)
    with house.shop.shop.serve() as doomed:
        async with calling(doomed.address, house.shop.keys.web) as web:
            asked = asyncio.create_task(web.post("/v1/orders", body, key=key, wait=30))

            async def committed() -> list[str]:
                found = (await both[0].get("/v1/orders", buyer_id=buyer))["data"]
                return [order["order_id"] for order in found]

            found: list[str] = await eventually(committed)
            doomed.kill()
            with pytest.raises(httpx.TransportError):
                await asked
    answers = await gathered(*(web.post("/v1/orders", body, key=key) for web in both * 2))
    assert {answer.headers["Idempotent-Replayed"] for answer in answers} == {"true"}
    assert {answer.content for answer in answers} == {answers[0].content}
    order = answers[0].json()
    assert ([order["order_id"]], order["status"]) == (found, "pending")
    waited = (await both[1].post("/v1/orders", body, key=key, wait=30)).json()
    assert (waited["order_id"], waited["status"]) == (order["order_id"], "confirmed")
    assert await committed() == found


async def test_twins_that_wait_are_answered_alike_on_two_replicas(
    both: list[Web], sku: str
) -> None:
    async def at_once(path: str, body: dict[str, Any]) -> list[httpx.Response]:
        webs = both * (TWINS // 2)
        return await gathered(*(web.post(path, body, key="waiting", wait=30) for web in webs))

    placed = await at_once("/v1/orders", basket(sku, payment=SLOW))
    assert_one(placed, 201)
    order = placed[0].json()
    assert order["status"] == "confirmed"
    stopped = await at_once(f"/v1/orders/{order['order_id']}/cancel", {})
    assert_one(stopped, 200)
    assert stopped[0].json()["status"] == "cancelled"


def assert_one(answers: list[httpx.Response], status: int) -> None:
    """They are one decision's: it was made for one of them, and the others are told of it."""
    assert [answer.status_code for answer in answers] == [status] * len(answers)
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["Storefold-Position"] for answer in answers}) == 1
    replayed = Counter(answer.headers.get("Idempotent-Replayed") for answer in answers)
    assert replayed == {None: 1, "true": len(answers) - 1}


def assert_replayed(answer: httpx.Response, first: httpx.Response) -> None:
    """It is the first answer again, and says so."""
    assert (answer.status_code, answer.content) == (first.status_code, first.content)
    assert answer.headers["Idempotent-Replayed"] == "true"
