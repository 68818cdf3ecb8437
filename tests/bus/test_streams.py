"""Decisions on streams: speculation, conflicts, repetition and the warm cache."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from bus.commits import Commit
from bus.feed import Feed
from bus.messages import Event, Invalid, Refused, Stale, TooLarge
from bus.streams import Happening, States, Streams
from tests.bus.conftest import OpenLog
from tests.bus.meddling import Gate
from tests.bus.tills import Received, Till, asked, pay, receive, tills
from tests.waiting import soon


def put(streams: Streams, till: str, amount: int = 1, **known: Any) -> Any:
    """Decide to put money into a till."""
    return streams.decide(tills(till), lambda _: receive(till, amount), asked(till, **known))


def take(streams: Streams, till: str, amount: int = 1, **known: Any) -> Any:
    """Decide to take money out of a till."""
    return streams.decide(tills(till), lambda state: pay(till, state, amount), asked(till, **known))


def groups(streams: Streams) -> list[int]:
    """How many decisions each insert has carried."""
    collection: Any = streams.log.collection
    found: list[int] = collection.groups
    return found


async def queued(streams: Streams, work: Any) -> asyncio.Task[Any]:
    """Start a decision, and let it come as far as it gets."""
    task: asyncio.Task[Any] = asyncio.ensure_future(work)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


@pytest.fixture
async def other(real: Any, open_log: OpenLog) -> Streams:
    """Another process on the same log."""
    return Streams(open_log(real))


@pytest.fixture
async def fed(streams: Streams) -> AsyncIterator[Feed]:
    """What tells `streams` of the commits of others; it looks when it is rung, or by and by."""
    feed = Feed("tills", streams.log.read, streams.log.head)
    feed.listen(streams.saw)
    await feed.start()
    yield feed
    await feed.stop()


async def test_a_decision_is_made_on_what_happened_before(streams: Streams) -> None:
    await put(streams, "a", 5)
    decided = await take(streams, "a", 2)

    assert decided.state == Till(3, (5,))
    assert (decided.version, decided.commit.position, decided.repeated) == (2, 2, False)
    assert await Streams(streams.log).load(tills("a")) == (Till(3, (5,)), 2)


async def test_queued_decisions_on_one_stream_go_out_in_one_group(
    real: Any, open_log: OpenLog
) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    first = await queued(streams, put(streams, "b"))
    await asyncio.to_thread(gate.reached)
    await streams.load(tills("a"))
    all_of_them = [await queued(streams, put(streams, "a", amount)) for amount in range(100)]
    gate.open()
    decided = await soon(asyncio.gather(*all_of_them))
    await first

    assert groups(streams) == [1, 100]
    assert [each.version for each in decided] == list(range(1, 101))
    assert decided[-1].state.receipts == tuple(range(100))
    assert [event.amount for event, _ in await streams.log.stream("till-a")] == list(range(100))  # type: ignore[attr-defined]


async def test_each_decision_answers_with_the_state_it_made(real: Any, open_log: OpenLog) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    tasks = [await queued(streams, put(streams, "a", amount)) for amount in (1, 2, 3)]
    gate.open()

    assert [each.state.balance for each in await soon(asyncio.gather(*tasks))] == [1, 3, 6]


async def test_when_one_fails_those_behind_it_are_decided_again(
    real: Any, open_log: OpenLog
) -> None:
    there = Streams(open_log(real))
    await put(there, "a", 10)
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    await take(there, "a", 8)  # `streams` does not know
    seen: list[Till | None] = []

    def drain(state: Till | None) -> Sequence[Event]:
        seen.append(state)
        return pay("a", state, 1)

    tasks = [await queued(streams, streams.decide(tills("a"), drain, asked("a"))) for _ in range(3)]
    gate.open()
    outcomes = await soon(asyncio.gather(*tasks, return_exceptions=True))

    assert [type(each).__name__ for each in outcomes] == ["Decided", "Decided", "Refused"]
    assert [state.balance for state in seen[:3] if state] == [10, 9, 8]  # what it believed at first
    assert (await streams.load(tills("a"))) == (Till(0, (10,)), 4)


async def test_a_refusal_waits_for_what_it_was_based_on(real: Any, open_log: OpenLog) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    first = await queued(streams, put(streams, "a", 5))
    takes_all = await queued(streams, take(streams, "a", 5))
    refused = await queued(streams, take(streams, "a", 1))
    assert not refused.done()
    gate.open()

    with pytest.raises(Refused):
        await soon(refused)
    assert first.done()
    assert takes_all.done()


async def test_a_refusal_based_on_what_failed_is_no_refusal(real: Any, open_log: OpenLog) -> None:
    there = Streams(open_log(real))
    await put(there, "a", 5)
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    await put(there, "a", 5)
    takes_all = await queued(streams, take(streams, "a", 5))  # will conflict
    hopes = await queued(streams, take(streams, "a", 5))
    assert not hopes.done()
    gate.open()

    assert (await soon(hopes)).commit is not None
    assert (await soon(takes_all)).commit is not None
    assert await streams.load(tills("a")) == (Till(0, (5, 5)), 4)


async def test_a_refusal_based_on_what_was_too_large_is_made_again_and_gets_its_own_error(
    real: Any, open_log: OpenLog
) -> None:
    await put(Streams(open_log(real)), "a", 1)
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    first = await queued(streams, put(streams, "b", 1))
    large = [Received(till="a", amount=1, note="x" * 100_000)]
    fails = await queued(streams, streams.decide(tills("a"), lambda _: large, asked("a")))
    refused = await queued(streams, take(streams, "a", 5))
    gate.open()

    with pytest.raises(TooLarge):
        await soon(fails)
    with pytest.raises(Refused) as error:
        await soon(refused)
    assert not isinstance(error.value, TooLarge)
    assert (await soon(first)).commit is not None
    assert await streams.load(tills("a")) == (Till(1, (1,)), 1)


async def test_nothing_to_do_waits_for_what_it_was_based_on(real: Any, open_log: OpenLog) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    first = await queued(streams, put(streams, "a", 5))
    nothing = await queued(streams, streams.decide(tills("a"), lambda _: [], asked("a")))
    assert not nothing.done()
    gate.open()
    decided = await soon(nothing)

    assert (decided.commit, decided.version, decided.state) == (None, 1, Till(5, (5,)))
    assert first.done()


async def test_a_refusal_upon_what_another_process_has_made_old_is_decided_again(
    real: Any, open_log: OpenLog
) -> None:
    here, there = Streams(open_log(real)), Streams(open_log(real))
    await put(here, "a", 1)
    await put(there, "a", 4)  # of which nobody has told

    assert (await take(here, "a", 5)).state == Till(0, (1, 4))


async def test_nothing_to_do_upon_what_another_process_has_made_old_is_decided_again(
    real: Any, open_log: OpenLog
) -> None:
    here, there = Streams(open_log(real)), Streams(open_log(real))
    await put(here, "a", 1)
    await put(there, "a", 4)

    def take_the_four(till: Till | None) -> list[Event]:
        return pay("a", till, 4) if till and 4 in till.receipts else []

    decided = await here.decide(tills("a"), take_the_four, asked("a"))
    assert (decided.state, decided.version) == (Till(1, (1, 4)), 3)


async def test_several_streams_are_decided_in_one_commit(streams: Streams) -> None:
    await put(streams, "a", 5)

    def move(states: States) -> list[Happening]:
        events = pay("a", states[tills("a")], 3)
        return [*((tills("a"), event) for event in events), (tills("b"), receive("b", 3)[0])]

    commit = await streams.decide_all([tills("a"), tills("b"), tills("c")], move, asked())

    assert commit is not None
    assert [tuple(write) for write in commit.writes] == [("till-a", 2), ("till-b", 1)]
    assert await streams.load_all([tills("a"), tills("b"), tills("c")]) == [
        Till(2, (5,)),
        Till(3, (3,)),
        None,
    ]


async def test_a_stream_named_twice_is_written_once(streams: Streams) -> None:
    commit = await streams.decide_all(
        [tills("a"), tills("a")],
        lambda _: [(tills("a"), receive("a", 1)[0]), (tills("a"), receive("a", 2)[0])],
        asked(),
    )

    assert commit is not None
    assert [tuple(write) for write in commit.writes] == [("till-a", 1)]
    assert await streams.load(tills("a")) == (Till(3, (1, 2)), 1)


async def test_a_decision_over_several_streams_that_is_refused_writes_none(
    streams: Streams,
) -> None:
    def refuse(states: States) -> list[Happening]:
        raise Refused("no", "not now")

    with pytest.raises(Refused):
        await streams.decide_all([tills("a"), tills("b")], refuse, asked())
    assert await streams.log.head() == 0


async def test_a_stale_if_match_is_refused(streams: Streams) -> None:
    await put(streams, "a")
    assert (await put(streams, "a", if_version=1)).version == 2
    with pytest.raises(Stale) as stale:
        await put(streams, "a", if_version=1)

    assert stale.value.details == {"version": 2}
    assert await streams.log.head() == 2


async def test_of_two_with_the_same_if_match_one_is_stale(streams: Streams) -> None:
    await put(streams, "a")
    outcomes = await asyncio.gather(
        *(put(streams, "a", if_version=1) for _ in range(2)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["Decided", "Stale"]


async def test_an_if_match_on_what_another_process_wrote_is_not_stale(
    streams: Streams, other: Streams
) -> None:
    await put(streams, "a")
    await put(other, "a")  # answered with ETag 2, which `streams` has not heard of

    assert (await put(streams, "a", if_version=2)).version == 3


async def test_the_same_key_and_body_answer_with_the_first_commit(streams: Streams) -> None:
    first = await put(streams, "a", id="key", fingerprint="body")
    await put(streams, "a")
    again = await put(streams, "a", id="key", fingerprint="body")

    assert (again.repeated, again.commit) == (True, first.commit)
    assert await streams.load(tills("a")) == (Till(2, (1, 1)), 2)


async def test_what_is_repeated_under_its_key_finds_what_was_decided_upon(
    streams: Streams,
) -> None:
    first = await put(streams, "a", id="key", fingerprint="body")
    await put(streams, "a")
    await put(streams, "a", id="reader's")
    again = await put(streams, "a", id="key", fingerprint="body")
    late = await put(streams, "a", id="reader's")

    assert (again.state, again.version) == (first.state, first.version) == (Till(1, (1,)), 1)
    assert late.repeated
    assert late.version == 3, "a reader goes on from what is"


async def test_the_same_key_and_body_at_once_are_decided_once(streams: Streams) -> None:
    both = await asyncio.gather(
        *(put(streams, "a", id="key", fingerprint="body") for _ in range(2))
    )

    assert sorted(each.repeated for each in both) == [False, True]
    assert both[0].commit == both[1].commit
    assert await streams.log.head() == 1


async def test_the_same_key_with_another_body_is_invalid(streams: Streams) -> None:
    await put(streams, "a", id="key", fingerprint="body")
    with pytest.raises(Invalid, match="Idempotency-Key"):
        await put(streams, "a", id="key", fingerprint="another")
    with pytest.raises(Invalid, match="Idempotency-Key"):
        await streams.decide(tills("a"), lambda _: [], asked(id="key", fingerprint="another"))


async def test_a_repeated_request_is_answered_though_the_rules_refuse_it_now(
    streams: Streams,
) -> None:
    await put(streams, "a", 5)
    first = await take(streams, "a", 5, id="key", fingerprint="body")
    again = await take(streams, "a", 5, id="key", fingerprint="body")

    assert (again.repeated, again.commit) == (True, first.commit)


async def test_a_refusal_commits_nothing_so_its_key_may_be_tried_again(streams: Streams) -> None:
    with pytest.raises(Refused):
        await take(streams, "a", 5, id="key", fingerprint="body")
    await put(streams, "a", 5)

    assert not (await take(streams, "a", 5, id="key", fingerprint="body")).repeated


async def test_a_command_decided_by_another_process_is_answered_not_refused(
    streams: Streams, other: Streams
) -> None:
    """Both were sent the same command, with no key: a reader's, say. One was faster."""
    await put(streams, "a", 5)
    await streams.load(tills("a"))
    first = await take(other, "a", 5, id="derived")
    again = await take(streams, "a", 5, id="derived")

    assert (again.repeated, again.commit) == (True, first.commit)


