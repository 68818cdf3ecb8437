"""What every log does, on mongomock and on a real replica set.

mongomock knows no unique indexes over arrays, no two servers and no majority: what rests on those
runs on the real one only, and takes `real` instead of `database` or `log`.
"""

import asyncio
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.errors import AutoReconnect, BulkWriteError

from bus import log as logs
from bus import writer
from bus.commits import Commit, Recorded, UnknownEvent, Write
from bus.log import Log
from bus.messages import Busy, TooLarge
from bus.pending import Conflict, Pending, Repeated
from tests.bus.conftest import OpenLog
from tests.bus.meddling import (
    Documents,
    Gate,
    Insert,
    Meddle,
    Once,
    cut_short,
    drop,
    lose_the_answer,
)
from tests.bus.tills import Paid, Received, append, asked
from tests.waiting import soon


async def committed(*pending: Pending) -> list[int]:
    """The positions that decisions have got."""
    return [(await soon(one.outcome)).position for one in pending]


def whole(database: Any) -> list[dict[str, Any]]:
    """All documents of a log, in order."""
    return list(database["log"].find().sort("_id", 1))


def dense(database: Any) -> bool:
    """Whether positions count from 1 without a gap."""
    return [each["_id"] for each in whole(database)] == list(range(1, len(whole(database)) + 1))


async def test_an_empty_log_holds_nothing(log: Log) -> None:
    assert await log.head() == 0
    assert await log.read(0) == []
    assert await log.stream("till-a") == []
    assert await log.history("till-a") == []
    assert await log.find("nothing") is None


async def test_positions_count_from_one_without_a_gap(log: Log) -> None:
    first = await committed(*[append(log, ("a", n)) for n in range(1, 4)])
    then = await committed(append(log, ("a", 4)))

    assert first + then == [1, 2, 3, 4]
    assert await log.head() == 4


async def test_one_decision_is_one_document_with_all_its_streams(log: Log, database: Any) -> None:
    commit = await soon(append(log, ("a", 1), ("b", 1), id="deal").outcome)

    (document,) = whole(database)
    assert document["_id"] == 1
    assert document["command"] == "deal"
    assert document["writes"] == [
        {"stream": "till-a", "version": 1},
        {"stream": "till-b", "version": 1},
    ]
    assert [(each["type"], each["stream"]) for each in document["events"]] == [
        ("tills.Received", 0),
        ("tills.Received", 1),
    ]
    assert document["events"][0]["data"]["amount"] == 1
    assert commit.writes == (("till-a", 1), ("till-b", 1))


async def test_a_commit_reads_back_as_it_was_answered(log: Log) -> None:
    commit = await soon(append(log, ("a", 1), ("b", 1), id="deal", note="grüezi").outcome)

    assert await log.read(0) == [commit]
    assert await log.find("deal") == commit
    assert await log.history("till-b") == [commit]
    assert log.codec.from_json(log.codec.to_json(commit)) == commit


async def test_a_stream_is_read_in_order_and_without_the_others(log: Log) -> None:
    await committed(append(log, ("a", 1)), append(log, ("b", 1)), append(log, ("b", 2), ("a", 2)))

    assert await log.stream("till-a") == [
        (Received(till="a", amount=1), 1),
        (Received(till="a", amount=1), 2),
    ]
    assert [commit.position for commit in await log.history("till-b")] == [2, 3]


async def test_of_a_busy_stream_only_what_is_asked_for_is_read(log: Log) -> None:
    paid = Recorded(Paid(till="a", amount=1), "till-a", 2)
    other = Recorded(Paid(till="b", amount=1), "till-b", 1)
    await committed(
        append(log, ("a", 1)),
        log.append(asked(), (Write("till-a", 2),), [paid], ()),
        append(log, ("a", 3)),
        log.append(asked(), (Write("till-b", 1),), [other], ()),
    )
    assert [commit.position for commit in await log.history("till-a", (Paid,))] == [2]


async def test_reading_begins_behind_a_position_and_ends_at_the_limit(log: Log) -> None:
    await committed(*[append(log, ("a", n)) for n in range(1, 6)])

    assert [commit.position for commit in await log.read(1, limit=3)] == [2, 3, 4]
    assert await log.read(5) == []


async def test_reading_stops_at_a_hole(log: Log, database: Any) -> None:
    await committed(*[append(log, ("a", n)) for n in range(1, 5)])
    database["log"].delete_one({"_id": 3})

    assert [commit.position for commit in await log.read(0)] == [1, 2]
    assert await log.read(2) == []


async def test_a_repeated_command_answers_where_it_was_decided(log: Log, database: Any) -> None:
    await committed(append(log, ("a", 1), id="once"), append(log, ("b", 1)))

    with pytest.raises(Repeated) as repeated:
        await soon(append(log, ("a", 2), id="once").outcome)

    assert repeated.value.position == 1
    assert len(whole(database)) == 2


