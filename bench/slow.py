"""Five hundred clients that are slow on purpose, in all the ways there are: how long the others
wait for an answer beside them, and what they take of the shop's memory."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress

from bench.client import Answer, Client, pace, place_of, request
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import Machine

SLOW = 500
RATE = 200
DRIP = 1.0
"""Seconds between two bytes."""

SETTLED = 3.0
"""Seconds until all of them are there, and those before them gone."""

DOUBLED = 0.5
AT_MOST_MB = 150

Sends = Callable[[], Iterator[bytes]]


async def measure(machine: Machine, *, rounds: int, seconds: float) -> list[Result]:
    """Order reads at an even pace, without slow clients and with them in turn."""
    orders = Orders(machine.key)
    alone, beside, grown = Series("alone"), Series(f"beside {SLOW} slow clients"), Series("shop")
    with machine.shop() as (address,):
        with closing(Client(address)) as client:
            placed = await client.ask(orders.shop(wait=True))
        wire = orders.look(f"/v1/orders/{json.loads(placed.body)['order_id']}")
        await p99(address, wire, seconds)
        for _ in range(rounds):
            await asyncio.sleep(SETTLED)
            alone.values.append(await p99(address, wire, seconds))
            before = machine.resident()
            async with slow_clients(address, orders):
                await asyncio.sleep(SETTLED)
                beside.values.append(await p99(address, wire, seconds))
                grown.values.append(machine.resident() - before)
    return [
        Result("p99 of order reads, alone", "ms", alone, beside, at_least=DOUBLED),
        Result(f"memory that {SLOW} slow clients take", "MB", grown, at_most=AT_MOST_MB),
    ]


async def p99(address: str, wire: bytes, seconds: float) -> float:
    """Milliseconds within which 99 of 100 are answered."""
    took: list[float] = []

    def good(answer: Answer) -> bool:
        took.append(answer.seconds * 1000)
        return answer.status == 200

    await pace([address], lambda: wire, good, rate=RATE, seconds=seconds)
    return sorted(took)[len(took) * 99 // 100]


@asynccontextmanager
async def slow_clients(address: str, orders: Orders) -> AsyncIterator[None]:
    """They are there, and come again whenever they are let go of."""
    ways = itertools.cycle((head, lambda: body(orders), answers))
    there = [asyncio.create_task(slow(address, next(ways))) for _ in range(SLOW)]
    try:
        yield
    finally:
        for each in there:
            each.cancel()
        await asyncio.gather(*there, return_exceptions=True)


async def slow(address: str, sends: Sends) -> None:
    """One client, which reads nothing."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(random.random() * DRIP)  # or all of them would come at once
        with suppress(OSError), socket.socket() as mine:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mine.setblocking(False)
            await loop.sock_connect(mine, place_of(address))
            for piece in sends():
                await loop.sock_sendall(mine, piece)
                await asyncio.sleep(DRIP)


def head() -> Iterator[bytes]:
    """The head of a request, byte by byte."""
    yield b"GET / HTTP/1.1\r\nX-Slow: "
    yield from itertools.repeat(b"x")


def body(orders: Orders) -> Iterator[bytes]:
    """An order whose body comes byte by byte."""
    whole = orders.shop()
    start = whole.index(b"\r\n\r\n") + 5
    yield whole[:start]
    yield from (bytes((byte,)) for byte in whole[start:])


def answers() -> Iterator[bytes]:
    """Large answers, asked for again and again."""
    yield from itertools.repeat(request("GET", "/openapi.json", {}) * 4)
