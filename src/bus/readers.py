"""Durable readers: each takes a log in order, from where it was, for the partitions that this
process holds."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.faults import told
from bus.feed import Feed
from bus.leases import Lease
from bus.messages import now
from bus.partitions import PARTITIONS
from bus.retries import Overtaken
from bus.tasks import ended

CHUNK, FEW = 1000, 100
"""Commits taken from the feed at once; and while a crowd outside waits for answers."""

FAR = 1_000
"""Commits behind the log at which a reader is catching up."""

REST = 1.0
"""Seconds until work that could not go on is tried again."""

UNFIT = 10.0
"""Seconds for which others should do what this process has failed at."""

log = structlog.get_logger(__name__)


class Work(Protocol):
    """What a reader does with commits, for the partitions that this process holds; they come and
    go. `begin`, `take` and `release` never run at the same time."""

    async def begin(self, partition: int, position: int) -> None:
        """Work on a partition too, from behind a position."""

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Take the next commits for these partitions, all taken to the same position so far.

        May be cancelled; what `taken_to` does not show then is given again.
        """

    def taken_to(self, partition: int) -> int:
        """The position up to which a partition's commits have been taken."""

    def done_to(self, partition: int) -> int:
        """The position up to which everything is done, and need never be done again."""

    async def release(self, partition: int) -> None:
        """Stop: another process goes on from `done_to`."""

    async def look(self) -> None:
        """Something may have been asked of the work: see."""


class Reader:
    """One reader of one log. Its partitions are shared by the processes that run it."""

    partitions = PARTITIONS

    def __init__(
        self, name: str, feed: Feed, work: Work, crowded: Callable[[], bool] = lambda: False
    ) -> None:
        self.name = name
        self.feed = feed
        self.held: set[int] = set()
        """The partitions that this process works on."""
        self.fault: str | None = None
        """Why it does not get on at the moment, if it does not."""
        self._work = work
        self._crowded = crowded
        self._unfit_until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def fit(self) -> bool:
        """Whether this process can do the work; if not, others should."""
        return time.monotonic() >= self._unfit_until

    @property
    def stopped(self) -> bool:
        """Whether it should work and does not, for whatever reason."""
        return self._task is not None and self._task.done()

    @property
    def lag(self) -> int:
        """Commits that wait to be done here, as far as this process knows."""
        done = [self._work.done_to(partition) for partition in self.held]
        return max(self.feed.head - min(done), 0) if done else 0

    @property
    def events_waiting(self) -> int:
        """The events of these commits, whether this reader wants them or not."""
        return self.feed.events(self.feed.head - self.lag)

    @property
    def late(self) -> float:
        """Seconds for which the oldest of them has waited, as far as it is in memory."""
        waits = self.feed.since(self.feed.head - lag + 1) if (lag := self.lag) else None
        return max((now() - waits).total_seconds(), 0.0) if waits else 0.0

    def done_to(self, partition: int) -> int:
        """How far a partition's work is done by this process."""
        return self._work.done_to(partition)

    async def begin(self, leases: Sequence[Lease]) -> None:
        """Work on these partitions too: on all of them or, if one cannot be begun, on none."""
        await self._halt()
        begun = set()
        try:
            for lease in leases:
                begun.add(lease.partition)
                await self._work.begin(lease.partition, lease.position)
        except BaseException:  # or cancelled: whoever asked knows of none of them
            for partition in begun:
                await self._work.release(partition)
            raise
        else:
            self.held |= begun
        finally:
            self._go_on()

    async def release(self, partitions: Collection[int]) -> None:
        """Stop working on these."""
        await self._halt()
        try:
            for partition in partitions:
                self.held.discard(partition)
                await self._work.release(partition)
        finally:
            self._go_on()

    async def look(self) -> None:
        """Something may have been asked of the work: see."""
        if self.held:
            await self._work.look()

    async def _halt(self) -> None:
        task, self._task = self._task, None
        await ended((task,))

    def _go_on(self) -> None:
        if self.held:
            self._task = asyncio.create_task(self._run(), name=f"reader:{self.name}")

    async def _run(self) -> None:
        while True:
            try:
                await self._advance()
                self.fault = None
            except (PyMongoError, Overtaken) as error:
                await self._rest(error)
            except Exception as error:
                if self.fault is None:
                    log.exception("reader.failed", reader=self.name)
                self._unfit_until = time.monotonic() + UNFIT
                await self._rest(error)

    async def _rest(self, error: Exception) -> None:
        fault = told(error)
        if fault != self.fault:
            log.warning("reader.cannot_work", reader=self.name, error=fault)
        self.fault = fault
        await asyncio.sleep(REST)

    async def _advance(self) -> None:
        """Take what comes next, for each group of partitions that have come equally far: who is
        behind catches up, beside who is in front."""
        groups = defaultdict(list)
        for partition in self.held:
            groups[self._work.taken_to(partition)].append(partition)
        fronts = sorted(groups)
        await self.feed.reached(fronts[0] + 1)
        most = FEW if self._crowded() else CHUNK
        for position, following in zip(fronts, [*fronts[1:], self.feed.head], strict=True):
            # No further than to the next group, to go on with it.
            limit = min(most, following - position)
            if limit > 0:
                commits = await self.feed.after(position, limit)
                await self._work.take(commits, groups[position])