async def test_a_command_queued_twice_is_decided_once(database: Any, open_log: OpenLog) -> None:
    log = open_log(database, gate := Gate())
    first = append(log, ("z", 1))  # holds the writer, so that the next two go together
    gate.reached()
    once, again = append(log, ("a", 1), id="once"), append(log, ("b", 1), id="once")
    gate.open()

    assert await committed(first, once) == [1, 2]
    with pytest.raises(Repeated) as repeated:
        await soon(again.outcome)
    assert repeated.value.position == 2
    assert dense(database)


async def test_what_is_made_upon_a_failed_decision_fails_and_the_rest_goes_on(
    database: Any, open_log: OpenLog
) -> None:
    log = open_log(database)
    await committed(append(log, ("a", 1), id="once"))
    fails = append(log, ("a", 2), id="once")
    upon = append(log, ("a", 3), ("b", 1), after=(fails,))
    upon_that = append(log, ("b", 2), after=(upon,))
    beside = append(log, ("c", 1))

    assert await committed(beside) == [2]
    with pytest.raises(Conflict):
        await soon(upon.outcome)
    with pytest.raises(Conflict):
        await soon(upon_that.outcome)
    assert len(whole(database)) == 2


async def test_a_position_taken_by_another_writer_costs_nothing(
    database: Any, open_log: OpenLog
) -> None:
    here, there = open_log(database), open_log(database)
    assert await committed(append(here, ("a", 1))) == [1]
    assert await committed(append(there, ("b", 1)), append(there, ("b", 2))) == [2, 3]
    # `here` still believes that 2 is free.
    assert await committed(*[append(here, ("a", n)) for n in range(2, 7)]) == [4, 5, 6, 7, 8]

    assert dense(database)


async def test_an_event_that_is_too_large_is_refused_and_nothing_of_it_is_written(
    log: Log, database: Any
) -> None:
    large = append(log, ("a", 1), note="x" * logs.MAX_EVENT_BYTES)
    with pytest.raises(TooLarge, match=r"tills\.Received"):
        await soon(large.outcome)

    assert await committed(append(log, ("a", 1), note="x" * (logs.MAX_EVENT_BYTES - 1000))) == [1]
    assert len(whole(database)) == 1


async def test_a_decision_that_is_too_large_is_refused_and_nothing_of_it_is_written(
    log: Log, database: Any
) -> None:
    many = [(str(n), 1) for n in range(20)]
    large = append(log, *many, note="x" * 60_000)
    with pytest.raises(TooLarge, match="decision"):
        await soon(large.outcome)

    assert await committed(append(log, *many[:15], note="x" * 60_000)) == [1]
    assert len(whole(database)) == 1


async def test_a_decision_that_cannot_be_encoded_harms_no_other_of_its_group(
    database: Any, open_log: OpenLog
) -> None:
    log = open_log(database, gate := Gate())
    first = append(log, ("a", 1))
    gate.reached()
    odd = Recorded(Received(till="b", amount=2**70), "till-b", 1)
    fails = log.append(asked(), (Write("till-b", 1),), [odd], ())
    upon, beside = append(log, ("b", 2), after=(fails,)), append(log, ("c", 1))
    gate.open()

    with pytest.raises(OverflowError):
        await soon(fails.outcome)
    with pytest.raises(Conflict):
        await soon(upon.outcome)
    assert await committed(first, beside) == [1, 2]
    assert (fails.became, upon.became, beside.became) == ("refused", "conflict", "committed")


async def test_a_group_that_is_large_is_written_in_several_inserts(
    database: Any, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "INSERT_BYTES", 2000)
    log = open_log(database, gate := Gate())
    first = append(log, ("a", 1))
    gate.reached()
    group = [append(log, ("b", n), note="x" * 1000) for n in range(1, 8)]
    gate.open()

    assert await committed(first, *group) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert log.collection.groups == [1, 2, 2, 2, 1]
    assert dense(database)


async def test_a_full_queue_is_busy_and_what_is_in_it_is_written(
    database: Any, open_log: OpenLog
) -> None:
    log = open_log(database, gate := Gate(), capacity=3)
    under_way = append(log, ("a", 1))
    gate.reached()
    waiting = [append(log, ("b", n)) for n in range(1, 4)]
    with pytest.raises(Busy):
        append(log, ("c", 1))
    gate.open()

    assert await committed(under_way, *waiting) == [1, 2, 3, 4]
    assert await committed(append(log, ("c", 1))) == [5]


async def test_closing_writes_what_is_queued_and_then_nothing_more(
    database: Any, open_log: OpenLog
) -> None:
    log = open_log(database, gate := Gate())
    queued = [append(log, ("a", n)) for n in range(1, 4)]
    gate.open()
    await log.close()

    assert [one.outcome.result().position for one in queued] == [1, 2, 3]
    with pytest.raises(Busy):
        append(log, ("a", 4))


