"""What the platform counts: what became of decisions, how far readers are, what had to be tried
again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from bus import cache as caches
from bus import pulse as pulses
from bus.cache import Cache, Entry
from bus.envelope import Envelope
from bus.feed import Feed
from bus.freshness import Freshness
from bus.log import Log
from bus.messages import Busy, Refused, now
from bus.partitions import PARTITIONS
from bus.pending import Conflict, Repeated
from bus.platform import Platform
from bus.pulse import Pulse
from bus.retries import Retries
from bus.timers import Timers
from bus.transport import InProcess
from tests.bus.conftest import OpenLog
from tests.bus.meddling import Gate, Once, lose_the_answer
from tests.bus.test_timers import CAUSE, Bank, ago, later, made
from tests.bus.tills import EVENTS, Received, append, asked, receive, tills
from tests.counting import Figures, figure
from tests.waiting import eventually, soon

READER = "tills.clerk<tills"


@pytest.fixture
def figures() -> Figures:
    return Figures()


OUTCOME = ("context", "outcome")


async def test_it_is_counted_what_became_of_every_decision(
    real: Any, open_log: OpenLog, figures: Figures
) -> None:
    log = open_log(real)
    first = append(log, ("a", 1), ("b", 1), id="one")
    await first.outcome
    with pytest.raises(Conflict):
        await append(log, ("a", 1)).outcome
    with pytest.raises(Repeated):
        await append(log, ("c", 1), id="one").outcome

    became = {("tills", name): 1 for name in ("committed", "conflict", "repeated")}
    await eventually(lambda: figures.grown("storefold_appends_total", *OUTCOME) == became)
    assert figures.grown("storefold_append_seconds_count", "context") == {("tills",): 3}
    assert figures.grown("storefold_events_total", "type") == {("tills.Received",): 2}


async def test_decisions_that_are_written_together_are_one_batch(
    real: Any, open_log: OpenLog, figures: Figures
) -> None:
    gate = Gate()
    log = open_log(real, gate)
    first = append(log, ("a", 1))
    await asyncio.to_thread(gate.reached)
    more = [append(log, (str(number), 1)) for number in range(20)]
    assert log.waiting == 20
    gate.open()
    await asyncio.gather(*(each.outcome for each in (first, *more)))

    await eventually(
        lambda: figures.grown("storefold_append_batch_size_sum", "context") == {("tills",): 21}
    )
    assert figures.grown("storefold_append_batch_size_count", "context") == {("tills",): 2}
    assert log.waiting == 0


async def test_a_lost_answer_is_counted_and_so_is_what_could_not_be_written(
    real: Any, open_log: OpenLog, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(real, Once(lose_the_answer))
    await append(log, ("a", 1)).outcome
    assert figures.grown("storefold_append_uncertain_total") == {(): 1}
    monkeypatch.setattr("bus.writer.PATIENCE", 0.0)
    full = open_log(real, lambda insert, documents: 1 / 0)
    with pytest.raises(Busy):
        await append(full, ("b", 1)).outcome

    became = {("tills", "committed"): 1, ("tills", "failed"): 1}
    await eventually(lambda: figures.grown("storefold_appends_total", *OUTCOME) == became)


class Shop:
    """A platform with a reader that does what a test tells it to."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.tills = platform.context("tills", EVENTS)
        self.door = asyncio.Event()
        self.door.set()
        self.failure: Exception | None = None
        platform.bus.subscribe("tills.clerk", {Received: self.clerk})

    async def clerk(self, event: Received, envelope: Envelope[Received]) -> None:
        await self.door.wait()
        if self.failure:
            raise self.failure

    async def put(self, *names: str) -> None:
        for name in names:
            await self.tills.streams.decide(tills(name), lambda _: receive(name, 1), asked(name))  # noqa: B023


