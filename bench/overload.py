"""Ten times as many orders as the shop can place: what it places then, beside what it places at
most, how soon it refuses the others, and what all that takes of its memory."""

from __future__ import annotations

import asyncio
import statistics

from bench.client import Answer, Load, pace, press
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import Machine

TIMES = 10
CONNECTIONS = 1_500
"""Connections for the flood: it has to come however long the answers take."""

AT_PEAK = 256
"""Connections at which the most orders are placed."""

GOODPUT = 0.8
AT_MOST_MB = 100
PAUSE = 2.0


async def measure(machine: Machine, *, rounds: int, seconds: float) -> list[Result]:
    """Some rounds; the readers see what was placed through in between."""
    orders = Orders(machine.key)
    goodput, peak = Series("shop, ten times that"), Series("at its peak")
    came, soon, grown = Series("shop"), Series("shop"), Series("shop")
    with machine.shop() as (address,):
        await press([address], orders.shop, placed, connections=AT_PEAK, seconds=1, warm=1)
        for _ in range(rounds):
            await asyncio.sleep(PAUSE)
            most = await press(
                [address], orders.shop, placed, connections=AT_PEAK, seconds=seconds, warm=0.5
            )
            await asyncio.sleep(PAUSE)
            before = machine.resident()
            flood = await overloaded(address, orders, most.rate * TIMES, seconds)
            peak.values.append(most.rate)
            goodput.values.append(flood.rate)
            came.values.append((flood.counted + len(flood.refused)) / seconds / most.rate)
            soon.values.append(statistics.median(flood.refused))
            grown.values.append(machine.resident() - before)
    return [
        Result("orders placed while too many come", "/s", goodput, peak, at_least=GOODPUT),
        Result("how often the peak really came", "x", came),
        Result("until one is told to come again, p50", "ms", soon),
        Result("memory grown meanwhile", "MB", grown, at_most=AT_MOST_MB),
    ]


async def overloaded(address: str, orders: Orders, rate: float, seconds: float) -> Load:
    """So many orders a second, written beforehand: the flood comes from the same machine, and what
    it takes to make it is not there to place orders."""
    written = [orders.shop() for _ in range(int(rate * seconds) + 1)]
    return await pace(
        [address], written.pop, placed, rate=rate, seconds=seconds, at_once=CONNECTIONS
    )


def placed(answer: Answer) -> bool:
    """Whether it is an order."""
    return answer.status == 201
