"""The log beside raw MongoDB: decisions a second, and the same documents in the same groups."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import MongoClient

from bench.results import Result, Series
from bus.commits import Commit, Recorded, Write
from bus.envelope import sealed
from bus.log import Log
from bus.messages import Address, Money, now
from bus.mongo import connect, durable
from bus.streams import Streams
from ordering.contract import CancelOrder, Means, PricedItem
from ordering.order import Order, OrderPlaced
from ordering.views import orders
from shop.serving import tune

Documents = list[dict[str, Any]]


@dataclass
class Written:
    """What one round of the log wrote, and how fast."""

    rate: float
    documents: Documents
    groups: list[int]


def order(number: int) -> OrderPlaced:
    """A fact to be kept, of a usual size."""
    price = Money(amount=12_50, currency="EUR")
    at = now()
    return OrderPlaced(
        order_id=f"ord_{uuid.uuid4().hex}",
        client="bench",
        buyer_id=f"buyer-{number}",
        items=(
            PricedItem(sku="A-1", name="A thing", quantity=1, unit_price=price, line_total=price),
            PricedItem(sku="B-2", name="B thing", quantity=1, unit_price=price, line_total=price),
        ),
        destination=Address(
            house_number="1",
            road="Landstrasse",
            district="Vaduz",
            postcode="9490",
            country="LI",
        ),
        product_cost=price.times(2),
        delivery_cost=price,
        total=price.times(3),
        means=Means(method="card", token="pm_card_visa"),
        payment_id=f"pay_{number}",
        delivery_id=f"dlv_{number}",
        warehouse_id="bench",
        at=at,
        reserved_until=at + timedelta(minutes=30),
        expires_at=at + timedelta(minutes=30),
    )


async def by_the_log(
    client: MongoClient[dict[str, Any]], at_once: int, count: int, *, decided: bool = False
) -> Written:
    """So many commits to fresh streams, a number of them at once: appended to the log as they are,
    or `decided` upon the streams' state, as handlers do."""
    groups: list[int] = []

    def heard(commits: list[Commit]) -> None:
        groups.append(len(commits))

    log = Log("bench", client[f"bench_{uuid.uuid4().hex[:8]}"], [OrderPlaced])
    log.open(heard)
    streams = Streams(log)
    waiting = iter([order(number) for number in range(count)])

    async def decide_on() -> None:
        for placed in waiting:
            command = sealed(CancelOrder(order_id=placed.order_id))
            stream = orders(placed.order_id)
            if decided:
                await streams.decide(stream, deciding(placed), command, new=True)
            else:
                write, event = Write(stream.name, 1), Recorded(placed, stream.name, 1)
                await log.append(command, (write,), (event,), ()).outcome

    began = time.perf_counter()
    await asyncio.gather(*(decide_on() for _ in range(at_once)))
    rate = count / (time.perf_counter() - began)
    documents = await asyncio.to_thread(lambda: list(log.collection.find()))
    await log.close()
    return Written(rate, documents, groups)


def deciding(placed: OrderPlaced) -> Callable[[Order | None], list[OrderPlaced]]:
    """The decision to place this order."""
    return lambda order: [placed]


def by_hand(client: MongoClient[dict[str, Any]], written: Written) -> float:
    """The same documents in the same groups into a collection with the same indexes; a second."""
    database = client[f"bench_{uuid.uuid4().hex[:8]}"]
    collection = durable(database["log"])
    collection.create_index(
        [("writes.stream", 1), ("writes.version", 1)], unique=True, name="writes"
    )
    collection.create_index("command", unique=True, name="command")
    rest = iter(written.documents)
    groups = [list(itertools.islice(rest, size)) for size in written.groups]
    began = time.perf_counter()
    for group in groups:
        collection.insert_many(group, ordered=True)
    rate = len(written.documents) / (time.perf_counter() - began)
    client.drop_database(database.name)
    return rate


async def measure(url: str, *, rounds: int, seconds: float) -> list[Result]:
    """The log with few and with many commits at once, and decisions, each beside raw inserts."""
    tune()  # as the server is
    client = connect(url)
    results = []
    for at_once, pace, decided in ((32, 4_000, False), (500, 8_000, False), (500, 8_000, True)):
        ours, raw = Series("log"), Series("raw insert_many")
        await by_the_log(client, at_once, 500, decided=decided)  # warm
        for _ in range(rounds):
            written = await by_the_log(client, at_once, int(pace * seconds), decided=decided)
            ours.values.append(written.rate)
            raw.values.append(await asyncio.to_thread(by_hand, client, written))
            raw.name = f"raw insert_many, {statistics.mean(written.groups):.0f} a group"
        name = f"{'decisions' if decided else 'log commits'}, {at_once} at once"
        results.append(Result(name, "/s", ours, raw, at_least=None if decided else 0.8))
    for name in client.list_database_names():
        if name.startswith("bench_"):
            client.drop_database(name)
    client.close()
    return results
