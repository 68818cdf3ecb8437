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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, NamedTuple

import structlog
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.envelope import Envelope, envelope_of
from bus.messages import Busy, Event
from bus.mongo import told
from bus.parking import Failure, Parking
from bus.tasks import ended

WIDTH, NARROW = 128, 2
"""Streams that a reader works on at once; and while a crowd outside waits for answers."""

SLOW = 0.05
"""Seconds after which a stream no longer counts as one that takes time from the crowd."""

BACKLOG = 5_000
"""Commits that may be under way at once, at most."""

ATTEMPTS = 8
"""How often an event is tried before its stream is parked; outages do not count."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0

log = structlog.get_logger(__name__)

Handler = Callable[[Any, Envelope[Any]], Awaitable[None]]


class Task(NamedTuple):
    """One event for one handler."""

    envelope: Envelope[Event]
    stream: str
    position: int
    nth: int
    handler: Handler


class Lanes:
    """The work of a reader that handles events one by one."""

    def __init__(
        self,
        reader: str,
        handlers: Mapping[type[Event], Handler],
        parking: Parking,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._handlers = handlers
        self._parking = parking
        self._taken = 0
        self._open: dict[int, int] = {}  # position -> events under way; in order of position
        self._lanes: dict[str, deque[Task]] = {}
        self._since: dict[str, float] = {}  # when each lane was opened, in that order
        self._crowded = crowded
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()

    async def begin(self, position: int) -> None:
        """Start behind a position."""
        self._taken = position
        await self._parking.load()

    async def take(self, commits: Sequence[Commit]) -> None:
        """Put the events that somebody wants on their lanes; waits while too many are under way."""
        for commit in commits:
            for index, happened in enumerate(commit.events):
                handler = self._handlers.get(happened.kind)
                if handler is not None:
                    self._open[commit.position] = self._open.get(commit.position, 0) + 1
                    envelope = envelope_of(commit, index, happened.event)
                    await self._put(
                        Task(envelope, happened.stream, commit.position, index, handler)
                    )
            self._taken = commit.position
        while len(self._open) > BACKLOG:
            self._progress.clear()
            await self._progress.wait()

    def done_to(self) -> int:
        """The position up to which everything has been handled."""
        return next(iter(self._open)) - 1 if self._open else self._taken

    async def stop(self) -> None:
        """Leave what is under way; it will be done again."""
        await ended(self._tasks)

    async def _put(self, task: Task) -> None:
        lane = self._lanes.get(task.stream)
        if lane is not None:
            lane.append(task)
            return
        while not self._room():
            self._progress.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(SLOW):
                    await self._progress.wait()
        self._lanes[task.stream] = lane = deque((task,))
        self._since[task.stream] = asyncio.get_running_loop().time()
        running = asyncio.create_task(self._run(task.stream, lane))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)

    def _room(self) -> bool:
        """Whether another stream may be worked on. In a crowd only the quick ones count: who waits
        for a gateway takes nothing from anybody."""
        if len(self._lanes) >= WIDTH or not self._crowded():
            return len(self._lanes) < WIDTH
        slow = asyncio.get_running_loop().time() - SLOW
        return sum(1 for _ in takewhile(slow.__lt__, reversed(self._since.values()))) < NARROW

    async def _run(self, stream: str, lane: deque[Task]) -> None:
        try:
            while lane:
                task = lane[0]
                await self._do(task)
                lane.popleft()
                self._close(task.position)
        finally:
            del self._lanes[stream], self._since[stream]
            self._progress.set()

    def _close(self, position: int) -> None:
        left = self._open[position] - 1
        if left:
            self._open[position] = left
        else:
            del self._open[position]
            self._progress.set()

    async def _do(self, task: Task) -> None:
        failure: Failure | None = None
        pause = FIRST_PAUSE
        while True:
            try:
                if self._parking.holds(task.stream):
                    await self._parking.behind(task.stream, task.position, task.nth, task.envelope)
                elif failure is not None and failure.attempts >= ATTEMPTS:
                    await self._parking.park(
                        task.stream, task.position, task.nth, task.envelope, failure
                    )
                else:
                    await task.handler(task.envelope.message, task.envelope)
                return
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
            pause = min(pause * 2, LONGEST_PAUSE)
