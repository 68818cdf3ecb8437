"""A rebuild: built beside the live view, compared at the same position, switched in one step; and
whoever comes too late does no harm."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from bus import building, rebuild
from bus.cache import Entry
from bus.comparing import Difference
from bus.messages import Model, Refused
from bus.platform import Platform
from bus.rebuild import Rebuild, Report
from bus.transport import InProcess
from bus.views import Build, Stored, View
from tests.bus.tills import EVENTS, Paid, Received, append
from tests.waiting import eventually


class Sheet(Model):
    """What a till's sheet shows."""

    balance: int = 0
    amounts: tuple[int, ...] = ()


def evolve(sheet: Sheet | None, event: Received | Paid) -> Sheet:
    sheet = sheet or Sheet()
    sign = 1 if isinstance(event, Received) else -1
    amounts = (*sheet.amounts, sign * event.amount)
    return Sheet(balance=sum(amounts), amounts=amounts)


def cached(sheet: Sheet, version: int, position: int) -> Entry:
    return Entry(version, position, "", str(sheet.balance).encode())


SHEETS: View[Sheet] = View(
    "sheets",
    1,
    Sheet,
    {Received: lambda event: event.till, Paid: lambda event: event.till},
    evolve,
    indexes=[[("doc.balance", 1), ("first", -1)]],
    cached=cached,
)


class Till:
    """A process of a small shop that keeps one view."""

    def __init__(self, platform: Platform, view: View[Sheet] = SHEETS) -> None:
        self.platform = platform
        self.home = platform.context("tills", EVENTS)
        self.sheets = self.home.view(view)
        self.versions: dict[str, int] = {}

    async def receive(self, *tills: str) -> int:
        """Put 1 into each of these tills, one decision each; the last one's position."""
        pending = []
        for till in tills:
            self.versions[till] = self.versions.get(till, 0) + 1
            pending.append(append(self.home.log, (till, self.versions[till])))
        return [(await each.outcome).position for each in pending][-1]

    async def balances(self) -> dict[str, int]:
        return {each.id: each.doc.balance for each in await self.sheets.find({}, limit=10_000)}

    async def shows(self, position: int) -> None:
        assert await self.home.seen(self.sheets, position, patience=20)

    def rebuild(self, told: rebuild.Told = lambda what, done, total: None) -> Rebuild[Sheet]:
        return Rebuild(self.home, self.sheets, partial(self.platform.ask, "tills"), told)


Start = Callable[..., Any]


@pytest.fixture
async def start(
    mongo: MongoClient[dict[str, Any]], prefix: str, redis_url: str
) -> AsyncIterator[Start]:
    """Starts processes; they end with the test."""
    running: list[tuple[Till, Redis]] = []

    async def begin(view: View[Sheet] = SHEETS, *, work: bool = False) -> Till:
        redis = Redis.from_url(redis_url)
        till = Till(Platform(mongo, redis, prefix, InProcess()), view)
        running.append((till, redis))
        await till.platform.start(work=work)
        return till

    yield begin
    for till, redis in running:
        await till.platform.stop()
        await redis.aclose()


def shifted(view: View[Sheet]) -> View[Sheet]:
    """Another shape of the view: what a sheet of a newer release shows."""
    return replace(
        view, version=2, evolve=lambda sheet, event: Sheet(balance=evolve(sheet, event).balance * 2)
    )


async def test_a_rebuild_equals_the_live_view_and_takes_its_place(start: Start) -> None:
    live, other = await start(work=True), await start()
    position = await live.receive(*"abcab")
    await live.shows(position)
    before = await live.sheets.get_many("abc")
    report: Report = await other.rebuild().run()

    assert report.switched
    assert (report.against, report.position) == ("view_sheets_v1", position)
    assert (report.comparison.compared, report.comparison.differing) == (3, {})
    build = await live.sheets.build()
    assert build == Build(build.id, position)
    assert await live.sheets.get_many("abc") == {
        id: stored._replace(build=build.id) for id, stored in before.items()
    }
    assert live.home.database.list_collection_names().count("view_sheets_v1") == 1
    indexes = live.sheets.collection.index_information()
    assert [("doc.balance", 1), ("first", -1)] in [index["key"] for index in indexes.values()]


async def test_after_a_switch_the_view_goes_on_at_once(start: Start) -> None:
    live, other = await start(work=True), await start()
    await live.shows(await live.receive(*"abc"))
    for balance in (2, 3):
        assert (await other.rebuild().run()).switched
        await live.shows(await live.receive(*"abc"))
        assert await live.balances() == dict.fromkeys("abc", balance)


async def test_a_view_that_nobody_keeps_is_brought_along(start: Start) -> None:
    till = await start()
    await till.receive(*"abc")
    assert (await till.rebuild().run()).switched  # there was none before
    position = await till.receive(*"abd")
    report = await till.rebuild().run()

    assert (report.switched, report.position) == (True, position)
    assert (report.comparison.compared, report.comparison.differing) == (4, {})
    assert await till.balances() == {"a": 2, "b": 2, "c": 1, "d": 1}
    await till.shows(position)


