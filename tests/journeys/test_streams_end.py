"""Open streams and a process that is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import httpx

from tests.journeys.conftest import Stock
from tests.journeys.shops import calling
from tests.waiting import eventually, soon


async def heard(stream: httpx.Response) -> list[str]:
    """The names of all events until the stream ends as it should: else this raises."""
    return [line async for line in stream.aiter_lines() if line.startswith("event: ")]


async def test_a_process_that_is_told_to_stop_ends_its_streams_and_does_not_wait_for_them(
    stock: Stock,
) -> None:
    shop = stock()
    with shop.shop.serve() as process:
        async with calling(process.address, shop.keys.web) as web, AsyncExitStack() as streams:
            order = await web.place("THING-1")
            path = f"/v1/orders/{order['order_id']}/events"
            open_ones = [
                await streams.enter_async_context(web.http.stream("GET", path)) for _ in range(20)
            ]
            assert {stream.status_code for stream in open_ones} == {200}
            listening = [asyncio.create_task(heard(stream)) for stream in open_ones]
            os.kill(process.pid, signal.SIGTERM)
            told = await soon(asyncio.gather(*listening), within=5)
            assert {names[0] for names in told} == {"event: order"}
            assert not any("event: end" in names for names in told)
            await eventually(lambda: not process.running, within=8, every=0.05)
