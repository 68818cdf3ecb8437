"""A view or timers that cannot take an event: that stream is parked, and everything else goes
on."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bus import gathered, keeping
from bus.cache import Cache
from bus.chunks import Chunked, Chunks
from bus.gathered import Gathered
from bus.keeping import ViewWork
from bus.leases import Leases
from bus.log import Log
from bus.messages import now
from bus.parked import ask, make_indexes
from bus.parking import Parking
from bus.partitions import PARTITIONS
from bus.policies import Later
from bus.streams import Streams
from bus.timers import Timers
from bus.transport import InProcess
from bus.views import Documents
from tests.bus.conftest import OpenLog
from tests.bus.sheets import SHEETS, Sheet
from tests.bus.test_parking import receive_more
from tests.bus.test_timers import later
from tests.bus.tills import Received, asked, tills

NAME = "tills.sheets:v1"
PARTS = range(PARTITIONS)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "QUICK", 0)
    monkeypatch.setattr(keeping, "CALM", 0)
    monkeypatch.setattr(gathered, "PACE", 0)


class Desk:
    """A process that holds all of a reader's work. What it cannot take is told by a test."""

    def __init__(self, database: Any, log: Log) -> None:
        self.database = database
        self.log = log
        self.bad: set[tuple[str, int]] = set()
        self.streams = Streams(log)
        view = replace(SHEETS, evolve=self.evolve)
        self.sheets: Documents[Sheet] = Documents(view, database)
        self.timers = Timers("tills", database, InProcess(), {})
        self.chunks: Chunks

    def spoil(self, event: Received) -> None:
        if (event.till, event.amount) in self.bad:
            raise ValueError("the matter with it")

    def evolve(self, sheet: Sheet | None, event: Any) -> Sheet:
        self.spoil(event)
        return SHEETS.evolve(sheet, event)

    def schedule(self, event: Received) -> Later:
        self.spoil(event)
        return later(event.till, now())

    async def begin(self, work: Chunked) -> None:
        leases = Leases(self.database, "desk")
        self.database["readers"].update_many({}, {"$set": {"owner": None}})
        claimed = await leases.claim([(NAME, partition) for partition in PARTS])
        self.chunks = Chunks(work, Parking(self.database, NAME, leases, self.log), lambda: True)
        for lease in claimed:
            await self.chunks.begin(lease.partition, 0)

    async def begin_view(self) -> None:
        await self.begin(ViewWork(self.sheets, Cache(None, "none")))

    async def put(self, till: str, *amounts: int) -> None:
        for amount in amounts:
            await self.streams.decide(tills(till), partial(receive_more, till, amount), asked(till))

    async def read(self) -> None:
        if commits := await self.log.read(self.chunks.taken_to(0)):
            await self.chunks.take(commits, PARTS)
        assert {self.chunks.done_to(partition) for partition in PARTS} == {await self.log.head()}

    async def balances(self) -> dict[str, int]:
        found = await self.sheets.find({}, limit=1000)
        return {stored.id: stored.doc.balance for stored in found}

    def parked(self) -> list[dict[str, Any]]:
        return list(self.database["parked"].find().sort("position"))

    async def go_on(self, *, skip: bool = False) -> None:
        """Somebody wants what is parked to go on; until it has been seen to."""
        for parked in self.parked():
            assert ask(self.database, parked, by="me", skip=skip, reason="a test")
        await self.chunks.look()
        assert self.chunks._looking
        await self.chunks._looking


@pytest.fixture
async def desk(real: Any, open_log: OpenLog) -> Desk:
    make_indexes(real)
    return Desk(real, open_log(real))


async def test_a_document_that_cannot_be_folded_stands_still_and_all_others_go_on(
    desk: Desk,
) -> None:
    desk.bad = {("3", 2), ("7", 1)}
    await desk.begin_view()
    for amount in (1, 2, 4):
        for till in map(str, range(10)):
            await desk.put(till, amount)
    await desk.read()

    balances = await desk.balances()
    assert balances.pop("3") == 1
    assert "7" not in balances
    assert set(balances.values()) == {7}
    three, seven = sorted(desk.parked(), key=lambda each: str(each["stream"]))
    assert (three["stream"], three["position"], three["type"]) == ("till-3", 14, "tills.Received")
    assert three["error"] == "ValueError('the matter with it')"
    assert "spoil" in three["traceback"]
    assert (seven["stream"], seven["position"]) == ("till-7", 8)


async def test_once_mended_it_goes_on_in_order_and_what_came_meanwhile_is_not_lost(
    desk: Desk,
) -> None:
    desk.bad = {("a", 2)}
    await desk.begin_view()
    await desk.put("a", 1, 2)
    await desk.read()
    await desk.put("a", 4)
    await desk.put("b", 8)
    await desk.read()
    assert await desk.balances() == {"a": 1, "b": 8}
    await desk.go_on()  # it is as bad as it was
    assert await desk.balances() == {"a": 1, "b": 8}
    assert desk.parked()[0]["attempts"] == 2
    desk.bad.clear()
    await desk.go_on()
    await desk.put("a", 16)
    await desk.read()

    assert await desk.balances() == {"a": 23, "b": 8}
    assert desk.parked() == []


async def test_what_is_skipped_is_left_out(desk: Desk) -> None:
    desk.bad = {("a", 2)}
    await desk.begin_view()
    await desk.put("a", 1, 2, 4)
    await desk.read()
    await desk.go_on(skip=True)

    assert await desk.balances() == {"a": 5}


async def test_who_takes_over_leaves_it_parked_and_skips_nothing(desk: Desk) -> None:
    desk.bad = {("a", 2)}
    await desk.begin_view()
    await desk.put("a", 1, 2, 4)
    await desk.put("b", 1)
    await desk.read()
    await desk.begin_view()  # from the beginning: nobody had stored how far it was
    await desk.read()
    assert await desk.balances() == {"a": 1, "b": 1}
    (parked,) = desk.parked()
    assert parked["position"] == 2
    desk.bad.clear()
    await desk.go_on()

    assert await desk.balances() == {"a": 7, "b": 1}


async def test_an_outage_parks_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.begin_view()
    await desk.put("a", 1)
    put: Callable[..., Any] = desk.sheets.put

    async def away(documents: Any) -> Any:
        raise ConnectionError("away")

    monkeypatch.setattr(desk.sheets, "put", away)
    with pytest.raises(ConnectionError):
        await desk.read()
    monkeypatch.setattr(desk.sheets, "put", put)
    await desk.read()

    assert desk.parked() == []
    assert await desk.balances() == {"a": 1}


async def test_timers_are_set_for_all_but_the_stream_that_failed(desk: Desk) -> None:
    desk.bad = {("a", 1)}
    schedules = {Received: desk.schedule}
    await desk.begin(Gathered(schedules, desk.timers.obeying(schedules)))
    await desk.put("a", 1)
    await desk.put("b", 1)
    await desk.read()
    assert [each["_id"] for each in await desk.timers.waiting()] == ["key-b"]
    desk.bad.clear()
    await desk.go_on()

    assert {each["_id"] for each in await desk.timers.waiting()} == {"key-a", "key-b"}
