"""The end of a log as this process knows it: every commit decoded once, however many readers
listen.

What this process commits arrives as objects; what others commit is fetched when their doorbell
rings, or at the next poll. Either way commits come in order and without a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bus.commits import Commit
from bus.mongo import told

KEPT = 20_000
"""Commits kept in memory; a reader further behind reads from the log."""

POLL = 0.25
"""Seconds between looks at the log, which cover a doorbell that was not heard."""

CHUNK = 1000
"""Commits fetched at once."""

log = structlog.get_logger(__name__)

Fetch = Callable[[int, int], Awaitable[list[Commit]]]


class Feed:
    """One log's newest commits, and a way to wait for the next."""

    def __init__(self, context: str, fetch: Fetch, head: Callable[[], Awaitable[int]]) -> None:
        self.context = context
        self.head = 0
        self.fault: str | None = None
        """Why the log cannot be read at the moment, if it cannot."""
        self._fetch = fetch
        self._read_head = head
        self._tail: dict[int, Commit] = {}  # the last of them, by position
        self._listeners: list[Callable[[Sequence[Commit]], None]] = []
        self._news = asyncio.Event()
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin at the log's present end."""
        self.head = await self._read_head()
        self._task = asyncio.create_task(self._look_out(), name=f"feed:{self.context}")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def ring(self) -> None:
        """Somebody says that there is something new."""
        self._bell.set()

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        """Hear every commit from here on, in order; the listener returns at once."""
        self._listeners.append(listener)

    def push(self, commits: Sequence[Commit]) -> None:
        """Commits published by whoever wrote them: repeated and out of order ones do no harm."""
        fresh = [commit for commit in commits if commit.position > self.head]
        if not fresh:
            return
        follows = all(commit.position == self.head + n for n, commit in enumerate(fresh, start=1))
        if not follows:
            self._bell.set()  # something is missing before these: fetch it, and them
            return
        self._extend(fresh)

    async def after(self, position: int, limit: int) -> list[Commit]:
        """The commits behind a position, waiting until there is one."""
        while True:
            await self.reached(position + 1)
            if position + 1 in self._tail:
                until = min(position + limit, self.head)
                return [self._tail[at] for at in range(position + 1, until + 1)]
            if commits := await self._fetch(position, limit):
                return commits
            log.error("feed.hole", context=self.context, behind=position)
            await asyncio.sleep(POLL)  # never seen; but nobody must skip what is not there

    async def reached(self, position: int) -> None:
        """Wait until this process knows the log up to a position."""
        while self.head < position:
            await self._news.wait()

    def _extend(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            self._tail[commit.position] = commit
            self._tail.pop(commit.position - KEPT, None)
        self.head = commits[-1].position
        news, self._news = self._news, asyncio.Event()
        news.set()
        for listener in self._listeners:
            listener(commits)

    async def _look_out(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            try:
                # A log that grows all the time is pushed by who writes it: once to its end will do.
                full = True
                while full:
                    commits = await self._fetch(self.head, CHUNK)
                    self.push(commits)
                    full = len(commits) == CHUNK
                self.fault = None
            except Exception as error:  # the next look will tell whether it lasts
                fault = told(error)
                if fault != self.fault:
                    log.warning("feed.cannot_read", context=self.context, error=fault)
                self.fault = fault
