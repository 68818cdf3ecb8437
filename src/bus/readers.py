"""Durable readers: each takes its log in order, from where it was, for as long as it holds the
lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.feed import Feed
from bus.leases import TERM, Lease, LeaseLost, Leases
from bus.mongo import told
from bus.tasks import ended

CHUNK, FEW = 1000, 100
"""Commits taken from the feed at once; and while a crowd outside waits for answers."""

STORE_EVERY = 0.5
"""Seconds between stored positions; what was done since is done again after a crash."""

log = structlog.get_logger(__name__)


class Work(Protocol):
    """What a reader does with commits."""

    async def begin(self, position: int) -> None:
        """Start behind a position, having the lease."""

    async def take(self, commits: Sequence[Commit]) -> None:
        """Take the next commits; returns when more may come."""

    def done_to(self) -> int:
        """The position up to which everything is done, and need never be done again."""

    async def stop(self) -> None:
        """Stop; what is not done will be taken again."""


class Reader:
    """One reader of one log. Several processes may run it: the one with the lease works."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        leases: Leases,
        work: Callable[[], Work],
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.feed = feed
        self.position = 0
        self._leases = leases
        self._make_work = work
        self._crowded = crowded
        self._current: Work | None = None
        self._task: asyncio.Task[None] | None = None
        self.fault: str | None = None
        """Why it does not get on at the moment, if it does not."""

    def done_to(self) -> int:
        """How far this process has done the work; 0 while another one does it."""
        return self._current.done_to() if self._current is not None else 0

    def start(self) -> None:
        """Work in the background until stopped."""
        self._task = asyncio.create_task(self._run(), name=f"reader:{self.name}")

    async def stop(self) -> None:
        """Stop and give the lease back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def lag(self) -> int:
        """Commits that wait to be read, as far as this process knows."""
        return max(self.feed.head - self.position, 0)

    @property
    def running(self) -> bool:
        """Whether the reader is alive: working, or waiting for the lease."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while True:
            try:
                lease = await self._leases.claim(self.name)
                if lease is None:
                    await asyncio.sleep(TERM / 5)
                    continue
                await self._work(lease)
            except LeaseLost:
                log.warning("reader.lease_lost", reader=self.name)
            except PyMongoError as error:
                await self._pause(error)
            except Exception as error:
                if self.fault is None:
                    log.exception("reader.failed", reader=self.name)
                await self._pause(error)

    async def _pause(self, error: Exception) -> None:
        fault = told(error)
        if fault != self.fault:
            log.warning("reader.cannot_work", reader=self.name, error=fault)
        self.fault = fault
        await asyncio.sleep(1)

    async def _work(self, lease: Lease) -> None:
        work = self._make_work()
        self.position = lease.position
        await work.begin(lease.position)
        self._current = work
        taking = asyncio.create_task(self._take(work, lease.position))
        keeping = asyncio.create_task(self._keep(lease, work))
        try:
            await asyncio.wait((taking, keeping), return_when=asyncio.FIRST_COMPLETED)
            for task in (taking, keeping):
                if task.done():
                    task.result()
        finally:
            self._current = None
            await ended((taking, keeping))
            await work.stop()
            try:
                await self._leases.give_back(lease, work.done_to())
            except PyMongoError as error:  # then it runs out by itself
                log.warning("reader.kept_lease", reader=self.name, error=told(error))

    async def _take(self, work: Work, position: int) -> None:
        while True:
            commits = await self.feed.after(position, FEW if self._crowded() else CHUNK)
            await work.take(commits)
            position = commits[-1].position
            self.fault = None

    async def _keep(self, lease: Lease, work: Work) -> None:
        """Renew the lease well before it runs out, and store the position while it moves."""
        since_renewal = 0.0
        while True:
            await asyncio.sleep(STORE_EVERY)
            since_renewal += STORE_EVERY
            done = work.done_to()
            if done != self.position or since_renewal >= TERM / 4:
                await self._leases.keep(lease, done)
                self.position = done
                since_renewal = 0.0
