"""Timers that fire late or twice: whoever else fires, dies or wakes up, one decision is made."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bus.envelope import Envelope, sealed
from bus.log import Log
from bus.messages import Done, Event, now
from bus.policies import Later
from bus.streams import Streams
from bus.timers import Timers
from bus.transport import InProcess
from tests.bus.conftest import OpenLog
from tests.bus.tills import Receive, Received, Till, asked, receive, tills
from tests.waiting import soon

CAUSE = sealed(Received(till="a", amount=1), id="the-event", correlation="the-request")


class Killed(BaseException):
    """The process is gone."""


def always(command: Receive, state: Till | None) -> list[Event]:
    """A rule that lets the same be decided again and again."""
    return receive(command.till, command.amount)


def in_time(command: Receive, state: Till | None) -> list[Event]:
    """A rule that only lets an empty till be filled."""
    return receive(command.till, command.amount) if state is None else []


class Process:
    """One process: it fires timers, and decides what they ask."""

    def __init__(self, database: Any, log: Log) -> None:
        self.streams = Streams(log)
        self.log = log
        self.rule = always
        self.dies: str | None = None
        self.meets: asyncio.Barrier | None = None
        self.alive = True
        transport = InProcess()
        transport.serve(Receive, self.receive)
        commands = {Receive.type_name: Receive}
        self.timers = Timers("tills", database, transport, commands, lambda: self.alive)

    async def receive(self, command: Receive, envelope: Envelope[Receive]) -> Done[int]:
        if self.meets is not None:
            await self.meets.wait()
        if self.dies == "before":
            raise Killed
        await self.streams.decide(tills(command.till), partial(self.rule, command), envelope)
        if self.dies == "after":
            raise Killed
        return Done(answer=0)

    async def history(self, till: str = "a") -> list[Event]:
        return [event for event, _ in await self.log.stream(f"till-{till}")]


@pytest.fixture
async def two(real: Any, open_log: OpenLog) -> list[Process]:
    """Two processes on one database."""
    return [Process(real, open_log(real)) for _ in range(2)]


async def overdue(process: Process, *amounts: int) -> None:
    """Timers that should have fired hours ago, while nobody was there to."""
    for amount in amounts:
        due = now() - timedelta(hours=5 - amount)
        timer = Later(f"timer {amount}", due, Receive(till="a", amount=amount))
        await process.timers.set((timer, CAUSE))


async def test_two_processes_that_fire_one_timer_at_once_decide_once(two: list[Process]) -> None:
    await overdue(two[0], 1)
    both = asyncio.Barrier(2)
    for process in two:
        process.meets = both
    await soon(asyncio.gather(*(process.timers.fire_due(now()) for process in two)))

    assert await two[0].history() == [Received(till="a", amount=1)]
    assert await two[0].timers.waiting() == []


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_a_timer_whose_process_dies_while_it_fires_is_fired_again_and_decided_once(
    dies: str, two: list[Process]
) -> None:
    await overdue(two[0], 1)
    two[0].dies = dies
    with pytest.raises(Killed):
        await two[0].timers.fire_due(now())
    assert len(await two[0].timers.waiting()) == 1
    assert await two[1].timers.fire_due(now()) == 1

    assert await two[1].history() == [Received(till="a", amount=1)]
    assert await two[1].timers.waiting() == []


async def test_a_timer_that_comes_too_late_changes_nothing(two: list[Process]) -> None:
    shop, _ = two
    shop.rule = in_time
    await shop.streams.decide(tills("a"), lambda _: receive("a", 7), asked(amount=7))
    await overdue(shop, 1, 2)
    assert await shop.timers.fire_due(now()) == 2

    assert await shop.history() == [Received(till="a", amount=7)]
    assert await shop.timers.waiting() == []


async def test_a_process_that_wakes_up_after_its_lease_has_gone_fires_nothing(
    two: list[Process],
) -> None:
    paused, other = two
    await overdue(other, 1)
    paused.alive = False
    await paused.timers.begin([])
    assert paused.timers._task
    await soon(paused.timers._task)

    assert await other.history() == []
    assert len(await other.timers.waiting()) == 1
