"""Durable readers: order, side by side, retries, parking, stored positions, leases and fencing."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from bus import lanes as lanes_module
from bus import leases as leases_module
from bus import rota as rota_module
from bus.envelope import Envelope
from bus.feed import Feed
from bus.lanes import Lanes
from bus.leases import Lease, Leases
from bus.log import Log
from bus.messages import Busy, Event
from bus.parking import Parking
from bus.partitions import PARTITIONS, partition_of
from bus.readers import Reader
from bus.retries import Retries
from bus.rota import Rota
from bus.streams import Streams
from tests.bus.conftest import OpenLog
from tests.bus.tills import Paid, Received, Till, asked, pay, receive, tills
from tests.waiting import eventually, soon

NAME = "tills.test<tills"

RETRIES = Retries(attempts=3, first_pause=0.001, longest_pause=0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a shop takes milliseconds here."""
    monkeypatch.setattr(rota_module, "STORE_EVERY", 0.02)


def term(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have leases last that long."""
    monkeypatch.setattr(leases_module, "TERM", seconds)
    monkeypatch.setattr(rota_module, "TERM", seconds)


class Clerk:
    """A handler that writes down what it is given; a test can hold it up and make it fail."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.tried: list[tuple[str, int]] = []
        self.doors: dict[str, asyncio.Event] = {}
        self.failures: dict[tuple[str, int], list[BaseException]] = defaultdict(list)

    async def __call__(self, event: Received, envelope: Envelope[Any]) -> None:
        what = (event.till, event.amount)
        self.tried.append(what)
        if event.till in self.doors:
            await self.doors[event.till].wait()
        if self.failures[what]:
            raise self.failures[what].pop(0)
        self.heard.append(what)

    def hold(self, till: str) -> None:
        self.doors[till] = asyncio.Event()

    def release(self, till: str) -> None:
        self.doors.pop(till).set()

    def of(self, till: str) -> list[int]:
        return [amount for name, amount in self.heard if name == till]


def receive_more(till: str, amount: int, state: Till | None) -> list[Event]:
    return receive(till, amount)


class Reading:
    """A reader, and the rota that gives it its partitions."""

    def __init__(self, rota: Rota, reader: Reader) -> None:
        self.rota = rota
        self.reader = reader

    async def stop(self) -> None:
        await self.rota.stop()

    @property
    def held(self) -> set[int]:
        return self.reader.held

    def done_to(self) -> int:
        """How far the work on all partitions is done here."""
        if len(self.held) < PARTITIONS:
            return 0
        return min(map(self.reader.done_to, self.held))


class Shop:
    """One process: a log, its feed, and readers of it."""

    def __init__(self, log: Log, database: Any, owner: str, street: list[Any]) -> None:
        self.street = street
        self.database = database
        self.streams = Streams(log)
        self.feed = Feed("tills", log.read, log.head)
        self.owner = owner
        self.leases = Leases(database, owner)
        self.readers: list[Reading] = []

    async def put(self, till: str, *amounts: int) -> None:
        for amount in amounts:
            decision = partial(receive_more, till, amount)
            decided = await self.streams.decide(tills(till), decision, asked(till))
            assert decided.commit
            self.feed.push([decided.commit])

    def reader(
        self, clerk: Any, crowded: Callable[[], bool] = lambda: False, *, passing: bool = False
    ) -> Reading:
        rota = Rota(self.leases, self.owner, self.ring)
        parking = Parking(self.database, NAME, self.leases, self.streams.log)
        lanes = Lanes(NAME, {Received: clerk}, parking, rota.valid, RETRIES, crowded)
        reading = Reading(rota, Reader(NAME, self.feed, lanes, crowded))
        self.readers.append(reading)
        rota.start([reading.reader], passing=passing)
        return reading

    def ring(self) -> None:
        """What a doorbell does."""
        for shop in self.street:
            for reading in shop.readers:
                reading.rota.ring()

    def stored(self) -> int:
        """The position that a reader would go on from."""
        found = [each["position"] for each in self.database["readers"].find({"reader": NAME})]
        return min(found, default=0)

    def parked(self) -> list[dict[str, Any]]:
        return list(self.database["parked"].find().sort([("position", 1), ("index", 1)]))


@pytest.fixture
async def new_shop(real: Any, open_log: OpenLog) -> AsyncIterator[Callable[[str], Any]]:
    """Starts processes."""
    shops: list[Shop] = []

    async def start(owner: str) -> Shop:
        shop = Shop(open_log(real), real, owner, shops)
        await shop.feed.start()
        shops.append(shop)
        return shop

    yield start
    for shop in shops:
        for reader in shop.readers:
            await reader.stop()
        await shop.feed.stop()


@pytest.fixture
async def shop(new_shop: Any) -> Shop:
    """One process."""
    started: Shop = await new_shop("one")
    return started


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


async def test_events_of_one_stream_are_handled_in_order(shop: Shop, clerk: Clerk) -> None:
    await shop.put("a", 1, 2, 3)
    shop.reader(clerk)
    await shop.put("a", *range(4, 30))
    await eventually(lambda: len(clerk.heard) == 29)

    assert clerk.of("a") == list(range(1, 30))


async def test_only_the_events_that_are_wanted_come(shop: Shop, clerk: Clerk) -> None:
    await shop.put("a", 5)
    await shop.streams.decide(tills("a"), lambda till: pay("a", till, 5), asked())
    await shop.streams.decide(
        tills("a"),
        lambda _: [
            Received(till="a", amount=6),
            Paid(till="a", amount=1),
            Received(till="a", amount=7),
        ],
        asked(),
    )
    shop.feed.ring()
    reader = shop.reader(clerk)
    await eventually(lambda: reader.done_to() == 3)

    assert clerk.of("a") == [5, 6, 7]


async def test_an_envelope_tells_where_an_event_stands_and_what_led_to_it(shop: Shop) -> None:
    envelopes: list[Envelope[Any]] = []

    async def note(event: Received, envelope: Envelope[Any]) -> None:
        envelopes.append(envelope)

    cause = asked("a", id="the-command", correlation="the-request", traceparent="00-trace")
    await shop.streams.decide(tills("a"), lambda _: receive("a", 1) * 2, cause)
    shop.feed.ring()
    shop.reader(note)
    await eventually(lambda: len(envelopes) == 2)

    assert [each.id for each in envelopes] == ["tills.Received/1/0", "tills.Received/1/1"]
    first = envelopes[0]
    assert (first.causation, first.correlation) == ("the-command", "the-request")
    assert (first.principal, first.traceparent) == (cause.principal, "00-trace")


async def test_a_slow_handler_holds_only_its_own_stream(shop: Shop, clerk: Clerk) -> None:
    clerk.hold("slow")
    shop.reader(clerk)
    await shop.put("slow", 1, 2)
    await shop.put("quick", *range(50))
    await eventually(lambda: len(clerk.of("quick")) == 50)

    assert clerk.tried.count(("slow", 1)) == 1
    assert ("slow", 2) not in clerk.tried
    clerk.release("slow")
    await eventually(lambda: clerk.of("slow") == [1, 2])


async def test_slow_handlers_hold_nobody_else_in_a_crowd_either(shop: Shop, clerk: Clerk) -> None:
    slow = [f"slow-{number}" for number in range(2 * lanes_module.NARROW)]
    for till in slow:
        clerk.hold(till)
    shop.reader(clerk, crowded=lambda: True)
    for till in slow:
        await shop.put(till, 1)
    await shop.put("quick", 1)

    await eventually(lambda: clerk.of("quick"), within=5)


async def test_the_stored_position_is_the_lowest_that_is_done(shop: Shop, clerk: Clerk) -> None:
    clerk.hold("slow")
    reader = shop.reader(clerk)
    await shop.put("a", 1)
    await shop.put("slow", 2)
    await shop.put("b", 3, 4, 5)
    await eventually(lambda: clerk.of("b") == [3, 4, 5])
    await eventually(lambda: shop.stored() == 1)
    assert reader.done_to() == 1
    clerk.release("slow")

    await eventually(lambda: shop.stored() == 5)
    await eventually(lambda: reader.reader.lag == 0)


async def test_a_reader_goes_on_where_it_stopped(shop: Shop, new_shop: Any, clerk: Clerk) -> None:
    reader = shop.reader(clerk)
    await shop.put("a", 1, 2)
    await eventually(lambda: reader.done_to() == 2)
    await reader.stop()
    assert shop.stored() == 2
    await shop.put("a", 3)
    (await new_shop("another")).reader(clerk)
    await eventually(lambda: len(clerk.heard) > 2)

    assert clerk.of("a") == [1, 2, 3]


async def test_what_was_under_way_at_a_stop_is_done_again(
    shop: Shop, new_shop: Any, clerk: Clerk
) -> None:
    clerk.hold("a")
    reader = shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: clerk.tried)
    await soon(reader.stop())
    assert shop.stored() == 0
    clerk.release("a")
    (await new_shop("another")).reader(clerk)

    await eventually(lambda: clerk.of("a") == [1])
    assert clerk.tried == [("a", 1), ("a", 1)]


