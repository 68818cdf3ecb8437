"""A whole platform on real servers, over each transport, alone and beside a replica."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from bus import feed as feeds
from bus import platform, rota, timers
from bus.envelope import Envelope
from bus.leases import Leases
from bus.messages import Command, Done, Event, Model, Refused, now
from bus.partitions import PARTITIONS
from bus.platform import Platform
from bus.policies import CallOff, Later
from bus.streams import Kind
from bus.transport import InProcess, Loopback
from bus.views import View
from tests.bus.tills import EVENTS, Balance, Pay, Receive, Received, pay, receive, tills
from tests.waiting import eventually, soon


class Noted(Event, name="books.Noted"):
    """The bookkeeper wrote a line."""

    till: str
    amount: int


class Note(Command[Done[int]], name="books.Note"):
    """Write a line; answers with the number of lines."""

    till: str
    amount: int


class Close(Command[Done[int]], name="books.Close"):
    """The day is over for a till."""

    till: str


class Sheet(Model):
    balance: int = 0


def lines_of(lines: tuple[int, ...] | None, event: Noted) -> tuple[int, ...]:
    return (*(lines or ()), event.amount)


books = Kind("book", lines_of)

SHEETS: View[Sheet] = View(
    "sheets",
    1,
    Sheet,
    {Received: lambda event: event.till},
    lambda sheet, event: Sheet(balance=(sheet.balance if sheet else 0) + event.amount),
)


class Replica:
    """One process of a small shop: tills, and a bookkeeper who hears of them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.effects: list[tuple[str, int]] = []
        self.closed: list[Envelope[Close]] = []
        self.tills = platform.context("tills", EVENTS)
        self.books = platform.context("books", [Noted], timed=[Close])
        self.sheets = self.tills.view(SHEETS)
        bus = platform.bus
        bus.handle(Receive, self.receive)
        bus.handle(Pay, self.pay)
        bus.handle(Balance, self.balance)
        bus.handle(Note, self.note)
        bus.handle(Close, self.close)
        bus.react("books.lines", {Received: self.policy})
        bus.schedule("books.closing", {Received: self.schedule})
        bus.subscribe("books.effects", {Received: self.effect})

    async def receive(self, command: Receive, envelope: Envelope[Receive]) -> Done[int]:
        decided = await self.tills.streams.decide(
            tills(command.till), lambda _: receive(command.till, command.amount), envelope
        )
        assert decided.state
        position = decided.commit.position if decided.commit else 0
        return Done(answer=decided.state.balance, position=position, repeated=decided.repeated)

    async def pay(self, command: Pay, envelope: Envelope[Pay]) -> Done[int]:
        decided = await self.tills.streams.decide(
            tills(command.till), lambda till: pay(command.till, till, command.amount), envelope
        )
        assert decided.state
        return Done(answer=decided.state.balance)

    async def balance(self, query: Balance, envelope: Envelope[Balance]) -> int:
        found = await self.tills.streams.load(tills(query.till))
        return found.state.balance if found.state else 0

    async def note(self, command: Note, envelope: Envelope[Note]) -> Done[int]:
        decided = await self.books.streams.decide(
            books(command.till),
            lambda _: [Noted(till=command.till, amount=command.amount)],
            envelope,
        )
        return Done(answer=len(decided.state or ()), repeated=decided.repeated)

    async def close(self, command: Close, envelope: Envelope[Close]) -> Done[int]:
        self.closed.append(envelope)
        return Done(answer=0)

    async def effect(self, event: Received, envelope: Envelope[Received]) -> None:
        self.effects.append((event.till, event.amount))

    @staticmethod
    def policy(event: Received) -> list[Any]:
        return [Note(till=event.till, amount=event.amount)] if event.amount else []

    @staticmethod
    def schedule(event: Received) -> Later | CallOff:
        key = f"close-{event.till}"
        if event.amount == 0:
            return CallOff(key)
        return Later(key, now() + timedelta(milliseconds=20), Close(till=event.till))

    async def lines(self, till: str) -> tuple[int, ...]:
        """What is written in a book, as the log has it."""
        events: Any = await self.books.log.stream(books(till).name)
        return tuple(event.amount for event, _ in events)

    def reader(self, name: str) -> Any:
        return next(each for each in self.platform.readers if each.name == name)


Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rota, "STORE_EVERY", 0.02)
    monkeypatch.setattr(timers, "LOOK", 0.02)


