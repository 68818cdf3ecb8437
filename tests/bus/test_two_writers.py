"""Several processes on one log, and a network that loses answers: on the real replica set only."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from bus.feed import Feed
from bus.streams import Streams
from tests.bus.conftest import OpenLog
from tests.bus.lossy import Lossy, lossy
from tests.bus.tills import append, asked, receive, tills
from tests.waiting import eventually, soon

ROOT = Path(__file__).parents[2]
EACH = 1500


async def appended(url: str, database: str, name: str) -> list[tuple[str, int, bool]]:
    """What another process got acknowledged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bus.appender", url, database, name, str(EACH)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return [tuple(json.loads(line)) for line in printed.splitlines()]


def check_whole(database: Any) -> dict[str, int]:
    """The position of each command in a log that is dense, with contiguous versions."""
    commands: dict[str, int] = {}
    versions: dict[str, int] = {}
    for position, commit in enumerate(database["log"].find().sort("_id", 1), start=1):
        assert commit["_id"] == position
        assert commit["command"] not in commands
        commands[commit["command"]] = position
        for write in commit["writes"]:
            assert write["version"] == versions.get(write["stream"], 0) + 1
            versions[write["stream"]] = write["version"]
    return commands


async def test_two_processes_write_one_dense_log(real: Any, servers: Any) -> None:
    runs = await soon(
        asyncio.gather(*(appended(servers.mongodb_url, real.name, name) for name in "ab")),
        within=60,
    )

    commands = check_whole(real)
    everything = [each for run in runs for each in run]
    assert len(everything) == 2 * EACH
    assert {id: position for id, position, _ in everything} == commands
    assert all(commands[id] == position for id, position, _ in everything)
    # Sent by both, decided by one; the other heard that it was a repetition.
    assert sum(repeated for _, _, repeated in everything) == 2 * EACH - len(commands) == EACH // 10


@pytest.fixture
def proxy(mongo: MongoClient[dict[str, Any]]) -> Any:
    """A lossy way to the real mongod."""
    assert mongo.address
    with lossy(mongo.address) as proxy:
        yield proxy


@pytest.mark.parametrize("retry", [True, False], ids=["the driver retries", "it does not"])
@pytest.mark.parametrize(
    "losses",
    [["request"], ["answer"], ["answer", "answer"], ["answer", "request", "request", "answer"]],
    ids=", ".join,
)
async def test_what_the_network_loses_is_committed_once(
    losses: Any, retry: bool, proxy: Lossy, real: Any, open_log: OpenLog
) -> None:
    url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
    with MongoClient[dict[str, Any]](url, tz_aware=True, retryWrites=retry) as client:
        log = open_log(client[real.name])
        await soon(append(log, ("a", 1)).outcome)
        proxy.lose(*losses)
        written = 1
        while proxy.left:
            group = [append(log, ("a", written + 1))]
            for version in range(written + 2, written + 30):
                group.append(append(log, ("a", version), after=(group[-1],)))
            positions = [(await soon(each.outcome)).position for each in group]
            assert positions == list(range(written + 1, written + 30))
            written = positions[-1]

        assert list(check_whole(real).values()) == list(range(1, written + 1))
        await log.close()


async def test_a_decision_whose_answer_is_lost_is_answered_as_the_first(
    proxy: Lossy, real: Any, open_log: OpenLog
) -> None:
    url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
    with MongoClient[dict[str, Any]](url, tz_aware=True, retryWrites=False) as client:
        log = open_log(client[real.name])
        streams = Streams(log)
        proxy.lose("answer")
        decided = await asyncio.gather(
            *(
                streams.decide(tills("a"), lambda _: receive("a", 1), asked(id=f"{n}"))
                for n in range(20)
            )
        )

        assert not any(each.repeated for each in decided)
        assert sorted(each.version for each in decided) == list(range(1, 21))
        assert len(check_whole(real)) == 20
        await log.close()


async def test_a_commit_of_another_process_reaches_every_feed_in_order(
    real: Any, open_log: OpenLog
) -> None:
    here, there = open_log(real), open_log(real)
    feed = Feed("tills", there.read, there.head)
    await feed.start()
    heard: list[int] = []
    feed.listen(lambda commits: heard.extend(commit.position for commit in commits))
    for number in range(1, 6):
        await soon(append(here, ("a", number)).outcome)
    feed.ring()
    await eventually(lambda: len(heard) == 5)
    await feed.stop()

    assert heard == [1, 2, 3, 4, 5]
