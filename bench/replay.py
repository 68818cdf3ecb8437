"""How fast a reader goes through a log that it has never seen, beside bare reading."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, get_args

from pymongo import MongoClient
from pymongo.database import Database
from redis.asyncio import Redis

from bench.commits import order
from bench.results import Result, Series
from bench.servers import Machine
from bus.cache import Cache
from bus.commits import Codec, Meta, Recorded, Write
from bus.envelope import Envelope
from bus.feed import Feed
from bus.keeping import ViewWork
from bus.lanes import Lanes
from bus.leases import Leases
from bus.log import Log
from bus.messages import now
from bus.mongo import connect, durable
from bus.parking import Parking
from bus.partitions import PARTITIONS
from bus.readers import Reader, Work
from bus.retries import Retries
from bus.rota import Rota
from bus.views import Documents
from ordering import rules
from ordering.order import Order, OrderEvent, evolve
from ordering.views import ORDERS, orders
from shop.serving import tune

ROUNDS = 3
SIDE_BY_SIDE = 200
"""Orders that are on their way at once."""

STEPS: Sequence[Callable[[Order, datetime], Sequence[OrderEvent]]] = (
    rules.request_payment,
    rules.confirm,
    lambda order, now: rules.arrange_delivery(order, None, now),
    rules.ship,
    lambda order, now: rules.take_payment(order, order.total, now),
    rules.deliver,
)
"""What follows on an order's being placed."""

EVENTS = get_args(OrderEvent)
AIM = 20_000


def life(number: int) -> Iterator[tuple[str, Sequence[OrderEvent]]]:
    """One order from placed to delivered, decision by decision."""
    placed = order(number)
    state = evolve(None, placed)
    yield orders(placed.order_id).name, (placed,)
    for step in STEPS:
        happened = step(state, now())
        for event in happened:
            state = evolve(state, event)
        yield orders(placed.order_id).name, happened


def documents(codec: Codec, count: int) -> Iterator[dict[str, Any]]:
    """The log of so many orders, some at a time."""
    meta = Meta(uuid.uuid4().hex, uuid.uuid4().hex, "shop:bench", None, None)
    position = itertools.count(1)
    for first in range(0, count, SIDE_BY_SIDE):
        lives = [life(number) for number in range(first, min(first + SIDE_BY_SIDE, count))]
        for version, step in enumerate(zip(*lives, strict=True), 1):
            for stream, happened in step:
                events = tuple(Recorded(event, stream, version) for event in happened)
                writes = (Write(stream, version),)
                document = codec.document(uuid.uuid4().hex, writes, events, now(), meta, {})
                yield {"_id": next(position), **document}


def filled(database: Database[dict[str, Any]], count: int) -> int:
    """Write the log of so many orders; how many events there are in it."""
    log, events = durable(database["log"]), 0
    rest = documents(Codec(EVENTS), count)
    while some := list(itertools.islice(rest, 1000)):
        log.insert_many(some)
        events += sum(len(document["events"]) for document in some)
    return events


async def replayed(
    database: Database[dict[str, Any]], make: Callable[[Log, Rota], Work]
) -> tuple[float, float]:
    """Seconds, by the clock and of CPU, in which a reader that starts cold does the whole log."""
    database["readers"].drop()
    log = Log("ordering", database, EVENTS)
    feed = Feed("ordering", log.read, log.head)
    await feed.start()
    rota = Rota(Leases(database, "bench"), "bench", lambda: None)
    reader = Reader("bench", feed, make(log, rota))
    began, cpu = time.perf_counter(), time.process_time()
    rota.start([reader])
    while len(reader.held) < PARTITIONS or reader.lag:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    taken = time.perf_counter() - began, time.process_time() - cpu
    await rota.stop()
    await feed.stop()
    await log.close()
    return taken


def read_bare(database: Database[dict[str, Any]]) -> tuple[float, float]:
    """The same for reading all documents, and nothing else."""
    began, cpu = time.perf_counter(), time.process_time()
    for _ in durable(database["log"]).find().sort("_id", 1):
        pass
    return time.perf_counter() - began, time.process_time() - cpu


async def nothing(event: OrderEvent, envelope: Envelope[Any]) -> None:
    """Handle an event, the quick way."""


async def measure(machine: Machine, *, orders: int) -> list[Result]:
    """Events a second: handled one by one, kept as a view, and bare."""
    tune()  # as the server is
    mongo: MongoClient[dict[str, Any]] = connect(machine.mongodb_url)
    redis = Redis.from_url(machine.redis_url)
    database = mongo[f"bench_{uuid.uuid4().hex[:8]}"]
    events = await asyncio.to_thread(filled, database, orders)

    def lanes(log: Log, rota: Rota) -> Work:
        parking = Parking(database, "bench", Leases(database, "bench"), log)
        return Lanes("bench", dict.fromkeys(EVENTS, nothing), parking, rota.valid, Retries())

    def view(log: Log, rota: Rota) -> Work:
        database[f"view_{ORDERS.name}_v{ORDERS.version}"].drop()
        kept = Documents(ORDERS, database)
        kept.make_indexes()
        return ViewWork(kept, Cache(redis, database.name))

    bare = Series("bare reading")
    sides = {"handled one by one": lanes, "kept as a view": view}
    speeds = {side: Series("reader") for side in sides}
    costs = {side: Series("reader") for side in sides}
    bare_costs = Series("bare reading")
    for _ in range(ROUNDS):
        for side, make in sides.items():
            seconds, cpu = await replayed(database, make)
            speeds[side].values.append(events / seconds)
            costs[side].values.append(cpu / events * 1_000_000)
        seconds, cpu = await asyncio.to_thread(read_bare, database)
        bare.values.append(events / seconds)
        bare_costs.values.append(cpu / events * 1_000_000)
    mongo.drop_database(database.name)
    mongo.close()
    await redis.aclose()
    found = []
    for side in sides:
        found.append(Result(f"events replayed, {side}", "/s", speeds[side], at_least=AIM))
        found.append(Result("CPU an event", "µs", costs[side], bare_costs))
    return [*found, Result("documents read bare", "/s", bare)]
