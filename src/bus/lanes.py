"""Lanes: the events of one stream one after the other, different streams side by side.

A handler that fails is tried again with growing pauses. When it keeps failing its stream is parked:
that event and the stream's later ones are set aside in order, for a person to look at, and
everything else goes on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.handling import Handler, Share, Task
from bus.here import enter, leave
from bus.messages import Event
from bus.metrics import HANDLE_SECONDS
from bus.parking import Parking, Place
from bus.partitions import partition_of_stream
from bus.retries import Failure, Overtaken, Retries, tried
from bus.tasks import ended

WIDTH, NARROW = 128, 2
"""Streams that a reader works on at once; and while a crowd outside waits for answers."""

SLOW = 0.05
"""Seconds after which a stream no longer counts as one that takes time from the crowd."""

BACKLOG = 5_000
"""Commits that may be under way at once, at most."""

DRAINED = 100
"""Commits of a parked stream that goes on, after which it is noted how far it has come."""


REST = 1.0
"""Seconds until a lane that could not go on, through a fault of ours, is tried again."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Lane:
    """A stream's events under way, one after the other."""

    partition: int
    since: float
    tasks: deque[Task] = field(default_factory=deque)
    drains: bool = False
    """Whether somebody wants the stream, which is parked, to go on."""
    running: asyncio.Task[None] | None = None


