"""Parked streams: what waits behind, trying again, skipping; whoever dies, or sleeps."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from bus import lanes as lanes_module
from bus.envelope import Envelope
from bus.lanes import Lanes
from bus.leases import Leases
from bus.log import Log
from bus.messages import Busy, Event
from bus.parked import ask, id_of, make_indexes
from bus.parking import Parking, Place
from bus.partitions import PARTITIONS
from bus.retries import Failure, Overtaken, Retries
from bus.streams import Streams
from bus.tasks import ended
from tests.bus.conftest import OpenLog
from tests.bus.tills import Received, Till, asked, receive, tills
from tests.logged import logged
from tests.waiting import eventually

NAME = "tills.test<tills"
PARTS = range(PARTITIONS)
BAD = ValueError("the matter with it")


def receive_more(till: str, amount: int, state: Till | None) -> list[Event]:
    return receive(till, amount)


class Clerk:
    """Writes down what it is given, but for what a test has made bad."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.tries: dict[tuple[str, int], int] = defaultdict(int)
        self.bad: dict[tuple[str, int], Exception] = {}
        self.door = asyncio.Event()
        self.door.set()

    async def __call__(self, event: Received, envelope: Envelope[Any]) -> None:
        what = (event.till, event.amount)
        self.tries[what] += 1
        await self.door.wait()
        if what in self.bad:
            raise self.bad[what]
        self.heard.append(what)

    def of(self, till: str) -> list[int]:
        return [amount for name, amount in self.heard if name == till]


class Desk:
    """One process that has the whole of a reader's work, and does what a test tells it to."""

    def __init__(self, database: Any, log: Log, owner: str, clerk: Any) -> None:
        self.log = log
        self.leases = Leases(database, owner)
        self.parking = Parking(database, NAME, self.leases, log)
        retries = Retries(attempts=3, first_pause=0.001, longest_pause=0.002)
        self.awake = True
        self.lanes = Lanes(NAME, {Received: clerk}, self.parking, lambda: self.awake, retries)

    async def take_over(self, position: int = 0) -> None:
        """Have all leases, whoever had them, and begin behind a position."""
        leases = self.leases._collection
        leases.update_many({}, {"$set": {"owner": None}})
        await self.leases.claim([(NAME, partition) for partition in PARTS])
        for partition in PARTS:
            await self.lanes.begin(partition, position)

    async def read(self) -> None:
        """Take what the log has more, and do it."""
        after = self.lanes.taken_to(0)
        if commits := await self.log.read(after):
            await self.lanes.take(commits, PARTS)
        await eventually(lambda: min(map(self.lanes.done_to, PARTS)) == self.lanes.taken_to(0))

    async def look(self) -> None:
        """Do what is asked."""
        await self.lanes.look()
        await eventually(lambda: self.lanes._looking and self.lanes._looking.done())
        await eventually(lambda: not self.lanes._lanes)

    async def die(self) -> None:
        """Nothing goes on any more, and no lease is given back."""
        running = [lane.running for lane in self.lanes._lanes.values()]
        await ended([self.lanes._looking, *running])


class Shop:
    """A log of tills, and the processes that read it."""

    def __init__(self, database: Any, log: Log) -> None:
        self.database = database
        self.log = log
        self.streams = Streams(log)
        self.clerk = Clerk()
        self.desks: list[Desk] = []

    async def put(self, till: str, *amounts: int) -> None:
        for amount in amounts:
            await self.streams.decide(tills(till), partial(receive_more, till, amount), asked(till))

    async def desk(self, position: int = 0) -> Desk:
        """Another process has the leases now; the reader's position was stored as this."""
        desk = Desk(self.database, self.log, f"desk {len(self.desks)}", self.clerk)
        self.desks.append(desk)
        await desk.take_over(position)
        return desk

    def parked(self) -> list[dict[str, Any]]:
        return list(self.database["parked"].find().sort("position"))

    def skipped(self) -> list[dict[str, Any]]:
        return list(self.database["skipped"].find())

    def ask(self, skip: bool = False) -> None:
        """Somebody wants what is parked to go on."""
        for parked in self.parked():
            reason = "it is a test" if skip else None
            assert ask(self.database, parked, by="me", skip=skip, reason=reason)


@pytest.fixture
async def shop(real: Any, open_log: OpenLog) -> AsyncIterator[Shop]:
    """A shop whose reader has not begun."""
    make_indexes(real)
    shop = Shop(real, open_log(real))
    yield shop
    for desk in shop.desks:
        await desk.die()