async def test_a_handler_that_fails_is_tried_again_and_order_is_kept(
    shop: Shop, clerk: Clerk
) -> None:
    clerk.failures["a", 1] = [ValueError("once"), ValueError("twice")]
    shop.reader(clerk)
    await shop.put("a", 1, 2)
    await eventually(lambda: clerk.of("a") == [1, 2])

    assert clerk.tried == [("a", 1)] * 3 + [("a", 2)]
    assert shop.parked() == []


async def test_an_event_that_keeps_failing_is_parked_with_its_stream_and_nothing_else(
    shop: Shop, clerk: Clerk
) -> None:
    clerk.failures["a", 1] = [ValueError("the matter with it")] * 99
    reader = shop.reader(clerk)
    await shop.put("a", 1, 2, 3)
    await shop.put("b", 1, 2)
    await eventually(lambda: reader.done_to() == 5)

    assert clerk.heard == [("b", 1), ("b", 2)]
    (parked,) = shop.parked()
    assert (parked["stream"], parked["position"], parked["attempts"]) == ("till-a", 1, 3)
    assert parked["error"] == "ValueError('the matter with it')"
    assert "raise self.failures" in parked["traceback"]
    await eventually(lambda: shop.stored() == 5)


async def test_a_parked_stream_stays_parked_for_the_next_owner(
    shop: Shop, new_shop: Any, clerk: Clerk
) -> None:
    clerk.failures["a", 1] = [ValueError("the matter with it")] * 3
    reader = shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: reader.done_to() == 1)
    await reader.stop()
    await shop.put("a", 2)
    await shop.put("b", 1)
    another = (await new_shop("another")).reader(clerk)
    await eventually(lambda: another.done_to() == 3)

    assert clerk.heard == [("b", 1)]
    assert [each["position"] for each in shop.parked()] == [1]


