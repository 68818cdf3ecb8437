"""Whatever the transport loses, repeats and reorders: the feed is dense, and every reader hears
every event once and in order."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient

from bus.commits import Codec, Commit, Meta, Recorded, Write
from bus.envelope import Envelope
from bus.feed import Feed
from bus.messages import now
from bus.platform import Platform
from tests.bus.tills import EVENTS, Received, asked, receive, tills
from tests.journeys.lossy import Lossy
from tests.waiting import eventually

META = Meta("c", None, "system:test", None, None)


def commit(position: int) -> Commit:
    """A commit at a position, on one of three tills."""
    stream, version = f"till-{position % 3}", (position + 2) // 3
    event = Recorded(Received(till="a", amount=position), stream, version)
    return Commit(position, f"c{position}", (Write(stream, version),), (event,), now(), META)


def test_the_fates_are_as_many_as_was_said_and_follow_from_the_seed() -> None:
    def fates(seed: str) -> list[str]:
        transport = Lossy(seed)
        for position in range(1, 1001):
            transport.publish("tills", [commit(position)])
        return transport.fates

    told = fates("a")
    assert told == fates("a") != fates("b")
    assert 150 < told.count("lost") < 250
    assert 150 < told.count("repeated") < 250
    assert 60 < told.count("late") < 140


def test_what_is_late_comes_behind_a_later_one_and_what_is_repeated_comes_again() -> None:
    transport = Lossy("any")
    heard: list[int] = []
    transport.consume(
        "tills", Codec(EVENTS), lambda commits: heard.extend(c.position for c in commits)
    )
    for position in range(1, 201):
        transport.publish("tills", [commit(position)])
    fate = dict(enumerate(transport.fates[:190], start=1))
    for position, became in fate.items():
        times = {"lost": 0, "late": 1, "heard": 1, "repeated": 2}[became]
        assert heard.count(position) == times
    late = [position for position, became in fate.items() if became == "late"]
    assert any(max(heard[: heard.index(position)]) > position for position in late)


@given(
    st.text(max_size=5),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.sets(st.integers(0, 39)),
)
def test_a_feed_is_dense_and_tells_everything_once_whatever_it_is_told(
    seed: str, groups: list[int], looks: set[int]
) -> None:
    """`looks` are the groups after which the feed has time to look into the log."""

    async def run() -> None:
        length = 0

        async def fetch(after: int, limit: int) -> list[Commit]:
            return [commit(at) for at in range(after + 1, min(length, after + limit) + 1)]

        async def head() -> int:
            return 0

        transport = Lossy(seed)
        feed = Feed("tills", fetch, head)
        heard: list[Commit] = []
        feed.listen(heard.extend)
        transport.consume("tills", Codec(EVENTS), feed.push)
        await feed.start()
        for number, size in enumerate(groups):
            first, length = length + 1, length + size
            transport.publish("tills", [commit(at) for at in range(first, length + 1)])
            if number in looks:
                feed.ring()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert [each.position for each in heard] == list(range(1, feed.head + 1))
        while feed.head < length:
            feed.ring()
            await asyncio.sleep(0)
        await feed.stop()
        assert [each.position for each in heard] == list(range(1, length + 1))
        assert [each.events for each in heard] == [commit(each.position).events for each in heard]

    asyncio.run(run())


@pytest.mark.parametrize("seed", ["1", "2", "3"])
async def test_every_reader_hears_every_event_once_and_in_order(
    seed: str, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    platform = Platform(mongo, None, prefix, Lossy(seed))
    home = platform.context("tills", EVENTS)
    heard: dict[str, dict[str, list[int]]] = {}
    for name in ("one", "two"):
        heard[name] = defaultdict(list)

        async def hear(event: Received, envelope: Envelope[Any], name: str = name) -> None:
            heard[name][event.till].append(event.amount)
            await asyncio.sleep(0)

        platform.bus.subscribe(f"tills.{name}", {Received: hear})
    await platform.start(work=True)
    try:
        for amount in range(1, 41):
            await asyncio.gather(*(put(home, till, amount) for till in "abcdefgh"))
        told = {till: list(range(1, 41)) for till in "abcdefgh"}
        await eventually(
            lambda: all(len(each[till]) >= 40 for each in heard.values() for till in told)
        )
        assert heard == {"one": told, "two": told}
    finally:
        await platform.stop()


async def put(home: Any, till: str, amount: int) -> None:
    await home.streams.decide(tills(till), lambda _: receive(till, amount), asked(till))