@pytest.fixture(params=[InProcess, Loopback])
async def start(
    request: pytest.FixtureRequest,
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    redis_url: str,
) -> AsyncIterator[Start]:
    """Starts replicas of one shop."""
    async with AsyncExitStack() as stack:

        async def begin(*, work: bool = True, redis: bool = True) -> Replica:
            client = await stack.enter_async_context(Redis.from_url(redis_url)) if redis else None
            replica = Replica(Platform(mongo, client, prefix, request.param()))
            await replica.platform.start(work=work)

            stack.push_async_callback(lambda: soon(replica.platform.stop()))
            return replica

        yield begin


async def test_a_command_is_decided_and_what_follows_from_it_happens(start: Start) -> None:
    shop: Replica = await start()
    answer = await shop.platform.bus.send(Receive(till="a", amount=5))

    assert answer == Done(answer=5, position=1)
    assert await shop.platform.bus.ask(Balance(till="a")) == 5
    await eventually(lambda: shop.effects == [("a", 5)])
    assert (await soon(_lines(shop, "a", 1))) == (5,)
    await eventually(lambda: len(shop.closed) == 1)
    assert await shop.tills.seen(shop.sheets, 1)
    sheet = await shop.sheets.get("a")
    assert sheet
    assert sheet.doc.balance == 5


async def test_a_refusal_comes_back_through_the_bus(start: Start) -> None:
    shop: Replica = await start(work=False)
    with pytest.raises(Refused) as refused:
        await shop.platform.bus.send(Pay(till="a", amount=5))

    assert (refused.value.code, refused.value.details) == ("too_little", {"till": "a"})


async def test_a_policys_command_sent_twice_is_decided_once(start: Start) -> None:
    shop: Replica = await start()
    for amount in (1, 2, 3):
        await shop.platform.bus.send(Receive(till="a", amount=amount))
    await _lines(shop, "a", 3)
    reader = shop.reader("books.lines<tills")
    leases = Leases(shop.books.database, "another")
    seized = await leases.seize(reader.name, range(PARTITIONS))
    await leases.give_back(dict.fromkeys(seized, 0))  # as after a crash before it was stored
    again = {"reader": reader.name, "epoch": {"$gt": seized[0].epoch}}
    owned = shop.books.database["readers"]
    await eventually(lambda: owned.count_documents(again) == PARTITIONS)
    await shop.platform.bus.send(Receive(till="a", amount=4))
    await eventually(lambda: reader.held and min(map(reader.done_to, reader.held)) == 4)

    assert await _lines(shop, "a", 4) == (1, 2, 3, 4)
    assert await shop.books.log.head() == 4


async def test_all_of_one_request_is_correlated(start: Start) -> None:
    shop: Replica = await start()
    await shop.platform.bus.send(Receive(till="a", amount=1))
    await _lines(shop, "a", 1)
    (cause,), (effect,) = await shop.tills.log.read(0), await shop.books.log.read(0)

    assert effect.meta.correlation == cause.meta.correlation == cause.command
    assert effect.meta.causation == "tills.Received/1/0"


async def test_what_one_replica_commits_another_knows_within_moments(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "POLL", 3600)  # only the doorbell tells
    here: Replica = await start(work=False)
    there: Replica = await start(work=False)
    assert await there.platform.bus.ask(Balance(till="a")) == 0
    waits = asyncio.create_task(there.tills.streams.changed(tills("a"), 0))

    def ring_until_heard() -> bool:  # nobody hears a bell before he has subscribed
        here.platform._doorbell.ring("tills")
        return waits.done()

    await here.platform.bus.send(Receive(till="a", amount=5))
    await eventually(ring_until_heard)
    assert await there.platform.bus.ask(Balance(till="a")) == 5


async def test_without_a_redis_the_poll_covers_the_doorbell(start: Start) -> None:
    here: Replica = await start(work=False, redis=False)
    there: Replica = await start(work=False, redis=False)
    assert await there.platform.bus.ask(Balance(till="a")) == 0
    await here.platform.bus.send(Receive(till="a", amount=5))

    await soon(there.tills.streams.changed(tills("a"), 0))
    assert await there.platform.bus.ask(Balance(till="a")) == 5