async def test_a_difference_stops_the_switch(start: Start) -> None:
    live, other = await start(work=True), await start()
    await live.shows(await live.receive(*"abcd"))
    table = live.sheets.collection
    table.update_one({"_id": "a"}, {"$set": {"doc.balance": 7, "doc.amounts.0": 6}})
    table.delete_one({"_id": "b"})
    stray = {"_id": "x", "doc": {}, "version": 1, "position": 2, "first": 2}
    table.insert_one(stray)
    report = await other.rebuild().run()

    assert not report.switched
    assert report.comparison.differing == {"a": 2}  # what is plain to see without stopping anyone
    assert report.comparison.shown == [
        Difference("a", "amounts.0", 6, 1),
        Difference("a", "balance", 7, 1),
    ]
    assert (await live.sheets.build()).id is None
    assert [n for n in live.home.database.list_collection_names() if "next" in n] == []
    table.update_one({"_id": "a"}, {"$set": {"doc": {"balance": 1, "amounts": [1]}}})
    report = await other.rebuild().run()

    assert not report.switched
    assert report.comparison.shown == [
        Difference("b", "document", None, "there"),
        Difference("x", "document", "there", None),
    ]
    await live.shows(await live.receive("a", "d"))  # who kept it goes on
    assert await live.balances() == {"a": 2, "c": 1, "d": 2, "x": 0}


async def test_an_accepted_difference_is_put_right_also_in_the_cache(start: Start) -> None:
    live, other = await start(work=True), await start()
    position = await live.receive(*"ab")
    await live.shows(position)
    wrong = Stored("a", Sheet(balance=7), version=1, position=position + 5, first=1)
    live.sheets.collection.update_one({"_id": "a"}, {"$set": {"doc.balance": 7}})
    await live.platform.cache.put("sheets:v1:a", cached(wrong.doc, 1, wrong.position))
    report = await other.rebuild().run(accept_differences=True)

    assert report.switched
    assert report.comparison.differing == {"a": 1}
    assert await live.balances() == {"a": 1, "b": 1}
    assert await live.platform.cache.get("sheets:v1:a") is None
    assert await live.platform.cache.get("sheets:v1:b")
    await live.shows(await live.receive("a"))
    entry = await live.platform.cache.get("sheets:v1:a")
    assert entry
    assert entry.body == b"2"


async def test_an_older_version_is_compared_with_and_left(start: Start) -> None:
    live = await start(work=True)
    await live.shows(await live.receive(*"abc"))
    newer = await start(shifted(SHEETS))
    await eventually(lambda: newer.home.feed.head == 3)
    report = await newer.rebuild().run()

    assert (report.switched, report.against) == (True, "view_sheets_v1")
    assert report.comparison.differing == dict.fromkeys("abc", 3)  # which is as it should be
    assert await newer.balances() == dict.fromkeys("abc", 2)
    assert await live.balances() == dict.fromkeys("abc", 1)
    await newer.shows(3)  # though nobody has worked on it: the new release begins with it warm
    assert (await newer.rebuild().run()).against == "view_sheets_v2"


async def test_traffic_goes_on_while_a_view_is_rebuilt(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders are placed and lists are read throughout: none fails, and none lacks what it had."""
    monkeypatch.setattr(rebuild, "NEAR", 5)
    monkeypatch.setattr(building, "CHUNK", 10)
    live, also, other = await start(work=True), await start(work=True), await start()
    names = [f"t{n}" for n in range(20)]
    await live.shows(await live.receive(*names))
    ended = asyncio.Event()

    async def buy() -> int:
        position = 0
        while not ended.is_set():
            position = await live.receive(*names)
        return position

    async def read(till: Till) -> int:
        reads = 0
        while not ended.is_set():
            assert (await till.balances()).keys() == set(names)
            reads += 1
        return reads

    tasks = [asyncio.create_task(each) for each in (buy(), read(live), read(also))]
    try:
        reports = [await other.rebuild().run() for _ in range(4)]
    finally:
        ended.set()
        position, *reads = await asyncio.gather(*tasks)
    assert all(reads)
    assert [report.switched for report in reports] == [True] * 4, reports
    assert sorted(report.position for report in reports) == [r.position for r in reports]
    await live.shows(position)
    assert await live.balances() == dict.fromkeys(names, live.versions["t0"])


async def test_a_second_rebuild_is_refused_while_one_is_at_work(start: Start) -> None:
    live, other = await start(work=True), await start()
    await live.shows(await live.receive("a"))
    refusals = []

    async def again(what: str, done: int, total: int) -> None:
        with suppress(Refused):
            await other.rebuild().run()
        refusals.append(what)

    tries: list[asyncio.Task[None]] = []
    first = live.rebuild(lambda *told: tries.append(asyncio.create_task(again(*told))))
    report = await first.run()
    await asyncio.gather(*tries)

    assert report.switched
    assert refusals
    assert (await live.sheets.build()).id == first._build
