"""Everybody wants the same thing: orders for one SKU, beside as many for just as many pieces of
things that differ."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections import Counter

from bench.client import AT_ONCE, Answer, BadAnswer, Client, request
from bench.orders import TOWNS
from bench.results import Result, Series
from bench.servers import Machine

REPLICAS = 2

PIECES = 500
"""Of one SKU, or one each of as many SKUs: so that as many orders are confirmed on both sides."""

WAITS = "wait=30"


class HotSku:
    """Orders of one piece each, as many at once as there are places; timed until each is confirmed
    or rejected."""

    def __init__(self, machine: Machine, *, orders: int, rounds: int) -> None:
        self._machine = machine
        self._headers = {"Authorization": f"Bearer {machine.key}", "Prefer": WAITS}
        self._orders = orders
        self._rounds = rounds
        self._run = uuid.uuid4().hex[:8].upper()
        self._numbers = itertools.count()

    async def measure(self) -> list[Result]:
        """Orders decided a second, by two replicas that have just come up."""
        hot, spread = Series("one SKU"), Series(f"{PIECES} SKUs")
        for _ in range(self._rounds):
            for skus, side in ((1, hot), (PIECES, spread)):
                warm = self._stocked(1)
                goods = self._stocked(skus)
                with self._machine.shop(REPLICAS) as addresses:
                    await self._rush(addresses, warm)
                    side.values.append(await self._rush(addresses, goods))
        name = (
            f"{self._orders:,} orders for {PIECES} pieces, {AT_ONCE} at once, {REPLICAS} replicas"
        )
        return [Result(name, "/s", hot, spread, at_least=0.5)]

    def _stocked(self, skus: int) -> list[str]:
        """So many new SKUs, which share the pieces."""
        names = [f"HOT-{self._run}-{next(self._numbers)}" for _ in range(skus)]
        self._machine.sell(names, stock=PIECES // skus)
        return names

    async def _rush(self, addresses: list[str], goods: list[str]) -> float:
        """Orders a second; raises `BadAnswer` when a piece too many or too few was sold."""
        wires = iter([self._order(goods[n % len(goods)]) for n in range(self._orders)])
        answers: list[Answer] = []

        async def buy(address: str) -> None:
            client = Client(address)
            answers.extend([await client.ask(wire) for wire in wires])
            client.close()

        began = time.perf_counter()
        await asyncio.gather(*(buy(addresses[n % len(addresses)]) for n in range(AT_ONCE)))
        seconds = time.perf_counter() - began
        found = Counter(json.loads(answer.body).get("status", answer.status) for answer in answers)
        if found != {"confirmed": PIECES, "rejected": self._orders - PIECES}:
            raise BadAnswer(f"{self._orders} orders for {PIECES} pieces came to {dict(found)}")
        return self._orders / seconds

    def _order(self, sku: str) -> bytes:
        number = next(self._numbers)
        town, postcode = TOWNS[number % len(TOWNS)]
        body = {
            "buyer_id": f"buyer-{number}",
            "items": [{"sku": sku, "quantity": 1}],
            "destination": {
                "house_number": "1",
                "road": "Landstrasse",
                "district": town,
                "postcode": postcode,
                "country": "LI",
            },
            "payment": {"method": "card", "token": "pm_card_visa"},
        }
        headers = {**self._headers, "Idempotency-Key": f"{self._run}-{number}"}
        return request("POST", "/v1/orders", headers, json.dumps(body).encode())
