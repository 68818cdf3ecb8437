"""The end of a log as one process knows it; with a log in memory, whose answers a test can time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from bus import feed as feeds
from bus.commits import Commit, Meta, Recorded, Write
from bus.feed import Feed
from bus.messages import now
from tests.bus.tills import Received
from tests.waiting import eventually, soon


def commit(position: int) -> Commit:
    """A commit at a position."""
    event = Recorded(Received(till="a", amount=position), "till-a", position)
    meta = Meta("c", None, "system:test", None, None)
    return Commit(position, f"c{position}", (Write("till-a", position),), (event,), now(), meta)


class Logged:
    """A log that is as long as it is told, and counts who looks."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.hole: int | None = None
        self.looks = 0
        self.grows = False
        self.away = False

    async def fetch(self, after: int, limit: int) -> list[Commit]:
        self.looks += 1
        await asyncio.sleep(0)
        if self.away:
            raise OSError("the database is away")
        self.length += self.grows
        last = min(self.length, after + limit, (self.hole or self.length + 1) - 1)
        return [commit(position) for position in range(after + 1, last + 1)]

    async def head(self) -> int:
        return self.length


@pytest.fixture
def logged() -> Logged:
    return Logged(3)


@pytest.fixture
async def feed(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feed]:
    """A feed that never looks by itself, only when it is rung."""
    monkeypatch.setattr(feeds, "POLL", 3600)
    feed = Feed("tills", logged.fetch, logged.head)
    await feed.start()
    yield feed
    await feed.stop()


def positions(commits: Sequence[Commit]) -> list[int]:
    return [each.position for each in commits]


async def test_it_begins_at_the_end_of_the_log(feed: Feed) -> None:
    assert feed.head == 3
    await soon(feed.reached(3))


async def test_what_is_pushed_is_heard_once_and_in_order(feed: Feed) -> None:
    heard: list[int] = []
    feed.listen(lambda commits: heard.extend(positions(commits)))
    feed.push([commit(4), commit(5)])
    feed.push([commit(4), commit(5)])
    feed.push([commit(5), commit(6)])

    assert heard == [4, 5, 6]
    assert feed.head == 6


async def test_what_is_missing_is_fetched_before_what_came_too_early(
    feed: Feed, logged: Logged
) -> None:
    heard: list[int] = []
    feed.listen(lambda commits: heard.extend(positions(commits)))
    logged.length = 7
    feed.push([commit(6), commit(7)])
    assert heard == []

    await eventually(lambda: feed.head == 7)
    assert heard == [4, 5, 6, 7]


async def test_of_a_group_with_a_gap_only_the_gap_is_fetched(feed: Feed, logged: Logged) -> None:
    logged.length = 7
    pushed = [commit(4), commit(5), commit(7)]
    feed.push(pushed)
    assert positions(await soon(feed.after(3, 100))) == [4, 5]
    await soon(feed.reached(7))

    found = await soon(feed.after(3, 100))
    assert positions(found) == [4, 5, 6, 7]
    assert logged.looks == 1
    assert found[3] is pushed[2]


async def test_a_reader_far_behind_reads_from_the_log_and_one_near_from_memory(
    feed: Feed, logged: Logged
) -> None:
    feed.push([commit(n) for n in range(4, 8)])

    assert positions(await feed.after(5, 100)) == [6, 7]
    assert positions(await feed.after(3, 2)) == [4, 5]
    assert logged.looks == 0
    logged.length = 7
    assert positions(await feed.after(0, 2)) == [1, 2]
    assert logged.looks == 1


async def test_a_reader_at_the_end_waits_for_the_next(feed: Feed) -> None:
    waits = asyncio.create_task(feed.after(3, 100))
    await asyncio.sleep(0)
    assert not waits.done()
    feed.push([commit(4)])

    assert positions(await soon(waits)) == [4]


async def test_nobody_reads_past_a_hole(
    feed: Feed, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.001)
    logged.hole = 2
    assert positions(await feed.after(0, 100)) == [1]
    waits = asyncio.create_task(feed.after(1, 100))
    await eventually(lambda: logged.looks > 3)
    assert not waits.done()
    logged.hole = None

    assert positions(await soon(waits)) == [2, 3]


