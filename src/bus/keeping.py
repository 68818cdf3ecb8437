"""How a view is kept: the work of the reader that folds events into its documents."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from bus.cache import Cache
from bus.commits import Commit
from bus.messages import Event
from bus.partitions import partition_of
from bus.views import Documents, Rebuilt, Stored, View

D = TypeVar("D")

QUICK, CALM = 0.02, 0.25
"""Seconds between writes, when little happens and when much does: what changes several times
meanwhile is written once."""

MUCH = 250
"""Commits at once that are much."""

WARM = 10_000
"""Documents kept in memory by the reader that writes a view."""


class Change(NamedTuple):
    """An event that changes a document: at a version of its stream, at a position of the log."""

    event: Event
    version: int
    position: int


class ViewWork(Generic[D]):
    """The work of the reader that keeps a view: fold each chunk of commits, write it in one go.

    A document belongs to the partition of its id.
    """

    def __init__(self, documents: Documents[D], cache: Cache) -> None:
        self._documents = documents
        self._view = documents.view
        self._cache = cache
        self._warm: OrderedDict[str, Stored[D]] = OrderedDict()
        self._taken: dict[int, int] = {}
        self._builds: dict[int, str | None] = {}

    async def begin(self, partition: int, position: int) -> None:
        """Keep the documents of a partition too, from behind a position; from further back if the
        view has been rebuilt no further."""
        build = await self._documents.build()
        self._builds[partition] = build.id
        self._taken[partition] = min(position, build.position) if build.id else position

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Apply, then rest: what comes meanwhile is written at once."""
        await self.fold(commits, partitions)
        await asyncio.sleep(rest(len(commits)))

    async def fold(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Take commits without a rest."""
        try:
            await self.apply(commits, partitions)
        except Rebuilt:
            for partition in partitions:
                await self.release(partition)
                await self.begin(partition, self._taken[partition])
        else:
            self.took(commits, partitions)

    async def apply(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Fold and write, and cache what stands then. Raises `Rebuilt`."""
        await self._change(changes_of(self._view, commits, partitions))

    def took(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """These commits are in the documents, or need not be."""
        self._taken.update(dict.fromkeys(partitions, commits[-1].position))

    @property
    def wanted(self) -> Collection[type[Event]]:
        """The events that change the view."""
        return self._view.ids

    def taken_to(self, partition: int) -> int:
        """How far a partition's commits have been taken."""
        return self._taken[partition]

    def done_to(self, partition: int) -> int:
        """Everything taken is done."""
        return self._taken[partition]

    async def release(self, partition: int) -> None:
        """From now on others write these documents: what is remembered of them is worth nothing."""
        for id in [id for id in self._warm if partition_of(id) == partition]:
            del self._warm[id]

    async def look(self) -> None:
        """Nothing can be asked."""

    def forget(self) -> None:
        """Read every document again before it is changed."""
        self._warm.clear()

    async def _change(self, changes: Mapping[str, Sequence[Change]]) -> None:
        if not changes:
            return
        before = await self._before(changes)
        stand = await self._written_over(before, changes)
        if (entry := self._view.cached) is not None:
            await self._cache.put_all(
                [
                    (self._view.cache_key(id), entry(doc, version, position))
                    for id, doc, version, position, *_ in stand
                ]
            )
        self._warm.update((stored.id, stored) for stored in stand)
        while len(self._warm) > WARM:
            self._warm.popitem(last=False)

    async def _before(self, ids: Iterable[str]) -> dict[str, Stored[D]]:
        """These documents as they are now. They are remembered no longer: whatever happens until
        they are written, nobody goes on from what may not have been."""
        known = {id: self._warm.pop(id) for id in ids if id in self._warm}
        missing = [id for id in ids if id not in known]
        return {**known, **await self._documents.get_many(missing)} if missing else known

    async def _written_over(
        self, before: Mapping[str, Stored[D]], changes: Mapping[str, Sequence[Change]]
    ) -> list[Stored[D]]:
        """What stands once the changes are written. What a predecessor had written already is
        among it, for that may be all that it came to do."""
        after = [
            folded(self._view, id, before.get(id), events, self._builds[partition_of(id)])
            for id, events in changes.items()
        ]
        changed = [stored for stored in after if stored is not before.get(stored.id)]
        refused = await self._documents.put(changed) if changed else set()
        if not refused:
            return after
        newer = await self._documents.get_many(list(refused))
        return [newer.get(stored.id, stored) for stored in after]


def changes_of(
    view: View[Any], commits: Iterable[Commit], partitions: Collection[int]
) -> dict[str, list[Change]]:
    """What changes each document of these partitions, in order."""
    changes: dict[str, list[Change]] = {}
    for commit in commits:
        for happened in commit.events:
            id_of = view.ids.get(happened.kind)
            if id_of is None:
                continue
            event = happened.event
            id = id_of(event)
            if partition_of(id) in partitions:
                change = Change(event, happened.version, commit.position)
                changes.setdefault(id, []).append(change)
    return changes


def folded(
    view: View[D], id: str, before: Stored[D] | None, changes: Sequence[Change], build: str | None
) -> Stored[D]:
    """A document after its changes; what it has seen already is no change."""
    known = before.position if before else 0
    fresh = [change for change in changes if change.position > known]
    if before and not fresh:
        return before
    doc = before.doc if before else None
    for change in fresh:
        doc = view.evolve(doc, change.event)
    last, first = fresh[-1], before.first if before else fresh[0].position
    return Stored(id, cast(D, doc), last.version, last.position, first, build)


def rest(commits: int) -> float:
    """Seconds to wait after so many commits at once; who is behind does not rest."""
    return 0 if commits > 2 * MUCH else QUICK + (CALM - QUICK) * min(commits / MUCH, 1)
