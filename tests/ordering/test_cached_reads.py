"""Orders are read right, whatever happens to Redis: flushed, hanging, killed or old, under load and
by two replicas."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener
from redis import Redis

from bus import cache
from bus.messages import Document, Refused
from ordering.contract import CancelOrder, GetOrder, Means, PayOrder
from ordering.order import Order
from ordering.views import ORDERS, orders, shown
from payment.contract import AuthorizePayment
from shop import redis_server
from shop.child import Child
from tests.ordering.alone import Alone, Others, at_work, declined
from tests.waiting import eventually, soon

NOBODY_THERE = "redis://127.0.0.1:1/0"

CARD = Means(method="card", token="pm_card_chargeDeclined")


class Loads(CommandListener):
    """Which streams are being read from the log, and how many of one at the same time."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._under_way: dict[int, str] = {}

    def started(self, event: Any) -> None:
        asked = event.command.get("filter", {})
        name = asked.get("writes.stream") or asked.get("writes", {}).get("$elemMatch", {}).get(
            "stream"
        )
        if event.command_name == "find" and name is not None:
            self.count[name] += 1
            self._under_way[event.request_id] = name
            self.most[name] = max(self.most[name], list(self._under_way.values()).count(name))

    def succeeded(self, event: Any) -> None:
        self._under_way.pop(event.request_id, None)

    def failed(self, event: Any) -> None:
        self._under_way.pop(event.request_id, None)


