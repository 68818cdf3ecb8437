"""Chunks: the commits that come are worked on all at once. What fails among them is found by
halving, and its stream parked; everything else goes on.

It is not tried again and again, as an effect is: what is worked out from an event alone, and
failed, fails again.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from pymongo.errors import PyMongoError

from bus.commits import Commit, Recorded
from bus.messages import Busy, Event
from bus.parking import Parking, Place
from bus.partitions import PARTITIONS
from bus.readers import Work
from bus.retries import Failure, Overtaken
from bus.tasks import ended

DRAINED = 100
"""Commits of a parked stream that goes on, worked on at once."""

OUTAGES = (Busy, PyMongoError, OSError, Overtaken)
"""What says nothing about the events."""


class Chunked(Work, Protocol):
    """Work on whole chunks."""

    @property
    def wanted(self) -> Collection[type[Event]]:
        """The events that it works on."""

    async def apply(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Do what these commits ask for, all of it or, if one fails, nothing."""

    def took(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """All of these commits have been seen to."""


class Chunks:
    """The work of a reader that works on chunks, but for the streams that fail."""

    def __init__(self, work: Chunked, parking: Parking, valid: Callable[[], bool]) -> None:
        self._work = work
        self._parking = parking
        self._valid = valid
        self._turn = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    async def begin(self, partition: int, position: int) -> None:
        """Work on a partition too, from behind a position."""
        await self._parking.load(partition, position)
        await self._work.begin(partition, position)

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Work on a chunk, and leave out what is parked."""
        async with self._turn:
            clear = commits
            if self._parking.keeps_some:
                clear = [self._without_parked(commit) for commit in commits]
            try:
                await self._work.take(clear, partitions)
            except OUTAGES:
                raise
            except Exception:
                await self._halve(list(self._by_stream(clear)), partitions)
                self._work.took(commits, partitions)

    def taken_to(self, partition: int) -> int:
        """How far a partition's commits have been taken."""
        return self._work.taken_to(partition)

    def done_to(self, partition: int) -> int:
        """How far they are done, or parked."""
        return self._work.done_to(partition)

    async def release(self, partition: int) -> None:
        """Leave a partition to others."""
        await ended((self._looking,))
        self._parking.forget(partition)
        await self._work.release(partition)

    async def look(self) -> None:
        """See which parked streams are to go on; returns at once."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._resume())

    async def _resume(self) -> None:
        with suppress(*OUTAGES):  # the next look will do
            for stream in await self._parking.asked():
                async with self._turn:
                    await self._drain(stream)

    async def _halve(self, pieces: list[tuple[str, Commit]], partitions: Collection[int]) -> None:
        """Work on these; where that fails, on each half by itself."""
        free = [(stream, commit) for stream, commit in pieces if not self._waits(stream, commit)]
        if not free:
            return
        try:
            await self._work.apply([commit for _, commit in free], partitions)
        except OUTAGES:
            raise
        except Exception as error:
            if len(free) > 1:
                half = len(free) // 2
                await self._halve(free[:half], partitions)
                await self._halve(free[half:], partitions)
                return
            ((stream, commit),) = free
            await self._parking.park(stream, *self._blame(stream, commit), _failure(error))

    def _waits(self, stream: str, commit: Commit) -> bool:
        """Whether a stream has been parked, so that this commit waits behind."""
        parking = self._parking
        return parking.holds(stream) and parking.keeps(stream, Place(commit.position, 0))

    async def _drain(self, stream: str) -> None:
        """Work on what waits of a parked stream, until nothing does or it fails again. Can be
        broken off anywhere, and is done again from where the stream stands."""
        parking = self._parking
        if not self._valid() or not await parking.heed(stream):
            return
        while commits := await parking.waiting(stream, DRAINED):
            for commit in commits:
                piece = self._only(stream, commit, waiting=True)
                try:
                    await self._work.apply([piece], range(PARTITIONS))
                except OUTAGES:
                    raise
                except Exception as error:
                    place, kind = self._blame(stream, piece)
                    await parking.failed_again(stream, place, kind, _failure(error))
                    return
            await parking.move_on(stream, Place(commits[-1].position, len(commits[-1].events)))
        await parking.free(stream)

    def _without_parked(self, commit: Commit) -> Commit:
        return _shown(
            commit,
            lambda index, each: (
                each.kind in self._work.wanted
                and not self._parking.keeps(each.stream, Place(commit.position, index))
            ),
        )

    def _by_stream(self, commits: Sequence[Commit]) -> Iterator[tuple[str, Commit]]:
        for commit in commits:
            wanted = (each.stream for each in commit.events if each.kind in self._work.wanted)
            for stream in dict.fromkeys(wanted):
                yield stream, self._only(stream, commit)

    def _only(self, stream: str, commit: Commit, *, waiting: bool = False) -> Commit:
        """What happened on one stream."""
        return _shown(
            commit,
            lambda index, each: (
                each.stream == stream
                and not (waiting and not self._parking.waits(stream, Place(commit.position, index)))
            ),
        )

    def _blame(self, stream: str, commit: Commit) -> tuple[Place, str]:
        """The first event of a commit that was to be worked on, and its type: those of one stream
        in one commit succeed or fail together."""
        index, event = next(
            (index, each)
            for index, each in enumerate(commit.events)
            if each.stream == stream and each.kind in self._work.wanted
        )
        return Place(commit.position, index), event.kind.type_name


class Hidden(Event, name="bus.Hidden"):
    """What stands in the place of an event that is not to be worked on now."""


_HIDDEN = Hidden()


def _shown(commit: Commit, shown: Callable[[int, Recorded], bool]) -> Commit:
    """A commit of which only these events are to be seen, each in its place."""
    events = tuple(
        each if shown(index, each) else Recorded(_HIDDEN, each.stream, each.version)
        for index, each in enumerate(commit.events)
    )
    return replace(commit, events=events)


def _failure(error: Exception) -> Failure:
    return Failure(repr(error), "".join(traceback.format_exception(error)), 1)