async def test_cancelling_who_waits_does_not_cancel_the_append(
    real: Any, open_log: OpenLog
) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    waits = await queued(streams, put(streams, "a", id="key"))
    await asyncio.to_thread(gate.reached)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    behind = await queued(streams, put(streams, "a"))
    gate.open()

    assert waits.cancelled()
    assert (await soon(behind)).version == 2
    assert await streams.log.find("key") is not None


async def test_cancelling_who_loads_first_leaves_the_others_their_state(streams: Streams) -> None:
    await put(streams, "a", 5)
    cold = Streams(streams.log)
    first, second = (asyncio.create_task(cold.load(tills("a"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await soon(second) == (Till(5, (5,)), 1)


async def test_a_full_cache_evicts_only_what_is_not_queued(real: Any, open_log: OpenLog) -> None:
    streams = Streams(open_log(real, gate := Gate()), warm=3)
    await streams.load(tills("hot"))
    first = await queued(streams, put(streams, "hot", 5))
    for number in range(20):  # reads push out what they can
        await streams.load(tills(f"other-{number}"))
    second = await queued(streams, put(streams, "hot", 6))
    gate.open()

    assert (await soon(first)).version == 1
    assert (await soon(second)).state == Till(11, (5, 6))
    assert sum(groups(streams)) == 2  # nothing conflicted
    for number in range(20):
        await streams.load(tills(f"other-{number}"))
    assert len(streams._memory._kept) == 3


async def test_a_stream_thought_new_that_exists_is_decided_upon_as_it_is(
    streams: Streams, other: Streams
) -> None:
    await put(other, "a", 5)
    decided = await streams.decide(
        tills("a"), lambda till: receive("a", 1 if till is None else 2), asked(), new=True
    )

    assert (decided.version, decided.state) == (2, Till(7, (5, 2)))


@pytest.mark.parametrize("failure", ["refused", "nothing", "too large", "bug"])
async def test_a_stream_thought_new_is_not_forgotten_when_nothing_comes_of_it(
    failure: str, streams: Streams, other: Streams
) -> None:
    await put(other, "a", 5)

    def decision(till: Till | None) -> Sequence[Event]:
        match failure:
            case "refused":
                raise Refused("no", "no")
            case "nothing":
                return []
            case "too large":
                return [Received(till="a", amount=1, note="x" * 100_000)]
            case _:
                raise KeyError("a mistake")

    with suppress(Refused, TooLarge, KeyError):
        await streams.decide(tills("a"), decision, asked(), new=True)

    assert await streams.load(tills("a")) == (Till(5, (5,)), 1)


async def test_commits_of_others_are_seen_through_the_feed(
    streams: Streams, other: Streams, fed: Feed
) -> None:
    await put(streams, "a", 5)
    await put(other, "a", 2)
    fed.ring()
    await soon(fed.reached(2))

    assert await streams.load(tills("a")) == (Till(7, (5, 2)), 2)


async def test_the_newest_is_known_before_anybody_has_told(
    streams: Streams, other: Streams
) -> None:
    assert await streams.newest(tills("a")) == (None, 0)
    await put(streams, "a", 5)
    await put(other, "a", 2)
    await put(other, "b", 1)
    assert await streams.load(tills("a")) == (Till(5, (5,)), 1)

    assert await streams.newest(tills("a")) == (Till(7, (5, 2)), 2)
    assert await streams.newest(tills("b")) == (Till(1, (1,)), 1)


async def test_however_many_want_the_newest_each_stream_is_loaded_once_and_they_look_together(
    streams: Streams, other: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    for till in "abcde":
        await put(streams, till)
        await put(other, till)
    loads, looks = [], []
    load, look = streams._memory._read, streams.log.outgrown

    async def counted_load(name: str, after: int) -> list[tuple[Event, int]]:
        loads.append(name)
        return await load(name, after)

    async def counted_look(known: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        looks.append(known)
        return await look(known)

    monkeypatch.setattr(streams._memory, "_read", counted_load)
    monkeypatch.setattr(streams.log, "outgrown", counted_look)
    found = await asyncio.gather(*(streams.newest(tills(till)) for till in "abcde" * 20))

    assert found == [(Till(2, (1, 1)), 2)] * 100
    assert sorted(loads) == [f"till-{till}" for till in "abcde"]
    assert len(looks) <= 1 + 5  # the first finds all outgrown; then each once more, as it is loaded


def reads(streams: Streams) -> list[tuple[str, int]]:
    """Which streams are read from the log from now on, and from behind which version."""
    found: list[tuple[str, int]] = []
    read = streams._memory._read

    async def counted(name: str, after: int) -> list[tuple[Event, int]]:
        found.append((name, after))
        return await read(name, after)

    streams._memory._read = counted
    return found


async def test_what_others_write_is_taken_in_as_it_is_heard_without_reading_the_log(
    streams: Streams, other: Streams, fed: Feed
) -> None:
    await put(streams, "a", 5)
    found = reads(streams)
    await put(other, "a", 2)
    await put(other, "a", 3)
    fed.ring()
    await soon(fed.reached(3))

    assert (await take(streams, "a", 10)).state == Till(0, (5, 2, 3))
    assert found == []


async def test_after_a_conflict_only_what_is_new_is_read(streams: Streams, other: Streams) -> None:
    for _ in range(3):
        await put(streams, "a")
    await put(other, "a")
    found = reads(streams)

    assert (await put(streams, "a")).version == 5
    assert found == [("till-a", 3)]


async def test_who_finds_others_in_the_way_hears_what_they_wrote_and_loses_no_time(
    real: Any, open_log: OpenLog, other: Streams
) -> None:
    heard: list[Commit] = []

    def hear(commits: list[Commit]) -> None:
        heard.extend(commits)
        streams.saw(commits)

    streams = Streams(open_log(real, gate := Gate(), on_others=hear))
    for till in "abcde":
        await streams.load(tills(till))
    first = await queued(streams, put(streams, "f"))
    await asyncio.to_thread(gate.reached)
    for till in "abcd":
        await put(other, till)
    found = reads(streams)
    all_of_them = [await queued(streams, put(streams, till)) for till in "abcde"]
    gate.open()
    decided = await soon(asyncio.gather(first, *all_of_them))

    assert [each.version for each in decided] == [1, 2, 2, 2, 2, 1]
    assert [commit.position for commit in heard] == [1, 2, 3, 4]
    assert found == []
    assert sum(groups(streams)) == 1 + 1 + 5  # who has lost is never sent as it was


async def test_what_others_write_is_taken_in_while_a_decision_is_queued_that_will_conflict(
    real: Any, open_log: OpenLog, other: Streams
) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    await put(other, "a", 5)
    found = reads(streams)
    queued_up = [await queued(streams, put(streams, "a", amount)) for amount in (1, 2)]
    streams.saw(await other.log.read(0))
    gate.open()

    assert [(await soon(each)).version for each in queued_up] == [2, 3]
    assert await streams.load(tills("a")) == (Till(8, (5, 1, 2)), 3)
    assert found == []


async def test_a_commit_seen_while_its_stream_is_loaded_is_not_lost(
    streams: Streams, other: Streams
) -> None:
    await put(other, "a", 5)
    commits = await streams.log.read(0)
    read = streams.log.stream
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def slow(name: str, after: int) -> Any:
        found = await read(name, after)
        under_way.set()
        await go_on.wait()
        return found

    streams._memory._read = slow
    loading = asyncio.create_task(streams.load(tills("a")))
    await soon(under_way.wait())
    await put(other, "a", 2)
    commits = await streams.log.read(0)
    streams.saw(commits)
    go_on.set()

    await soon(loading)
    assert await soon(streams.load(tills("a"))) == (Till(7, (5, 2)), 2)


async def test_who_waits_for_a_change_wakes_up_at_ones_own_commit(
    streams: Streams, fed: Feed
) -> None:
    await put(streams, "a")
    waits = await queued(streams, streams.changed(tills("a"), 1))
    assert not waits.done()
    await put(streams, "b")
    decided = await put(streams, "a")
    fed.push([decided.commit])
    fed.ring()

    await soon(waits)
    await soon(streams.changed(tills("a"), 1))  # it has changed already


async def test_who_waits_for_a_change_wakes_up_at_the_commit_of_another(
    streams: Streams, other: Streams, fed: Feed
) -> None:
    waits = await queued(streams, streams.changed(tills("a"), 0))
    await put(other, "a")

    await soon(waits)
    assert await streams.load(tills("a")) == (Till(1, (1,)), 1)


async def test_who_stops_waiting_for_a_change_leaves_nothing_behind(streams: Streams) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await soon(streams.changed(tills("a"), 0), within=0.01)

    assert not streams._watched


async def test_a_change_is_not_announced_before_it_is_committed(
    real: Any, open_log: OpenLog
) -> None:
    streams = Streams(open_log(real, gate := Gate()))
    await streams.load(tills("a"))
    puts = await queued(streams, put(streams, "a"))
    waits = await queued(streams, streams.changed(tills("a"), 0))
    assert not waits.done()
    gate.open()
    decided = await soon(puts)
    streams.saw([decided.commit])
    await soon(waits)


async def test_a_state_is_told_as_of_any_position(streams: Streams) -> None:
    for amount in (1, 2, 3):
        await put(streams, "a", amount)
        await put(streams, "b", amount)

    assert await streams.as_of(tills("a"), 0) == (None, 0)
    assert await streams.as_of(tills("a"), 3) == (Till(3, (1, 2)), 2)
    assert await streams.as_of(tills("a"), 4) == (Till(3, (1, 2)), 2)
    assert await streams.as_of(tills("a"), 99) == (Till(6, (1, 2, 3)), 3)


async def test_many_processes_on_one_hot_stream_all_get_their_turn(
    streams: Streams, other: Streams
) -> None:
    await asyncio.gather(*(put(each, "a") for each in (streams, other) for _ in range(50)))

    found = await Streams(streams.log).load(tills("a"))
    assert found == (Till(100, (1,) * 100), 100)