@pytest.mark.parametrize("outage", [Busy("full"), OSError("no route"), TimeoutError()])
async def test_an_outage_parks_nothing_however_long_it_lasts(
    outage: Exception, shop: Shop, clerk: Clerk
) -> None:
    clerk.failures["a", 1] = [outage] * 12
    shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: clerk.of("a") == [1])

    assert len(clerk.tried) == 13
    assert shop.parked() == []


async def test_a_handler_that_cancels_itself_has_failed_and_is_tried_again(
    shop: Shop, clerk: Clerk
) -> None:
    clerk.failures["a", 1] = [asyncio.CancelledError()]
    reader = shop.reader(clerk)
    await shop.put("a", 1, 2)

    await eventually(lambda: reader.done_to() == 2, within=5)
    assert clerk.of("a") == [1, 2]


async def test_more_streams_than_lanes_are_all_served(
    shop: Shop, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "WIDTH", 3)
    monkeypatch.setattr(lanes_module, "BACKLOG", 5)
    reader = shop.reader(clerk)
    for number in range(40):
        await shop.put(str(number % 13), number)
    await eventually(lambda: reader.done_to() == 40)

    assert sorted(amount for _, amount in clerk.heard) == list(range(40))


def till_of(partition: int) -> str:
    """A till whose events fall into this partition."""
    return next(name for name in map(str, range(1000)) if partition_of(name) == partition)


TILLS = [till_of(partition) for partition in range(PARTITIONS)]
"""One for each partition."""


async def shared(*readings: Reading) -> None:
    """Wait until the partitions are shared out evenly."""
    each = PARTITIONS // len(readings)
    await eventually(lambda: all(len(reading.held) == each for reading in readings))
    assert set().union(*(reading.held for reading in readings)) == set(range(PARTITIONS))


