"""Views: a fold of events into documents, guarded by position, equal to a rebuild from scratch.

On the real mongod: mongomock cannot write in bulk with this driver.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from bus import keeping
from bus.cache import Cache, Entry
from bus.commits import Commit, Meta, Recorded, Write
from bus.keeping import ViewWork, rest
from bus.messages import Event, now
from bus.partitions import PARTITIONS, partition_of
from bus.views import Documents, Stored
from tests.bus.sheets import SHEETS, Sheet
from tests.bus.tills import Paid, Received


def log_of(*decisions: list[tuple[str, int]]) -> list[Commit]:
    """A log in which each decision puts amounts (or takes, below 0) into tills."""
    versions: dict[str, int] = {}
    commits = []
    for position, decision in enumerate(decisions, start=1):
        for till in {till for till, _ in decision}:
            versions[till] = versions.get(till, 0) + 1
        events = tuple(
            Recorded(happened(till, amount), f"till-{till}", versions[till])
            for till, amount in decision
        )
        writes = tuple(Write(f"till-{till}", versions[till]) for till in {t for t, _ in decision})
        meta = Meta("c", None, "system:test", None, None)
        commits.append(Commit(position, f"c{position}", writes, events, now(), meta))
    return commits


def happened(till: str, amount: int) -> Event:
    return (
        Received(till=till, amount=amount) if amount >= 0 else Paid(till=till, amount=abs(amount))
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "QUICK", 0)
    monkeypatch.setattr(keeping, "CALM", 0)


@pytest.fixture
def documents(real: Any) -> Documents[Sheet]:
    documents = Documents(SHEETS, real)
    documents.make_indexes()
    return documents


class Torn(Exception):
    """The line to the database."""


class Fragile(Documents[Sheet]):
    """Documents whose writes break off, if they are told to."""

    breaks = "whole"

    async def put(self, documents: Sequence[Stored[Sheet]]) -> set[str]:
        if self.breaks == "torn before the write":
            raise Torn
        refused = await super().put(documents)
        if self.breaks == "torn after it":
            raise Torn
        return refused


ALL = range(PARTITIONS)


class Notes(Cache):
    """A cache of which is known what it was told."""

    def __init__(self) -> None:
        super().__init__(None, "notes")
        self.told: list[tuple[str, Entry]] = []

    async def put_all(self, entries: list[tuple[str, Entry]]) -> None:
        self.told += entries


def entry(till: str, version: int, position: int, balance: int) -> tuple[str, Entry]:
    """What is cached of a till's sheet."""
    return f"sheets:v1:{till}", Entry(version, position, "", str(balance).encode())


class Keeper:
    """A process that has just got the leases, of all partitions or some."""

    def __init__(self, documents: Documents[Sheet], partitions: Collection[int] = ALL) -> None:
        self.cached = Notes()
        self.work = ViewWork(documents, self.cached)
        self.partitions = partitions

    async def begin(self, position: int) -> None:
        for partition in self.partitions:
            await self.work.begin(partition, position)

    async def take(self, commits: Sequence[Commit]) -> None:
        await self.work.take(commits, self.partitions)

    def done_to(self) -> int:
        (position,) = {self.work.done_to(partition) for partition in self.partitions}
        assert {self.work.taken_to(partition) for partition in self.partitions} == {position}
        return position

    async def release(self) -> None:
        for partition in self.partitions:
            await self.work.release(partition)


async def started(
    documents: Documents[Sheet], position: int = 0, partitions: Collection[int] = ALL
) -> Keeper:
    keeper = Keeper(documents, partitions)
    await keeper.begin(position)
    return keeper


async def test_events_are_folded_into_documents(documents: Documents[Sheet]) -> None:
    work = await started(documents)
    await work.take(log_of([("a", 5)], [("b", 1), ("a", 2)], [("a", -3)]))

    assert work.done_to() == 3
    assert await documents.get("a") == Stored(
        "a", Sheet(balance=4, amounts=(5, 2, -3)), version=3, position=3, first=1
    )
    assert await documents.get("b") == Stored(
        "b", Sheet(balance=1, amounts=(1,)), version=1, position=2, first=2
    )
    assert await documents.get("c") is None


async def test_several_events_of_one_commit_all_count(documents: Documents[Sheet]) -> None:
    await (await started(documents)).take(log_of([("a", 5), ("a", 6)]))

    found = await documents.get("a")
    assert found
    assert found.doc.amounts == (5, 6)


async def test_a_document_goes_on_in_the_next_chunk(documents: Documents[Sheet]) -> None:
    commits = log_of([("a", 1)], [("a", 2)], [("a", 3)])
    work = await started(documents)
    for commit in commits[:2]:
        await work.take([commit])
    await (await started(documents, 2)).take(commits[2:])

    found = await documents.get("a")
    assert found
    assert (found.doc.amounts, found.first) == ((1, 2, 3), 1)


