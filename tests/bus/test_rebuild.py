"""A rebuild: built beside the live view, compared at the same position, switched in one step; and
whoever comes too late does no harm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from bus import building, readiness, rebuild
from bus.cache import Entry
from bus.comparing import Difference
from bus.keeping import ViewWork
from bus.leases import Leases
from bus.messages import Refused
from bus.platform import Platform
from bus.rebuild import Rebuild, Report
from bus.transport import InProcess
from bus.views import Build, View
from tests.bus.sheets import SHEETS, Sheet, evolve
from tests.bus.tills import EVENTS, append
from tests.waiting import eventually


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


Start = Callable[..., Awaitable[Till]]


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


async def test_a_document_that_shows_more_than_has_happened_is_a_difference(start: Start) -> None:
    till = await start()
    await till.receive(*"ab")
    assert (await till.rebuild().run()).switched
    till.sheets.collection.update_one({"_id": "a"}, {"$set": {"position": 1_000}})
    report = await till.rebuild().run()

    assert not report.switched
    assert report.comparison.shown == [Difference("a", "position", 1_000, 1)]


async def test_an_accepted_difference_is_put_right_also_in_the_cache(start: Start) -> None:
    live, other = await start(work=True), await start()
    position = await live.receive(*"ab")
    await live.shows(position)
    live.sheets.collection.update_one({"_id": "a"}, {"$set": {"doc.balance": 7}})
    await live.platform.cache.put("sheets:v1:a", Entry(1, position, "", b"7"))
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
            await live.shows(position)  # no more than it can show
        return position

    async def read(till: Till) -> int:
        reads = 0
        while not ended.is_set():
            assert (await till.balances()).keys() == set(names)
            reads += 1
            await asyncio.sleep(0.005)
        return reads

    tasks = [asyncio.create_task(each) for each in (buy(), read(live), read(also))]
    try:
        reports = [await other.rebuild().run() for _ in range(3)]
    finally:
        ended.set()
        position, *reads = await asyncio.gather(*tasks)
    assert all(reads)
    assert [report.switched for report in reports] == [True] * 3, reports
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


class Late(Rebuild[Sheet]):
    """A rebuild that stands still right before it switches, for as long as it likes."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    async def _check(self) -> None:
        self.stands.set()
        await self.goes_on.wait()


def lapse(till: Till) -> None:
    """The terms of all leases are over, as after some seconds."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    till.home.database["readers"].update_many({}, {"$set": {"until": past}})
    till.platform.ask("tills")


async def test_a_rebuild_that_slept_through_its_leases_does_no_harm(start: Start) -> None:
    """Others have gone on with the old build, and it comes back with one that is behind."""
    live, other = await start(work=True), await start()
    await live.shows(await live.receive(*"abc"))
    late = Late(other.home, other.sheets, partial(other.platform.ask, "tills"), lambda *told: None)
    sleeping = asyncio.create_task(late.run())
    await late.stands.wait()
    lapse(live)
    await live.shows(await live.receive(*"abd"))
    late.goes_on.set()
    await sleeping

    expected = {"a": 2, "b": 2, "c": 1, "d": 1}

    async def shown() -> Any:
        return await live.balances() == expected

    await eventually(shown)  # though nothing more has happened
    assert (await live.sheets.build()).id == late._build
    await live.shows(await live.receive(*"abcd"))
    assert await live.balances() == {till: balance + 1 for till, balance in expected.items()}


async def test_who_writes_an_old_build_is_refused_and_goes_back_to_the_new_one(
    start: Start,
) -> None:
    till = await start()
    head = await till.receive(*"abab")
    commits = await till.home.log.read(0)
    asleep = ViewWork(till.sheets, till.platform.cache)
    for partition in rebuild.ALL:
        await asleep.begin(partition, 0)
    await asleep.fold(commits, rebuild.ALL)
    till.sheets.collection.update_one({"_id": "a"}, {"$set": {"doc.balance": 7}})
    assert (await till.rebuild().run(accept_differences=True)).switched
    await till.receive(*"acc")
    commits = await till.home.log.read(head)
    before = list(till.sheets.collection.find())
    await asleep.fold(commits, rebuild.ALL)

    assert list(till.sheets.collection.find()) == before
    assert {asleep.taken_to(partition) for partition in rebuild.ALL} == {head}
    await asleep.fold(commits, rebuild.ALL)
    assert await till.balances() == {"a": 3, "b": 2, "c": 2}


async def test_who_is_ahead_of_a_new_build_goes_back_to_where_it_stands(start: Start) -> None:
    till = await start()
    head = await till.receive(*"ab")
    assert (await till.rebuild().run()).switched
    work = ViewWork(till.sheets, till.platform.cache)
    await work.begin(0, head + 5)
    await work.begin(1, head - 1)

    assert (work.taken_to(0), work.taken_to(1)) == (head, head - 1)


@pytest.mark.parametrize("lost", ["rebuild", ""])
async def test_a_rebuild_whose_lease_is_gone_changes_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """That by which it is alone, or those of the view's reader."""
    till = await start()
    await till.receive(*"ab")
    await till.rebuild().run()
    build = await till.sheets.build()
    rival = Leases(till.home.database, "rival")
    reader = f"tills.{till.sheets.key}" + (f".{lost}" if lost else "")
    again = till.rebuild()
    switch = again._switch

    async def too_late() -> None:
        await rival.seize(reader, [0])
        await switch()

    monkeypatch.setattr(again, "_switch", too_late)
    with pytest.raises(Refused, match="stood still"):
        await again.run()

    assert await till.sheets.build() == build
    assert [n for n in till.home.database.list_collection_names() if "next" in n] == []


