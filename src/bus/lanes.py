"""Lanes: the events of one stream one after the other, different streams side by side.

A handler that fails is tried again with growing pauses. When it keeps failing its stream is parked:
that event and the stream's later ones are set aside in order, for a person to look at, and
everything else goes on.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

import structlog
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.envelope import Envelope, envelope_of
from bus.messages import Busy, Event
from bus.mongo import told
from bus.parking import Failure, Parking
from bus.partitions import partition_of_stream
from bus.tasks import ended

WIDTH, NARROW = 128, 2
"""Streams that a reader works on at once; and while a crowd outside waits for answers."""

SLOW = 0.05
"""Seconds after which a stream no longer counts as one that takes time from the crowd."""

BACKLOG = 5_000
"""Commits that may be under way at once, at most."""

log = structlog.get_logger(__name__)

Handler = Callable[[Any, Envelope[Any]], Awaitable[None]]


class Retries(NamedTuple):
    """How often an event is tried before its stream is parked, and the seconds between; outages do
    not count. Each pause is about twice the one before it."""

    attempts: int = 8
    first_pause: float = 0.05
    longest_pause: float = 5.0


class Task(NamedTuple):
    """One event for one handler."""

    envelope: Envelope[Event]
    stream: str
    position: int
    nth: int
    handler: Handler
    share: Share


@dataclass(slots=True)
class Share:
    """One partition's part of the work: taken how far, and what of it is under way."""

    taken: int
    open: dict[int, int] = field(default_factory=dict)
    """Position -> events under way; in order of position."""

    def done_to(self) -> int:
        """The position before the first that is not done."""
        return next(iter(self.open)) - 1 if self.open else self.taken

    def begun(self, position: int) -> None:
        """One more event of this position is under way."""
        self.open[position] = self.open.get(position, 0) + 1

    def done(self, position: int) -> None:
        """One of them is done."""
        left = self.open[position] - 1
        if left:
            self.open[position] = left
        else:
            del self.open[position]


@dataclass(slots=True, eq=False)
class Lane:
    """A stream's events under way, one after the other."""

    partition: int
    since: float
    tasks: deque[Task]
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
        self._crowded = crowded
        self._shares: dict[int, Share] = {}
        self._lanes: dict[str, Lane] = {}  # in the order in which they were opened
        self._under_way = 0
        self._progress = asyncio.Event()

    async def begin(self, partition: int, position: int) -> None:
        """Work on a partition too, from behind a position."""
        await self._parking.load()
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
        await ended(lane.running for lane in ours.values())
        for stream, lane in ours.items():
            self._close(stream, lane)

    async def look(self) -> None:
        """Nothing can be asked."""

    def _tasks(self, commit: Commit, partitions: Collection[int]) -> list[Task]:
        tasks = []
        for index, happened in enumerate(commit.events):
            handler = self._handlers.get(happened.kind)
            if handler is None:
                continue
            partition = partition_of_stream(happened.stream)
            if partition in partitions:
                envelope = envelope_of(commit, index, happened.event)
                share = self._shares[partition]
                place = (happened.stream, commit.position, index)
                tasks.append(Task(envelope, *place, handler, share))
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
        task.share.begun(task.position)
        self._under_way += 1
        lane = self._lanes.get(task.stream)
        if lane is not None:
            lane.tasks.append(task)
            return
        since = asyncio.get_running_loop().time()
        lane = Lane(partition_of_stream(task.stream), since, deque((task,)))
        self._lanes[task.stream] = lane
        lane.running = asyncio.create_task(self._run(task.stream, lane))

    async def _run(self, stream: str, lane: Lane) -> None:
        while lane.tasks and await self._do(lane.tasks[0]):
            task = lane.tasks.popleft()
            task.share.done(task.position)
            self._under_way -= 1
        self._close(stream, lane)

    def _close(self, stream: str, lane: Lane) -> None:
        if self._lanes.get(stream) is lane:
            del self._lanes[stream]
            self._under_way -= len(lane.tasks)
            self._progress.set()

    async def _do(self, task: Task) -> bool:
        """Bring one event to its end; whether that was still for us to do."""
        failure: Failure | None = None
        pause = self._retries.first_pause
        while self._valid():
            try:
                if self._parking.holds(task.stream):
                    await self._parking.behind(task.stream, task.position, task.nth, task.envelope)
                elif failure is not None and failure.attempts >= self._retries.attempts:
                    await self._parking.park(
                        task.stream, task.position, task.nth, task.envelope, failure
                    )
                else:
                    await task.handler(task.envelope.message, task.envelope)
                return True
            except (Busy, PyMongoError, OSError) as outage:
                log.warning(
                    "reader.waits", reader=self._reader, position=task.position, error=told(outage)
                )
            except (Exception, asyncio.CancelledError) as error:
                if (running := asyncio.current_task()) and running.cancelling():
                    raise  # it is we who are told to stop, not what the handler waited for
                attempts = failure.attempts + 1 if failure else 1
                failure = Failure(repr(error), traceback.format_exc(), attempts)
                log.warning(
                    "reader.retries",
                    reader=self._reader,
                    position=task.position,
                    attempt=attempts,
                    error=repr(error),
                )
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, self._retries.longest_pause)
        return False
