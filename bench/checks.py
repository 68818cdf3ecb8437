"""What it costs that the shop checks: keys, rates, bodies that all read alike, sealing of what is
personal, metrics, places in traces, and what the log knows of what is under way."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from bench.client import Answer, press
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import SHOP, Machine
from bench.surface import CONNECTIONS, WARM, drained

SIDES = {"shop": (SHOP,), "unchecked": (sys.executable, "-m", "bench.unchecked")}

SLICES, SECONDS = 4, 2.0
"""Slices for each round of others, and the seconds of one: what is looked for is small, so it takes
many to see it."""

AT_LEAST = 0.85

WARM_UP = 4.0
"""Seconds until a process that knows nothing yet places as many as it can."""


class Side:
    """A shop that runs, with orders to place in it."""

    def __init__(self, name: str, on: Machine, address: str) -> None:
        self._on = on
        self._address = address
        self._orders = Orders(on.key)
        self._placed = 0
        self.rates, self.efforts = Series(name), Series(name)

    async def warm(self) -> None:
        """Have all read and loaded that is read and loaded once."""
        await self._press(WARM_UP)

    async def measure(self) -> None:
        """Orders placed a second, and for each second of CPU, with all that follows from them."""
        placed, before = self._placed, self._on.cpu()
        self.rates.values.append(await self._press(SECONDS))
        self.efforts.values.append((self._placed - placed) / (self._on.cpu() - before))

    async def _press(self, seconds: float) -> float:
        load = await press(
            [self._address],
            self._orders.shop,
            self._is_placed,
            connections=CONNECTIONS,
            seconds=seconds,
            warm=WARM,
        )
        await drained(self._address, self._orders)
        return load.rate

    def _is_placed(self, answer: Answer) -> bool:
        self._placed += answer.status == 201
        return answer.status == 201


async def measure(on: Machine, *, rounds: int) -> list[Result]:
    """Orders that are placed a second, and that a second of the processor places and sees through,
    beside the same shop with no checks: two shops that run side by side, one at work at a time."""
    with ExitStack() as stack:
        sides = []
        for name, command in SIDES.items():
            at = on.beside(name)
            key = at.key  # there are goods before there is a shop to sell them
            assert key
            address = stack.enter_context(at.process(*command, "serve", "--port", "0"))
            sides.append(Side(name, at, address))
        for side in sides:
            await side.warm()
        for number in range(rounds * SLICES):
            for side in sides if number % 2 else reversed(sides):  # A B B A
                await side.measure()
    shop, unchecked = sides
    placed, seen_through = "orders placed, 32 connections", "orders placed and seen through"
    return [
        Result(
            f"{placed}, all checks beside none",
            "/s",
            shop.rates,
            unchecked.rates,
            at_least=AT_LEAST,
        ),
        Result(
            f"{seen_through}, all checks beside none",
            "/CPU s",
            shop.efforts,
            unchecked.efforts,
            at_least=AT_LEAST,
        ),
    ]
