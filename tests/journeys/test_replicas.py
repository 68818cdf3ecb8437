"""Two processes of one shop: whoever is asked, the answer is the same, and one may die."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest

from bus.leases import TERM
from tests.journeys.conftest import STOCK, Stock, Stocked
from tests.journeys.processes import Process
from tests.journeys.shops import Order, Web, basket, calling, gathered
from tests.waiting import eventually

ORDERS = 200

TWINS = 10
"""Requests with one key, at once: half of them to each replica."""


class Replica(NamedTuple):
    """One process, and the web shop's server calling it."""

    process: Process
    web: Web


class Pair(NamedTuple):
    """Two processes on the same databases, which share the work of all readers."""

    shop: Stocked
    first: Replica
    second: Replica

    @property
    def both(self) -> tuple[Replica, Replica]:
        return self.first, self.second


on_all = pytest.mark.parametrize("transport", ["inprocess", "lossy"], indirect=True)
on_one = pytest.mark.parametrize("transport", ["inprocess"], indirect=True)


@pytest.fixture
async def pair(stock: Stock, transport: str) -> AsyncIterator[Pair]:
    shop = stock(transport)
    with shop.shop.serve() as one, shop.shop.serve() as two:
        async with (
            calling(one.address, shop.keys.web) as first,
            calling(two.address, shop.keys.web) as second,
        ):
            yield Pair(shop, Replica(one, first), Replica(two, second))


@on_all
async def test_what_one_replica_does_the_other_knows(pair: Pair, sku: str) -> None:
    first, second = pair.first.web, pair.second.web
    placed = await first.place(sku, wait=0)
    assert (await second.order(placed))["order_id"] == placed["order_id"]
    # Waiting where perhaps nobody works on it: the other process' news arrive here.
    confirmed = await second.place(sku)
    assert confirmed["status"] == "confirmed"
    await first.becomes(placed, status="confirmed")
    cancelled = await second.change(placed, "cancel", {})
    assert cancelled["status"] == "cancelled"
    assert await first.order(placed) == await second.order(placed)
    assert (await first.order(placed))["status"] == "cancelled"


@on_one
async def test_replicas_share_the_work_of_every_reader(pair: Pair) -> None:
    databases = [pair.shop.mongo[f"{pair.shop.prefix}_{name}"] for name in ("ordering", "payment")]

    def owners() -> list[list[int]]:
        """How many partitions each process holds, of each reader."""
        leases = [lease for each in databases for lease in each["readers"].find()]
        readers = {lease["reader"] for lease in leases if not lease["reader"].endswith("timers")}
        held = [
            Counter(lease["owner"] for lease in leases if lease["reader"] == reader)
            for reader in readers
        ]
        return [sorted(each.values()) for each in held]

    await eventually(lambda: all(each == [4, 4] for each in owners()))
    assert len(owners()) >= 6


@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=pytest.mark.long)])
@on_one
async def test_ten_twins_on_both_replicas_at_once_are_one_order_and_one_answer(
    pair: Pair, sku: str, rounds: int
) -> None:
    replicas = [each.web for each in pair.both] * (TWINS // 2)
    for number in range(rounds):
        body = basket(sku, buyer_id=f"twin-{number}")
        answers: list[httpx.Response] = await gathered(
            *(web.post("/v1/orders", body, key=f"twins-{number}") for web in replicas)
        )
        assert [answer.status_code for answer in answers] == [201] * TWINS
        assert len({answer.content for answer in answers}) == 1
        # Decided at one position, for one of them: the others are told of it.
        for name in ("Storefold-Position", "ETag", "Location"):
            assert len({answer.headers[name] for answer in answers}) == 1
        replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
        assert Counter(replayed) == {None: 1, "true": TWINS - 1}
    await eventually(lambda: pair.shop.kept(sku) == rounds, every=0.5)


@pytest.mark.parametrize(
    ("buyers", "pieces"), [(80, 20), pytest.param(2_000, 500, marks=pytest.mark.long)]
)
@on_one
async def test_not_a_piece_too_many_is_sold_of_what_everybody_wants_at_once(
    pair: Pair, sku: str, buyers: int, pieces: int
) -> None:
    pair.shop.shop.cli("catalog", "stock", sku, str(pieces))
    lanes = asyncio.Semaphore(200)

    async def buy(number: int) -> Order:
        async with lanes:
            return await pair.both[number % 2].web.place(sku, wait=30)

    orders = await gathered(*map(buy, range(buyers)))
    assert Counter(order["status"] for order in orders) == {
        "confirmed": pieces,
        "rejected": buyers - pieces,
    }
    rejected = [order for order in orders if order["status"] == "rejected"]
    assert {(order["reason"], *order["short_skus"]) for order in rejected} == {
        ("out_of_stock", sku)
    }
    (product,) = pair.shop.shop.rows("catalog", "show", sku)
    (level,) = product["stock"]
    assert (level["available"], level["reserved"], level["allocated"]) == (0, 0, pieces)


@on_one
async def test_all_orders_settle_though_a_replica_is_killed_among_them(
    pair: Pair, sku: str
) -> None:
    answered = 0
    dead = asyncio.Event()

    async def place(number: int) -> Order:
        """As a careful web shop does: no answer, so the same key again, elsewhere."""
        nonlocal answered
        key, body = uuid4().hex, basket(sku, buyer_id=f"buyer-{number % 7}")
        async with lanes:
            try:
                answer = await pair.both[number % 2].web.post("/v1/orders", body, key=key)
            except httpx.TransportError:
                assert number % 2 == 0, "the one that lives must answer"
                answer = await pair.second.web.post("/v1/orders", body, key=key)
        assert answer.status_code == 201, answer.text
        answered += 1
        if answered == ORDERS // 2:
            pair.first.process.kill()
            dead.set()
        order: Order = answer.json()
        return order

    lanes = asyncio.Semaphore(16)
    orders = await gathered(*map(place, range(ORDERS)))
    assert dead.is_set()
    assert len({order["order_id"] for order in orders}) == ORDERS
    web = pair.second.web
    confirmed = await all_confirmed(web)
    assert {order["order_id"] for order in confirmed} == {order["order_id"] for order in orders}
    assert pair.shop.kept(sku) == ORDERS <= STOCK
    ledger = pair.shop.mongo[f"{pair.shop.prefix}_payment"]["gateway_ledger"]
    charged = Counter(entry["reference"] for entry in ledger.find({"operation": "authorize"}))
    assert set(charged.values()) == {1}
    assert len(charged) == ORDERS


async def all_confirmed(web: Web) -> list[Order]:
    """Every order, once all are confirmed: the dead one's leases have to run out first."""

    async def look() -> list[Order]:
        pending = await web.get("/v1/orders", status="pending", limit=1)
        if pending["data"]:
            return []
        found = await web.all("/v1/orders", "order_id", status="confirmed")
        return found if len(found) >= ORDERS else []

    return await eventually(look, within=TERM + 15, every=0.1)