async def test_processes_share_the_partitions_and_each_stream_has_one_worker(
    shop: Shop, new_shop: Any, clerk: Clerk
) -> None:
    first = shop.reader(clerk)
    await shared(first)
    other = await new_shop("two")
    colleague = Clerk()
    second = other.reader(colleague)
    await shared(first, second)
    for amount in (1, 2, 3):
        for till in TILLS:
            await shop.put(till, amount)
    await eventually(lambda: len(clerk.heard) + len(colleague.heard) == 3 * PARTITIONS)

    for partition, till in enumerate(TILLS):
        mine, idle = (clerk, colleague) if partition in first.held else (colleague, clerk)
        assert (mine.of(till), idle.of(till)) == ([1, 2, 3], [])


async def test_a_clean_stop_gives_all_back_at_once(
    shop: Shop, new_shop: Any, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 3600)  # so that nothing runs out, and nobody looks by himself
    first, second = shop.reader(clerk), (await new_shop("two")).reader(clerk)
    await shared(first, second)
    await shop.put(TILLS[0], 1)
    await eventually(lambda: clerk.heard)
    await first.stop()

    await shared(second)
    assert shop.database["members"].count_documents({}) == 1


async def test_who_comes_gets_its_share_and_what_was_under_way_goes_with_it(
    shop: Shop, new_shop: Any, clerk: Clerk
) -> None:
    first = shop.reader(clerk)
    await shared(first)
    for till in TILLS:
        clerk.hold(till)
        await shop.put(till, 1, 2)
    await eventually(lambda: len(clerk.tried) == PARTITIONS)
    colleague = Clerk()
    second = (await new_shop("two")).reader(colleague)
    await shared(first, second)
    await eventually(lambda: len(colleague.heard) == PARTITIONS)
    for till in TILLS:
        clerk.release(till)
    await eventually(lambda: len(clerk.heard) == PARTITIONS)

    for partition, till in enumerate(TILLS):
        mine = clerk if partition in first.held else colleague
        assert mine.of(till) == [1, 2]


async def test_who_only_passes_works_while_nobody_else_is_there(
    shop: Shop, new_shop: Any, clerk: Clerk
) -> None:
    passing = shop.reader(clerk, passing=True)
    await shared(passing)
    stays = (await new_shop("two")).reader(clerk)
    await shared(stays)
    assert passing.held == set()


async def test_the_work_of_a_process_that_dies_is_taken_over(
    shop: Shop, new_shop: Any, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.4)
    dead = Leases(shop.database, "dead")  # and never a word again
    await dead.sign_in([NAME])
    assert len(await dead.claim([(NAME, partition) for partition in range(PARTITIONS)])) == 8
    reader = shop.reader(clerk)
    await shop.put("a", 1)

    await eventually(lambda: reader.done_to() == 1)


ALL = [(NAME, partition) for partition in range(PARTITIONS)]


async def test_a_partition_has_one_owner_at_a_time(real: Any) -> None:
    leases = [Leases(real, str(number)) for number in range(8)]
    claims = await asyncio.gather(*(each.claim(ALL) for each in leases))

    held = [lease.partition for claim in claims for lease in claim]
    assert sorted(held) == list(range(PARTITIONS))


def moved(leases: list[Lease], position: int) -> dict[Lease, int]:
    return dict.fromkeys(leases, position)


async def test_a_past_owner_is_refused_and_changes_nothing(
    real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.05)
    paused, next_one = Leases(real, "paused"), Leases(real, "next")
    old = await paused.claim(ALL)
    assert await paused.store(moved(old, 3))
    new: Any = await eventually(lambda: next_one.claim(ALL), every=0.1)
    assert [(each.position, each.epoch) for each in new] == [(3, each.epoch + 1) for each in old]
    assert await next_one.store(moved(new, 10))
    assert not await paused.store(moved(old, 4))
    await paused.give_back(moved(old, 4))
    assert await paused.renew() == {}

    for found in real["readers"].find():
        assert (found["owner"], found["position"], found["epoch"]) == ("next", 10, new[0].epoch)


async def test_a_process_that_claims_again_fences_its_own_past(real: Any) -> None:
    leases = Leases(real, "one")
    before, now = await leases.claim(ALL), await leases.claim(ALL)
    assert await leases.store(moved(now, 1))
    assert not await leases.store(moved(before, 2))


