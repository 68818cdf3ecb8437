"""Snapshots spare replaying a long stream, and are believed only as far as they fit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from bus.log import Log
from bus.snapshots import EVERY, Shape
from bus.streams import Kind, Streams
from tests.bus.conftest import OpenLog
from tests.bus.tills import Received, Till, asked, evolve, receive
from tests.waiting import eventually, soon

SHAPE = Shape(Till)
tills = Kind("till", evolve, SHAPE)
TILL = tills("a")


@dataclass(frozen=True, slots=True)
class Tray:
    """A till of another release."""

    balance: int
    receipts: tuple[int, ...] = ()
    locked: bool = False


def lockable(tray: Tray | None, event: Received) -> Tray:
    """How that release folds."""
    return Tray((tray.balance if tray else 0) + event.amount)


@pytest.fixture
def database(real: Any) -> Any:
    """The real one's: mongomock's bulk writes do not go with this driver."""
    return real


async def filled(streams: Streams, count: int) -> None:
    """That many decisions on one till."""
    decided = (
        streams.decide(TILL, lambda _: receive("a", 1), asked("a", id=f"{n}")) for n in range(count)
    )
    await soon(asyncio.gather(*decided))


def kept(database: Any) -> Callable[[], Any]:
    """Looks for the snapshot of the till."""
    return lambda: database["snapshots"].find_one({"_id": TILL.name})


def replays(log: Log, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The streams that are read from now on, and from which version."""
    read, found = log.stream, []

    async def seen(name: str, after: int = 0) -> Any:
        found.append((name, after))
        return await read(name, after)

    monkeypatch.setattr(log, "stream", seen)
    return found


async def test_a_long_stream_is_replayed_from_its_last_snapshot(
    log: Log, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(Streams(log), EVERY + 20)
    at = (await eventually(kept(database)))["version"]
    assert EVERY <= at <= EVERY + 20

    read = replays(log, monkeypatch)
    loaded = await Streams(log).load(TILL)
    assert loaded == (Till(EVERY + 20, (1,) * (EVERY + 20)), EVERY + 20)
    assert read == [(TILL.name, at)]


async def test_a_short_stream_has_none(log: Log, database: Any) -> None:
    await filled(Streams(log), EVERY - 1)
    await log.snapshots.close()
    assert kept(database)() is None


async def test_a_stream_that_grew_without_any_has_one_when_it_was_replayed(
    log: Log, database: Any
) -> None:
    plain = Streams(log)
    for n in range(EVERY):
        await plain.decide(
            Kind("till", evolve)("a"), lambda _: receive("a", 1), asked("a", id=f"{n}")
        )
    assert kept(database)() is None
    await Streams(log).load(TILL)
    assert (await eventually(kept(database)))["version"] == EVERY


async def test_another_process_that_hears_of_the_stream_keeps_them_too(
    real: Any, open_log: OpenLog
) -> None:
    here, there = Streams(open_log(real)), Streams(open_log(real))
    await there.load(TILL)
    await here.decide_all([TILL], lambda _: [], asked("a"))
    for n in range(EVERY):
        plain = Kind("till", evolve)("a")
        await here.decide(plain, lambda _: receive("a", 1), asked("a", id=f"{n}"))
    there.saw(await there.log.read(0))
    assert (await eventually(kept(real)))["version"] == EVERY


@pytest.mark.parametrize(
    "other",
    [
        Kind("till", evolve, Shape(Till, rules=2)),
        Kind("till", lockable, Shape(Tray)),
    ],
    ids=["rules", "shape"],
)
async def test_what_another_release_kept_is_passed_over(
    other: Kind[Any], log: Log, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(Streams(log), EVERY)
    before = await eventually(kept(database))

    read = replays(log, monkeypatch)
    state, version = await Streams(log).load(other("a"))
    assert state is not None
    assert (state.balance, version) == (EVERY, EVERY)
    assert read == [(TILL.name, 0)]
    assert await eventually(lambda: kept(database)()["stamp"] != before["stamp"])


async def test_a_log_restored_without_its_snapshots_is_believed(log: Log, database: Any) -> None:
    await filled(Streams(log), EVERY + 20)
    await eventually(kept(database))
    await log.snapshots.close()
    database["log"].delete_many({"_id": {"$gt": EVERY - 50}})
    loaded = await Streams(log).load(TILL)
    assert loaded == (Till(EVERY - 50, (1,) * (EVERY - 50)), EVERY - 50)


async def test_what_cannot_be_read_is_passed_over(log: Log, database: Any) -> None:
    await filled(Streams(log), EVERY)
    await eventually(kept(database))
    database["snapshots"].update_one({"_id": TILL.name}, {"$set": {"state": b"{}"}})
    assert (await Streams(log).load(TILL)).version == EVERY


async def test_one_that_cannot_be_written_is_missed_by_nobody(
    log: Log, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def away(writes: Any, ordered: bool) -> None:
        tried.append(len(writes))
        raise AutoReconnect("away")

    streams = Streams(log)
    with monkeypatch.context() as patch:
        patch.setattr(log.snapshots._collection, "bulk_write", away)
        await filled(streams, EVERY)
        await eventually(lambda: tried)
    assert kept(database)() is None
    for n in range(EVERY):
        await streams.decide(TILL, lambda _: receive("a", 1), asked("a", id=f"more {n}"))
    assert (await eventually(kept(database)))["version"] >= 2 * EVERY


def test_a_stamp_tells_shapes_and_rules_apart() -> None:
    stamps = {Shape(Till).stamp, Shape(Till, rules=2).stamp, Shape(Tray).stamp}
    assert len(stamps) == 3
    assert Shape(Till).stamp == SHAPE.stamp
