"""A process that ends between any two steps: another one brings every order to its end, and none
is paid twice."""

import asyncio
from random import Random
from typing import Any

import pytest
from pymongo import MongoClient

from bus import leases, rota
from ordering.contract import OrderDocument
from shop import embedded
from shop.settings import Settings
from tests.ordering.processes import Freezing
from tests.ordering.whole import Whole, running, settings_of
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

TOKENS = ["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_fault_timeout"]

AT_ONCE = 6

LEAST = 5
"""Commits in all logs that an order makes at the least, until it comes to rest."""


@pytest.fixture(params=[pytest.param("inprocess", marks=pytest.mark.long), "loopback"])
def settings(
    request: pytest.FixtureRequest, servers: embedded.Servers, prefix: str, redis_url: str
) -> Settings:
    assert servers.mongodb_url
    return settings_of(servers.mongodb_url, redis_url, prefix, transport=request.param)


async def lives(shop: Whole, random: Random, placed: list[OrderDocument]) -> None:
    """Orders come in, and some are cancelled as soon as they have."""

    async def one(token: str, cancelled: bool) -> None:
        order = await shop.place(token)
        placed.append(order)
        if cancelled:
            await shop.cancel(order)

    await asyncio.gather(
        *(one(random.choice(TOKENS), random.random() < 0.3) for _ in range(AT_ONCE)),
        return_exceptions=True,  # a process that ends answers nobody
    )


def written(mongo: MongoClient[dict[str, Any]], settings: Settings) -> int:
    """Commits in all logs."""
    names = ("ordering", "catalog", "payment", "delivery")
    databases = [mongo[f"{settings.mongodb_prefix}_{name}"] for name in names]
    return sum(database["log"].estimated_document_count() for database in databases)


async def come_to_rest(shop: Whole, answered: list[OrderDocument]) -> None:
    """Every order there is; among them all that a buyer was told of."""
    there = await shop.all_orders()
    assert {order.order_id for order in answered} <= {order.order_id for order in there}
    for order in there:
        await shop.comes_to_rest(order)
    await shop.check_books(*there)


async def test_orders_go_on_where_a_process_stopped(
    settings: Settings, mongo: MongoClient[dict[str, Any]]
) -> None:
    random = Random(3)
    placed: list[OrderDocument] = []
    async with running(settings) as shop:
        await shop.stock_up()
    for _ in range(4):
        moment = written(mongo, settings) + random.randrange(1, AT_ONCE * LEAST)
        async with running(settings) as shop:
            coming = asyncio.create_task(lives(shop, random, placed))
            shop.begun.append(coming)

            async def so_far(moment: int = moment, coming: Any = coming) -> Any:
                return coming.done() or written(mongo, settings) >= moment

            await eventually(so_far, every=0)
    async with running(settings) as shop:
        await come_to_rest(shop, placed)


async def test_orders_go_on_where_a_process_died_and_one_that_only_slept_does_no_harm(
    settings: Settings, mongo: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (leases, rota):
        monkeypatch.setattr(module, "TERM", 1.0)  # the dead keep their leases no longer than that
    random = Random(5)
    placed: list[OrderDocument] = []
    dead: list[Freezing] = []
    async with running(settings) as shop:
        await shop.stock_up()
    for _ in range(3):
        moment = written(mongo, settings) + random.randrange(1, AT_ONCE * LEAST)
        process = await asyncio.to_thread(Freezing, settings)
        dead.append(process)
        process.begin(lives(process.whole, random, placed))

        def so_far(moment: int = moment) -> bool:
            return written(mongo, settings) >= moment

        await eventually(so_far, every=0)
        await asyncio.to_thread(process.freeze)
    async with running(settings) as shop:
        await come_to_rest(shop, placed)
        before = {order: await shop.happened(order) for order in await shop.all_orders()}
        for process in dead:
            await asyncio.to_thread(process.wake_up)
            await asyncio.to_thread(process.close)
        await come_to_rest(shop, placed)
        for order, history in before.items():
            assert (await shop.happened(order))[: len(history)] == history