async def test_what_comes_while_the_log_closes_is_busy(database: Any, open_log: OpenLog) -> None:
    log = open_log(database, gate := Gate())
    first = append(log, ("a", 1))
    gate.reached()
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)  # it has begun, and waits for the writer
    with pytest.raises(Busy):
        append(log, ("b", 1))
    gate.open()
    await soon(closing)

    assert first.outcome.result().position == 1


@pytest.mark.parametrize("fault", [drop, lose_the_answer, cut_short])
async def test_a_group_of_unknown_fate_is_committed_once(
    fault: Meddle, database: Any, open_log: OpenLog
) -> None:
    log = open_log(database, Once(fault))
    first = append(log, ("a", 1))
    upon = append(log, ("a", 2), after=(first,))
    others = [append(log, (str(n), 1)) for n in range(4)]

    # Not `Repeated` nor `Conflict`: they are its own, whatever became of the answer.
    assert await committed(first, upon, *others) == [1, 2, 3, 4, 5, 6]
    assert dense(database)
    assert await committed(append(log, ("a", 3))) == [7]


async def test_a_command_that_another_writer_decided_meanwhile_is_repeated(
    database: Any, open_log: OpenLog
) -> None:
    def decide_elsewhere(insert: Insert, documents: Documents) -> None:
        insert([{**documents[0], "meta": {"correlation": "by another", "principal": "shop:x"}}])
        raise AutoReconnect("the connection broke before the request")

    log = open_log(database, Once(decide_elsewhere))
    with pytest.raises(Repeated) as repeated:
        await soon(append(log, ("a", 1)).outcome)

    assert repeated.value.position == 1
    assert [each["meta"]["correlation"] for each in whole(database)] == ["by another"]


async def test_a_server_that_stays_away_makes_the_log_busy_not_silent(
    database: Any, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    log = open_log(database, drop)
    with pytest.raises(Busy):
        await soon(append(log, ("a", 1)).outcome, within=5)
    log.collection.meddle = lambda insert, documents: insert(documents)  # type: ignore[attr-defined]

    assert await committed(append(log, ("a", 1))) == [1]


async def test_a_position_that_no_majority_confirms_makes_the_log_busy_not_silent(
    database: Any, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_taken(insert: Insert, documents: Documents) -> None:
        failure = {"index": 0, "code": 11000, "keyPattern": {"_id": 1}}
        raise BulkWriteError({"writeErrors": [failure], "writeConcernErrors": []})

    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    log = open_log(database, always_taken)
    with pytest.raises(Busy):
        await soon(append(log, ("a", 1)).outcome, within=5)


async def test_a_write_concern_that_failed_is_found_out_about(
    database: Any, open_log: OpenLog
) -> None:
    def written_but_not_by_a_majority_in_time(insert: Insert, documents: Documents) -> None:
        insert(documents)
        raise BulkWriteError(
            {
                "writeErrors": [],
                "writeConcernErrors": [{"code": 64, "errmsg": "waiting for replication timed out"}],
            }
        )

    log = open_log(database, Once(written_but_not_by_a_majority_in_time))

    assert await committed(append(log, ("a", 1)), append(log, ("b", 1))) == [1, 2]
    assert dense(database)


async def test_an_event_of_a_newer_release_is_named_not_skipped(log: Log, database: Any) -> None:
    await committed(append(log, ("a", 1)))
    database["log"].update_one({"_id": 1}, {"$set": {"events.0.type": "tills.Counted"}})

    with pytest.raises(UnknownEvent, match=r"tills\.Counted"):
        await log.read(0)


async def test_a_log_that_is_opened_again_goes_on_where_it_was(
    database: Any, open_log: OpenLog
) -> None:
    before = open_log(database)
    await committed(append(before, ("a", 1)), append(before, ("a", 2)))
    await before.close()

    assert await committed(append(open_log(database), ("a", 3))) == [3]


async def test_writing_a_version_that_stands_is_a_conflict(real: Any, open_log: OpenLog) -> None:
    """Real only: mongomock knows no unique index over an array."""
    log = open_log(real)
    await committed(append(log, ("a", 1), ("b", 1)))
    clash, beside = append(log, ("c", 1), ("b", 1)), append(log, ("d", 1))

    with pytest.raises(Conflict):
        await soon(clash.outcome)
    assert await committed(beside) == [2]
    assert await log.stream("till-c") == []


async def test_appends_wait_for_a_majoritys_journal_and_reads_see_no_less(real: Any) -> None:
    """Real only: mongomock knows no concerns."""
    log = Log("tills", real, [Received])

    assert log.collection.write_concern == WriteConcern("majority", j=True)
    assert log.collection.read_concern.level == "majority"


async def test_a_commit_is_a_value(log: Log) -> None:
    commit = await soon(append(log, ("a", 1)).outcome)

    assert isinstance(commit, Commit)
    assert commit.writes == (Write("till-a", 1),)
    assert commit.meta.principal == "system:storefold"