async def test_two_replicas_decide_one_history_and_do_each_effect_once(start: Start) -> None:
    replicas: list[Replica] = [await start(), await start()]
    await asyncio.gather(
        *(
            replica.platform.bus.send(Receive(till=str(number % 3), amount=1))
            for replica in replicas
            for number in range(30)
        )
    )
    await eventually(lambda: sum(len(replica.effects) for replica in replicas) == 60)

    for till in "012":
        assert len(await _lines(replicas[0], till, 20)) == 20
    assert await replicas[0].books.log.head() == 60


async def test_a_view_is_seen_by_a_replica_that_does_not_write_it(start: Start) -> None:
    works: Replica = await start()
    serves: Replica = await start(work=False)
    done = await serves.platform.bus.send(Receive(till="a", amount=5))

    assert await serves.tills.seen(serves.sheets, done.position, patience=10)
    sheet = await serves.sheets.get("a")
    assert sheet
    assert sheet.doc.balance == 5
    assert not await works.tills.seen(works.sheets, done.position + 1, patience=0.05)


async def test_a_platform_that_stops_has_written_what_it_acknowledged(start: Start) -> None:
    shop: Replica = await start()
    sent = [
        asyncio.create_task(shop.platform.bus.send(Receive(till=str(n % 5), amount=1)))
        for n in range(100)
    ]
    await asyncio.sleep(0)
    await soon(shop.platform.stop())
    outcomes = await soon(asyncio.gather(*sent, return_exceptions=True))
    acknowledged = [each for each in outcomes if isinstance(each, Done)]
    positions = {each.position for each in acknowledged}
    again: Replica = await start(work=False)

    assert len(positions) == len(acknowledged)
    assert await again.tills.log.head() >= len(acknowledged)


async def test_a_platform_stops_at_any_moment(start: Start) -> None:
    for number in range(8):
        shop: Replica = await start()
        sent = [
            asyncio.create_task(shop.platform.bus.send(Receive(till=str(n), amount=1)))
            for n in range(20)
        ]
        await asyncio.sleep(number * 0.01)  # not to wait for something: each time another moment
        await soon(shop.platform.stop())
        await asyncio.gather(*sent, return_exceptions=True)

        assert held(shop) == 0


async def test_whoever_does_not_let_go_keeps_a_platform_from_stopping_no_longer_than_it_may(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = []

    async def release() -> None:
        released.append("another")

    async def fail() -> None:
        raise OSError("nobody there")

    async def hang() -> None:
        await asyncio.Event().wait()

    shop: Replica = await start()
    await eventually(lambda: held(shop))
    for each in (fail, hang, release):
        shop.platform.at_stop(each)
    monkeypatch.setattr(platform, "STOPPED_WITHIN", 1.0)
    await soon(shop.platform.stop(), within=5)

    assert released == ["another"]
    assert held(shop) == 0


def held(shop: Replica) -> int:
    """How many partitions are worked on."""
    owned = {"owner": {"$ne": None}}
    homes = (shop.tills.database, shop.books.database)
    return sum(home["readers"].count_documents(owned) for home in homes)


async def test_a_platform_that_works_has_no_faults_and_one_that_stopped_has(start: Start) -> None:
    shop: Replica = await start()
    assert await shop.platform.faults() == []
    reader = shop.reader("books.effects<tills")
    await eventually(lambda: reader._task is not None)
    assert await shop.platform.faults() == [], "others may be about to begin"
    assert reader._task
    reader._task.cancel()  # whatever may have ended it
    await eventually(lambda: reader.stopped)
    assert await shop.platform.faults() == ["reader books.effects<tills has stopped"]
    await shop.books.rota.stop()

    assert await shop.platform.faults() == ["the work of books has stopped"]


async def _lines(shop: Replica, till: str, count: int) -> tuple[int, ...]:
    """A book, when it has that many lines."""

    async def look() -> tuple[int, ...] | None:
        lines = await shop.lines(till)
        return lines if len(lines) >= count else None

    found: Any = await eventually(look)
    assert isinstance(found, tuple)
    return found
