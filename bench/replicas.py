"""Several replicas of the shop on one database, beside one; and how well its readers keep up."""

from __future__ import annotations

import asyncio

from bench.client import Answer, Make, pace, press
from bench.keeping_up import KeepingUp
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import Machine
from bus.rota import STORE_EVERY

CONNECTIONS = 32
OUTSTANDING = 64
WARM = 1.0
RATES = (100, 200, 300, 400, 600, 800, 1000)
LAG = 2.0
PACED = 8.0
"""Seconds that a rate is kept up."""


class Replicas:
    """A shop that is started afresh for every round, so that nobody idle takes part in it."""

    def __init__(self, machine: Machine, *, rounds: int, seconds: float) -> None:
        self._machine = machine
        self._orders = Orders(machine.key)
        self._rounds = rounds
        self._seconds = seconds
        self._readers = KeepingUp(machine.mongodb_url)

    async def beside_one(self) -> list[Result]:
        """Orders placed, and confirmed, by two replicas and by one."""
        rates = {n: (Series(_named(n)), Series(_named(n))) for n in (2, 1)}
        costs = {n: (Series(_named(n)), Series(_named(n))) for n in (2, 1)}
        for _ in range(self._rounds):
            for n in rates:
                with self._machine.shop(n) as addresses:
                    await self._settled(addresses)
                    for wait, rate, cost in zip((False, True), rates[n], costs[n], strict=True):
                        per_second, milliseconds = await self._press(addresses, wait=wait)
                        rate.values.append(per_second)
                        cost.values.append(milliseconds)
        names = (
            f"orders placed, {CONNECTIONS} connections",
            f"orders placed and confirmed, {OUTSTANDING} outstanding",
        )
        found = [
            Result(f"{name}: two replicas", "/s", two, one, at_least=1.0)
            for name, two, one in zip(names, rates[2], rates[1], strict=True)
        ]
        return found + [
            Result(f"{name}: CPU an order", "ms", two, one)
            for name, two, one in zip(names, costs[2], costs[1], strict=True)
        ]

    async def keep_up(self) -> list[Result]:
        """The steady rate of orders at which no reader falls more than two seconds behind."""
        found = []
        for n in (1, 2):
            highest, lag, confirmed = Series("shop"), Series("shop"), Series("shop")
            for rate in RATES:
                with self._machine.shop(n) as addresses:
                    await self._settled(addresses)
                    kept, worst, median = await self._pace(addresses, rate)
                # What is stored is that much older than what is done.
                if not kept or worst > LAG + STORE_EVERY:
                    break
                highest.values, lag.values = [rate], [worst]
                confirmed.values = [median * 1000]
            if not highest.values:
                highest.values = [0.0]
            name = f"placed with every reader within {LAG:.0f} s, {_named(n)}"
            found.append(Result(name, "/s", highest, at_least=RATES[-1]))
            if lag.values:
                found.append(Result("the longest lag then", "s", lag))
                found.append(Result("placed to confirmed then, p50", "ms", confirmed))
        return found

    def close(self) -> None:
        """Measure no more."""
        self._readers.close()

    async def _settled(self, addresses: list[str]) -> None:
        """Have all loaded that is loaded once, and the work shared out."""
        await self._load(addresses, wait=True, seconds=WARM)
        await self._readers.shared_out(len(addresses))
        await self._readers.drained()

    async def _press(self, addresses: list[str], *, wait: bool) -> tuple[float, float]:
        """Orders a second, and the milliseconds of CPU that each of them takes the shop, with all
        that follows from it."""
        began, head = self._machine.cpu(), await asyncio.to_thread(self._readers.placed)
        rate = await self._load(addresses, wait=wait, seconds=self._seconds * (2 if wait else 1))
        await self._readers.drained()
        placed = await asyncio.to_thread(self._readers.placed) - head
        return rate, (self._machine.cpu() - began) / placed * 1000

    async def _load(self, addresses: list[str], *, wait: bool, seconds: float) -> float:
        load = await press(
            addresses,
            self._waiting if wait else self._orders.shop,
            _confirmed if wait else _placed,
            connections=OUTSTANDING if wait else CONNECTIONS,
            seconds=seconds,
            warm=WARM,
        )
        return load.rate

    async def _pace(self, addresses: list[str], rate: float) -> tuple[bool, float, float]:
        """Whether orders are placed at this rate, the longest lag of a reader, and the median of
        the seconds from placed to confirmed."""
        before = await asyncio.to_thread(self._readers.head)
        worst = 0.0

        async def watch() -> None:
            nonlocal worst
            while True:
                worst = max(worst, await asyncio.to_thread(self._readers.lag))
                await asyncio.sleep(0.2)

        watching = asyncio.create_task(watch())
        load = await pace(addresses, self._orders.shop, _placed, rate=rate, seconds=PACED)
        watching.cancel()
        await self._readers.drained()
        median = await asyncio.to_thread(self._readers.confirmed_after, before)
        return load.rate > 0.97 * rate, worst, median

    @property
    def _waiting(self) -> Make:
        return lambda: self._orders.shop(wait=True)


def _placed(answer: Answer) -> bool:
    return answer.status == 201


def _confirmed(answer: Answer) -> bool:
    return answer.status == 201 and b'"status":"confirmed"' in answer.body


def _named(replicas: int) -> str:
    return "one replica" if replicas == 1 else "two replicas"
