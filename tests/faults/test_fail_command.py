"""Inserts that fail before they took effect, and after: each decision is committed exactly once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from random import Random
from typing import Any, NamedTuple

import pytest
from pymongo import MongoClient, monitoring
from pymongo.errors import AutoReconnect

from bus.commits import Commit
from bus.log import Log
from bus.messages import Busy
from bus.streams import Streams
from tests.bus.lossy import Lossy, lossy
from tests.bus.test_two_writers import check_whole
from tests.bus.tills import EVENTS, asked, receive, tills
from tests.faults.mongods import Mongods, mongods
from tests.faults.sizes import LONG, SHORT, seed
from tests.waiting import soon

SPOILED = {SHORT: 30, LONG: 1000}
"""Inserts that do not come back as they should; twice as many in all."""

ROUND = 40
"""Decisions that are made under one fault."""


class Spoiled(monitoring.CommandListener):
    """Counts the inserts that did not come back as they should, by the fault that was on."""

    def __init__(self) -> None:
        self.fault = ""
        self.count: Counter[str] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name == "insert" and "writeConcernError" in event.reply:
            self.count[self.fault] += 1

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        if event.command_name == "insert":
            self.count[self.fault] += 1


class Writer(NamedTuple):
    """One of two that write the same log, over a connection of its own."""

    log: Log
    streams: Streams
    proxy: Lossy


class Faults:
    """What befalls the inserts that come next."""

    def __init__(self, mongods: Mongods, proxies: list[Lossy], random: Random) -> None:
        self._mongods = mongods
        self._proxies = proxies
        self._random = random

    def arm(self) -> str:
        """Choose one; its name."""
        times = self._random.randint(1, 4)
        fault = self._random.choice(("refused", "unanswered", "unconfirmed", "blind"))
        match fault:
            case "refused":  # the server closes the connection instead of doing it
                self._fail({"times": times}, "insert", closeConnection=True)
            case "unanswered":  # it does it, but the connection breaks before the answer
                for proxy in self._proxies:
                    proxy.lose(*self._random.choices(("answer", "request"), (3, 1), k=times))
            case "unconfirmed":  # it does it, but says that no majority has it
                code = self._random.choice((64, 91))  # the driver tries again upon the second
                error = {"code": code, "errmsg": "who knows whether a majority has it"}
                self._fail({"times": times}, "insert", writeConcernError=error)
            case "blind":  # nor can it be found out what became of it
                self._fail({"times": 2 * times}, "insert", "find", closeConnection=True)
        return fault

    def disarm(self) -> None:
        """What has not befallen anybody will not."""
        self._fail("off", "insert")
        for proxy in self._proxies:
            proxy.lose_no_more()

    def _fail(self, mode: Any, *commands: str, **how: Any) -> None:
        self._mongods.fail_command(mode, failCommands=commands, **how)


async def decided(writer: Writer, id: str, till: str) -> tuple[str, Commit]:
    """A decision at its place, asked for under the same id until there is an answer."""
    while True:
        try:
            found = await writer.streams.decide(
                tills(till), lambda _: receive(till, 1), asked(till, id=id)
            )
        except (Busy, AutoReconnect):  # it may be in the log or not
            continue
        assert found.commit is not None
        return id, found.commit


@asynccontextmanager
async def writing(
    mongods: Mongods, database: str, spoiled: Spoiled, *, retry: bool
) -> AsyncIterator[list[Writer]]:
    """Two writers of one log, each behind a network that can lose things."""
    writers = []
    with ExitStack() as stack:
        for _ in range(2):
            proxy = stack.enter_context(lossy(("127.0.0.1", mongods.nodes[0].port)))
            client = stack.enter_context(
                MongoClient[dict[str, Any]](
                    f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true",
                    tz_aware=True,
                    retryWrites=retry,
                    serverMonitoringMode="poll",  # as quick as `quick_looks` has it
                    event_listeners=[spoiled],
                )
            )
            log = Log("tills", client[database], EVENTS)
            log.open()
            writers.append(Writer(log, Streams(log), proxy))
        yield writers
        for writer in writers:
            await writer.log.close()


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongods]:
    """A mongod whose commands can be made to fail."""
    with mongods(tmp_path_factory.mktemp("mongod"), members=1) as running:
        yield running


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a broken connection the driver looks for the server at once: else thousands of faults
    take half a second each."""
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)


@pytest.mark.parametrize("retry", [True, False], ids=["the driver retries", "it does not"])
@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
async def test_an_insert_that_fails_is_one_commit_in_the_end(
    length: str, retry: bool, mongod: Mongods, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"{seed()}:{retry}")
    spoiled = Spoiled()
    answers: list[tuple[str, Commit]] = []
    async with writing(mongod, f"tills-{length}-{retry}", spoiled, retry=retry) as writers:
        faults = Faults(mongod, [writer.proxy for writer in writers], random)
        round = 0
        while spoiled.count.total() < SPOILED[length]:
            round += 1
            # The writer finds out what became of an insert, or has no time for that.
            monkeypatch.setattr("bus.writer.PATIENCE", random.choice((0.01, 15.0)))
            spoiled.fault = faults.arm()
            asking = []
            for number in range(ROUND):
                hot = f"hot{round // 5}"  # its whole past is read again at every conflict
                till = random.choice((hot, hot, f"round{round}", f"till{random.randrange(50)}"))
                who = writers if random.random() < 0.1 else [random.choice(writers)]
                asking += [decided(writer, f"{round}-{number}", till) for writer in who]
            answers += await soon(asyncio.gather(*asking), within=60)
            faults.disarm()
        sys.stdout.write(f"{dict(spoiled.count)} in {round} rounds\n")

        stored = check_whole(writers[0].log.collection.database)
        assert {id: commit.position for id, commit in answers} == stored
        for id, commit in answers:
            assert commit.position == stored[id]
        history = await writers[0].log.read(0, limit=len(stored))
        for _, commit in answers:
            assert history[commit.position - 1] == commit