async def test_what_comes_twice_counts_once(documents: Documents[Sheet]) -> None:
    commits = log_of([("a", 1)], [("b", 1)], [("a", 2)], [("a", 3)])
    await (await started(documents)).take(commits)
    before = await documents.get_many(["a", "b"])
    again = await started(documents)  # its position was not stored
    await again.take(commits[:2])
    assert await documents.get_many(["a", "b"]) == before
    await again.take(commits[1:])

    assert await documents.get_many(["a", "b"]) == before


async def test_a_document_never_goes_back(documents: Documents[Sheet]) -> None:
    newer = Stored("a", Sheet(balance=2), version=2, position=7, first=1)
    await documents.put([newer])
    await documents.put(
        [
            Stored("a", Sheet(balance=1), version=1, position=6, first=1),
            Stored("b", Sheet(balance=9), version=1, position=8, first=8),
            Stored("a", Sheet(balance=3), version=2, position=7, first=1),
        ]
    )

    assert await documents.get("a") == newer
    found = await documents.get("b")
    assert found
    assert found.doc.balance == 9


async def test_a_past_owner_that_wakes_up_does_no_harm(documents: Documents[Sheet]) -> None:
    commits = log_of([("a", 1)], [("a", 2)], [("a", 3)])
    paused = await started(documents)
    await paused.take(commits[:1])
    await (await started(documents, 1)).take(commits[1:])
    before = await documents.get("a")
    await paused.take(commits[1:2])

    assert await documents.get("a") == before
    await paused.take(commits[2:])
    assert await documents.get("a") == before


async def test_what_stands_is_cached(documents: Documents[Sheet]) -> None:
    keeper = await started(documents)
    await keeper.take(log_of([("a", 1)], [("b", 2)], [("a", 3)]))

    assert sorted(keeper.cached.told) == [entry("a", 2, 3, 4), entry("b", 1, 2, 2)]


async def test_what_a_predecessor_wrote_but_could_not_cache_is_cached(
    documents: Documents[Sheet],
) -> None:
    commits = log_of([("a", 1)], [("a", 1)])
    await (await started(documents)).take(commits)  # and died before it cached it
    successor = await started(documents)
    await successor.take(commits[:1])

    assert successor.cached.told == [entry("a", 2, 2, 2)]


async def test_a_past_owner_caches_nothing_that_is_old(documents: Documents[Sheet]) -> None:
    commits = log_of([("a", 1)], [("a", 2)], [("a", 3)])
    paused = await started(documents)
    await paused.take(commits[:1])
    await (await started(documents, 1)).take(commits[1:])
    await paused.take(commits[1:2])

    assert paused.cached.told == [entry("a", 1, 1, 1), entry("a", 3, 3, 6)]


async def test_a_view_of_which_nothing_is_cached_tells_nothing(real: Any) -> None:
    quiet = replace(SHEETS, cached=None)
    keeper = await started(Documents(quiet, real))
    await keeper.take(log_of([("a", 1)]))

    assert keeper.cached.told == []


async def test_a_document_is_kept_by_the_owner_of_its_partition(
    documents: Documents[Sheet],
) -> None:
    commits = log_of([("a", 1), ("b", 2)], [("c", 3), ("a", 4)])
    partitions = {partition_of(till) for till in "abc"}
    assert len(partitions) == 3
    ours = await started(documents, partitions={partition_of("a")})
    theirs = await started(documents, partitions=set(ALL) - {partition_of("a")})
    await ours.take(commits)

    assert [stored.id for stored in await documents.find({}, limit=9)] == ["a"]
    await theirs.take(commits)
    found = await documents.get_many("abc")
    assert {id: stored.doc.amounts for id, stored in found.items()} == {
        "a": (1, 4),
        "b": (2,),
        "c": (3,),
    }


async def test_a_partition_that_comes_back_goes_on_from_what_others_wrote(
    documents: Documents[Sheet],
) -> None:
    commits = log_of(*([("a", n)] for n in range(1, 7)))
    ours, theirs = await started(documents), await started(documents, 2)
    await ours.take(commits[:2])
    await ours.release()
    assert ours.done_to() == 2  # from there others go on
    await theirs.take(commits[2:4])
    await ours.begin(4)
    await ours.take(commits[4:])

    found = await documents.get("a")
    assert found
    assert (found.doc.amounts, found.position) == ((1, 2, 3, 4, 5, 6), 6)


@pytest.mark.parametrize("breaks", ["torn before the write", "torn after it"])
@pytest.mark.parametrize("warm", [0, 1])
async def test_a_write_that_failed_is_made_again(real: Any, breaks: str, warm: int) -> None:
    """Whether or not it had taken effect, and whether or not the document was in memory."""
    documents = Fragile(SHEETS, real)
    commits = log_of([("a", 1)], [("a", 2), ("b", 3)], [("a", 4)])
    keeper = await started(documents)
    if warm:
        await keeper.take(commits[:warm])
    documents.breaks = breaks
    with pytest.raises(Torn):
        await keeper.take(commits[warm:2])
    assert keeper.done_to() == warm
    documents.breaks = "whole"
    await keeper.take(commits[warm:])

    assert keeper.done_to() == 3
    found = await documents.get_many("ab")
    assert {id: each.doc.amounts for id, each in found.items()} == {"a": (1, 2, 4), "b": (3,)}
    assert keeper.cached.told[-2:] == [entry("a", 3, 3, 7), entry("b", 1, 2, 3)]