async def test_what_an_interrupted_rebuild_has_left_is_cleared_away(start: Start) -> None:
    till = await start()
    await till.receive(*"ab")
    left = "view_sheets_v1_next_0123"
    till.home.database.create_collection(left, validator={"build": "0123", "$comment": "7"})
    assert (await till.rebuild().run()).switched

    names = till.home.database.list_collection_names()
    assert [name for name in names if name.startswith("view_")] == ["view_sheets_v1"]


async def test_nothing_is_built_on_a_log_with_a_hole_or_with_what_this_release_does_not_know(
    start: Start,
) -> None:
    till = await start()
    await till.receive(*"abc")
    log = till.home.log.collection
    held = log.find_one_and_delete({"_id": 2})
    assert held
    with pytest.raises(Refused, match="position 2: it is not there; the live view is as it was"):
        await till.rebuild().run()
    held["events"][0]["type"] = "tills.Counted"
    log.insert_one(held)
    with pytest.raises(Refused, match=r"tills\.Counted at position 2"):
        await till.rebuild().run()
    held["events"][0] = {"type": "tills.Received", "stream": 0, "data": {"till": "b"}}
    log.replace_one({"_id": 2}, held)
    with pytest.raises(Refused, match=r"tills\.Received at position 2: .*validation error"):
        await till.rebuild().run()

    assert await till.sheets.build() == Build()


async def test_a_document_that_cannot_be_folded_is_named(start: Start) -> None:
    def strict(sheet: Sheet | None, event: Any) -> Sheet:
        if sheet is not None:
            raise ValueError("enough")
        return evolve(sheet, event)

    till = await start(replace(SHEETS, evolve=strict))
    await till.receive(*"abb")
    with pytest.raises(Refused, match="b, by what happened at 2 to 3: enough"):
        await till.rebuild().run()

    assert await till.balances() == {}


async def test_who_begins_with_a_view_far_behind_is_not_ready_until_it_has_caught_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FAR", 2)
    before = await start()
    position = await before.receive(*"abc")
    held = await Leases(before.home.database, "nobody").seize(f"tills.{SHEETS.key}", rebuild.ALL)
    live = await start(work=True)
    (fault,) = await live.platform.faults()
    assert fault == (
        "the view sheets is 3 commits behind the tills log:"
        " wait, or build it faster with `shop views rebuild sheets`"
    )
    await Leases(before.home.database, "nobody").give_back(dict.fromkeys(held, 0))
    live.platform.ask("tills")
    await live.shows(position)

    async def ready() -> Any:
        return await live.platform.faults() == []

    await eventually(ready)