async def test_a_stream_is_parked_at_the_event_that_failed_and_the_rest_waits_in_the_log(
    shop: Shop,
) -> None:
    shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3)
    await shop.put("b", 1, 2)
    await desk.read()

    assert shop.clerk.of("a") == [1]
    assert shop.clerk.of("b") == [1, 2]
    (parked,) = shop.parked()
    assert (parked["reader"], parked["stream"]) == (NAME, "till-a")
    assert (parked["position"], parked["index"], parked["type"]) == (2, 0, "tills.Received")
    assert (parked["error"], parked["attempts"]) == (repr(BAD), 3)
    assert "raise self.bad" in parked["traceback"]


async def test_a_fault_of_the_readers_own_is_told_and_costs_no_event(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "REST", 0.001)
    desk = await shop.desk()
    keeps, faults = desk.parking.keeps, [KeyError("a mistake of ours")]

    def mistaken(stream: str, place: Place) -> bool:
        if faults:
            raise faults.pop()
        return keeps(stream, place)

    monkeypatch.setattr(desk.parking, "keeps", mistaken)
    await shop.put("a", 1, 2)
    with logged("lane.") as logs:
        await desk.read()
    assert shop.clerk.of("a") == [1, 2]
    (told,) = logs
    assert (told["log_level"], told["reader"]) == ("error", NAME)


async def test_a_retry_goes_through_a_stream_in_order_and_lets_it_go_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "DRAINED", 3)
    shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    await shop.put("a", *range(1, 12))
    await desk.read()
    del shop.clerk.bad["a", 2]
    shop.ask()
    await desk.look()
    await shop.put("a", 12)
    await desk.read()

    assert shop.clerk.of("a") == list(range(1, 13))
    assert shop.parked() == []


