"""A process that is told to stop, and those who wait for it: they are answered, and others may go
on with its work at once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import httpx

from payment.calls import AuthorizationRequested
from tests.journeys.conftest import Stock, Stocked
from tests.journeys.shops import basket, calling
from tests.waiting import eventually, soon


async def test_a_process_that_is_told_to_stop_ends_streams_answers_who_waits_and_hands_over(
    stock: Stock,
) -> None:
    # A payment that fails is tried again after minutes: until then its order is pending.
    shop = stock(SHOP_RETRY_FIRST_PAUSE="2 min", SHOP_DRAIN_NOTICE="0")
    with shop.shop.serve() as process:
        async with calling(process.address, shop.keys.web) as web, AsyncExitStack() as streams:
            order = await web.place("THING-1")
            path = f"/v1/orders/{order['order_id']}/events"
            open_ones = [
                await streams.enter_async_context(web.http.stream("GET", path)) for _ in range(20)
            ]
            assert {stream.status_code for stream in open_ones} == {200}
            listening = asyncio.gather(*map(heard, open_ones))
            card = {"method": "card", "token": "pm_fault_unavailable"}
            wanted = basket("THING-2", payment=card)
            placing = asyncio.create_task(web.post("/v1/orders", wanted, wait=30))
            await eventually(lambda: payments_asked(shop) == 2, every=0.05)
            assert held(shop)
            os.kill(process.pid, signal.SIGTERM)
            answer, told = await soon(asyncio.gather(placing, listening), within=5)
            assert (answer.status_code, answer.json()["status"]) == (201, "pending")
            assert answer.headers["connection"] == "close"
            assert {names[0] for names in told} == {"event: order"}
            assert not any("event: end" in names for names in told)
            await eventually(lambda: not process.running, within=8, every=0.05)
    assert [line for line in process.complaints if '"level": "error"' in line] == []
    assert held(shop) == 0, "nobody waits until it runs out"


async def heard(stream: httpx.Response) -> list[str]:
    """The names of all events until the stream ends as it should: else this raises."""
    return [line async for line in stream.aiter_lines() if line.startswith("event: ")]


def payments_asked(shop: Stocked) -> int:
    """How many payments the gateway is to be asked for."""
    intents = {"events.type": AuthorizationRequested.type_name}
    return shop.mongo[f"{shop.prefix}_payment"]["log"].count_documents(intents)


def held(shop: Stocked) -> int:
    """What processes hold of the shop's work, and how many are there to do it."""
    found = 0
    for name in shop.mongo.list_database_names():
        if name.startswith(shop.prefix):
            found += shop.mongo[name]["readers"].count_documents({"owner": {"$ne": None}})
            found += shop.mongo[name]["members"].count_documents({})
    return found