class Lanes:
    """The work of a reader that handles events one by one.

    `valid` says whether this process may still work on what it holds: a lane that wakes up after
    its lease has run out touches nothing any more.
    """

    def __init__(
        self,
        reader: str,
        handlers: Mapping[type[Event], Handler],
        parking: Parking,
        valid: Callable[[], bool],
        retries: Retries,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._handlers = handlers
        self._parking = parking
        self._valid = valid
        self._retries = retries
        self._seconds = HANDLE_SECONDS.labels(reader)
        self._crowded = crowded
        self._shares: dict[int, Share] = {}
        self._lanes: dict[str, Lane] = {}  # in the order in which they were opened
        self._under_way = 0
        self._progress = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def begin(self, partition: int, position: int) -> None:
        """Work on a partition too, from behind a position."""
        await self._parking.load(partition, position)
        self._shares[partition] = Share(position)

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Put the events that somebody wants on their lanes; waits while too many are under way."""
        last = commits[0].position - 1
        try:
            for commit in commits:
                if tasks := self._tasks(commit, partitions):
                    await self._room()
                    for task in tasks:
                        self._put(task)
                last = commit.position
        finally:
            for partition in partitions:
                self._shares[partition].taken = last

    def taken_to(self, partition: int) -> int:
        """The position up to which a partition's events are on their lanes."""
        return self._shares[partition].taken

    def done_to(self, partition: int) -> int:
        """The position up to which everything has been handled."""
        return self._shares[partition].done_to()

    async def release(self, partition: int) -> None:
        """Leave what is under way; it will be done again."""
        ours = {s: lane for s, lane in self._lanes.items() if lane.partition == partition}
        await ended([self._looking, *(lane.running for lane in ours.values())])
        for stream, lane in ours.items():
            self._close(stream, lane)
        self._parking.forget(partition)

    async def look(self) -> None:
        """See which parked streams are to go on; returns at once."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._resume())

    async def _resume(self) -> None:
        with suppress(PyMongoError, Overtaken):  # the next look will do
            for stream in await self._parking.asked():
                await self._room()
                if self._parking.holds(stream):
                    self._lane(stream).drains = True

    def _tasks(self, commit: Commit, partitions: Collection[int]) -> list[Task]:
        tasks = []
        for index, happened in enumerate(commit.events):
            handler = self._handlers.get(happened.kind)
            if handler is None:
                continue
            partition = partition_of_stream(happened.stream)
            if partition in partitions:
                place = Place(commit.position, index)
                share = self._shares[partition]
                tasks.append(Task(commit, place, happened.stream, handler, share))
        return tasks

    async def _room(self) -> None:
        """Wait until another stream may be worked on."""
        while self._under_way > BACKLOG or not self._free():
            self._progress.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(SLOW):
                    await self._progress.wait()

    def _free(self) -> bool:
        """In a crowd only the quick ones count: who waits for a gateway takes nothing from
        anybody."""
        if len(self._lanes) >= WIDTH or not self._crowded():
            return len(self._lanes) < WIDTH
        slow = asyncio.get_running_loop().time() - SLOW
        quick = takewhile(lambda lane: lane.since > slow, reversed(self._lanes.values()))
        return sum(1 for _ in quick) < NARROW

    def _put(self, task: Task) -> None:
        task.share.begun(task.place.position)
        self._under_way += 1
        self._lane(task.stream).tasks.append(task)

    def _lane(self, stream: str) -> Lane:
        """The stream's lane, opened if it is not."""
        lane = self._lanes.get(stream)
        if lane is None:
            lane = Lane(partition_of_stream(stream), asyncio.get_running_loop().time())
            self._lanes[stream] = lane
            lane.running = asyncio.create_task(self._run(stream, lane))
        return lane

    async def _run(self, stream: str, lane: Lane) -> None:
        with suppress(Overtaken):
            while lane.drains or lane.tasks:
                try:
                    await self._go_on(stream, lane)
                except Overtaken:
                    raise
                except Exception:  # of our own making: a handler's are dealt with by then
                    log.exception("lane.failed", reader=self._reader)
                    await asyncio.sleep(REST)
        self._close(stream, lane)

    async def _go_on(self, stream: str, lane: Lane) -> None:
        if lane.drains:
            await self._tried(partial(self._drain, stream))
            lane.drains = False
        else:
            await self._do(lane.tasks[0])
            task = lane.tasks.popleft()
            task.share.done(task.place.position)
            self._under_way -= 1

    def _close(self, stream: str, lane: Lane) -> None:
        if self._lanes.get(stream) is lane:
            del self._lanes[stream]
            self._under_way -= len(lane.tasks)
            self._progress.set()

    async def _do(self, task: Task) -> None:
        """Bring one event to its end."""
        if self._parking.keeps(task.stream, task.place):
            return
        if failure := await self._handled(task):
            kind = task.event.kind.type_name
            park = partial(self._parking.park, task.stream, task.place, kind, failure)
            await self._tried(park, position=task.place.position)

    async def _handled(self, task: Task) -> Failure | None:
        """Handle one event, as often as it takes; why it cannot be, if that is so."""

        async def handle() -> None:
            began = time.perf_counter()
            try:
                await task.handle(self._reader)
            finally:
                self._seconds.observe(time.perf_counter() - began)

        token = enter(task.here)
        try:
            return await self._tried(handle, self._retries.attempts, position=task.place.position)
        finally:
            leave(token)

    async def _drain(self, stream: str) -> None:
        """Handle in order what waits of a parked stream, until nothing does or an event fails
        again. Can be broken off anywhere, and is done again from where the stream stands."""
        parking = self._parking
        if not await parking.heed(stream):
            return
        while commits := await parking.waiting(stream, DRAINED):
            for task in self._tasks_of(stream, commits):
                failure = await self._handled(task)
                if failure is not None:
                    kind = task.event.kind.type_name
                    await parking.failed_again(stream, task.place, kind, failure)
                    return
            last = commits[-1]
            await parking.move_on(stream, Place(last.position, len(last.events)))
        await parking.free(stream)

    def _tasks_of(self, stream: str, commits: Sequence[Commit]) -> list[Task]:
        """What of a parked stream is to be handled."""
        return [
            task
            for commit in commits
            for task in self._tasks(commit, (partition_of_stream(stream),))
            if task.stream == stream and self._parking.waits(stream, task.place)
        ]

    async def _tried(
        self, step: Callable[[], Awaitable[None]], attempts: float = math.inf, **what: Any
    ) -> Failure | None:
        retries = self._retries._replace(attempts=attempts)
        return await tried(step, retries, self._valid, reader=self._reader, **what)
