"""The shop through REST, as its clients see it, beside the bare endpoint."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import ExitStack
from typing import Any

from pymongo import MongoClient

from bench.bare import DATABASE
from bench.client import Answer, BadAnswer, Client, press
from bench.orders import Orders
from bench.results import Result, Series, beside_the_faster, in_turn
from bench.servers import Machine

CONNECTIONS = 32
OUTSTANDING = 64
WARM = 0.3
VARIANTS = ("sync", "async")
CONSTANT = "constant"
DRAINED_WITHIN = 60.0


class Surface:
    """A shop and both bare endpoints, running."""

    def __init__(self, machine: Machine, stack: ExitStack, *, rounds: int, seconds: float) -> None:
        self._mongodb_url = machine.mongodb_url
        self._orders = Orders(machine.key)
        (self._shop,) = stack.enter_context(machine.shop())
        self._bare = {each: stack.enter_context(machine.bare(each)) for each in VARIANTS}
        self._rounds = rounds
        self._seconds = seconds

    async def warm(self) -> None:
        """Have all read and loaded that is read and loaded once."""
        for _ in range(5):
            await self._placed()
        await self._drained()

    async def place(self) -> Result:
        """Orders placed a second."""
        series = await in_turn(
            self._rounds,
            {"shop": self._place, "sync": self._insert("sync"), "async": self._insert("async")},
        )
        return beside_the_faster("orders placed, 32 connections", named(series), at_least=1.0)

    async def confirm(self) -> Result:
        """Orders placed and confirmed a second, with 64 outstanding."""
        series = await in_turn(
            self._rounds,
            {"shop": self._confirm, "sync": self._insert("sync"), "async": self._insert("async")},
        )
        return beside_the_faster(
            "orders placed and confirmed, 64 outstanding", named(series), at_least=0.25
        )

    async def read(self) -> list[Result]:
        """Orders read by id a second, beside MongoDB alone and beside a constant."""
        placed = [await self._placed() for _ in range(50)]
        await self._drained()
        client = Client(self._shop)
        documents: list[dict[str, Any]] = []
        for id in placed:
            answer = await client.ask(self._orders.look(f"/v1/orders/{id}"))
            documents.append({"_id": id, **json.loads(answer.body)})
        client.close()
        await asyncio.to_thread(self._seed, documents)
        paths = {"shop": "/v1/orders/", CONSTANT: "/constant/"} | dict.fromkeys(
            VARIANTS, "/orders/"
        )
        series = await in_turn(
            self._rounds,
            {side: self._looks(side, path, placed) for side, path in paths.items()},
        )
        constant = series.pop(CONSTANT)
        name = "order reads by id, 32 connections"
        return [
            beside_the_faster(name, named(series), at_least=2.0),
            Result(f"{name}, beside a constant", "/s", series["shop"], constant, at_least=0.4),
        ]

    async def latency(self) -> list[Result]:
        """What one client waits, on a machine that has nothing else to do."""
        client = Client(self._shop)
        placing, confirming = Series("shop"), Series("shop")
        for _ in range(int(10 * self._rounds * self._seconds)):
            await self._drained()
            placing.values.append(await self._timed(client, wait=False))
            await self._drained()
            confirming.values.append(await self._timed(client, wait=True))
        client.close()
        return [
            Result("place an order, one client, p50", "ms", placing, at_most=15),
            Result("placed to confirmed, one client, p50", "ms", confirming, at_most=150),
        ]

    async def _place(self) -> float:
        load = await press(
            [self._shop],
            self._orders.shop,
            lambda answer: answer.status == 201,
            connections=CONNECTIONS,
            seconds=self._seconds,
            warm=WARM,
        )
        await self._drained()
        return load.rate

    async def _confirm(self) -> float:
        load = await press(
            [self._shop],
            lambda: self._orders.shop(wait=True),
            lambda answer: answer.status == 201 and b'"status":"confirmed"' in answer.body,
            connections=OUTSTANDING,
            seconds=self._seconds * 2,
            warm=1.0,
        )
        await self._drained()
        return load.rate

    def _insert(self, variant: str) -> Any:
        async def insert() -> float:
            load = await press(
                [self._bare[variant]],
                self._orders.bare,
                lambda answer: answer.status == 201,
                connections=CONNECTIONS,
                seconds=self._seconds,
                warm=WARM,
            )
            return load.rate

        return insert

    def _looks(self, side: str, path: str, ids: list[str]) -> Any:
        wires = itertools.cycle([self._orders.look(path + id) for id in ids])

        async def look() -> float:
            load = await press(
                [self._shop if side == "shop" else self._bare.get(side, self._bare["async"])],
                lambda: next(wires),
                lambda answer: answer.status == 200,
                connections=CONNECTIONS,
                seconds=self._seconds,
                warm=WARM,
            )
            return load.rate

        return look

    async def _timed(self, client: Client, *, wait: bool) -> float:
        answer = await client.ask(self._orders.shop(wait=wait))
        if answer.status != 201 or (wait and b'"status":"confirmed"' not in answer.body):
            raise BadAnswer(f"the shop answered {answer.status} {answer.body[:300]!r}")
        return answer.seconds * 1000

    async def _placed(self) -> str:
        client = Client(self._shop)
        answer = await client.ask(self._orders.shop(wait=True))
        client.close()
        if answer.status != 201 or b'"status":"confirmed"' not in answer.body:
            raise BadAnswer(f"the shop answered {answer.status} {answer.body[:300]!r}")
        return str(json.loads(answer.body)["order_id"])

    async def _drained(self) -> None:
        await drained(self._shop, self._orders)

    def _seed(self, documents: list[dict[str, Any]]) -> None:
        with MongoClient[dict[str, Any]](self._mongodb_url) as client:
            client[DATABASE]["orders"].insert_many(documents)


async def drained(address: str, orders: Orders) -> None:
    """Wait until every order has been seen through, so that no side pays for another."""
    client = Client(address)
    deadline = time.monotonic() + DRAINED_WITHIN
    empty = 0
    while empty < 2:
        answer: Answer = await client.ask(orders.look("/v1/orders?status=pending&limit=1"))
        shown = json.loads(answer.body)
        empty = empty + 1 if answer.status == 200 and not shown["data"] else 0
        if time.monotonic() > deadline:
            raise BadAnswer(f"orders stay pending: {answer.body[:500]!r}")
        await asyncio.sleep(0.05)
    client.close()


def named(series: dict[str, Series]) -> dict[str, Series]:
    """The series under the names that are shown."""
    for side, each in series.items():
        each.name = side if side == "shop" else f"bare {side}"
    return series
