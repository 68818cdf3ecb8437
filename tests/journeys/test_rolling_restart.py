"""A shop that is never closed: its replicas are replaced one after the other, under load."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import Stock, Stocked
from tests.journeys.processes import Process
from tests.journeys.shops import Web, basket, calling
from tests.waiting import eventually

LOOKS = 0.1
"""Seconds between two looks whether a replica is ready."""

LANES = 6


class Replica:
    """One process as a load balancer sees it: it is sent requests while it says that it is
    ready."""

    def __init__(self, process: Process, web: Web) -> None:
        self.process = process
        self.http = web.http
        self.ready = True
        self.said: list[str] = []

    async def watch(self) -> None:
        """Look again and again, until it says that it is not ready."""
        while self.ready:
            await asyncio.sleep(LOOKS)
            answer = await self.http.get("/readyz")
            if answer.status_code != 200:
                self.ready, self.said = False, answer.json()["faults"]


class Balanced:
    """A load balancer before replicas, and a web shop that tries nothing twice."""

    def __init__(self, shop: Stocked, words: tuple[str, ...], stack: AsyncExitStack) -> None:
        self._shop = shop
        self._words = words
        self._stack = stack
        self._turns = itertools.count()
        self.replicas: list[Replica] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.placed: list[str] = []
        self.farewells = 0

    async def begin(self) -> Replica:
        """One more replica."""
        starting = self._shop.shop.serve(*self._words)
        process = await asyncio.to_thread(self._stack.enter_context, starting)
        web = await self._stack.enter_async_context(calling(process.address, self._shop.keys.web))
        self.replicas.append(Replica(process, web))
        self.tasks.append(asyncio.create_task(self.replicas[-1].watch()))
        return self.replicas[-1]

    async def replace(self, old: Replica) -> None:
        """Stop a replica as an orchestrator does, see it gone, and start another."""
        os.kill(old.process.pid, signal.SIGTERM)
        await eventually(lambda: not old.process.running, within=15, every=0.05)
        assert old.said == ["this process is shutting down"]
        await self.begin()

    async def shop_on(self, sku: str) -> None:
        """Place order after order, and look at each."""
        while True:
            answer = await self._ask("POST", "/v1/orders", 201, json=basket(sku))
            self.placed.append(answer.json()["order_id"])
            await self._ask("GET", f"/v1/orders/{self.placed[-1]}", 200)

    async def grows(self) -> None:
        """Wait until orders are placed with what is there now."""
        before = len(self.placed)
        await eventually(lambda: len(self.placed) > before + 2 * LANES, every=0.05)

    async def _ask(self, method: str, path: str, status: int, **given: Any) -> httpx.Response:
        turn = next(self._turns)
        ready = [replica for replica in self.replicas if replica.ready]
        headers = {"Idempotency-Key": f"turn-{turn}"}
        http = ready[turn % len(ready)].http
        answer = await http.request(method, path, headers=headers, **given)
        assert answer.status_code == status, answer.text
        self.farewells += answer.headers.get("connection") == "close"
        return answer


@pytest.mark.parametrize("words", [(), pytest.param(("--workers", "2"), marks=pytest.mark.long)])
async def test_replicas_are_replaced_under_load_and_no_request_fails(
    stock: Stock, words: tuple[str, ...], sku: str
) -> None:
    shop = stock(SHOP_DRAIN_NOTICE="1 s")
    async with AsyncExitStack() as stack:
        balanced = Balanced(shop, words, stack)
        first, second = await balanced.begin(), await balanced.begin()
        lanes = [asyncio.create_task(balanced.shop_on(sku)) for _ in range(LANES)]
        try:
            for old in (first, second):
                await balanced.grows()
                await balanced.replace(old)
            await balanced.grows()
            assert [task for task in (*lanes, *balanced.tasks[2:]) if task.done()] == []
        finally:
            for task in (*lanes, *balanced.tasks):
                task.cancel()
            ends = await asyncio.gather(*lanes, *balanced.tasks, return_exceptions=True)
        failed = [end for end in ends if end and not isinstance(end, asyncio.CancelledError)]
        assert failed == []
        assert balanced.farewells > 0, "whoever goes on is sent elsewhere"
        assert len(set(balanced.placed)) == len(balanced.placed)