@pytest.fixture
async def shop(
    mongo: MongoClient[dict[str, Any]], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setattr(pulses, "BEAT", 0.01)
    tries = Retries(attempts=2, first_pause=0.001, longest_pause=0.002)
    shop = Shop(Platform(mongo, None, prefix, InProcess(), tries))
    await shop.platform.start(work=True)
    yield shop
    await soon(shop.platform.stop())


def of_reader(name: str) -> float:
    return figure(f"storefold_reader_{name}", reader=READER)


async def test_a_reader_that_waits_lags_and_one_that_is_through_does_not(shop: Shop) -> None:
    await eventually(lambda: of_reader("partitions") == PARTITIONS)
    shop.door.clear()
    began = now()
    await shop.put("a", "a")
    two = [Received(till="b", amount=1), Received(till="b", amount=2)]
    await shop.tills.streams.decide(tills("b"), lambda _: two, asked("b"))
    await eventually(lambda: of_reader("lag_events") == 4)
    await eventually(lambda: of_reader("lag_seconds") > 0.1)
    assert of_reader("lag_seconds") <= (now() - began).total_seconds()
    shop.door.set()
    await eventually(lambda: of_reader("lag_events") == of_reader("lag_seconds") == 0)
    assert of_reader("stuck") == 0


async def test_failures_are_counted_and_parked_streams_are_shown(
    shop: Shop, figures: Figures
) -> None:
    shop.failure = ValueError("the matter with it")
    await shop.put("a", "a", "b")

    await eventually(lambda: of_reader("parked") == 2)
    tried = {(READER, "failure"): 4}  # the second event of the one stream waits in the log
    assert figures.grown("storefold_reader_retries_total", "reader", "why") == tried
    assert figures.grown("storefold_reader_handle_seconds_count", "reader") == {(READER,): 4}


async def test_an_outage_is_counted_as_one(shop: Shop, figures: Figures) -> None:
    shop.failure = Busy("away")
    await shop.put("a")

    def tried() -> float:
        grown = figures.grown("storefold_reader_retries_total", "reader", "why")
        return grown.get((READER, "outage"), 0)

    await eventually(lambda: tried() > 2)
    shop.failure = None
    await eventually(lambda: of_reader("lag_events") == 0)
    assert of_reader("parked") == 0


async def test_without_redis_its_breaker_shows_as_open(shop: Shop) -> None:
    await eventually(lambda: figure("storefold_breaker_open", breaker="redis") == 1)


async def test_the_pulse_beats_on_when_a_look_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulses, "BEAT", 0.001)
    looks: list[int] = []
    before = figure("storefold_event_loop_lag_seconds_count")

    def look() -> None:
        looks.append(1)
        raise ValueError("no such thing")

    pulse = Pulse(look)
    pulse.start()
    await eventually(lambda: len(looks) > 2)
    await pulse.stop()
    assert figure("storefold_event_loop_lag_seconds_count") >= before + 2 * pulses.BEATS


async def test_what_the_cache_could_say_is_counted(
    redis_url: str, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "TIMEOUT", 10.0)

    def reads() -> dict[tuple[str, ...], float]:
        return figures.grown("storefold_cache_reads_total", "outcome")

    async with Redis.from_url(redis_url) as redis:
        cache = Cache(redis, "test")
        await cache.put("a", Entry(1, 1, "shop:web", b"{}"))
        await cache.get("a")
        await cache.get("b")
    await Cache(None, "test").get("a")
    assert reads() == {("hit",): 1, ("miss",): 1, ("away",): 1}


async def test_a_hit_that_is_too_old_is_counted(log: Log, figures: Figures) -> None:
    feed = Feed("tills", log.read, log.head)
    feed.head = 10
    fresh = Freshness(feed)
    assert fresh.vouches(tills("a"), 10)
    assert not fresh.vouches(tills("a"), 9)
    assert figures.grown("storefold_cache_reads_total", "outcome") == {("stale",): 1}


async def test_timers_are_counted_by_what_came_of_them(real: Any, figures: Figures) -> None:
    bank = Bank()
    timers: Timers = made(real, bank)
    bank.failures = {
        "refused": Refused("too_late", "the day is over"),
        "waits": Busy("away"),
        "failed": ValueError("nonsense"),
    }
    await timers.set(*((later(name, ago(1)), CAUSE) for name in ("done", *bank.failures)))
    await timers.fire_due(now())

    outcomes = {("tills", name): 1 for name in ("done", *bank.failures)}
    assert figures.grown("storefold_timers_fired_total", *OUTCOME) == outcomes
