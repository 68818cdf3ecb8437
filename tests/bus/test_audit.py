"""What stands wrong in a log is found and told where; on the real mongod, beside a live writer
too."""

import asyncio
from functools import partial
from typing import Any

import pytest

from bus import audit as audits
from bus.audit import Audit, Fault
from bus.log import Log
from bus.messages import Event
from bus.streams import Streams
from bus.tasks import ended
from tests.bus.conftest import OpenLog
from tests.bus.tills import EVENTS, append, asked, receive, tills
from tests.waiting import soon

COMMITS = 12
"""Of which every third writes two tills."""


@pytest.fixture
async def log(real: Any, open_log: OpenLog) -> Log:
    """A log of `COMMITS` commits on two tills: `b` has a version for each of them, `a` for every
    third."""
    log = open_log(real)
    for n in range(1, COMMITS + 1):
        also = [("a", n // 3)] if n % 3 == 0 else []
        await append(log, ("b", n), *also, id=f"c{n}").outcome
    return log


def audited(log: Log) -> Audit:
    audit = Audit(log)
    audit.run()
    return audit


def found(log: Log) -> list[str]:
    """What an audit tells of a log."""
    audit = audited(log)
    assert audit.count == len(audit.faults)
    return [str(fault) for fault in audit.faults]


def change(real: Any, position: int, field: str, value: Any) -> None:
    done = real["log"].update_one({"_id": position}, {"$set": {field: value}})
    assert done.modified_count == 1


async def test_a_sound_log_has_no_fault(log: Log) -> None:
    audit = audited(log)
    assert (audit.commits, audit.count, audit.faults) == (COMMITS, 0, [])


async def test_an_empty_log_has_no_fault(real: Any, open_log: OpenLog) -> None:
    audit = audited(open_log(real))
    assert (audit.commits, audit.count) == (0, 0)


def test_a_log_that_was_never_opened_has_no_fault(real: Any) -> None:
    audit = audited(Log("tills", real, EVENTS))
    assert (audit.commits, audit.count) == (0, 0)


async def test_missing_commits_are_found_and_what_their_streams_lack(log: Log, real: Any) -> None:
    real["log"].delete_many({"_id": {"$in": [4, 5, 9]}})
    assert found(log) == [
        "position 4: is missing, and so are 1 behind it",
        "position 6, till-b version 6: there is no version 4 before it",
        "position 9: is missing",
        "position 10, till-b version 10: there is no version 9 before it",
        "position 12, till-a version 4: there is no version 3 before it",
    ]


@pytest.mark.parametrize("index", ["command", "writes"])
async def test_a_lost_index_is_found_and_what_rests_on_it_looked_at_all_the_same(
    log: Log, real: Any, index: str
) -> None:
    real["log"].drop_index(index)
    (told,) = found(log)
    assert told.startswith(f"index {index}: nothing keeps {index}")


async def test_an_index_that_is_not_unique_is_no_index(log: Log, real: Any) -> None:
    real["log"].drop_index("command")
    real["log"].create_index("command", name="command")
    (fault,) = audited(log).faults
    assert fault.where == "index command"


async def test_a_command_that_was_decided_again_is_found(log: Log, real: Any) -> None:
    real["log"].drop_index("command")
    for position in (7, 11):
        change(real, position, "command", "c2")
    assert found(log)[1:] == [
        "position 7, command c2: was decided before, at position 2",
        "position 11, command c2: was decided before, at position 2",
    ]


async def test_a_version_that_stands_twice_is_found(log: Log, real: Any) -> None:
    real["log"].drop_index("writes")
    change(real, 8, "writes.0.version", 7)
    assert found(log)[1:] == [
        "position 8, till-b version 7: stands at position 7 too",
        "position 9, till-b version 9: there is no version 8 before it",
    ]


async def test_a_version_that_came_too_early_is_found(log: Log, real: Any) -> None:
    change(real, 12, "writes.0.version", 99)
    assert found(log) == ["position 12, till-b version 99: there is no version 12 before it"]


async def test_versions_in_another_order_than_the_log_are_found(log: Log, real: Any) -> None:
    change(real, 4, "writes.0.version", 99)
    change(real, 5, "writes.0.version", 4)
    change(real, 4, "writes.0.version", 5)
    assert found(log) == [
        "position 4, till-b version 5: does not come behind version 4, which is at position 5"
    ]


async def test_a_version_that_is_no_number_is_found(log: Log, real: Any) -> None:
    change(real, 12, "writes.0.version", "12")
    assert found(log) == ["position 12, till-b version 12: is no version"]


async def test_an_event_of_a_type_that_nobody_knows_is_found(log: Log, real: Any) -> None:
    change(real, 6, "events.0.type", "tills.Burnt")
    (told,) = found(log)
    assert told.startswith("position 6: ")
    assert "tills.Burnt" in told


async def test_an_event_that_cannot_be_read_any_more_is_found(log: Log, real: Any) -> None:
    change(real, 6, "events.1.data.amount", "much")
    change(real, 7, "events.0.data.colour", "red")
    first, second = found(log)
    assert first.startswith("position 6, till-a version 2: tills.Received cannot be read: amount: ")
    assert second.startswith("position 7, till-b version 7: tills.Received cannot be read: colour:")


@pytest.mark.parametrize(
    ("field", "value"),
    [("events.0.stream", 9), ("events", 5), ("meta", None), ("writes", [{"stream": "till-b"}])],
)
async def test_a_commit_that_is_no_commit_is_found(
    log: Log, real: Any, field: str, value: Any
) -> None:
    change(real, 12, field, value)
    assert any(told.startswith("position 12: cannot be read: ") for told in found(log))


async def test_of_very_many_faults_the_first_are_told_and_all_are_counted(
    log: Log, real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "KEPT", 3)
    real["log"].update_many({}, {"$set": {"events.0.type": "tills.Burnt"}})
    real["log"].drop_index("command")
    audit = audited(log)
    assert audit.count == COMMITS + 1
    assert [fault.position for fault in audit.faults] == [0, 1, 2]


async def test_a_log_longer_than_a_chunk_is_read_whole(
    log: Log, real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "CHUNK", 5)
    heard: list[tuple[str, int, int]] = []
    audit = Audit(log, lambda *told: heard.append(told))
    audit.run()
    assert audit.count == 0
    assert heard == [
        ("commits", 5, 12), ("commits", 10, 12), ("commits", 12, 12),
        ("versions", 5, 12), ("versions", 10, 12), ("versions", 15, 15),
        ("commands", 5, 12), ("commands", 10, 12),
    ]  # fmt: skip
    real["log"].delete_many({"_id": {"$in": [3, 4, 5, 6, 10]}})
    assert [told for told in found(log) if "missing" in told] == [
        "position 3: is missing, and so are 3 behind it",
        "position 10: is missing",
    ]


def received(till: str, _: Any) -> list[Event]:
    return receive(till, 1)


async def test_beside_a_live_writer_nothing_is_found_but_what_is_there(
    streams: Streams, real: Any
) -> None:
    async def write() -> None:
        for n in range(100_000):
            till = f"t{n % 7}"
            await streams.decide(tills(till), partial(received, till), asked(till))

    async def audit() -> Audit:
        return await asyncio.to_thread(audited, streams.log)

    writers = [asyncio.create_task(write()) for _ in range(20)]
    try:
        seen = 0
        for _ in range(5):
            await soon(streams.decide(tills("t0"), partial(received, "t0"), asked("t0")))
            quiet = await audit()
            assert (quiet.faults, quiet.commits > seen) == ([], True)
            seen = quiet.commits
        change(real, seen, "events.0.type", "tills.Burnt")
        assert {fault.position for fault in (await audit()).faults} == {seen}
    finally:
        await ended(writers)


def test_a_fault_says_where_it_is() -> None:
    assert str(Fault(3, "command c", "is wrong")) == "position 3, command c: is wrong"
    assert str(Fault(3, "", "is wrong")) == "position 3: is wrong"
    assert str(Fault(0, "index a", "is wrong")) == "index a: is wrong"
