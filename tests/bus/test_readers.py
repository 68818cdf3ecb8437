"""Durable readers: order, side by side, retries, parking, stored positions, leases and fencing."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from bus import lanes as lanes_module
from bus import leases as leases_module
from bus import readers as readers_module
from bus.envelope import Envelope
from bus.feed import Feed
from bus.lanes import Lanes
from bus.leases import LeaseLost, Leases
from bus.log import Log
from bus.messages import Busy, Event
from bus.parking import Parking
from bus.readers import Reader
from bus.streams import Streams
from tests.bus.conftest import OpenLog
from tests.bus.tills import Paid, Received, Till, asked, pay, receive, tills
from tests.waiting import eventually, soon

NAME = "tills.test<tills"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a shop takes milliseconds here."""
    monkeypatch.setattr(lanes_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lanes_module, "LONGEST_PAUSE", 0.005)
    monkeypatch.setattr(lanes_module, "ATTEMPTS", 3)
    monkeypatch.setattr(readers_module, "STORE_EVERY", 0.02)


def term(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have leases last that long."""
    monkeypatch.setattr(leases_module, "TERM", seconds)
    monkeypatch.setattr(readers_module, "TERM", seconds)


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


class Shop:
    """One process: a log, its feed, and readers of it."""

    def __init__(self, log: Log, database: Any, owner: str) -> None:
        self.database = database
        self.streams = Streams(log)
        self.feed = Feed("tills", log.read, log.head)
        self.leases = Leases(database, owner)
        self.readers: list[Reader] = []

    async def put(self, till: str, *amounts: int) -> None:
        for amount in amounts:
            decision = partial(receive_more, till, amount)
            decided = await self.streams.decide(tills(till), decision, asked(till))
            assert decided.commit
            self.feed.push([decided.commit])

    def reader(self, clerk: Any, crowded: Callable[[], bool] = lambda: False) -> Reader:
        reader = Reader(
            NAME,
            self.feed,
            self.leases,
            lambda: Lanes(NAME, {Received: clerk}, Parking(self.database, NAME), crowded),
        )
        self.readers.append(reader)
        reader.start()
        return reader

    def stored(self) -> int:
        """The position that a reader would go on from."""
        found = self.database["readers"].find_one({"_id": NAME})
        return int(found["position"]) if found else 0

    def parked(self) -> list[dict[str, Any]]:
        return list(self.database["parked"].find().sort([("position", 1), ("index", 1)]))


@pytest.fixture
async def new_shop(real: Any, open_log: OpenLog) -> AsyncIterator[Callable[[str], Any]]:
    """Starts processes."""
    shops: list[Shop] = []

    async def start(owner: str) -> Shop:
        shop = Shop(open_log(real), real, owner)
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
    await eventually(lambda: reader.lag == 0)


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
    first, *behind = shop.parked()
    assert (first["stream"], first["position"], first["attempts"]) == ("till-a", 1, 3)
    assert first["error"] == "ValueError('the matter with it')"
    assert "raise self.failures" in first["traceback"]
    assert [(each["stream"], each["position"]) for each in behind] == [("till-a", 2), ("till-a", 3)]
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
    assert [each["position"] for each in shop.parked()] == [1, 2]


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


async def test_one_of_two_processes_works_and_the_other_takes_over(
    shop: Shop, new_shop: Any, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 1.0)
    first = shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: first.done_to() == 1)
    idle = Clerk()
    other = await new_shop("two")
    second = other.reader(idle)
    await shop.put("a", 2)
    await eventually(lambda: first.done_to() == 2)
    assert idle.tried == []
    await first.stop()
    await other.put("a", 3)

    await eventually(lambda: second.done_to() == 3)
    assert idle.heard == [("a", 3)]
    assert clerk.of("a") == [1, 2]


async def test_the_work_of_a_process_that_dies_is_taken_over(
    shop: Shop, new_shop: Any, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.2)
    assert await Leases(shop.database, "dead").claim(NAME)  # and never a word again
    reader = shop.reader(clerk)
    await shop.put("a", 1)

    await eventually(lambda: reader.done_to() == 1)


async def test_a_lease_has_one_owner_at_a_time(real: Any) -> None:
    leases = [Leases(real, str(number)) for number in range(8)]
    claims = await asyncio.gather(*(each.claim(NAME) for each in leases))

    assert len([each for each in claims if each is not None]) == 1


async def test_a_past_owner_is_refused_and_changes_nothing(
    real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.05)
    paused, next_one = Leases(real, "paused"), Leases(real, "next")
    old = await paused.claim(NAME)
    assert old
    await paused.keep(old, 3)
    new: Any = await eventually(lambda: next_one.claim(NAME), every=0.02)
    assert (new.position, new.epoch) == (3, old.epoch + 1)
    await next_one.keep(new, 10)
    with pytest.raises(LeaseLost):
        await paused.keep(old, 4)
    await paused.give_back(old, 4)

    found = real["readers"].find_one({"_id": NAME})
    assert (found["owner"], found["position"], found["epoch"]) == ("next", 10, new.epoch)


async def test_a_process_that_claims_again_fences_its_own_past(real: Any) -> None:
    leases = Leases(real, "one")
    before, now = await leases.claim(NAME), await leases.claim(NAME)
    assert before
    assert now
    await leases.keep(now, 1)
    with pytest.raises(LeaseLost):
        await leases.keep(before, 2)


async def test_a_reader_that_lost_its_lease_stops_until_it_gets_it_back(
    shop: Shop, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    term(monkeypatch, 0.5)
    reader = shop.reader(clerk)
    await shop.put("a", 1)
    await eventually(lambda: reader.done_to() == 1)
    shop.database["readers"].update_one(
        {"_id": NAME}, {"$set": {"owner": "thief"}, "$inc": {"epoch": 1}}
    )
    await eventually(lambda: reader.done_to() == 0)
    assert reader.running
    await shop.put("a", 2)
    await asyncio.sleep(0)
    assert clerk.of("a") == [1]

    await eventually(lambda: clerk.of("a")[-1] == 2)  # the thief fell silent


async def test_a_reader_survives_work_that_cannot_begin(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, clerk: Clerk
) -> None:
    failures = [ValueError("no")]
    load = Parking.load

    async def fails_at_first(self: Parking) -> None:
        if failures:
            raise failures.pop()
        await load(self)

    monkeypatch.setattr(Parking, "load", fails_at_first)
    reader = shop.reader(clerk)
    await shop.put("a", 1)

    await eventually(lambda: clerk.of("a") == [1])
    assert reader.running
