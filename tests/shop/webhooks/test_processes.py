"""Several processes tell the same endpoints: each message once while nobody dies, and none is lost
when somebody does."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from bus import gathered
from shop import embedded
from shop.webhooks import sender
from tests.ordering.histories import PLACED
from tests.shop.webhooks.receiver import Receiver, receiving
from tests.shop.webhooks.telling import Telling, placed, telling
from tests.waiting import eventually, soon

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(servers: embedded.Servers, prefix: str) -> AsyncIterator[Any]:
    """A process that tells; it is killed in the end, if it lives."""
    assert servers.mongodb_url
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.shop.webhooks.process", servers.mongodb_url, prefix),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert await soon(child.stdout.readline(), 30) == b"ready\n"
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    """Four who want to know."""
    with ExitStack() as stack:
        yield [stack.enter_context(receiving()) for _ in range(4)]


@pytest.fixture
async def looking(mongo: MongoClient[dict[str, Any]], prefix: str) -> AsyncIterator[Telling]:
    """A process that tells nobody anything."""
    async with telling(mongo, prefix, work=False) as one:
        yield one


async def test_two_processes_send_each_message_once_also_when_one_comes_and_goes(
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    receivers: list[Receiver],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathered, "PACE", 0.02)
    monkeypatch.setattr(sender, "LOOK", 0.05)
    async with telling(mongo, prefix) as one:
        for receiver in receivers:
            await one.add(receiver)
        await one.happen(*(placed(number) for number in range(10)))
        async with telling(mongo, prefix) as two:
            await one.happen(*(placed(number) for number in range(10, 20)))
            await eventually(lambda: one.webhooks.sender.held and two.webhooks.sender.held)
            await two.happen(*(placed(number) for number in range(20, 30)))
        await one.happen(*(placed(number) for number in range(30, 40)))
        await one.becomes("taken", 160, limit=200, within=60)
    for receiver in receivers:
        assert len(receiver.got) == len(set(receiver.ids())) == 40


async def test_what_was_being_sent_by_one_that_dies_is_sent_by_another_under_the_same_id(
    servers: embedded.Servers, prefix: str, looking: Telling, receiver: Receiver
) -> None:
    async with process(servers, prefix) as child:
        await looking.add(receiver)
        receiver.answer = receiver.hangs
        await looking.happen(PLACED)
        await eventually(lambda: receiver.got)
        child.kill()
        await child.wait()
    receiver.answer = lambda got: (200, {})
    async with process(servers, prefix):
        await looking.becomes("taken", within=60)
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)


async def test_nothing_is_lost_whenever_a_process_dies(
    servers: embedded.Servers, prefix: str, looking: Telling, receiver: Receiver
) -> None:
    await looking.add(receiver)
    chance, number = random.Random(7), 0
    for _ in range(2):
        async with process(servers, prefix):
            for _ in range(chance.randrange(5, 25)):
                await looking.happen(placed(number))
                number += 1
    async with process(servers, prefix):
        await looking.becomes("taken", number, limit=200, within=60)
    assert len(set(receiver.ids())) == number
    told = {got.message["data"]["order_id"] for got in receiver.got}
    assert told == {f"ord_{each}" for each in range(number)}