async def test_who_is_cancelled_between_write_and_memory_goes_on_rightly(
    documents: Documents[Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = log_of([("a", 1)], [("a", 2)], [("a", 3)])
    keeper = await started(documents)
    await keeper.take(commits[:1])
    put, writing = documents.put, asyncio.Event()

    async def slow(stand: Sequence[Stored[Sheet]]) -> set[str]:
        await put(stand)
        writing.set()
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(documents, "put", slow)
        taking = asyncio.create_task(keeper.take(commits[1:2]))
        await writing.wait()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    assert keeper.done_to() == 1
    await keeper.take(commits[1:])

    found = await documents.get("a")
    assert found
    assert (found.doc.amounts, found.version) == ((1, 2, 3), 3)


def test_who_is_behind_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "QUICK", 1)
    monkeypatch.setattr(keeping, "CALM", 2)

    assert 1 < rest(1) < rest(100) < rest(keeping.MUCH) == 2
    assert rest(1000) == 0


async def test_documents_are_found_newest_first(documents: Documents[Sheet]) -> None:
    await (await started(documents)).take(log_of(*([(str(n), n % 2)] for n in range(6))))
    found = await documents.find({"doc.balance": 1}, limit=2)

    assert [stored.id for stored in found] == ["5", "3"]
    assert await documents.get_many([]) == {}


async def test_who_reads_while_another_build_takes_the_place_reads_that_one(real: Any) -> None:
    table, other = real["view_sheets_v1"], real["other"]
    for collection, balance in (table, 1), (other, 2):
        parts = {"doc": {"balance": balance}, "version": 1, "position": 1}
        collection.insert_many([{"_id": str(n), "first": n, **parts} for n in range(150)])

    class Switching(Documents[Sheet]):
        """Another build takes the place as soon as the first document has been read."""

        def read_all(self, found: Iterable[dict[str, Any]]) -> list[Stored[Sheet]]:
            def switched() -> Iterator[dict[str, Any]]:
                for row in found:
                    if "other" in real.list_collection_names():
                        other.rename(table.name, dropTarget=True)
                    yield row

            return super().read_all(switched())

    found = await Switching(SHEETS, real).find({}, limit=150)
    assert [stored.doc.balance for stored in found] == [2] * 150


async def test_another_version_is_built_beside_the_old_one(
    documents: Documents[Sheet], real: Any
) -> None:
    newer = Documents(replace(SHEETS, version=2), real)
    await (await started(documents)).take(log_of([("a", 1)]))

    assert newer.view.cache_key("a") != SHEETS.cache_key("a")
    assert await newer.get("a") is None


async def test_a_full_memory_is_no_loss(
    documents: Documents[Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "WARM", 2)
    work = await started(documents)
    for commit in log_of(*([(str(n % 5), 1)] for n in range(25))):
        await work.take([commit])

    assert [each.doc.balance for each in await documents.find({}, limit=9)] == [5] * 5


decisions = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-9, 9)), min_size=1, max_size=3),
    min_size=1,
    max_size=12,
)
spells = st.lists(
    st.tuples(
        st.sampled_from(["ours", "theirs"]),
        st.sets(st.sampled_from(ALL), min_size=1),
        st.integers(0, 4),  # commits that were done, but are not known to be
        st.integers(1, 6),
        st.sampled_from(["whole", "torn before the write", "torn after it"]),
    ),
    max_size=8,
)


@settings(max_examples=12)
@given(decisions, spells)
def test_however_it_was_read_a_view_equals_its_rebuild(
    mongo: MongoClient[dict[str, Any]], log: list[list[tuple[str, int]]], history: list[Any]
) -> None:
    """Two processes hold now these, now those partitions, for a spell each: from anywhere behind
    what was stored, as after a crash, and with a write that breaks off."""
    commits = log_of(*log)

    async def play() -> tuple[Any, Any]:
        documents = Fragile(SHEETS, database)
        keepers = {"ours": Keeper(documents), "theirs": Keeper(documents)}
        done = dict.fromkeys(ALL, 0)
        for who, partitions, back, length, end in [*history, ("ours", set(ALL), 0, 99, "whole")]:
            work = keepers[who].work
            for partition in sorted(partitions):
                position = max(done[partition] - back, 0)
                await work.begin(partition, position)
                for documents.breaks in (end, "whole"):
                    with suppress(Torn):
                        at = work.taken_to(partition)
                        await work.take(commits[at:][:length] or commits[-1:], {partition})
                done[partition] = max(done[partition], work.done_to(partition))
            for partition in partitions:
                await work.release(partition)
        rebuilt = Documents(replace(SHEETS, version=2), database)
        await (await started(rebuilt)).take(commits)
        return await documents.get_many("abcdef"), await rebuilt.get_many("abcdef")

    database = mongo[f"test{uuid4().hex[:12]}"]
    try:
        played, rebuilt = asyncio.run(play())
    finally:
        mongo.drop_database(database)
    assert played == rebuilt
