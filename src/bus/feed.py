"""A log as this process knows it: every commit fetched and decoded once, however many readers
listen.

What this process commits arrives as objects; what others commit is fetched when their doorbell
rings, or at the next poll. Either way commits come in order and without a gap. Readers that are
far behind go through the log in windows that they share, as long as they keep together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from bus.commits import Commit
from bus.faults import told
from bus.tasks import ended

KEPT = 20_000
"""Commits kept in memory; a reader further behind reads from the log."""

POLL = 0.25
"""Seconds between looks at the log, which cover a doorbell that was not heard."""

CHUNK = 1000
"""Commits fetched at once."""

FURTHEST = 2**63 - 1

WINDOWS = 4
"""Chunks of the past that are kept for readers that catch up."""

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
        self._events: dict[int, int] = {}  # how many there were, from the start to each of them
        self._early: dict[int, Commit] = {}  # those that came before one that stands before them
        self._windows: dict[int, asyncio.Task[list[Commit]]] = {}  # the past, by where it begins
        self._listeners: list[Callable[[Sequence[Commit]], None]] = []
        self._news = asyncio.Event()
        self._bell = asyncio.Event()
        self._look = False  # whether to look for more at the log's end
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin at the log's present end."""
        self.head = await self._read_head()
        self._events[self.head] = 0
        self._task = asyncio.create_task(self._look_out(), name=f"feed:{self.context}")

    async def stop(self) -> None:
        """Stop looking."""
        await ended((self._task, *self._windows.values()))

    def ring(self) -> None:
        """Somebody says that there is something new."""
        self._look = True
        self._bell.set()

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        """Hear every commit from here on, in order; the listener returns at once."""
        self._listeners.append(listener)

    def forget(self) -> None:
        """Read commits again before they are handed out once more."""
        self._tail.clear()
        self._windows.clear()

    def push(self, commits: Sequence[Commit]) -> None:
        """Commits published by whoever wrote them: repeated and out of order ones do no harm."""
        self._accept(commits)
        if self._early:
            self._bell.set()  # something is missing before these: fetch it

    async def after(self, position: int, limit: int) -> list[Commit]:
        """Some commits behind a position, `limit` at most, waiting until there is one."""
        while True:
            await self.reached(position + 1)
            if position + 1 in self._tail:
                until = min(position + limit, self.head)
                return [self._tail[at] for at in range(position + 1, until + 1)]
            start = position - position % CHUNK
            window = await asyncio.shield(self._window(start))
            if commits := window[position - start : position - start + limit]:
                if start + 2 * CHUNK <= self.head:
                    self._window(start + CHUNK)  # while this one is worked on
                return commits
            self._windows.pop(start, None)  # the log ended there when it was fetched
            if not await self._fetch(position, 1):
                log.error("feed.hole", context=self.context, behind=position)
                await asyncio.sleep(POLL)  # never seen; but nobody must skip what is not there

    async def reached(self, position: int) -> None:
        """Wait until this process knows the log up to a position."""
        while self.head < position:
            await self._news.wait()

    def since(self, position: int) -> datetime | None:
        """When the commit at a position was made, if that is in memory."""
        if commit := self._tail.get(position):
            return commit.at
        behind = position - 1
        window = self._windows.get(behind - behind % CHUNK)
        if window is None or not window.done() or window.cancelled() or window.exception():
            return None
        return next((each.at for each in window.result() if each.position == position), None)

    def events(self, behind: int) -> int:
        """How many events the log has behind a position: counted as far as memory goes back, and
        before that as many for each commit as there are on average."""
        if behind >= self.head or not self._events:
            return max(self.head - behind, 0)
        oldest, before = next(iter(self._events.items()))
        if behind >= oldest:
            return self._events[self.head] - self._events[behind]
        counted, commits = self._events[self.head] - before, self.head - oldest
        return counted + round((oldest - behind) * (counted / commits if commits else 1))

    def _window(self, start: int) -> asyncio.Task[list[Commit]]:
        """The chunk of commits behind a position, fetched once for all who ask."""
        window = self._windows.pop(start, None)
        if window is None or (window.done() and (window.cancelled() or window.exception())):
            window = asyncio.create_task(self._past(start))
            window.add_done_callback(lambda w: w.cancelled() or w.exception())  # who asks is told
        self._windows[start] = window  # as the last one used
        while len(self._windows) > WINDOWS:
            del self._windows[next(iter(self._windows))]
        return window

    async def _past(self, start: int) -> list[Commit]:
        return await self._fetch(start, CHUNK)

    def _accept(self, commits: Sequence[Commit]) -> None:
        """Join to the tail what follows it; keep the rest until that is so."""
        for commit in commits:
            if commit.position > self.head:
                self._early[commit.position] = commit
        follow: list[Commit] = []
        while (following := self._early.pop(self.head + len(follow) + 1, None)) is not None:
            follow.append(following)
        if follow:
            self._extend(follow)
        if len(self._early) > KEPT:
            self._early.clear()  # whatever is missing has been missing for long: fetch it all

    def _extend(self, commits: Sequence[Commit]) -> None:
        events = self._events.get(self.head, 0)
        for commit in commits:
            events += len(commit.events)
            self._tail[commit.position] = commit
            self._events[commit.position] = events
            for kept in (self._tail, self._events):
                kept.pop(commit.position - KEPT, None)
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
                self._look = True
            self._bell.clear()
            try:
                await self._fetch_missing()
                self.fault = None
            except Exception as error:  # the next look will tell whether it lasts
                fault = told(error)
                if fault != self.fault:
                    log.warning("feed.cannot_read", context=self.context, error=fault)
                self.fault = fault

    async def _fetch_missing(self) -> None:
        """What stands between the tail and what came early; and up to the log's end, if somebody
        rang or it is time to look.

        A log that grows all the time is pushed by who writes it: once to its end will do.
        """
        while self._early or self._look:
            limit = min(min(self._early, default=FURTHEST) - self.head - 1, CHUNK)
            if not self._early:
                self._look = False  # but for who rings from now on
            commits = await self._fetch(self.head, limit)
            self._accept(commits)
            if not commits:
                return
            self._look = self._look or (len(commits) == limit == CHUNK)