async def test_events_behind_a_position_are_counted_as_far_as_memory_goes(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 3)
    start = feed.head
    assert (feed.events(start), feed.events(start - 2)) == (0, 2)  # one each, for all that is known
    two = [
        replace(each, events=each.events * 2) for each in map(commit, range(start + 1, start + 4))
    ]
    feed.push(two)
    assert [feed.events(start + n) for n in range(4)] == [6, 4, 2, 0]
    feed.push([commit(start + 4)])
    assert [feed.events(start + n) for n in range(5)] == [6, 5, 3, 1, 0]
    assert feed.events(start - 3) == 11
    assert feed.events(start + 9) == 0


async def test_a_ring_makes_it_look(feed: Feed, logged: Logged) -> None:
    logged.length = 5
    feed.ring()

    await soon(feed.reached(5))


async def test_a_ring_while_something_is_missing_is_not_forgotten(
    feed: Feed, logged: Logged
) -> None:
    logged.length = 9
    feed.push([commit(6)])
    feed.ring()

    await soon(feed.reached(9))


async def test_without_a_ring_it_looks_by_itself(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.01)
    feed = Feed("tills", logged.fetch, logged.head)
    await feed.start()
    logged.length = 4
    await soon(feed.reached(4))
    await feed.stop()


async def test_a_log_much_longer_is_fetched_to_its_end(
    feed: Feed, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CHUNK", 10)
    logged.length = 47
    feed.ring()

    await soon(feed.reached(47))
    assert positions(await feed.after(3, 100)) == list(range(4, 48))


async def test_one_look_is_enough_for_a_log_that_grows_all_the_time(
    feed: Feed, logged: Logged
) -> None:
    logged.grows = True
    feed.ring()
    await soon(feed.reached(4))
    for _ in range(50):
        await asyncio.sleep(0)

    assert logged.looks == 1


async def test_it_survives_a_database_that_is_away(
    feed: Feed, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.away, logged.length = True, 4
    feed.ring()
    await eventually(lambda: logged.looks == 1)
    logged.away = False
    feed.ring()

    await soon(feed.reached(4))


async def test_memory_is_bounded_and_older_commits_are_still_found(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 5)
    feed = Feed("tills", logged.fetch, logged.head)
    await feed.start()
    feed.push([commit(n) for n in range(4, 20)])
    logged.length = 19

    assert positions(await feed.after(3, 100)) == list(range(4, 20))
    assert logged.looks == 1
    assert positions(await feed.after(14, 100)) == [15, 16, 17, 18, 19]
    assert logged.looks == 1
    await feed.stop()


async def catch_up(feed: Feed, until: int, limit: int) -> list[Commit]:
    """What a reader that begins at the beginning is given."""
    given: list[Commit] = []
    while len(given) < until:
        given += await soon(feed.after(len(given), limit))
    return given


async def test_readers_that_catch_up_together_are_given_the_same_commits_fetched_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "CHUNK", 100)
    logged = Logged(730)
    feed = Feed("tills", logged.fetch, logged.head)
    await feed.start()
    first, *others = await asyncio.gather(*(catch_up(feed, 730, limit) for limit in (100, 70, 33)))

    assert positions(first) == list(range(1, 731))
    for given in others:
        assert all(one is same for one, same in zip(first, given, strict=True))
    assert logged.looks == 8
    await feed.stop()


async def test_of_the_past_only_a_few_windows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "CHUNK", 10)
    feed = Feed("tills", (logged := Logged(1000)).fetch, logged.head)
    await feed.start()
    await catch_up(feed, 1000, 10)

    assert len(feed._windows) == feeds.WINDOWS
    await feed.stop()


async def test_a_window_that_could_not_be_fetched_is_fetched_again(
    feed: Feed, logged: Logged
) -> None:
    logged.away = True
    with pytest.raises(OSError, match="away"):
        await feed.after(0, 10)
    logged.away = False

    assert positions(await soon(feed.after(0, 10))) == [1, 2, 3]


async def test_what_was_fetched_of_a_window_before_it_was_full_hides_nothing(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 2)
    feed = Feed("tills", logged.fetch, logged.head)
    await feed.start()
    assert positions(await feed.after(0, 100)) == [1, 2, 3]
    logged.length = 9
    feed.push([commit(n) for n in range(4, 10)])

    assert positions(await soon(feed.after(3, 100))) == [4, 5, 6, 7, 8, 9]
    await feed.stop()


async def test_what_comes_early_for_very_long_is_not_kept_for_ever(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 5)
    feed.push([commit(n) for n in range(10, 30)])

    assert len(feed._early) <= 5
