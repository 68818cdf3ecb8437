"""A thousand open streams of a thousand orders on one worker: what they take of its memory."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

from bench.client import BadAnswer, Client, place_of, request
from bench.orders import Orders
from bench.results import Result, Series
from bench.servers import Machine

STREAMS = 1000
AT_ONCE = 20
WITHIN = 120.0
AT_MOST_MB = 100

STANDS, MOVES = b'"status":"scheduled"', b'"status":"picked_up"'


class Listener(asyncio.Protocol):
    """One connection that listens, and keeps only what it waits for."""

    def __init__(self) -> None:
        self.heard: set[bytes] = set()
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Look what is told of the delivery."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            if b"event: delivery" in block:
                self.heard |= {status for status in (STANDS, MOVES) if status in block}


async def measure(machine: Machine, *, streams: int = STREAMS) -> list[Result]:
    """Megabytes, idle and once something has happened to every order."""
    orders = Orders(machine.key)
    key = machine.cli("keys", "create", "van", "--scope", "carrier").strip()
    carrier = {"Authorization": f"Bearer {key}"}
    idle, moved, waited = Series("shop"), Series("shop"), Series("shop")
    with machine.shop() as (address,):
        placed = await asked(address, [orders.shop(wait=True) for _ in range(streams)])
        deliveries = [json.loads(body)["delivery_id"] for body in placed]
        await asyncio.sleep(2)  # what was read to place them is let go of
        before = machine.resident()
        async with listening(address, [orders.look(events(body)) for body in placed]) as heard:
            await until(lambda: all(STANDS in each.heard for each in heard))
            idle.values.append(machine.resident() - before)
            began = time.monotonic()
            wires = [scan(delivery, carrier) for delivery in deliveries]
            await asked(address, wires)
            await until(lambda: all(MOVES in each.heard for each in heard))
            waited.values.append(time.monotonic() - began)
            moved.values.append(machine.resident() - before)
    return [
        Result(f"{streams} open streams, idle", "MB", idle, at_most=AT_MOST_MB),
        Result(f"{streams} open streams, each order moved", "MB", moved, at_most=AT_MOST_MB),
        Result(f"a scan of each, and {streams} streams have told it", "s", waited),
    ]


async def asked(address: str, wires: list[bytes]) -> list[bytes]:
    """The bodies of the answers, some asked at once."""
    found: list[bytes] = [b""] * len(wires)
    left = list(enumerate(wires))

    async def ask() -> None:
        with closing(Client(address)) as client:
            while left:
                place, wire = left.pop()
                answer = await client.ask(wire)
                if answer.status not in (200, 201):
                    raise BadAnswer(f"the shop answered {answer.status} {answer.body[:300]!r}")
                found[place] = answer.body

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return found


@asynccontextmanager
async def listening(address: str, wires: list[bytes]) -> AsyncIterator[list[Listener]]:
    """A listener for each of these requests."""
    loop = asyncio.get_running_loop()
    opened = []
    try:
        for wire in wires:
            transport, listener = await loop.create_connection(Listener, *place_of(address))
            opened.append((transport, listener))
            transport.write(wire)
        yield [listener for _, listener in opened]
    finally:
        for transport, _ in opened:
            transport.close()


async def until(seen: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if seen():
            return
        await asyncio.sleep(0.1)
    raise BadAnswer(f"the streams did not tell what they were to tell within {WITHIN:.0f} s")


def events(order: bytes) -> str:
    """Where the events of an order are told."""
    return f"/v1/orders/{json.loads(order)['order_id']}/events"


def scan(delivery_id: str, carrier: dict[str, str]) -> bytes:
    """The carrier has the goods, and says where."""
    body = {"status": "picked_up", "position": {"lat": 47.14, "lon": 9.52}}
    path = f"/v1/deliveries/{delivery_id}/checkpoints"
    return request("POST", path, carrier, json.dumps(body).encode())