async def test_what_was_seized_is_done_by_whoever_seized_it(real: Any) -> None:
    worker, other = Leases(real, "worker"), Leases(real, "other")
    before = await worker.claim(ALL)
    seized = await other.seize(NAME, range(PARTITIONS))
    assert not await worker.store(moved(before, 2))
    assert await worker.claim(ALL) == []
    await other.give_back(moved(seized, 7))

    assert {lease.position for lease in await worker.claim(ALL)} == {7}


async def test_a_reader_that_lost_its_leases_stops_until_it_gets_them_back(
    shop: Shop, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.8)
    reader = shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: reader.done_to() == 1)
    thief = Leases(shop.database, "thief")
    await thief.seize(NAME, range(PARTITIONS))
    await eventually(lambda: reader.held == set())
    await shop.put("a", 2)
    await asyncio.sleep(0)
    assert clerk.of("a") == [1]

    await eventually(lambda: clerk.of("a")[-1] == 2)  # the thief fell silent


async def test_a_lane_that_wakes_up_after_its_lease_has_run_out_does_nothing(
    shop: Shop, clerk: Clerk
) -> None:
    reader = shop.reader(clerk)
    await shared(reader)
    clerk.hold("a")
    await shop.put("a", 1, 2)
    await eventually(lambda: clerk.tried)
    reader.rota._valid_until = 0  # it slept for so long
    clerk.release("a")
    await eventually(lambda: clerk.heard)
    assert clerk.tried == [("a", 1)]

    await eventually(lambda: reader.done_to() == 2)  # having asked for its leases again
    assert clerk.heard == [("a", 1), ("a", 1), ("a", 2)]


async def test_a_partition_that_is_behind_catches_up_beside_the_others(
    shop: Shop, clerk: Clerk
) -> None:
    for till in TILLS:
        await shop.put(till, 1, 2)
    leases = await shop.leases.claim(ALL)
    head = shop.feed.head
    await shop.leases.give_back({lease: head if lease.partition else 0 for lease in leases})
    reader = shop.reader(clerk)
    await eventually(lambda: reader.done_to() == head)

    assert clerk.heard == [(TILLS[0], 1), (TILLS[0], 2)]
    await shop.put(TILLS[3], 3)
    await eventually(lambda: (TILLS[3], 3) in clerk.heard)


async def test_what_this_process_cannot_do_is_left_to_others(
    shop: Shop, new_shop: Any, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = shop.reader(clerk)
    await shared(broken)

    async def no_more(*_: Any) -> None:
        raise ValueError("an event of a newer release")

    monkeypatch.setattr(shop.feed, "after", no_more)
    colleague = Clerk()
    able = (await new_shop("two")).reader(colleague)
    await shared(broken, able)
    for till in TILLS:
        await shop.put(till, 1)
    able.reader.feed.ring()

    await eventually(lambda: len(colleague.heard) == PARTITIONS)
    assert (broken.reader.fault or "").startswith("ValueError in bus/readers.py:")


async def test_a_reader_survives_work_that_cannot_begin(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, clerk: Clerk
) -> None:
    term(monkeypatch, 0.4)
    failures = [ValueError("no")]
    load = Parking.load

    async def fails_at_first(self: Parking, partition: int, position: int) -> None:
        if failures:
            raise failures.pop()
        await load(self, partition, position)

    monkeypatch.setattr(Parking, "load", fails_at_first)
    shop.reader(clerk)
    await shop.put("a", 1)

    await eventually(lambda: clerk.of("a") == [1])


async def test_who_is_stopped_while_work_begins_works_on_nothing_any_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, clerk: Clerk
) -> None:
    load, begun, never = Parking.load, asyncio.Event(), asyncio.Event()

    async def waits_at_the_last(self: Parking, partition: int, position: int) -> None:
        await load(self, partition, position)
        if partition == PARTITIONS - 1:
            begun.set()
            await never.wait()

    monkeypatch.setattr(Parking, "load", waits_at_the_last)
    reader = shop.reader(clerk)
    await soon(begun.wait())
    await reader.stop()
    await shop.put("a", 1)

    assert not reader.held
    assert f"reader:{NAME}" not in {task.get_name() for task in asyncio.all_tasks()}
