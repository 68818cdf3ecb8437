"""All that happened in a chunk of a log, worked on at once: what is taken is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from bus.commits import Commit, Recorded
from bus.envelope import Envelope, envelope_of
from bus.messages import Event
from bus.partitions import partition_of_stream


class Seen(NamedTuple):
    """An event where it stands: in which commit, and as the how-manieth of it."""

    commit: Commit
    number: int

    @property
    def recorded(self) -> Recorded:
        """The event, with its stream and the version of that."""
        return self.commit.events[self.number]

    @property
    def envelope(self) -> Envelope[Event]:
        """The event in its envelope."""
        return envelope_of(self.commit, self.number, self.recorded.event)


PACE = 0.25
"""Seconds between chunks in which something was wanted: what happens meanwhile comes together."""

Gather = Callable[[Sequence[Seen]], Awaitable[None]]
"""Does what these events, in the log's order, ask for; twice if need be."""


class Gathered:
    """The work of a reader that hands over each chunk's events in one go."""

    def __init__(self, wanted: Collection[type[Event]], handle: Gather) -> None:
        self.wanted = wanted
        self._handle = handle
        self._positions: dict[int, int] = {}

    async def begin(self, partition: int, position: int) -> None:
        """Work on a partition too, from behind a position."""
        self._positions[partition] = position

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Hand over; then leave time for more to come, if there was anything."""
        await self.apply(commits, partitions)
        self.took(commits, partitions)
        if any(happened.kind in self.wanted for commit in commits for happened in commit.events):
            await asyncio.sleep(PACE)

    async def apply(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Hand over what is wanted of these commits, if there is anything."""
        seen = [
            Seen(commit, number)
            for commit in commits
            for number, happened in enumerate(commit.events)
            if happened.kind in self.wanted and partition_of_stream(happened.stream) in partitions
        ]
        if seen:
            await self._handle(seen)

    def took(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """These commits have led to what they should."""
        self._positions.update(dict.fromkeys(partitions, commits[-1].position))

    def taken_to(self, partition: int) -> int:
        """What is taken is done."""
        return self._positions[partition]

    def done_to(self, partition: int) -> int:
        """What is taken is done."""
        return self._positions[partition]

    async def release(self, partition: int) -> None:
        """Nothing is under way between two chunks."""

    async def look(self) -> None:
        """Nothing can be asked."""