async def test_what_comes_while_a_stream_is_gone_through_waits_its_turn(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    del shop.clerk.bad["a", 1]
    shop.clerk.door.clear()
    shop.ask()
    await desk.lanes.look()
    await eventually(lambda: shop.clerk.tries["a", 1] > 3)
    await shop.put("a", 3, 4)
    reading = asyncio.create_task(desk.read())
    await eventually(lambda: desk.lanes.taken_to(0) == 4)
    shop.clerk.door.set()
    await reading

    assert shop.clerk.of("a") == [1, 2, 3, 4]
    assert shop.parked() == []


async def test_a_retry_that_fails_keeps_the_stream_parked_and_adds_its_attempts(
    shop: Shop,
) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    since = shop.parked()[0]["since"]
    shop.clerk.bad["a", 1] = KeyError("something else")
    shop.ask()
    await desk.look()

    assert shop.clerk.heard == []
    (parked,) = shop.parked()
    assert (parked["error"], parked["attempts"]) == ("KeyError('something else')", 6)
    assert "KeyError" in parked["traceback"]
    assert parked["since"] == since
    assert "asked" not in parked


async def test_a_retry_that_fails_further_on_is_parked_there(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = shop.clerk.bad["a", 3] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3, 4)
    await desk.read()
    (before,) = shop.parked()
    del shop.clerk.bad["a", 1]
    shop.ask()
    await desk.look()

    assert shop.clerk.of("a") == [1, 2]
    (parked,) = shop.parked()
    assert (parked["position"], parked["attempts"]) == (3, 3)
    assert id_of(parked) != id_of(before)
    assert not ask(shop.database, before, by="me"), "that is not where it stands any more"


async def test_a_skipped_event_is_recorded_and_the_rest_goes_on(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    shop.ask(skip=True)
    await desk.look()
    await shop.put("a", 3)
    await desk.read()

    assert shop.clerk.of("a") == [2, 3]
    assert shop.parked() == []
    (skipped,) = shop.skipped()
    assert (skipped["stream"], skipped["position"], skipped["type"]) == (
        "till-a",
        1,
        "tills.Received",
    )
    assert (skipped["by"], skipped["reason"], skipped["error"]) == ("me", "it is a test", repr(BAD))
    assert skipped["skipped"] >= skipped["since"]


async def test_one_skip_skips_one_event(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3)
    await desk.read()
    shop.ask(skip=True)
    await desk.look()
    assert [parked["position"] for parked in shop.parked()] == [2]
    await desk.look()
    assert shop.clerk.heard == []
    shop.ask(skip=True)
    await desk.look()

    assert shop.clerk.of("a") == [3]
    assert sorted(each["position"] for each in shop.skipped()) == [1, 2]


async def test_a_skipped_event_that_comes_again_stays_skipped(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    shop.ask(skip=True)
    await desk.look()
    await desk.die()
    tries = shop.clerk.tries["a", 1]
    await (await shop.desk(position=0)).read()

    assert shop.clerk.tries["a", 1] == tries
    assert shop.parked() == []


async def test_what_was_handled_before_a_stream_was_parked_is_not_handled_or_parked_again(
    shop: Shop,
) -> None:
    shop.clerk.bad["a", 3] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3, 4)
    await desk.read()
    await desk.die()
    second = await shop.desk(position=0)
    await second.read()
    assert shop.clerk.of("a") == [1, 2]
    assert [parked["position"] for parked in shop.parked()] == [3]
    del shop.clerk.bad["a", 3]
    shop.ask()
    await second.look()

    assert shop.clerk.of("a") == [1, 2, 3, 4]


async def test_the_next_owner_goes_on_with_what_was_asked_of_the_last(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    del shop.clerk.bad["a", 1]
    shop.ask()
    await desk.die()
    await (await shop.desk(position=2)).look()

    assert shop.clerk.of("a") == [1, 2]
    assert shop.parked() == []


async def test_a_stream_asked_for_before_its_events_come_again_is_not_lost(shop: Shop) -> None:
    shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3)
    await desk.read()
    await desk.die()
    del shop.clerk.bad["a", 2]
    shop.ask()
    second = await shop.desk(position=0)
    await second.look()
    await second.read()

    assert list(dict.fromkeys(shop.clerk.of("a"))) == [1, 2, 3]
    assert shop.parked() == []


async def test_what_is_asked_before_the_events_come_again_is_done_to_the_event_meant(
    shop: Shop,
) -> None:
    shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2, 3)
    await desk.read()
    await desk.die()
    second = await shop.desk(position=0)
    shop.ask()
    await second.look()
    assert [parked["attempts"] for parked in shop.parked()] == [6]
    shop.ask(skip=True)
    await second.look()
    await second.read()

    assert shop.clerk.tries["a", 2] == 6
    assert shop.clerk.of("a")[-1] == 3
    assert shop.parked() == []


async def test_of_a_commit_that_failed_halfway_only_the_rest_is_handled(shop: Shop) -> None:
    shop.clerk.bad["a", 2] = BAD
    desk = await shop.desk()
    three = [Received(till="a", amount=amount) for amount in (1, 2, 3)]
    await shop.streams.decide(tills("a"), lambda _: three, asked("a"))
    await desk.read()
    assert [(parked["position"], parked["index"]) for parked in shop.parked()] == [(1, 1)]
    shop.clerk.bad.clear()
    shop.ask()
    await desk.look()

    assert shop.clerk.of("a") == [1, 2, 3]


async def test_a_process_that_has_handed_its_partitions_over_does_nothing_more(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1)
    await desk.read()
    for partition in PARTS:
        await desk.lanes.release(partition)
    shop.clerk.bad.clear()
    shop.ask()
    await desk.look()

    assert shop.clerk.heard == []
    assert len(shop.parked()) == 1


async def test_what_is_asked_is_not_asked_anew_before_it_is_done(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1)
    await desk.read()
    shop.ask()
    (parked,) = shop.parked()

    assert not ask(shop.database, parked, by="another", skip=True, reason="none")
    assert shop.parked() == [parked]


async def test_an_outage_while_a_stream_is_gone_through_is_waited_for(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await desk.read()
    shop.clerk.bad["a", 1] = Busy("full")
    shop.ask()
    await desk.lanes.look()
    await eventually(lambda: shop.clerk.tries["a", 1] > 9)
    assert len(shop.parked()) == 1
    del shop.clerk.bad["a", 1]
    await desk.look()

    assert shop.clerk.of("a") == [1, 2]


async def test_an_event_that_cannot_be_read_parks_its_stream_alone(shop: Shop) -> None:
    desk = await shop.desk()
    await shop.put("a", 1, 2)
    await shop.put("b", 1)
    shop.database["log"].update_one({"_id": 1}, {"$set": {"events.0.data.amount": "much"}})
    await desk.read()
    assert shop.clerk.heard == [("b", 1)]
    assert "ValidationError" in shop.parked()[0]["traceback"]
    shop.ask(skip=True)
    await desk.look()

    assert shop.clerk.of("a") == [2]


async def test_more_streams_than_lanes_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "WIDTH", 3)
    streams = [f"s{number}" for number in range(10)]
    for till in streams:
        shop.clerk.bad[till, 1] = BAD
    desk = await shop.desk()
    await asyncio.gather(*(shop.put(till, 1, 2) for till in streams))
    await desk.read()
    assert len(shop.parked()) == len(streams)
    shop.clerk.bad.clear()
    shop.ask()
    await desk.look()

    assert shop.parked() == []
    assert all(shop.clerk.of(till) == [1, 2] for till in streams)


FAILURE = Failure("late", "", 3)


def late(owner: Parking) -> list[Callable[[], Awaitable[Any]]]:
    """All that an owner can do to a parked stream."""
    return [
        lambda: owner.move_on("till-a", Place(2, 1)),
        lambda: owner.failed_again("till-a", Place(1, 0), "tills.Received", FAILURE),
        lambda: owner.park("till-a", Place(1, 0), "tills.Received", FAILURE),
        lambda: owner.heed("till-a"),
        lambda: owner.free("till-a"),
    ]


async def test_a_past_owner_is_refused_and_changes_nothing(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    paused = await shop.desk()
    await shop.put("a", 1, 2)
    await paused.read()
    shop.ask(skip=True)
    await shop.desk(position=2)
    before = shop.parked()
    for step in late(paused.parking):
        with pytest.raises(Overtaken):
            await step()

    assert shop.parked() == before
    assert shop.skipped() == []


async def test_a_past_owner_that_wakes_up_in_a_lane_ends_it_there(shop: Shop) -> None:
    shop.clerk.bad["a", 1] = BAD
    paused = await shop.desk()
    await shop.put("a", 1, 2)
    await paused.read()
    shop.clerk.door.clear()
    shop.ask()
    await paused.lanes.look()
    await eventually(lambda: shop.clerk.tries["a", 1] > 3)
    second = await shop.desk(position=2)
    shop.clerk.door.set()  # both wake up, and fail
    await eventually(lambda: not paused.lanes._lanes)
    await second.look()

    assert shop.clerk.heard == []
    (parked,) = shop.parked()
    assert parked["attempts"] == 6, "those of the past owner do not count"
    assert second.parking.holds("till-a")


async def test_what_a_past_owner_parks_late_is_let_go(shop: Shop) -> None:
    shop.clerk.door.clear()
    paused = await shop.desk()
    await shop.put("a", 1)
    reading = asyncio.create_task(paused.read())
    await eventually(lambda: shop.clerk.tries)
    second = await shop.desk()
    shop.clerk.door.set()
    await asyncio.gather(reading, second.read())
    await paused.parking.park("till-a", Place(1, 0), "tills.Received", FAILURE)
    await shop.put("a", 2)
    await second.read()
    assert shop.clerk.of("a")[-1] == 2
    assert len(shop.parked()) == 1
    shop.ask()
    await second.look()
    assert shop.parked() == []


async def test_a_stream_that_was_parked_late_is_parked_anew_where_it_fails(shop: Shop) -> None:
    paused, second = await shop.desk(), await shop.desk()
    await shop.put("a", 1, 2)
    shop.clerk.bad["a", 2] = BAD
    await paused.parking.park("till-a", Place(1, 0), "tills.Received", FAILURE)
    await second.read()

    assert [parked["position"] for parked in shop.parked()] == [2]
    shop.clerk.bad.clear()
    shop.ask()
    await second.look()
    assert shop.parked() == []


class Killed(BaseException):
    """The process is gone."""


def killed_at(desk: Desk, step: int, after: bool) -> list[str]:
    """Have a process die before or after the nth of its writes; returns what it writes."""
    written: list[str] = []
    parked, skipped = desk.parking._parked, desk.parking._skipped

    class Dying:
        def __init__(self, collection: Any) -> None:
            self.collection = collection

        def __getattr__(self, name: str) -> Any:
            method = getattr(self.collection, name)
            if name not in ("update_one", "delete_one", "find_one_and_update"):
                return method
            return partial(self.write, name, method)

        def write(self, name: str, method: Any, *args: Any, **more: Any) -> Any:
            written.append(name)
            dies = len(written) == step
            if dies and not after:
                raise Killed
            answer = method(*args, **more)
            if dies or len(written) > step:
                raise Killed
            return answer

    for name, collection in (("_parked", parked), ("_skipped", skipped)):
        setattr(desk.parking, name, Dying(collection))
    return written


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_process_may_die_at_any_step_of_a_retry_or_a_skip(
    shop: Shop, skip: bool, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "DRAINED", 2)
    for step in range(1, 9):
        if await died_at(step, shop, skip, after) < step:
            assert step > 3, "every step was tried"
            return
    raise AssertionError("it came no further")


async def died_at(step: int, shop: Shop, skip: bool, after: bool) -> int:
    """Have it happen to a stream of its own; how many writes there were."""
    till, position = f"till {step}", await shop.log.head()
    shop.clerk.bad[till, 1] = BAD
    desk = await shop.desk(position)
    await shop.put(till, 1, 2, 3, 4)
    await desk.read()
    if not skip:
        del shop.clerk.bad[till, 1]
    shop.ask(skip)
    written = killed_at(desk, step, after)
    await desk.lanes.look()
    await eventually(lambda: desk.lanes._looking and desk.lanes._looking.done())
    await eventually(lambda: not desk.lanes._lanes or len(written) >= step)
    await desk.die()
    heir = await shop.desk(position)
    await heir.read()
    await heir.look()

    assert shop.parked() == []
    heard = list(dict.fromkeys(shop.clerk.of(till)))
    assert heard == ([2, 3, 4] if skip else [1, 2, 3, 4])
    assert len(shop.skipped()) == (step if skip else 0)
    return len(written)