class Own:
    """A Redis that a test may do anything to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child, self._port = redis_server.start(folder, None)
        self.url = redis_server.url(self._port)

    def flush(self) -> None:
        with Redis.from_url(self.url) as client:
            client.flushall()

    def kill(self) -> None:
        os.kill(self._child.pid, signal.SIGKILL)
        self.stop()

    def start(self) -> None:
        self._child, self._port = redis_server.start(self._folder, self._port)

    def stop(self) -> None:
        child: Child = self._child
        child.stop(5)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        os.kill(self._child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._child.pid, signal.SIGCONT)


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Own]:
    monkeypatch.setattr(cache, "COOL_DOWN", 0.1)
    own = Own(tmp_path / "redis")
    yield own
    own.stop()


class Replica(NamedTuple):
    """Ordering in a process, as it were, of its own."""

    shop: Alone
    loads: Loads

    async def read(self, order_id: str) -> Document:
        found: Document = await self.shop.ask(GetOrder(order_id=order_id))
        assert json.loads(found.body)["version"] == found.version
        return found


@pytest.fixture
def replica(mongo: MongoClient[dict[str, Any]], prefix: str, redis: Own) -> Any:
    """Starts replicas; every payment is declined, so that orders can be paid again and again."""
    server = mongo.address
    assert server is not None

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Replica]:
        others = Others()
        others.answers[AuthorizePayment] = declined
        loads = Loads()
        with MongoClient[dict[str, Any]](
            *server, tz_aware=True, directConnection=True, event_listeners=[loads]
        ) as client:
            url = changes.pop("redis_url", redis.url)
            async with at_work(client, prefix, url, others=others, **changes) as shop:
                yield Replica(shop, loads)

    return start


async def every_version(replica: Replica, order_id: str) -> list[tuple[int, int, bytes]]:
    """Of every version of an order: where it stands in the log, and how it is shown."""
    order: Order | None = None
    told = []
    for commit in await replica.shop.home.log.history(orders(order_id).name):
        for happened in commit.events:
            order = orders.evolve(order, happened.event)
        assert order is not None
        version = commit.events[-1].version
        told.append((commit.position, version, shown(order, version)))
    return told


async def test_under_load_what_is_read_is_right_whatever_happens_to_redis(
    replica: Any, redis: Own
) -> None:
    reads: list[tuple[str, int, Document]] = []
    pick = random.Random(7)

    over = asyncio.Event()

    async def look(at: Replica) -> None:
        while not over.is_set():
            order_id = pick.choice(ids)
            known = max(at.shop.home.feed.head, decided[at].get(order_id, 0))
            reads.append((order_id, known, await at.read(order_id)))
            await asyncio.sleep(0.001)

    async def pay(at: Replica, order_id: str) -> None:
        while not over.is_set():
            command = PayOrder(order_id=order_id, method=CARD.method, token=CARD.token)
            try:
                done = await at.shop.send(command)
                decided[at][order_id] = done.position
            except Refused:  # the last attempt is still under way
                await asyncio.sleep(0.01)

    async def more() -> None:
        seen = len(reads)
        await eventually(lambda: len(reads) > seen + 200)

    async with replica() as first, replica() as second:
        both = (first, second)
        decided: dict[Replica, dict[str, int]] = {each: {} for each in both}
        ids = [(await first.shop.place()).answer.order_id for _ in range(8)]
        busy = [asyncio.create_task(look(at)) for at in both * 6]
        busy += [asyncio.create_task(pay(both[n % 2], id)) for n, id in enumerate(ids[:6])]
        for _ in range(2):
            await more()
            redis.flush()
            await more()
            with redis.hanging():
                await more()
            await more()
            redis.kill()
            await more()
            redis.start()
        await more()
        over.set()
        await soon(asyncio.gather(*busy))
        for order_id in ids:
            await first.shop.comes_to(order_id, payment_status="declined")
        truth = {order_id: await every_version(first, order_id) for order_id in ids}
        for order_id, known, found in reads:
            least = max((v for at, v, _ in truth[order_id] if at <= known), default=1)
            assert found.version >= least
            assert (found.version, found.body) in [told[1:] for told in truth[order_id]]
        assert len(truth[ids[0]]) > 5
        for each in both:
            assert max(each.loads.most.values()) == 1
            await soon(each.shop.home.feed.reached(max(told[-1][0] for told in truth.values())))
            for order_id, told in truth.items():
                found = await each.read(order_id)
                assert (found.version, found.body) == told[-1][1:]


async def test_an_entry_that_nobody_could_replace_is_believed_by_nobody(
    replica: Any, redis: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "TIMEOUT", 10.0)
    async with replica(work=False) as living:
        order_id = (await living.shop.place()).answer.order_id
        assert (await living.read(order_id)).version == 1
        async with replica(work=False, redis_url=NOBODY_THERE) as writer:
            cancelled = await writer.shop.send(CancelOrder(order_id=order_id))
        with Redis.from_url(redis.url) as client:  # the writer is gone, and Redis has not heard
            (key,) = client.keys(f"*:{ORDERS.cache_key(order_id)}")
            old = client.get(key)
            assert old.startswith(b"1 ")
            await soon(living.shop.home.feed.reached(cancelled.position))
            assert (await living.read(order_id)).version == 2
            async with replica(work=False) as successor:
                client.set(key, old)
                assert (await successor.read(order_id)).version == 2


async def test_while_redis_is_away_a_replica_reads_what_another_has_just_decided(
    replica: Any, redis: Own
) -> None:
    redis.kill()
    async with replica(work=False) as first, replica(work=False) as second:
        for _ in range(20):
            order_id = (await first.shop.place()).answer.order_id
            assert (await second.read(order_id)).version == 1
            done = await first.shop.send(CancelOrder(order_id=order_id))
            assert (await second.read(order_id)).version == done.answer.version


async def test_however_many_want_an_order_that_is_not_cached_it_is_loaded_once(
    replica: Any, redis: Own
) -> None:
    async with replica(work=False) as first:
        order_id = (await first.shop.place()).answer.order_id
    async with replica(work=False) as second:
        for _ in range(2):
            redis.flush()
            found = await asyncio.gather(*(second.read(order_id) for _ in range(300)))
            assert {each.version for each in found} == {1}
        assert second.loads.count == {orders(order_id).name: 1}


async def test_a_shop_ends_though_redis_hangs(replica: Any, redis: Own) -> None:
    async with replica() as one:
        order_id = (await one.shop.place()).answer.order_id
        with redis.hanging():
            await one.read(order_id)
            await soon(one.shop.platform.stop())
