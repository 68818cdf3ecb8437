"""What it costs that the shop checks: keys, rates, bodies that all read alike, sealing of what is
personal, metrics, places in traces, and what the log knows of what is under way."""

from __future__ import annotations

import sys

from bench.client import Answer, press
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import SHOP, Machine
from bench.surface import CONNECTIONS, WARM, drained

SIDES = {"shop": (SHOP,), "unchecked": (sys.executable, "-m", "bench.unchecked")}

MORE_ROUNDS = 4
"""What is looked for is small, so it takes more rounds than others to see it."""

AT_LEAST = 0.85

WARM_UP = 4.0
"""Seconds until a fresh process has read the streams that every order needs, and places as many as
it can."""


async def measure(on: Machine, *, rounds: int, seconds: float) -> list[Result]:
    """Orders that are placed a second, and that a second of the processor places and sees through,
    beside the same shop with no checks. (How many a second hangs on what else the machine does.)"""
    orders = Orders(on.key)
    rates = {side: Series(side) for side in SIDES}
    efforts = {side: Series(side) for side in SIDES}
    for number in range(rounds + MORE_ROUNDS):
        for side in list(SIDES) if number % 2 else reversed(SIDES):  # A B B A
            with on.process(*SIDES[side], "serve", "--port", "0") as address:
                rate, effort = await _pressed(on, address, orders, seconds)
            rates[side].values.append(rate)
            efforts[side].values.append(effort)
    return [
        Result(
            f"{name}, all checks beside none",
            unit,
            series["shop"],
            series["unchecked"],
            at_least=AT_LEAST,
        )
        for name, unit, series in (
            ("orders placed, 32 connections", "/s", rates),
            ("orders placed and seen through", "/CPU s", efforts),
        )
    ]


async def _pressed(
    on: Machine, address: str, orders: Orders, seconds: float
) -> tuple[float, float]:
    """Orders placed a second, and for each second of CPU, with all that follows from them."""
    placed = 0

    def is_placed(answer: Answer) -> bool:
        nonlocal placed
        placed += answer.status == 201
        return answer.status == 201

    async def press_for(seconds: float) -> float:
        load = await press(
            [address],
            orders.shop,
            is_placed,
            connections=CONNECTIONS,
            seconds=seconds,
            warm=WARM,
        )
        await drained(address, orders)
        return load.rate

    await press_for(WARM_UP)
    placed, before = 0, on.cpu()
    rate = await press_for(seconds)
    return rate, placed / (on.cpu() - before)
