"""Views: a fold of events into documents, guarded by position, equal to a rebuild from scratch.

On the real mongod: mongomock cannot write in bulk with this driver.
"""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from bus import views
from bus.commits import Commit, Meta, Recorded, Write
from bus.messages import Event, Model, now
from bus.views import Documents, Stored, View, ViewWork
from tests.bus.tills import Paid, Received


class Sheet(Model):
    """What a till's sheet shows."""

    balance: int = 0
    amounts: tuple[int, ...] = ()


def evolve(sheet: Sheet | None, event: Received | Paid) -> Sheet:
    sheet = sheet or Sheet()
    sign = 1 if isinstance(event, Received) else -1
    return Sheet(
        balance=sheet.balance + sign * event.amount,
        amounts=(*sheet.amounts, sign * event.amount),
    )


SHEETS = View(
    "sheets",
    1,
    Sheet,
    {Received: lambda event: event.till, Paid: lambda event: event.till},
    evolve,
    indexes=[[("doc.balance", 1), ("first", -1)]],
)


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
    monkeypatch.setattr(views, "QUICK", 0)
    monkeypatch.setattr(views, "CALM", 0)


@pytest.fixture
def documents(real: Any) -> Documents[Sheet]:
    documents = Documents(SHEETS, real)
    documents.make_indexes()
    return documents


async def started(documents: Documents[Sheet], position: int = 0) -> ViewWork[Sheet]:
    """The work of a process that has just got the lease."""
    work = ViewWork(documents)
    await work.begin(position)
    return work


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


async def test_who_wants_to_know_hears_what_was_written(documents: Documents[Sheet]) -> None:
    heard: list[str] = []

    async def written(changed: Any) -> None:
        heard.extend(stored.id for stored in changed)

    work = ViewWork(documents, written)
    await work.begin(0)
    await work.take(log_of([("a", 1)], [("b", 1)], [("a", 1)]))

    assert sorted(heard) == ["a", "b"]


async def test_documents_are_found_newest_first(documents: Documents[Sheet]) -> None:
    await (await started(documents)).take(log_of(*([(str(n), n % 2)] for n in range(6))))
    found = await documents.find({"doc.balance": 1}, limit=2)

    assert [stored.id for stored in found] == ["5", "3"]
    assert await documents.get_many([]) == {}


async def test_another_version_is_built_beside_the_old_one(
    documents: Documents[Sheet], real: Any
) -> None:
    newer = Documents(View("sheets", 2, Sheet, SHEETS.ids, evolve), real)
    await (await started(documents)).take(log_of([("a", 1)]))

    assert newer.key == "sheets:v2"
    assert await newer.get("a") is None


async def test_a_full_memory_is_no_loss(
    documents: Documents[Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "WARM", 2)
    work = await started(documents)
    for commit in log_of(*([(str(n % 5), 1)] for n in range(25))):
        await work.take([commit])

    assert [each.doc.balance for each in await documents.find({}, limit=9)] == [5] * 5


decisions = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 9)), min_size=1, max_size=3),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(decisions, st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=6))
def test_however_it_was_read_a_view_equals_its_rebuild(
    mongo: MongoClient[dict[str, Any]],
    log: list[list[tuple[str, int]]],
    spells: list[tuple[int, int]],
) -> None:
    """A spell of work begins anywhere behind what was stored, as after a crash."""
    commits = log_of(*log)

    async def play() -> tuple[Any, Any]:
        documents = Documents(SHEETS, database)
        done = 0
        for back, length in [*spells, (0, 99)]:
            begin = max(done - back, 0)
            work = await started(documents, begin)
            for position in range(begin, min(begin + length, len(commits)), 2):
                await work.take(commits[position : min(position + 2, begin + length)])
            done = max(done, work.done_to())
        rebuilt = Documents(View("sheets", 2, Sheet, SHEETS.ids, evolve), database)
        await (await started(rebuilt)).take(commits)
        return await documents.get_many("abc"), await rebuilt.get_many("abc")

    database = mongo[f"test{uuid4().hex[:12]}"]
    try:
        played, rebuilt = asyncio.run(play())
    finally:
        mongo.drop_database(database)
    assert played == rebuilt
